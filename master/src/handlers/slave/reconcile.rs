//! What the master has on a slave against what the slave says, when it comes back to the master
//! that knows it. Never adds a task. Upstream: `Master::reconcile(Slave*, …)`.

use std::collections::BTreeSet;

use common::ids::{ExecutorId, FrameworkId, SlaveId, TaskId};
use common::task_state::is_terminal;
use libprocess::Ctx;
use proto::mesos::internal::{
    KillTaskMessage, ReconcileTasksMessage, ShutdownFrameworkMessage, SlaveReregisteredMessage,
    Task,
};
use proto::mesos::task_status::{Reason, Source};
use proto::mesos::{ExecutorInfo, TaskStatus};
use tracing::{error, warn};

use crate::master::Master;
use crate::state::Slave;

impl Master {
    /// Settles the differences, and tells the slave that it is known.
    pub(super) fn reconcile_slave(
        &mut self,
        ctx: &mut Ctx<Self>,
        id: &SlaveId,
        executors: Vec<ExecutorInfo>,
        tasks: &[Task],
    ) {
        let Some(slave) = self.cluster.slaves.get(id) else { return };
        let listed: BTreeSet<(FrameworkId, TaskId)> = tasks.iter().map(key_of).collect();
        let reregistered = SlaveReregisteredMessage {
            slave_id: id.into(),
            reconciliations: reconciliations(slave, &listed, ctx.now().secs()),
            connection: Some(self.slave_connection()),
        };
        ctx.send(&slave.pid, &reregistered);
        self.remove_unlisted_executors(id, executors);
        self.kill_again(ctx, id, tasks);
        self.shut_down_completed(ctx, id, &listed);
    }

    fn remove_unlisted_executors(&mut self, id: &SlaveId, listed: Vec<ExecutorInfo>) {
        let Some(slave) = self.cluster.slaves.get(id) else { return };
        let mut known = BTreeSet::new();
        for executor in listed {
            let executor_id = ExecutorId::from(executor.executor_id);
            match executor.framework_id {
                Some(framework_id) => {
                    known.insert((FrameworkId::from(framework_id), executor_id));
                }
                None => error!(
                    "Slave {slave} re-registered with executor '{executor_id}' without setting \
                     the framework id"
                ),
            }
        }
        let unlisted: Vec<(FrameworkId, ExecutorId)> = slave
            .all_executors()
            .map(|(framework, executor)| (framework.clone(), executor.clone()))
            .filter(|executor| !known.contains(executor))
            .collect();
        for (framework_id, executor_id) in unlisted {
            warn!(
                "Executor '{executor_id}' of framework {framework_id} possibly unknown to the \
                 slave {id}"
            );
            self.remove_executor(id, &framework_id, &executor_id);
        }
    }

    /// Tasks that should have been killed while the slave was away.
    fn kill_again(&self, ctx: &Ctx<Self>, id: &SlaveId, tasks: &[Task]) {
        let Some(slave) = self.cluster.slaves.get(id) else { return };
        for task in tasks.iter().filter(|task| !is_terminal(task.state())) {
            if slave.killed_tasks.contains(&key_of(task)) {
                warn!(
                    " Slave {slave} has non-terminal task {} that is supposed to be killed. \
                     Killing it now!",
                    task.task_id.value
                );
                let message = KillTaskMessage {
                    framework_id: task.framework_id.clone(),
                    task_id: task.task_id.clone(),
                };
                ctx.send(&slave.pid, &message);
            }
        }
    }

    /// Frameworks that ended while the slave was away.
    fn shut_down_completed(
        &self,
        ctx: &Ctx<Self>,
        id: &SlaveId,
        listed: &BTreeSet<(FrameworkId, TaskId)>,
    ) {
        let Some(slave) = self.cluster.slaves.get(id) else { return };
        let frameworks: BTreeSet<&FrameworkId> = listed.iter().map(|(id, _)| id).collect();
        for framework in self.cluster.frameworks.completed.iter() {
            if frameworks.contains(&framework.id) {
                warn!(
                    "Slave {slave} re-registered with completed framework {framework}. Shutting \
                     down the framework on the slave"
                );
                let message = ShutdownFrameworkMessage { framework_id: (&framework.id).into() };
                ctx.send(&slave.pid, &message);
            }
        }
    }
}

/// What the slave has to tell of tasks that it did not list.
fn reconciliations(
    slave: &Slave,
    listed: &BTreeSet<(FrameworkId, TaskId)>,
    now: f64,
) -> Vec<ReconcileTasksMessage> {
    let mut reconciliations = Vec::new();
    for (framework_id, tasks) in &slave.tasks {
        let mut statuses = Vec::new();
        for (task_id, task) in tasks {
            if listed.contains(&(framework_id.clone(), task_id.clone())) {
                continue;
            }
            warn!(
                "Task {task_id} of framework {framework_id} unknown to the slave {slave} during \
                 re-registration : reconciling with the slave"
            );
            statuses.push(TaskStatus {
                task_id: task_id.into(),
                slave_id: Some((&slave.id).into()),
                state: task.state_for_reconciliation().into(),
                source: Some(Source::Master.into()),
                message: Some("Reconciliation request".to_owned()),
                reason: Some(Reason::Reconciliation.into()),
                timestamp: Some(now),
                ..TaskStatus::default()
            });
        }
        if !statuses.is_empty() {
            let framework_id = framework_id.into();
            reconciliations.push(ReconcileTasksMessage { framework_id, statuses });
        }
    }
    reconciliations
}

fn key_of(task: &Task) -> (FrameworkId, TaskId) {
    ((&task.framework_id).into(), (&task.task_id).into())
}
