//! All tables together, and every change that concerns more than one of them. What a slave holds
//! and what a framework holds are two sides of the same books; only this file writes both.
//! Clones share what did not change, so that views read a clone beside the master.
//! Upstream: `Master::slaves`, `frameworks`, `offers`, `activeRoles` and the bookkeeping half of
//! `addSlave`, `removeFramework`, `addTask`, `updateTask`, `removeTask`, `addExecutor`,
//! `removeOffer`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use common::ids::{ExecutorId, FrameworkId, OfferId, SlaveId, TaskId};
use proto::mesos::ExecutorInfo;
use proto::mesos::internal::StatusUpdate;

use super::framework::{Framework, Frameworks};
use super::machine::Machines;
use super::offer::Offer;
use super::role::Roles;
use super::slave::{Executor, Slave, Slaves};
use super::task::{Task, TaskKey, TaskUpdated};

/// How much a master remembers.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Slaves that were removed.
    pub removed_slaves_max: usize,
    /// Frameworks that ended.
    pub completed_frameworks_max: usize,
    /// Tasks that ended, for each framework.
    pub completed_tasks_max: usize,
}

/// The cluster, as the master sees it.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Slaves with their tasks and executors.
    pub slaves: Slaves,
    /// Frameworks, registered and completed.
    pub frameworks: Frameworks,
    /// Machines in maintenance.
    pub machines: Machines,
    offers: BTreeMap<OfferId, Arc<Offer>>,
    roles: Roles,
}

impl Cluster {
    /// Nobody there.
    pub fn new(limits: Limits) -> Cluster {
        Cluster {
            slaves: Slaves::new(limits.removed_slaves_max),
            frameworks: Frameworks::new(
                limits.completed_frameworks_max,
                limits.completed_tasks_max,
            ),
            machines: Machines::default(),
            offers: BTreeMap::new(),
            roles: Roles::default(),
        }
    }

    /// The roles that have frameworks.
    pub fn roles(&self) -> &Roles {
        &self.roles
    }

    /// An outstanding offer.
    pub fn offer(&self, id: &OfferId) -> Option<&Offer> {
        self.offers.get(id).map(Arc::as_ref)
    }

    /// The outstanding offers in the order of their ids.
    pub fn offers(&self) -> impl ExactSizeIterator<Item = &Offer> {
        self.offers.values().map(Arc::as_ref)
    }

    /// A task.
    pub fn task(&self, key: &TaskKey) -> Option<&Task> {
        self.slaves.get(&key.slave_id)?.task(&key.framework_id, &key.task_id)
    }

    /// A task of a framework, wherever it is.
    pub fn task_of(&self, framework_id: &FrameworkId, task_id: &TaskId) -> Option<&Task> {
        let slave_id = self.frameworks.get(framework_id)?.tasks.get(task_id)?;
        self.slaves.get(slave_id)?.task(framework_id, task_id)
    }

    /// The tasks of a framework by name, while it is registered.
    pub fn tasks_of<'a>(&'a self, framework: &'a Framework) -> impl Iterator<Item = &'a Task> {
        framework.tasks.iter().filter_map(|(task_id, slave_id)| {
            self.slaves.get(slave_id)?.task(&framework.id, task_id)
        })
    }

    /// Tasks whose framework is not registered (yet).
    pub fn orphan_tasks(&self) -> impl Iterator<Item = &Task> {
        let tasks = self.slaves.iter().flat_map(|slave| &slave.tasks);
        tasks
            .filter(|(framework_id, _)| self.frameworks.get(framework_id).is_none())
            .flat_map(|(_, tasks)| tasks.values().map(Arc::as_ref))
    }

    /// A slave is registered, with what it says is on it.
    pub fn add_slave(&mut self, slave: Slave) {
        let id = slave.id.clone();
        let frameworks: BTreeSet<FrameworkId> =
            slave.tasks.keys().chain(slave.executors.keys()).cloned().collect();
        self.slaves.insert(slave);
        for framework_id in frameworks {
            self.attach(&framework_id, &id);
        }
    }

    /// Books what a slave has of a framework with the framework.
    fn attach(&mut self, framework_id: &FrameworkId, slave_id: &SlaveId) {
        let Some(slave) = self.slaves.get(slave_id) else { return };
        let Some(framework) = self.frameworks.get_mut(framework_id) else { return };
        for task_id in slave.tasks.get(framework_id).into_iter().flat_map(BTreeMap::keys) {
            // A task of the same name that runs elsewhere stays the framework's: it is the one
            // that was launched here. This one is found by its slave.
            framework.tasks.entry(task_id.clone()).or_insert_with(|| slave_id.clone());
        }
        for executor_id in slave.executors.get(framework_id).into_iter().flat_map(BTreeMap::keys) {
            framework.add_executor(slave_id, executor_id);
        }
        if let Some(used) = slave.used.get(framework_id) {
            framework.use_resources(slave_id, used);
        }
    }

    /// A slave is removed. Its tasks, executors and offers have to be gone before.
    pub fn remove_slave(&mut self, id: &SlaveId) -> Option<Arc<Slave>> {
        let slave = self.slaves.remove(id)?;
        assert!(slave.tasks.is_empty() && slave.executors.is_empty(), "{id} holds tasks");
        assert!(slave.offers.is_empty(), "{id} is offered");
        Some(slave)
    }

    /// A framework is registered; it gets back what slaves have of it.
    pub fn add_framework(&mut self, framework: Framework) {
        let id = framework.id.clone();
        self.roles.add(framework.role(), &id);
        self.frameworks.insert(framework);
        let has_some =
            |slave: &&Slave| slave.tasks.contains_key(&id) || slave.executors.contains_key(&id);
        let slaves: Vec<SlaveId> =
            self.slaves.iter().filter(has_some).map(|slave| slave.id.clone()).collect();
        for slave_id in slaves {
            self.attach(&id, &slave_id);
        }
    }

    /// A framework ends, at its `unregistered_time`. Its tasks, executors and offers have to be
    /// gone before.
    pub fn remove_framework(&mut self, id: &FrameworkId) -> Option<Arc<Framework>> {
        let framework = self.frameworks.remove(id)?;
        assert!(framework.tasks.is_empty() && framework.executors.is_empty(), "{id} has tasks");
        assert!(framework.offers.is_empty(), "{id} holds offers");
        self.roles.remove(framework.role(), id);
        self.frameworks.completed.push(framework.clone());
        Some(framework)
    }

    /// A task is launched on a registered slave; false, and nothing is changed, if the slave has
    /// one of its name already.
    pub fn add_task(&mut self, task: Task) -> bool {
        let (key, resources) = (task.key.clone(), task.resources.clone());
        let is_terminal = task.is_terminal();
        let slave = self.slaves.get_mut(&key.slave_id);
        if !slave.is_some_and(|slave| slave.add_task(task)) {
            return false;
        }
        if let Some(framework) = self.frameworks.get_mut(&key.framework_id) {
            framework.tasks.insert(key.task_id, key.slave_id.clone());
            if !is_terminal {
                framework.use_resources(&key.slave_id, &resources);
            }
        }
        true
    }

    /// News of a task; `None` if it is unknown.
    pub fn update_task(&mut self, key: &TaskKey, update: &StatusUpdate) -> Option<TaskUpdated> {
        let slave = self.slaves.get_mut(&key.slave_id)?;
        let task = slave.task_mut(&key.framework_id, &key.task_id)?;
        let updated = task.update(update);
        if updated == TaskUpdated::Terminated {
            let resources = task.resources.clone();
            slave.release(&key.framework_id, &resources);
            if let Some(framework) = self.frameworks.get_mut(&key.framework_id) {
                framework.release_resources(&key.slave_id, &resources);
            }
        }
        Some(updated)
    }

    /// A task is forgotten; its framework remembers it among the completed ones.
    pub fn remove_task(&mut self, key: &TaskKey) -> Option<Arc<Task>> {
        let slave = self.slaves.get_mut(&key.slave_id)?;
        let task = slave.remove_task(&key.framework_id, &key.task_id)?;
        if let Some(framework) = self.frameworks.get_mut(&key.framework_id) {
            if framework.tasks.get(&key.task_id) == Some(&key.slave_id) {
                framework.tasks.remove(&key.task_id);
            }
            if !task.is_terminal() {
                framework.release_resources(&key.slave_id, &task.resources);
            }
            framework.completed_tasks.push(task.clone());
        }
        Some(task)
    }

    /// A custom executor begins to run on a registered slave; false, and nothing is changed, if
    /// it runs there already.
    pub fn add_executor(
        &mut self,
        slave_id: &SlaveId,
        framework_id: &FrameworkId,
        info: ExecutorInfo,
    ) -> bool {
        let executor_id = ExecutorId::from(&info.executor_id);
        let Some(slave) = self.slaves.get_mut(slave_id) else { return false };
        if !slave.add_executor(framework_id, info) {
            return false;
        }
        let executor = slave.executor(framework_id, &executor_id);
        if let (Some(executor), Some(framework)) = (executor, self.frameworks.get_mut(framework_id))
        {
            framework.add_executor(slave_id, &executor_id);
            framework.use_resources(slave_id, &executor.resources);
        }
        true
    }

    /// A custom executor ended.
    pub fn remove_executor(
        &mut self,
        slave_id: &SlaveId,
        framework_id: &FrameworkId,
        executor_id: &ExecutorId,
    ) -> Option<Executor> {
        let slave = self.slaves.get_mut(slave_id)?;
        let executor = slave.remove_executor(framework_id, executor_id)?;
        if let Some(framework) = self.frameworks.get_mut(framework_id) {
            framework.remove_executor(slave_id, executor_id);
            framework.release_resources(slave_id, &executor.resources);
        }
        Some(executor)
    }

    /// An offer goes out. Its framework and its slave are registered.
    pub fn add_offer(&mut self, offer: Offer) {
        let framework = self.frameworks.get_mut(&offer.framework_id);
        let slave = self.slaves.get_mut(&offer.slave_id);
        let (Some(framework), Some(slave)) = (framework, slave) else {
            panic!("offer {} of an unknown slave or to an unknown framework", offer.id)
        };
        framework.add_offer(&offer.id, &offer.slave_id, &offer.resources);
        slave.offers.insert(offer.id.clone());
        slave.offered += &offer.resources;
        self.offers.insert(offer.id.clone(), Arc::new(offer));
    }

    /// An offer is answered or taken back.
    pub fn take_offer(&mut self, id: &OfferId) -> Option<Offer> {
        let offer = self.offers.remove(id)?;
        if let Some(framework) = self.frameworks.get_mut(&offer.framework_id) {
            framework.remove_offer(id, &offer.slave_id, &offer.resources);
        }
        if let Some(slave) = self.slaves.get_mut(&offer.slave_id) {
            slave.offers.remove(id);
            slave.offered -= &offer.resources;
        }
        Some(Arc::unwrap_or_clone(offer))
    }

    /// Ends the test that finds the tables contradicting one another.
    pub fn check_invariants(&self) {
        self.slaves.check_invariants();
        self.frameworks.check_invariants();
        for framework in self.frameworks.iter() {
            self.check_framework(framework);
        }
        for offer in self.offers.values() {
            let framework = self.frameworks.get(&offer.framework_id);
            assert!(framework.is_some_and(|f| f.offers.contains(&offer.id)), "{}", offer.id);
            let slave = self.slaves.get(&offer.slave_id);
            assert!(slave.is_some_and(|s| s.offers.contains(&offer.id)), "{}", offer.id);
        }
        let offers: usize = self.slaves.iter().map(|slave| slave.offers.len()).sum();
        assert_eq!(offers, self.offers.len(), "offers of slaves");
        let offers: usize = self.frameworks.iter().map(|framework| framework.offers.len()).sum();
        assert_eq!(offers, self.offers.len(), "offers of frameworks");
        let in_roles: usize = self.roles.iter().map(|(_, frameworks)| frameworks.len()).sum();
        assert_eq!(in_roles, self.frameworks.len(), "frameworks in roles");
    }

    fn check_framework(&self, framework: &Framework) {
        let id = &framework.id;
        let in_role = self.roles.get(framework.role());
        assert!(in_role.is_some_and(|frameworks| frameworks.contains(id)), "{id}: role");
        assert_eq!(self.tasks_of(framework).count(), framework.tasks.len(), "{id}: tasks");
        for slave in self.slaves.iter() {
            let used = slave.used.get(id).filter(|used| !used.is_empty());
            assert_eq!(framework.used.get(&slave.id), used, "{id} on {}: used", slave.id);
            let executors = slave.executors.get(id).map(|e| e.keys().collect::<Vec<_>>());
            let booked = framework.executors.get(&slave.id).map(|e| e.iter().collect::<Vec<_>>());
            assert_eq!(booked, executors, "{id} on {}: executors", slave.id);
        }
    }
}
