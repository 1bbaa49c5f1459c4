//! THE table of messages: what a slave understands, one line each. A handler has the message's
//! name and lives in the file of `handlers` that its subject names.
//! Called once, when the actor is spawned.
//! Upstream: the `install` calls of `Slave::initialize`.

use libprocess::{Ctx, Router, Upid};
use proto::mesos::internal::{
    CheckpointResourcesMessage, ExecutorToFrameworkMessage, FrameworkToExecutorMessage,
    KillTaskMessage, PingSlaveMessage, RegisterExecutorMessage, ReregisterExecutorMessage,
    RunTaskMessage, ShutdownExecutorMessage, ShutdownFrameworkMessage, ShutdownMessage,
    SlaveRegisteredMessage, SlaveReregisteredMessage, StatusUpdateAcknowledgementMessage,
    StatusUpdateMessage, UpdateFrameworkMessage,
};

use crate::slave::Slave;

pub(crate) fn install(router: &mut Router<Slave>) {
    on::<SlaveRegisteredMessage>(router, Slave::slave_registered);
    on::<SlaveReregisteredMessage>(router, Slave::slave_reregistered);
    on::<PingSlaveMessage>(router, Slave::ping_slave);
    on::<ShutdownMessage>(router, Slave::shutdown);
    on::<RunTaskMessage>(router, Slave::run_task);
    on::<KillTaskMessage>(router, Slave::kill_task);
    on::<ShutdownFrameworkMessage>(router, Slave::shutdown_framework);
    on::<UpdateFrameworkMessage>(router, Slave::update_framework);
    on::<CheckpointResourcesMessage>(router, Slave::checkpoint_resources);
    on::<RegisterExecutorMessage>(router, Slave::register_executor);
    on::<ReregisterExecutorMessage>(router, Slave::reregister_executor);
    on::<ShutdownExecutorMessage>(router, Slave::shutdown_executor);
    on::<StatusUpdateMessage>(router, Slave::status_update_message);
    on::<StatusUpdateAcknowledgementMessage>(router, Slave::status_update_acknowledgement);
    on::<FrameworkToExecutorMessage>(router, Slave::framework_to_executor);
    on::<ExecutorToFrameworkMessage>(router, Slave::executor_to_framework);
}

/// Handles one message; in builds for tests, with a look at all tables afterwards.
fn on<M: prost::Message + prost::Name + Default + 'static>(
    router: &mut Router<Slave>,
    handler: fn(&mut Slave, &mut Ctx<Slave>, Upid, M),
) {
    router.on::<M>(move |slave, ctx, from, message| {
        handler(slave, ctx, from, message);
        if cfg!(debug_assertions) {
            slave.frameworks.check_invariants();
        }
    });
}
