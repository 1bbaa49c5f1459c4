//! Slaves: those that are registered, with all that is on them, those that come or go, and those
//! that were removed. Changed through `Cluster` only where frameworks are concerned.
//! Upstream: `Slave`, `Master::Slaves`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use common::ids::{ExecutorId, FrameworkId, OfferId, SlaveId, TaskId};
use common::resources::{ApplyError, CheckpointedError, Resources};
use libprocess::Upid;
use libprocess::clock::Time;
use proto::mesos::offer::Operation;
use proto::mesos::{ExecutorInfo, SlaveInfo};
use stout::bounded::BoundedMap;

use super::machine::Machine;
use super::task::Task;

/// A custom executor on a slave. What it uses is charged once, however many tasks it has.
#[derive(Clone, Debug)]
pub struct Executor {
    /// As the framework described it, with the framework's id filled in.
    pub info: Arc<ExecutorInfo>,
    /// What it uses besides its tasks.
    pub resources: Resources,
}

impl From<ExecutorInfo> for Executor {
    fn from(info: ExecutorInfo) -> Executor {
        Executor { resources: Resources::from(&info.resources), info: Arc::new(info) }
    }
}

/// A registered slave.
#[derive(Clone, Debug)]
pub struct Slave {
    /// Its name.
    pub id: SlaveId,
    /// What it says of itself; the resources are those of its flags.
    pub info: Arc<SlaveInfo>,
    /// Where it is reached.
    pub pid: Upid,
    /// As it says; empty before 0.21.
    pub version: String,
    /// When it was admitted by this master, or came back to it as the first master it saw.
    pub registered_time: Time,
    /// When it last came back to this master.
    pub reregistered_time: Option<Time>,
    /// Whether its connection stands.
    pub connected: bool,
    /// Whether its resources are offered; never while it is disconnected.
    pub active: bool,
    /// Its tasks by framework. No framework's map is empty.
    pub tasks: BTreeMap<FrameworkId, BTreeMap<TaskId, Arc<Task>>>,
    /// Its custom executors by framework. No framework's map is empty.
    pub executors: BTreeMap<FrameworkId, BTreeMap<ExecutorId, Executor>>,
    /// What frameworks asked to be killed; asked again if the slave comes back with it.
    pub killed_tasks: BTreeSet<(FrameworkId, TaskId)>,
    /// Outstanding offers.
    pub offers: BTreeSet<OfferId>,
    /// What its tasks and executors use, by framework; nothing is left out.
    pub used: BTreeMap<FrameworkId, Resources>,
    /// What its outstanding offers hold.
    pub offered: Resources,
    /// What the slave has to remember: dynamic reservations and volumes.
    pub checkpointed: Resources,
    /// All it has, reservations, volumes and revocable resources included.
    pub total: Resources,
}

/// A slave that asks to be admitted.
#[derive(Clone, Debug)]
pub struct NewSlave {
    /// The name that it gets.
    pub id: SlaveId,
    /// What it says of itself.
    pub info: SlaveInfo,
    /// Where it is reached.
    pub pid: Upid,
    /// Its version.
    pub version: String,
    /// What it remembers.
    pub checkpointed: Resources,
}

impl Slave {
    /// Where it runs.
    pub fn machine(&self) -> Machine {
        Machine::of_slave(&self.info.hostname, &self.pid)
    }

    /// A slave with nothing on it.
    ///
    /// # Errors
    /// When what it remembers does not fit what it has.
    pub fn new(new: NewSlave, now: Time) -> Result<Slave, CheckpointedError> {
        let total = Resources::from(&new.info.resources).apply_checkpointed(&new.checkpointed)?;
        Ok(Slave {
            id: new.id,
            info: Arc::new(new.info),
            pid: new.pid,
            version: new.version,
            registered_time: now,
            reregistered_time: None,
            connected: true,
            active: true,
            tasks: BTreeMap::new(),
            executors: BTreeMap::new(),
            killed_tasks: BTreeSet::new(),
            offers: BTreeSet::new(),
            used: BTreeMap::new(),
            offered: Resources::new(),
            checkpointed: new.checkpointed,
            total,
        })
    }

    /// A task on this slave.
    pub fn task(&self, framework_id: &FrameworkId, task_id: &TaskId) -> Option<&Task> {
        self.tasks.get(framework_id)?.get(task_id).map(Arc::as_ref)
    }

    /// All tasks, by framework and name.
    pub fn all_tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.values().flat_map(BTreeMap::values).map(Arc::as_ref)
    }

    /// A custom executor on this slave.
    pub fn executor(&self, framework_id: &FrameworkId, id: &ExecutorId) -> Option<&Executor> {
        self.executors.get(framework_id)?.get(id)
    }

    /// All custom executors with their frameworks.
    pub fn all_executors(&self) -> impl Iterator<Item = (&FrameworkId, &ExecutorId)> {
        self.executors.iter().flat_map(|(id, executors)| executors.keys().map(move |e| (id, e)))
    }

    /// Adds a task; false, and nothing is changed, if there is one of its name.
    pub fn add_task(&mut self, task: Task) -> bool {
        let tasks = self.tasks.entry(task.key.framework_id.clone()).or_default();
        if tasks.contains_key(&task.key.task_id) {
            return false;
        }
        if !task.is_terminal() {
            *self.used.entry(task.key.framework_id.clone()).or_default() += &task.resources;
        }
        tasks.insert(task.key.task_id.clone(), Arc::new(task));
        true
    }

    /// Adds an executor; false, and nothing is changed, if there is one of its name.
    pub fn add_executor(&mut self, framework_id: &FrameworkId, info: ExecutorInfo) -> bool {
        let executors = self.executors.entry(framework_id.clone()).or_default();
        let id = ExecutorId::from(&info.executor_id);
        if executors.contains_key(&id) {
            return false;
        }
        let executor = Executor::from(info);
        *self.used.entry(framework_id.clone()).or_default() += &executor.resources;
        executors.insert(id, executor);
        true
    }

    pub(super) fn task_mut(&mut self, framework: &FrameworkId, id: &TaskId) -> Option<&mut Task> {
        self.tasks.get_mut(framework)?.get_mut(id).map(Arc::make_mut)
    }

    pub(super) fn remove_task(
        &mut self,
        framework: &FrameworkId,
        id: &TaskId,
    ) -> Option<Arc<Task>> {
        let tasks = self.tasks.get_mut(framework)?;
        let task = tasks.remove(id)?;
        if tasks.is_empty() {
            self.tasks.remove(framework);
        }
        self.killed_tasks.remove(&(framework.clone(), id.clone()));
        if !task.is_terminal() {
            self.release(framework, &task.resources);
        }
        Some(task)
    }

    pub(super) fn remove_executor(
        &mut self,
        framework: &FrameworkId,
        id: &ExecutorId,
    ) -> Option<Executor> {
        let executors = self.executors.get_mut(framework)?;
        let executor = executors.remove(id)?;
        if executors.is_empty() {
            self.executors.remove(framework);
        }
        self.release(framework, &executor.resources);
        Some(executor)
    }

    pub(super) fn release(&mut self, framework: &FrameworkId, resources: &Resources) {
        if let Some(used) = self.used.get_mut(framework) {
            *used -= resources;
            if used.is_empty() {
                self.used.remove(framework);
            }
        }
    }

    /// Reserves, unreserves, creates or destroys.
    ///
    /// # Errors
    /// When the slave does not have what the operation needs; nothing is changed then.
    pub fn apply(&mut self, operation: &Operation) -> Result<(), ApplyError> {
        self.total = self.total.apply(operation)?;
        self.checkpointed = self.total.filter(|resource| resource.needs_checkpointing());
        Ok(())
    }

    /// The sum of what its tasks and executors use.
    pub fn total_used(&self) -> Resources {
        self.used.values().fold(Resources::new(), |sum, used| sum + used)
    }
}

/// All slaves that the master knows of.
#[derive(Clone, Debug)]
pub struct Slaves {
    registered: BTreeMap<SlaveId, Arc<Slave>>,
    by_pid: BTreeMap<Upid, SlaveId>,
    /// Removed ones, the latest of them.
    removed: Arc<BoundedMap<SlaveId, ()>>,
    /// Those of the registry that have not come back since this master was elected.
    pub recovered: BTreeMap<SlaveId, Arc<SlaveInfo>>,
    /// Those that are being admitted.
    pub registering: BTreeSet<Upid>,
    /// Those that are being admitted again.
    pub reregistering: BTreeSet<SlaveId>,
    /// Those that are being taken out of the registry.
    pub removing: BTreeSet<SlaveId>,
}

impl Slaves {
    /// No slaves; so many removed ones are going to be remembered.
    pub fn new(removed_max: usize) -> Slaves {
        Slaves {
            registered: BTreeMap::new(),
            by_pid: BTreeMap::new(),
            removed: Arc::new(BoundedMap::new(removed_max)),
            recovered: BTreeMap::new(),
            registering: BTreeSet::new(),
            reregistering: BTreeSet::new(),
            removing: BTreeSet::new(),
        }
    }

    /// A registered slave.
    pub fn get(&self, id: &SlaveId) -> Option<&Slave> {
        self.registered.get(id).map(Arc::as_ref)
    }

    /// The registered slave that is reached at a pid.
    pub fn at(&self, pid: &Upid) -> Option<&Slave> {
        self.get(self.by_pid.get(pid)?)
    }

    /// The registered slaves in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Slave> {
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

    /// Whether a slave was removed, as far as that is remembered.
    pub fn is_removed(&self, id: &SlaveId) -> bool {
        self.removed.contains_key(id)
    }

    /// Remembers that a slave must not come back.
    pub fn mark_removed(&mut self, id: SlaveId) {
        Arc::make_mut(&mut self.removed).put(id, ());
    }

    /// Whether it is uncertain what runs on a slave, or on any if none is named.
    pub fn are_in_transition(&self, id: Option<&SlaveId>) -> bool {
        match id {
            Some(id) => {
                self.recovered.contains_key(id)
                    || self.reregistering.contains(id)
                    || self.removing.contains(id)
            }
            None => {
                !self.recovered.is_empty()
                    || !self.reregistering.is_empty()
                    || !self.removing.is_empty()
            }
        }
    }

    /// For changes that concern the slave alone: connection, times, version, resources.
    pub fn get_mut(&mut self, id: &SlaveId) -> Option<&mut Slave> {
        self.registered.get_mut(id).map(Arc::make_mut)
    }

    /// A registered slave is reached elsewhere from now on.
    pub fn move_to(&mut self, id: &SlaveId, pid: &Upid) {
        let Some(slave) = self.registered.get_mut(id) else { return };
        if slave.pid != *pid {
            self.by_pid.remove(&slave.pid);
            self.by_pid.insert(pid.clone(), id.clone());
            Arc::make_mut(slave).pid = pid.clone();
        }
    }

    pub(super) fn insert(&mut self, slave: Slave) {
        if self.removed.contains_key(&slave.id) {
            Arc::make_mut(&mut self.removed).remove(&slave.id);
        }
        self.by_pid.insert(slave.pid.clone(), slave.id.clone());
        let replaced = self.registered.insert(slave.id.clone(), Arc::new(slave));
        assert!(replaced.is_none(), "a slave is registered once");
    }

    pub(super) fn remove(&mut self, id: &SlaveId) -> Option<Arc<Slave>> {
        let slave = self.registered.remove(id)?;
        self.by_pid.remove(&slave.pid);
        self.mark_removed(id.clone());
        Some(slave)
    }

    pub(super) fn check_invariants(&self) {
        assert_eq!(self.by_pid.len(), self.registered.len());
        for (pid, id) in &self.by_pid {
            assert_eq!(self.get(id).map(|slave| &slave.pid), Some(pid), "{id}");
        }
        for slave in self.iter() {
            assert!(!self.removed.contains_key(&slave.id), "{}", slave.id);
            assert!(slave.connected || !slave.active, "{}", slave.id);
            slave.check_invariants();
        }
    }
}

impl Slave {
    fn check_invariants(&self) {
        let mut used: BTreeMap<FrameworkId, Resources> = BTreeMap::new();
        for (framework_id, tasks) in &self.tasks {
            assert!(!tasks.is_empty(), "{}: no tasks of {framework_id}", self.id);
            for task in tasks.values().filter(|task| !task.is_terminal()) {
                *used.entry(framework_id.clone()).or_default() += &task.resources;
            }
        }
        for (framework_id, executors) in &self.executors {
            assert!(!executors.is_empty(), "{}: no executors of {framework_id}", self.id);
            for executor in executors.values() {
                *used.entry(framework_id.clone()).or_default() += &executor.resources;
            }
        }
        used.retain(|_, resources| !resources.is_empty());
        let booked = self.used.iter().filter(|(_, resources)| !resources.is_empty());
        let booked: BTreeMap<_, _> = booked.map(|(id, used)| (id.clone(), used.clone())).collect();
        assert_eq!(booked, used, "{}: what is used", self.id);
    }
}

impl fmt::Display for Slave {
    /// `<id> at <pid> (<hostname>)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {} ({})", self.id, self.pid, self.info.hostname)
    }
}
