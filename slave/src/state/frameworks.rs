//! All frameworks of a slave, and what can be counted over them.
//! Owned by the actor, changed by the handlers. Pure.
//! Upstream: `Slave::frameworks`, `Slave::completedFrameworks` and the gauges over them.

use std::collections::BTreeMap;

use common::ids::{ExecutorId, FrameworkId, TaskId};
use common::resources::Resources;
use libprocess::Upid;
use proto::mesos::internal::Task;
use proto::mesos::{FrameworkInfo, TaskState};
use stout::bounded::History;

use crate::constants::MAX_COMPLETED_FRAMEWORKS;
use crate::state::executor::{Executor, ExecutorPhase, Run};
use crate::state::framework::Framework;

/// The tables of a slave.
#[derive(Debug)]
pub(crate) struct Frameworks {
    active: BTreeMap<FrameworkId, Framework>,
    completed: History<Framework>,
}

impl Default for Frameworks {
    fn default() -> Self {
        Self { active: BTreeMap::new(), completed: History::new(MAX_COMPLETED_FRAMEWORKS) }
    }
}

impl Frameworks {
    pub(crate) fn get(&self, id: &FrameworkId) -> Option<&Framework> {
        self.active.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &FrameworkId) -> Option<&mut Framework> {
        self.active.get_mut(id)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.active.len()
    }

    pub(crate) fn ids(&self) -> Vec<FrameworkId> {
        self.active.keys().cloned().collect()
    }

    /// The frameworks that have tasks or executors.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Framework> {
        self.active.values()
    }

    /// The latest of those that had.
    pub(crate) fn completed(&self) -> impl Iterator<Item = &Framework> {
        self.completed.iter()
    }

    /// How a task ended, if that is still known.
    pub(crate) fn end_of(&self, id: &FrameworkId, task_id: &TaskId) -> Option<TaskState> {
        let completed = self.completed.iter().filter(|framework| framework.id == *id);
        let executors = self.get(id).into_iter().chain(completed).flat_map(|framework| {
            framework.completed_executors.iter().chain(framework.executors.values())
        });
        let tasks = executors
            .flat_map(|executor| executor.completed.iter().chain(executor.terminated.values()));
        tasks.filter(|task| task.task_id.value == task_id.as_str()).last().map(Task::state)
    }

    /// All executors that are not completed.
    pub(crate) fn executors(&self) -> impl Iterator<Item = &Executor> {
        self.active.values().flat_map(|framework| framework.executors.values())
    }

    pub(crate) fn executor(
        &self,
        framework_id: &FrameworkId,
        executor_id: &ExecutorId,
    ) -> Option<&Executor> {
        self.get(framework_id)?.executors.get(executor_id)
    }

    pub(crate) fn executor_mut(
        &mut self,
        framework_id: &FrameworkId,
        executor_id: &ExecutorId,
    ) -> Option<&mut Executor> {
        self.get_mut(framework_id)?.executors.get_mut(executor_id)
    }

    /// The executor of this very run; `None` if it has gone, or another run has taken its place.
    pub(crate) fn run(&self, run: &Run) -> Option<&Executor> {
        let executor = self.executor(&run.framework_id, &run.executor_id)?;
        (executor.run == *run).then_some(executor)
    }

    /// See [`Frameworks::run`].
    pub(crate) fn run_mut(&mut self, run: &Run) -> Option<&mut Executor> {
        let executor = self.executor_mut(&run.framework_id, &run.executor_id)?;
        (executor.run == *run).then_some(executor)
    }

    /// Adds a framework; one that was here before keeps its history.
    pub(crate) fn add(
        &mut self,
        id: FrameworkId,
        info: FrameworkInfo,
        pid: Option<Upid>,
    ) -> &mut Framework {
        let mut framework = Framework::new(id.clone(), info, pid);
        if let Some(earlier) = self.completed.iter_mut().find(|earlier| earlier.id == id) {
            std::mem::swap(&mut framework.completed_executors, &mut earlier.completed_executors);
            self.completed.retain(|earlier| earlier.id != id);
        }
        self.active.entry(id).or_insert(framework)
    }

    /// Makes a framework a completed one.
    pub(crate) fn remove(&mut self, id: &FrameworkId) {
        if let Some(framework) = self.active.remove(id) {
            self.completed.push(framework);
        }
    }

    /// Tasks in a state; those that no executor has got yet are staging.
    pub(crate) fn count_tasks(&self, state: TaskState) -> usize {
        let waiting = match state {
            TaskState::TaskStaging => {
                let pending = self.iter().flat_map(|framework| framework.pending.values());
                let queued = self.executors().map(|executor| executor.queued.len());
                pending.map(BTreeMap::len).sum::<usize>() + queued.sum::<usize>()
            }
            _ => 0,
        };
        let launched = self.executors().flat_map(|executor| executor.launched.values());
        waiting + launched.filter(|task| task.state() == state).count()
    }

    pub(crate) fn count_executors(&self, phase: ExecutorPhase) -> usize {
        self.executors().filter(|executor| executor.phase == phase).count()
    }

    /// What all executors and their launched tasks hold.
    pub(crate) fn resources(&self) -> Resources {
        self.executors().fold(Resources::default(), |mut held, executor| {
            held += executor.resources();
            held
        })
    }

    /// What must hold between two handlers.
    pub(crate) fn check_invariants(&self) {
        for (id, framework) in &self.active {
            assert_eq!(*id, framework.id);
            assert!(!framework.is_idle(), "{id}: a framework without tasks is completed");
            framework.check_invariants();
        }
        for framework in self.completed() {
            assert!(framework.is_idle(), "{}: completed with work to do", framework.id);
        }
    }
}

#[cfg(test)]
mod tests;
