//! What executors tell their slave, and what they hear. Upstream: `executor.proto`.

use proto::mesos::executor::{Call, Event, call, event};
use proto::mesos::task_status::Source;
use proto::mesos::{TaskState, TaskStatus};

use super::{InvalidCall, required, uuid_bytes};
use crate::ids::{ExecutorId, FrameworkId};

/// What an executor says.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecutorCall {
    /// Who says it.
    pub executor_id: ExecutorId,
    /// Of which framework.
    pub framework_id: FrameworkId,
    /// What is said.
    pub action: ExecutorAction,
}

/// What an executor wants.
#[derive(Clone, Debug, PartialEq)]
pub enum ExecutorAction {
    /// To be given tasks.
    Subscribe(call::Subscribe),
    /// To tell news of a task; source, state and UUID are sound.
    Update(Box<call::Update>),
    /// To tell its scheduler something.
    Message(call::Message),
}

/// What an executor hears.
#[derive(Clone, Debug, PartialEq)]
pub enum ExecutorEvent {
    /// It is known to the slave now.
    Subscribed(Box<event::Subscribed>),
    /// A task to run.
    Launch(Box<event::Launch>),
    /// A task to end.
    Kill(event::Kill),
    /// An update has arrived.
    Acknowledged(event::Acknowledged),
    /// Its scheduler's words.
    Message(event::Message),
    /// The slave refuses to go on.
    Error(event::Error),
    /// It must end its tasks and itself.
    Shutdown,
}

impl TryFrom<Call> for ExecutorCall {
    type Error = InvalidCall;

    fn try_from(call: Call) -> Result<ExecutorCall, InvalidCall> {
        let call_type = call::Type::try_from(call.r#type).map_err(|_| InvalidCall::UnknownType)?;
        let executor_id = ExecutorId::from(call.executor_id);
        let framework_id = FrameworkId::from(call.framework_id);
        let action = match call_type {
            call::Type::Subscribe => {
                ExecutorAction::Subscribe(required(call.subscribe, "subscribe")?)
            }
            call::Type::Update => {
                let update = required(call.update, "update")?;
                validate_status(&executor_id, &framework_id, &update.status)?;
                ExecutorAction::Update(Box::new(update))
            }
            call::Type::Message => ExecutorAction::Message(required(call.message, "message")?),
        };
        Ok(ExecutorCall { executor_id, framework_id, action })
    }
}

fn validate_status(
    executor_id: &ExecutorId,
    framework_id: &FrameworkId,
    status: &TaskStatus,
) -> Result<(), InvalidCall> {
    uuid_bytes(required(status.uuid.as_ref(), "uuid")?)?;
    if let Some(other) = status.executor_id.as_ref().filter(|other| *executor_id != **other) {
        let (call, status) = (executor_id.to_string(), other.value.clone());
        return Err(InvalidCall::ExecutorIdDiffers { call, status });
    }
    let (executor_id, framework_id) = (executor_id.to_string(), framework_id.to_string());
    if status.source() != Source::Executor {
        return Err(InvalidCall::Source { executor_id, framework_id });
    }
    if status.state() == TaskState::TaskStaging {
        return Err(InvalidCall::Staging { executor_id, framework_id });
    }
    Ok(())
}

impl From<ExecutorCall> for Call {
    fn from(call: ExecutorCall) -> Call {
        let mut message = Call {
            executor_id: call.executor_id.into(),
            framework_id: call.framework_id.into(),
            ..Call::default()
        };
        let call_type = match call.action {
            ExecutorAction::Subscribe(subscribe) => {
                message.subscribe = Some(subscribe);
                call::Type::Subscribe
            }
            ExecutorAction::Update(update) => {
                message.update = Some(*update);
                call::Type::Update
            }
            ExecutorAction::Message(words) => {
                message.message = Some(words);
                call::Type::Message
            }
        };
        message.set_type(call_type);
        message
    }
}

impl TryFrom<Event> for ExecutorEvent {
    type Error = InvalidCall;

    fn try_from(event: Event) -> Result<ExecutorEvent, InvalidCall> {
        let event_type =
            event::Type::try_from(event.r#type).map_err(|_| InvalidCall::UnknownType)?;
        Ok(match event_type {
            event::Type::Subscribed => {
                ExecutorEvent::Subscribed(Box::new(required(event.subscribed, "subscribed")?))
            }
            event::Type::Launch => {
                ExecutorEvent::Launch(Box::new(required(event.launch, "launch")?))
            }
            event::Type::Kill => ExecutorEvent::Kill(required(event.kill, "kill")?),
            event::Type::Acknowledged => {
                ExecutorEvent::Acknowledged(required(event.acknowledged, "acknowledged")?)
            }
            event::Type::Message => ExecutorEvent::Message(required(event.message, "message")?),
            event::Type::Error => ExecutorEvent::Error(required(event.error, "error")?),
            event::Type::Shutdown => ExecutorEvent::Shutdown,
        })
    }
}

impl From<ExecutorEvent> for Event {
    fn from(event: ExecutorEvent) -> Event {
        let mut message = Event::default();
        let event_type = match event {
            ExecutorEvent::Subscribed(subscribed) => {
                message.subscribed = Some(*subscribed);
                event::Type::Subscribed
            }
            ExecutorEvent::Launch(launch) => {
                message.launch = Some(*launch);
                event::Type::Launch
            }
            ExecutorEvent::Kill(kill) => {
                message.kill = Some(kill);
                event::Type::Kill
            }
            ExecutorEvent::Acknowledged(acknowledged) => {
                message.acknowledged = Some(acknowledged);
                event::Type::Acknowledged
            }
            ExecutorEvent::Message(words) => {
                message.message = Some(words);
                event::Type::Message
            }
            ExecutorEvent::Error(error) => {
                message.error = Some(error);
                event::Type::Error
            }
            ExecutorEvent::Shutdown => event::Type::Shutdown,
        };
        message.set_type(event_type);
        message
    }
}
