//! Messages between a framework and its executors, passed on unread. Called by the table of
//! messages. Upstream: `Slave::schedulerMessage`, `executorMessage`.

use common::ids::{ExecutorId, FrameworkId};
use libprocess::{Ctx, Upid};
use proto::mesos::internal::{ExecutorToFrameworkMessage, FrameworkToExecutorMessage};
use tracing::{info, warn};

use crate::handlers::executor::send_to_executor;
use crate::phase::Phase;
use crate::slave::Slave;
use crate::state::executor::{Executor, ExecutorPhase};
use crate::state::framework::FrameworkPhase;

impl Slave {
    pub(crate) fn framework_to_executor(
        &mut self,
        ctx: &mut Ctx<Self>,
        _: Upid,
        message: FrameworkToExecutorMessage,
    ) {
        match self.receiver_of(&message) {
            Ok(executor) => {
                send_to_executor(ctx, executor, &message);
                self.counters.valid_framework_messages.increment();
            }
            Err(why) => {
                warn!("Dropping message {why}");
                self.counters.invalid_framework_messages.increment();
            }
        }
    }

    fn receiver_of(&self, message: &FrameworkToExecutorMessage) -> Result<&Executor, String> {
        let framework_id = FrameworkId::from(&message.framework_id);
        let executor_id = ExecutorId::from(&message.executor_id);
        let refused = |why: &str| Err(format!("from framework {framework_id} because {why}"));
        if self.phase != Phase::Running {
            return refused(&format!("the slave is in {} state", self.phase));
        }
        let Some(framework) = self.frameworks.get(&framework_id) else {
            return refused("framework does not exist");
        };
        if framework.phase == FrameworkPhase::Terminating {
            return refused("framework is terminating");
        }
        let Some(executor) = framework.executors.get(&executor_id) else {
            return Err(format!("for executor {executor_id} because executor does not exist"));
        };
        match executor.phase {
            ExecutorPhase::Running => Ok(executor),
            _ => Err(format!("for executor {executor} because executor is not running")),
        }
    }

    pub(crate) fn executor_to_framework(
        &mut self,
        ctx: &mut Ctx<Self>,
        _: Upid,
        message: ExecutorToFrameworkMessage,
    ) {
        let framework_id = FrameworkId::from(&message.framework_id);
        let framework = self.frameworks.get(&framework_id);
        let refused = match (self.phase, framework, &self.master) {
            (Phase::Running, Some(framework), Some(master)) => match framework.phase {
                FrameworkPhase::Running => Ok((framework.pid.clone(), master.clone())),
                FrameworkPhase::Terminating => Err("framework is terminating".to_owned()),
            },
            (Phase::Running, _, _) => Err("framework does not exist".to_owned()),
            (phase, _, _) => Err(format!("the slave is in {phase} state")),
        };
        match refused {
            Ok((Some(scheduler), _)) => {
                info!("Sending message for framework {framework_id} to {scheduler}");
                ctx.send(&scheduler, &message);
                self.counters.valid_framework_messages.increment();
            }
            Ok((None, master)) => {
                info!("Sending message for framework {framework_id} through the master {master}");
                ctx.send(&master, &message);
                self.counters.valid_framework_messages.increment();
            }
            Err(why) => {
                warn!(
                    "Dropping framework message from executor '{}' to framework {framework_id} \
                     because {why}",
                    message.executor_id.value
                );
                self.counters.invalid_framework_messages.increment();
            }
        }
    }
}
