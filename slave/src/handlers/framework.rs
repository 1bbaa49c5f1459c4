//! Frameworks as a whole: shut down, moved to another scheduler, gone.
//! Called by the table of messages, and by every handler after which a framework may be idle.
//! Upstream: `Slave::shutdownFramework`, `updateFramework`, `removeFramework`.

use common::ids::{FrameworkId, SlaveId};
use libprocess::{Ctx, Upid};
use proto::mesos::internal::{ShutdownFrameworkMessage, UpdateFrameworkMessage};
use tracing::{error, info, warn};

use crate::checkpoint::write;
use crate::gc::Age;
use crate::phase::Phase;
use crate::slave::Slave;
use crate::state::executor::ExecutorPhase;
use crate::state::framework::FrameworkPhase;

impl Slave {
    pub(crate) fn shutdown_framework(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: ShutdownFrameworkMessage,
    ) {
        let framework_id = FrameworkId::from(&message.framework_id);
        if !from.is_empty() && self.master.as_ref() != Some(&from) {
            warn!(
                "Ignoring shutdown framework message for {framework_id} from {from} because it is \
                 not from the registered master ({})",
                self.master_or_none()
            );
            return;
        }
        info!("Asked to shut down framework {framework_id} by {from}");
        self.shut_down_framework(ctx, &framework_id);
    }

    /// Shuts down all executors of a framework; nothing more is told of its tasks.
    pub(crate) fn shut_down_framework(&mut self, ctx: &mut Ctx<Self>, framework_id: &FrameworkId) {
        if !self.phase.takes_shutdowns() {
            warn!(
                "Ignoring shutdown framework message for {framework_id} because the slave has not \
                 yet registered with the master"
            );
            return;
        }
        let Some(framework) = self.frameworks.get_mut(framework_id) else {
            warn!("Cannot shut down unknown framework {framework_id}");
            return;
        };
        if framework.phase == FrameworkPhase::Terminating {
            warn!("Ignoring shutdown framework {framework_id} because it is terminating");
            return;
        }
        info!("Shutting down framework {framework_id}");
        framework.phase = FrameworkPhase::Terminating;
        let executors = framework.executors.values();
        let runs: Vec<_> =
            executors.map(|executor| (executor.run.clone(), executor.phase)).collect();
        for (run, phase) in runs {
            match phase {
                ExecutorPhase::Registering | ExecutorPhase::Running => {
                    self.shut_down_executor(ctx, &run);
                }
                ExecutorPhase::Terminating => {}
                // It only waited for acknowledgements, which will not come.
                ExecutorPhase::Terminated => self.remove_executor(&run),
            }
        }
        self.remove_framework_if_idle(ctx, framework_id);
    }

    pub(crate) fn update_framework(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: UpdateFrameworkMessage,
    ) {
        if !self.is_from_master(&from, "update framework") {
            return;
        }
        let framework_id = FrameworkId::from(&message.framework_id);
        if self.phase != Phase::Running {
            warn!(
                "Dropping updateFramework message for {framework_id} because the slave is in {} \
                 state",
                self.phase
            );
            self.counters.invalid_framework_messages.increment();
            return;
        }
        let Some(framework) = self.frameworks.get_mut(&framework_id) else {
            warn!("Ignoring updating pid for framework {framework_id} because it does not exist");
            return;
        };
        if framework.phase == FrameworkPhase::Terminating {
            warn!("Ignoring updating pid for framework {framework_id} because it is terminating");
            return;
        }
        let pid = message.pid().parse::<Upid>().unwrap_or_default();
        info!("Updating framework {framework_id} pid to {pid}");
        framework.pid = Some(pid).filter(|pid| !pid.is_empty());
        if let (true, Some(slave_id)) = (framework.info.checkpoint(), &self.info.id) {
            let meta = self.config.work_dir.meta();
            let directory = meta.framework(&SlaveId::from(slave_id), &framework_id);
            let steps = write::framework_pid(&directory, framework.pid.as_ref());
            self.checkpoint(ctx, steps, |_, _, written| {
                // The master tells it again.
                if let Err(why) = written {
                    error!("{why}");
                }
            });
        }
        self.updates.resume();
    }

    /// A framework of which nothing is left goes, and with the last one a slave that is ending.
    pub(crate) fn remove_framework_if_idle(
        &mut self,
        ctx: &mut Ctx<Self>,
        framework_id: &FrameworkId,
    ) {
        let framework = self.frameworks.get(framework_id);
        if !framework.is_some_and(|framework| framework.is_idle()) {
            return;
        }
        info!("Cleaning up framework {framework_id}");
        self.updates.cleanup(framework_id.clone());
        if let Some(slave_id) = self.id() {
            let work_dir = self.config.work_dir.clone();
            self.collect(work_dir.framework(&slave_id, framework_id), Age::New);
            self.collect(work_dir.meta().framework(&slave_id, framework_id), Age::New);
        }
        self.frameworks.remove(framework_id);
        if self.phase == Phase::Terminating && self.frameworks.is_empty() {
            ctx.terminate();
        }
    }
}
