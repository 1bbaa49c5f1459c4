//! Frameworks: those that are registered, how they are reached and what they hold.
//! Tasks and executors live with their slaves; what is here are their names.
//! Upstream: `Framework`, `Master::Frameworks`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use common::ids::{ExecutorId, FrameworkId, OfferId, SlaveId, TaskId};
use common::resources::Resources;
use libprocess::Upid;
use libprocess::clock::Time;
use proto::mesos::{FrameworkInfo, TaskInfo};
use stout::bounded::History;

use super::history::CompletedFrameworks;
use super::task::Task;

/// How a framework's scheduler is reached. The stream of the v1 API is going to be the other way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connection {
    /// By messages to its driver.
    Pid(Upid),
}

impl Connection {
    /// The driver's pid, if there is a driver.
    pub fn pid(&self) -> Option<&Upid> {
        match self {
            Connection::Pid(pid) => Some(pid),
        }
    }
}

/// A framework, registered or completed. Prints as `<id> (<name>) at <pid>`.
#[derive(Clone, Debug)]
pub struct Framework {
    /// Its name.
    pub id: FrameworkId,
    /// What it says of itself, with its id.
    pub info: Arc<FrameworkInfo>,
    /// How it is reached, or was last.
    pub connection: Connection,
    /// Whether its connection stands.
    pub connected: bool,
    /// Whether it gets offers.
    pub active: bool,
    /// When it was first seen by this master.
    pub registered_time: Time,
    /// When it last subscribed.
    pub reregistered_time: Time,
    /// When it ended.
    pub unregistered_time: Option<Time>,
    /// Tasks whose launch is being authorized.
    pub pending_tasks: BTreeMap<TaskId, Arc<TaskInfo>>,
    /// Where its tasks are.
    pub tasks: BTreeMap<TaskId, SlaveId>,
    /// Tasks that ended and were acknowledged, the oldest first.
    pub completed_tasks: History<Arc<Task>>,
    /// Where its custom executors are. No slave's set is empty.
    pub executors: BTreeMap<SlaveId, BTreeSet<ExecutorId>>,
    /// Outstanding offers.
    pub offers: BTreeSet<OfferId>,
    /// What its tasks and executors use, by slave; no slave's is empty.
    pub used: BTreeMap<SlaveId, Resources>,
    /// The sum of that.
    pub total_used: Resources,
    /// What its outstanding offers hold, by slave; no slave's is empty.
    pub offered: BTreeMap<SlaveId, Resources>,
    /// The sum of that.
    pub total_offered: Resources,
}

impl Framework {
    /// A framework that holds nothing yet; `info` bears its id.
    pub fn new(
        id: FrameworkId,
        info: FrameworkInfo,
        connection: Connection,
        now: Time,
    ) -> Framework {
        Framework {
            id,
            info: Arc::new(info),
            connection,
            connected: true,
            active: true,
            registered_time: now,
            reregistered_time: now,
            unregistered_time: None,
            pending_tasks: BTreeMap::new(),
            tasks: BTreeMap::new(),
            completed_tasks: History::new(0),
            executors: BTreeMap::new(),
            offers: BTreeSet::new(),
            used: BTreeMap::new(),
            total_used: Resources::new(),
            offered: BTreeMap::new(),
            total_offered: Resources::new(),
        }
    }

    /// The role whose resources it is offered.
    pub fn role(&self) -> &str {
        self.info.role()
    }

    /// The driver's pid, if there is a driver.
    pub fn pid(&self) -> Option<&Upid> {
        self.connection.pid()
    }

    pub(super) fn use_resources(&mut self, slave_id: &SlaveId, resources: &Resources) {
        self.total_used += resources;
        add(&mut self.used, slave_id, resources);
    }

    pub(super) fn release_resources(&mut self, slave_id: &SlaveId, resources: &Resources) {
        self.total_used -= resources;
        subtract(&mut self.used, slave_id, resources);
    }

    pub(super) fn add_offer(&mut self, id: &OfferId, slave_id: &SlaveId, resources: &Resources) {
        self.offers.insert(id.clone());
        self.total_offered += resources;
        add(&mut self.offered, slave_id, resources);
    }

    pub(super) fn remove_offer(&mut self, id: &OfferId, slave_id: &SlaveId, resources: &Resources) {
        self.offers.remove(id);
        self.total_offered -= resources;
        subtract(&mut self.offered, slave_id, resources);
    }

    pub(super) fn add_executor(&mut self, slave_id: &SlaveId, id: &ExecutorId) {
        self.executors.entry(slave_id.clone()).or_default().insert(id.clone());
    }

    pub(super) fn remove_executor(&mut self, slave_id: &SlaveId, id: &ExecutorId) {
        let Some(executors) = self.executors.get_mut(slave_id) else { return };
        executors.remove(id);
        if executors.is_empty() {
            self.executors.remove(slave_id);
        }
    }
}

fn add(table: &mut BTreeMap<SlaveId, Resources>, slave_id: &SlaveId, resources: &Resources) {
    if !resources.is_empty() {
        *table.entry(slave_id.clone()).or_default() += resources;
    }
}

fn subtract(table: &mut BTreeMap<SlaveId, Resources>, slave_id: &SlaveId, resources: &Resources) {
    let Some(held) = table.get_mut(slave_id) else { return };
    *held -= resources;
    if held.is_empty() {
        table.remove(slave_id);
    }
}

impl fmt::Display for Framework {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.id, self.info.name)?;
        match &self.connection {
            Connection::Pid(pid) => write!(f, " at {pid}"),
        }
    }
}

/// All frameworks that the master knows of.
#[derive(Clone, Debug)]
pub struct Frameworks {
    registered: BTreeMap<FrameworkId, Arc<Framework>>,
    by_pid: BTreeMap<Upid, FrameworkId>,
    /// Those that ended.
    pub completed: CompletedFrameworks,
    completed_tasks_max: usize,
}

impl Frameworks {
    /// No frameworks; so many completed ones are going to be remembered, with so many tasks each.
    pub fn new(completed_max: usize, completed_tasks_max: usize) -> Frameworks {
        Frameworks {
            registered: BTreeMap::new(),
            by_pid: BTreeMap::new(),
            completed: CompletedFrameworks::new(completed_max),
            completed_tasks_max,
        }
    }

    /// A registered framework.
    pub fn get(&self, id: &FrameworkId) -> Option<&Framework> {
        self.registered.get(id).map(Arc::as_ref)
    }

    /// The registered framework whose driver has this pid.
    pub fn at(&self, pid: &Upid) -> Option<&Framework> {
        self.get(self.by_pid.get(pid)?)
    }

    /// The registered frameworks in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Framework> {
        self.registered.values().map(Arc::as_ref)
    }

    /// How many are registered.
    pub fn len(&self) -> usize {
        self.registered.len()
    }

    /// Whether none is registered.
    pub fn is_empty(&self) -> bool {
        self.registered.is_empty()
    }

    /// For changes that concern the framework alone: connection, times, info, pending tasks.
    pub fn get_mut(&mut self, id: &FrameworkId) -> Option<&mut Framework> {
        self.registered.get_mut(id).map(Arc::make_mut)
    }

    /// A registered framework is reached another way from now on.
    pub fn reconnect(&mut self, id: &FrameworkId, connection: Connection) {
        let Some(framework) = self.registered.get_mut(id) else { return };
        if let Some(pid) = framework.pid() {
            self.by_pid.remove(pid);
        }
        if let Some(pid) = connection.pid() {
            self.by_pid.insert(pid.clone(), id.clone());
        }
        Arc::make_mut(framework).connection = connection;
    }

    pub(super) fn insert(&mut self, mut framework: Framework) {
        framework.completed_tasks = History::new(self.completed_tasks_max);
        if let Some(pid) = framework.pid() {
            self.by_pid.insert(pid.clone(), framework.id.clone());
        }
        let replaced = self.registered.insert(framework.id.clone(), Arc::new(framework));
        assert!(replaced.is_none(), "a framework is registered once");
    }

    pub(super) fn remove(&mut self, id: &FrameworkId) -> Option<Arc<Framework>> {
        let framework = self.registered.remove(id)?;
        if let Some(pid) = framework.pid() {
            self.by_pid.remove(pid);
        }
        Some(framework)
    }

    pub(super) fn check_invariants(&self) {
        for (pid, id) in &self.by_pid {
            assert_eq!(self.get(id).and_then(Framework::pid), Some(pid), "{id}");
        }
        for framework in self.iter() {
            let id = &framework.id;
            assert!(framework.pid().is_none_or(|pid| self.by_pid.contains_key(pid)), "{id}");
            assert!(framework.connected || !framework.active, "{id}");
            let sum = |table: &BTreeMap<SlaveId, Resources>| {
                table.values().fold(Resources::new(), |sum, held| sum + held).scalars()
            };
            assert_eq!(sum(&framework.used), framework.total_used.scalars(), "{id}: used");
            assert_eq!(sum(&framework.offered), framework.total_offered.scalars(), "{id}: offered");
        }
    }
}
