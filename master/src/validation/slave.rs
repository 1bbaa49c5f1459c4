//! Does what a slave says of itself when it registers hold together? Upstream does not ask, and
//! aborts on what is refused here.

use std::collections::BTreeSet;

use common::ids::{ExecutorId, FrameworkId, SlaveId, TaskId};
use proto::mesos::ExecutorInfo;
use proto::mesos::internal::Task;

/// What is left out of what a slave says is on it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Inconsistency {
    /// An executor of nobody.
    #[error("executor '{0}' without a framework id")]
    ExecutorWithoutFramework(ExecutorId),
    /// An executor that is listed twice.
    #[error("executor '{1}' of framework {0} listed twice")]
    DuplicateExecutor(FrameworkId, ExecutorId),
    /// A task that is listed twice.
    #[error("task {1} of framework {0} listed twice")]
    DuplicateTask(FrameworkId, TaskId),
    /// A task of another slave.
    #[error("task {0} of slave {1}")]
    ForeignTask(TaskId, SlaveId),
}

/// The executors that can be booked, and what is wrong with the others.
pub fn consistent_executors(
    executors: Vec<ExecutorInfo>,
) -> (Vec<(FrameworkId, ExecutorInfo)>, Vec<Inconsistency>) {
    let mut seen = BTreeSet::new();
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for executor in executors {
        let id = ExecutorId::from(&executor.executor_id);
        match executor.framework_id.as_ref().map(FrameworkId::from) {
            None => bad.push(Inconsistency::ExecutorWithoutFramework(id)),
            Some(framework_id) if !seen.insert((framework_id.clone(), id.clone())) => {
                bad.push(Inconsistency::DuplicateExecutor(framework_id, id));
            }
            Some(framework_id) => good.push((framework_id, executor)),
        }
    }
    (good, bad)
}

/// The tasks that can be booked on a slave, and what is wrong with the others.
pub fn consistent_tasks(slave_id: &SlaveId, tasks: Vec<Task>) -> (Vec<Task>, Vec<Inconsistency>) {
    let mut seen = BTreeSet::new();
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for task in tasks {
        let key = (FrameworkId::from(&task.framework_id), TaskId::from(&task.task_id));
        if *slave_id != task.slave_id {
            bad.push(Inconsistency::ForeignTask(key.1, (&task.slave_id).into()));
        } else if seen.contains(&key) {
            bad.push(Inconsistency::DuplicateTask(key.0, key.1));
        } else {
            seen.insert(key);
            good.push(task);
        }
    }
    (good, bad)
}
