//! The end of an executor: what its tasks hear, what the master hears, what is cleaned up.
//! Called when the containerizer's wait is over, and when a container never came to be.
//! Upstream: `Slave::executorTerminated`, `removeExecutor`.

use common::wait_status::WaitStatus;
use containerizer::TerminationError;
use libprocess::Ctx;
use proto::mesos::containerizer::Termination;
use proto::mesos::internal::ExitedExecutorMessage;
use tracing::{error, info, warn};

use crate::checkpoint::write;
use crate::gc::Age;
use crate::phase::Phase;
use crate::refusal::Verdict;
use crate::slave::Slave;
use crate::state::executor::{ExecutorKind, ExecutorPhase, Run};
use crate::state::framework::FrameworkPhase;

/// What the master is told where no exit status is known.
const UNKNOWN_STATUS: i32 = -1;

impl Slave {
    pub(crate) fn on_executor_terminated(
        &mut self,
        ctx: &mut Ctx<Self>,
        run: &Run,
        ended: Result<Termination, TerminationError>,
    ) {
        let Run { framework_id, executor_id, .. } = run;
        let status = log_end(run, &ended);
        let Some(framework) = self.frameworks.get_mut(framework_id) else {
            warn!("Framework {framework_id} for executor '{executor_id}' does not exist");
            return;
        };
        let is_terminating = framework.phase == FrameworkPhase::Terminating;
        let executor = framework.executors.get_mut(executor_id);
        let Some(executor) = executor.filter(|executor| executor.run == *run) else {
            warn!("Executor '{executor_id}' of framework {framework_id} does not exist");
            return;
        };
        if executor.phase == ExecutorPhase::Terminated {
            return;
        }
        executor.phase = ExecutorPhase::Terminated;
        executor.connection.close();
        self.counters.executors_terminated.increment();
        let kind = executor.kind;
        if !is_terminating {
            let pending = executor.pending_termination.as_ref();
            let verdict = Verdict::executor_ended(ended.as_ref().ok(), pending);
            for task_id in executor.live_tasks() {
                self.report(ctx, framework_id, &task_id, &verdict);
            }
        }
        if let (ExecutorKind::Custom, Some(master)) = (kind, &self.master) {
            let message = ExitedExecutorMessage {
                slave_id: self.info.id.clone().unwrap_or_default(),
                framework_id: framework_id.into(),
                executor_id: executor_id.into(),
                status,
            };
            ctx.send(master, &message);
        }
        let executor = self.frameworks.run(run);
        let is_idle = executor.is_some_and(|executor| !executor.has_incomplete_tasks());
        if self.phase == Phase::Terminating || is_terminating || is_idle {
            self.remove_executor(run);
        }
        self.remove_framework_if_idle(ctx, framework_id);
        self.finish_recovery_if_all_are_back(ctx);
    }

    /// Puts an executor into the history, and its directories up for removal.
    pub(crate) fn remove_executor(&mut self, run: &Run) {
        let Some(executor) = self.frameworks.run(run) else { return };
        info!("Cleaning up executor {executor}");
        assert_eq!(executor.phase, ExecutorPhase::Terminated, "{executor}: it has ended");
        if let Some(directory) = &executor.meta {
            self.disk.write(write::sentinel(directory), |written| {
                // Another run of the slave finds that it has ended all the same.
                if let Err(why) = written {
                    error!("{why}");
                }
            });
        }
        let Some(framework) = self.frameworks.get_mut(&run.framework_id) else { return };
        let is_awaited = framework.pending.contains_key(&run.executor_id);
        framework.complete_executor(&run.executor_id);
        let Some(slave_id) = self.id() else { return };
        self.collect_run(&slave_id, run, Age::New);
        if !is_awaited {
            self.collect_executor(&slave_id, &run.framework_id, &run.executor_id, Age::New);
        }
    }
}

/// Says in the log how an executor has ended. Gives the status for the master, as `wait` does.
fn log_end(run: &Run, ended: &Result<Termination, TerminationError>) -> i32 {
    let Run { framework_id, executor_id, .. } = run;
    match ended.as_ref().map(|termination| termination.status) {
        Err(why) => {
            error!(
                "Termination of executor '{executor_id}' of framework {framework_id} failed: {why}"
            );
            UNKNOWN_STATUS
        }
        Ok(None) => {
            info!(
                "Executor '{executor_id}' of framework {framework_id} has terminated with unknown \
                 status"
            );
            UNKNOWN_STATUS
        }
        Ok(Some(status)) => {
            info!("Executor '{executor_id}' of framework {framework_id} {}", WaitStatus(status));
            status
        }
    }
}
