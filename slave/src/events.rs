//! What executors hear, in its other form: those that subscribe get the event that says the same as
//! the message. Called by `handlers::executor` alone. Pure.
//! Upstream: the `v1::executor::Event`s of `internal/evolve.cpp`.

use common::calls::executor::ExecutorEvent;
use proto::mesos::executor::event::{Acknowledged, Kill, Launch, Message, Subscribed};
use proto::mesos::internal::{
    ExecutorRegisteredMessage, FrameworkToExecutorMessage, KillTaskMessage, RunTaskMessage,
    ShutdownExecutorMessage, StatusUpdateAcknowledgementMessage,
};

/// A message that executors of both kinds hear.
pub(crate) trait ExecutorMessage: prost::Message + prost::Name {
    /// The same for those that subscribe.
    fn event(&self) -> ExecutorEvent;
}

impl ExecutorMessage for ExecutorRegisteredMessage {
    fn event(&self) -> ExecutorEvent {
        ExecutorEvent::Subscribed(Box::new(Subscribed {
            executor_info: self.executor_info.clone(),
            framework_info: self.framework_info.clone(),
            slave_info: self.slave_info.clone(),
        }))
    }
}

impl ExecutorMessage for RunTaskMessage {
    fn event(&self) -> ExecutorEvent {
        ExecutorEvent::Launch(Box::new(Launch { task: self.task.clone() }))
    }
}

impl ExecutorMessage for KillTaskMessage {
    fn event(&self) -> ExecutorEvent {
        ExecutorEvent::Kill(Kill { task_id: self.task_id.clone() })
    }
}

impl ExecutorMessage for StatusUpdateAcknowledgementMessage {
    fn event(&self) -> ExecutorEvent {
        ExecutorEvent::Acknowledged(Acknowledged {
            task_id: self.task_id.clone(),
            uuid: self.uuid.clone(),
        })
    }
}

impl ExecutorMessage for FrameworkToExecutorMessage {
    fn event(&self) -> ExecutorEvent {
        ExecutorEvent::Message(Message { data: self.data.clone() })
    }
}

impl ExecutorMessage for ShutdownExecutorMessage {
    fn event(&self) -> ExecutorEvent {
        ExecutorEvent::Shutdown
    }
}
