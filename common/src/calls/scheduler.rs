//! What schedulers ask of the master, and what they hear. Upstream: `scheduler.proto`.

use proto::mesos::scheduler::{Call, Event, call, event};

use super::{InvalidCall, required, uuid_bytes};
use crate::ids::FrameworkId;

/// What a scheduler says.
#[derive(Clone, Debug, PartialEq)]
pub enum SchedulerCall {
    /// It wants to become or stay a framework; the id is in the framework's info.
    Subscribe(Box<call::Subscribe>),
    /// A framework wants something.
    Framework(FrameworkId, FrameworkCall),
}

/// What a framework wants.
#[derive(Clone, Debug, PartialEq)]
pub enum FrameworkCall {
    /// To end.
    Teardown,
    /// To use offers.
    Accept(call::Accept),
    /// Not to use offers.
    Decline(call::Decline),
    /// To have its filters forgotten.
    Revive,
    /// To have no offers for a while.
    Suppress,
    /// A task to end.
    Kill(call::Kill),
    /// An executor to end.
    Shutdown(call::Shutdown),
    /// To confirm an update; the UUID has 16 bytes.
    Acknowledge(call::Acknowledge),
    /// To hear the states of tasks.
    Reconcile(call::Reconcile),
    /// To tell an executor something.
    Message(call::Message),
    /// To tell which resources it would like.
    Request(call::Request),
}

/// What a scheduler hears.
#[derive(Clone, Debug, PartialEq)]
pub enum SchedulerEvent {
    /// It is a framework now.
    Subscribed(event::Subscribed),
    /// Here are offers.
    Offers(event::Offers),
    /// An offer is gone.
    Rescind(event::Rescind),
    /// News of a task.
    Update(Box<event::Update>),
    /// An executor's words.
    Message(event::Message),
    /// A slave or an executor is lost.
    Failure(event::Failure),
    /// The master refuses to go on.
    Error(event::Error),
    /// The connection is alive.
    Heartbeat,
}

impl FrameworkCall {
    /// The type's name in the schema, as logs and metrics write it.
    pub fn name(&self) -> &'static str {
        self.call_type().as_str_name()
    }

    fn call_type(&self) -> call::Type {
        match self {
            FrameworkCall::Teardown => call::Type::Teardown,
            FrameworkCall::Accept(_) => call::Type::Accept,
            FrameworkCall::Decline(_) => call::Type::Decline,
            FrameworkCall::Revive => call::Type::Revive,
            FrameworkCall::Suppress => call::Type::Suppress,
            FrameworkCall::Kill(_) => call::Type::Kill,
            FrameworkCall::Shutdown(_) => call::Type::Shutdown,
            FrameworkCall::Acknowledge(_) => call::Type::Acknowledge,
            FrameworkCall::Reconcile(_) => call::Type::Reconcile,
            FrameworkCall::Message(_) => call::Type::Message,
            FrameworkCall::Request(_) => call::Type::Request,
        }
    }
}

impl TryFrom<Call> for SchedulerCall {
    type Error = InvalidCall;

    fn try_from(call: Call) -> Result<SchedulerCall, InvalidCall> {
        let call_type = call::Type::try_from(call.r#type).map_err(|_| InvalidCall::UnknownType)?;
        if call_type == call::Type::Subscribe {
            return subscribe(call);
        }
        let framework_id = required(call.framework_id, "framework_id")?.into();
        let framework_call = match call_type {
            call::Type::Subscribe => return Err(InvalidCall::UnknownType),
            call::Type::Teardown => FrameworkCall::Teardown,
            call::Type::Accept => FrameworkCall::Accept(required(call.accept, "accept")?),
            call::Type::Decline => FrameworkCall::Decline(required(call.decline, "decline")?),
            call::Type::Revive => FrameworkCall::Revive,
            call::Type::Suppress => FrameworkCall::Suppress,
            call::Type::Kill => FrameworkCall::Kill(required(call.kill, "kill")?),
            call::Type::Shutdown => FrameworkCall::Shutdown(required(call.shutdown, "shutdown")?),
            call::Type::Acknowledge => {
                let acknowledge = required(call.acknowledge, "acknowledge")?;
                uuid_bytes(&acknowledge.uuid)?;
                FrameworkCall::Acknowledge(acknowledge)
            }
            call::Type::Reconcile => {
                FrameworkCall::Reconcile(required(call.reconcile, "reconcile")?)
            }
            call::Type::Message => FrameworkCall::Message(required(call.message, "message")?),
            call::Type::Request => FrameworkCall::Request(required(call.request, "request")?),
        };
        Ok(SchedulerCall::Framework(framework_id, framework_call))
    }
}

/// Both ids may be absent, and an absent id equals an empty one.
fn subscribe(call: Call) -> Result<SchedulerCall, InvalidCall> {
    let subscribe = required(call.subscribe, "subscribe")?;
    let id = subscribe.framework_info.id.clone().unwrap_or_default();
    if id != call.framework_id.unwrap_or_default() {
        return Err(InvalidCall::FrameworkIdDiffers);
    }
    Ok(SchedulerCall::Subscribe(Box::new(subscribe)))
}

impl From<SchedulerCall> for Call {
    fn from(call: SchedulerCall) -> Call {
        match call {
            SchedulerCall::Subscribe(subscribe) => Call {
                framework_id: subscribe.framework_info.id.clone(),
                r#type: call::Type::Subscribe.into(),
                subscribe: Some(*subscribe),
                ..Call::default()
            },
            SchedulerCall::Framework(framework_id, call) => {
                let framework_id = Some(framework_id.into());
                Call { framework_id, ..call.into() }
            }
        }
    }
}

impl From<FrameworkCall> for Call {
    /// The framework's id stays unset.
    fn from(call: FrameworkCall) -> Call {
        let mut message = Call { r#type: call.call_type().into(), ..Call::default() };
        match call {
            FrameworkCall::Teardown | FrameworkCall::Revive | FrameworkCall::Suppress => {}
            FrameworkCall::Accept(accept) => message.accept = Some(accept),
            FrameworkCall::Decline(decline) => message.decline = Some(decline),
            FrameworkCall::Kill(kill) => message.kill = Some(kill),
            FrameworkCall::Shutdown(shutdown) => message.shutdown = Some(shutdown),
            FrameworkCall::Acknowledge(acknowledge) => message.acknowledge = Some(acknowledge),
            FrameworkCall::Reconcile(reconcile) => message.reconcile = Some(reconcile),
            FrameworkCall::Message(words) => message.message = Some(words),
            FrameworkCall::Request(request) => message.request = Some(request),
        }
        message
    }
}

impl TryFrom<Event> for SchedulerEvent {
    type Error = InvalidCall;

    fn try_from(event: Event) -> Result<SchedulerEvent, InvalidCall> {
        let event_type =
            event::Type::try_from(event.r#type).map_err(|_| InvalidCall::UnknownType)?;
        Ok(match event_type {
            event::Type::Subscribed => {
                SchedulerEvent::Subscribed(required(event.subscribed, "subscribed")?)
            }
            event::Type::Offers => SchedulerEvent::Offers(required(event.offers, "offers")?),
            event::Type::Rescind => SchedulerEvent::Rescind(required(event.rescind, "rescind")?),
            event::Type::Update => {
                SchedulerEvent::Update(Box::new(required(event.update, "update")?))
            }
            event::Type::Message => SchedulerEvent::Message(required(event.message, "message")?),
            event::Type::Failure => SchedulerEvent::Failure(required(event.failure, "failure")?),
            event::Type::Error => SchedulerEvent::Error(required(event.error, "error")?),
            event::Type::Heartbeat => SchedulerEvent::Heartbeat,
        })
    }
}

impl From<SchedulerEvent> for Event {
    fn from(event: SchedulerEvent) -> Event {
        let mut message = Event::default();
        let event_type = match event {
            SchedulerEvent::Subscribed(subscribed) => {
                message.subscribed = Some(subscribed);
                event::Type::Subscribed
            }
            SchedulerEvent::Offers(offers) => {
                message.offers = Some(offers);
                event::Type::Offers
            }
            SchedulerEvent::Rescind(rescind) => {
                message.rescind = Some(rescind);
                event::Type::Rescind
            }
            SchedulerEvent::Update(update) => {
                message.update = Some(*update);
                event::Type::Update
            }
            SchedulerEvent::Message(words) => {
                message.message = Some(words);
                event::Type::Message
            }
            SchedulerEvent::Failure(failure) => {
                message.failure = Some(failure);
                event::Type::Failure
            }
            SchedulerEvent::Error(error) => {
                message.error = Some(error);
                event::Type::Error
            }
            SchedulerEvent::Heartbeat => event::Type::Heartbeat,
        };
        message.set_type(event_type);
        message
    }
}
