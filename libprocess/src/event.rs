//! Every reason an actor has to wake up, in one closed enum.
//! Made by the senders (`dispatch`, `net`, `runtime`), consumed by `mailbox`.
//! Never holds a reference to the actor itself.
//!
//! Upstream: `Event`, `MessageEvent`, `DispatchEvent`, `HttpEvent`, `ExitedEvent`,
//! `TerminateEvent`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::http::{Request, Response};
use crate::pid::Upid;
use crate::process::{Ctx, Process};

/// A message as it travels: who sent it, its name (a full protobuf type name, as a rule) and its
/// encoded body. Upstream: `process::Message`.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// The sender; the empty pid for an anonymous one.
    pub(crate) from: Upid,
    /// The name, such as `mesos.internal.RegisterSlaveMessage`.
    pub(crate) name: Arc<str>,
    /// The body, not decoded.
    pub(crate) body: Bytes,
}

thread_local! {
    /// The names of message types, by where the type's own name lies in the program.
    static NAMES: RefCell<HashMap<(*const u8, usize), Arc<str>>> = RefCell::default();
}

/// The full protobuf name of `M`, made once for each thread instead of for each message.
pub(crate) fn name_of<M: prost::Name>() -> Arc<str> {
    let type_name = std::any::type_name::<M>();
    let key = (type_name.as_ptr(), type_name.len());
    let make = || M::full_name().into();
    NAMES.with_borrow_mut(|names| names.entry(key).or_insert_with(make).clone())
}

/// An HTTP request on its way to an actor's route, with the place for its answer.
#[derive(Debug)]
pub(crate) struct HttpEvent {
    pub(crate) request: Request,
    pub(crate) responder: oneshot::Sender<Response>,
}

/// A closure that runs inside the actor.
pub(crate) type Thunk<P> = Box<dyn FnOnce(&mut P, &mut Ctx<P>) + Send>;

/// What waits in the mailbox of an actor of type `P`.
pub(crate) enum Event<P: Process> {
    Message(Message),
    Dispatch(Thunk<P>),
    Http(HttpEvent),
    Exited(Upid),
    Terminate,
}

/// What can be put into a mailbox without knowing the actor's type.
pub(crate) enum Untyped {
    Message(Message),
    Http(HttpEvent),
    Exited(Upid),
}

impl<P: Process> From<Untyped> for Event<P> {
    fn from(event: Untyped) -> Self {
        match event {
            Untyped::Message(message) => Event::Message(message),
            Untyped::Http(event) => Event::Http(event),
            Untyped::Exited(pid) => Event::Exited(pid),
        }
    }
}

/// What `/__processes__` tells of one waiting event.
#[derive(Clone, Debug)]
pub(crate) enum Summary {
    Message { name: Arc<str>, from: Upid, body: Bytes },
    Http { method: String, url: String },
    Dispatch,
    Exited,
    Terminate,
}

impl<P: Process> Event<P> {
    pub(crate) fn summary(&self) -> Summary {
        match self {
            Event::Message(message) => Summary::Message {
                name: message.name.clone(),
                from: message.from.clone(),
                body: message.body.clone(),
            },
            Event::Dispatch(_) => Summary::Dispatch,
            Event::Http(event) => Summary::Http {
                method: event.request.method.to_string(),
                url: event.request.path.clone(),
            },
            Event::Exited(_) => Summary::Exited,
            Event::Terminate => Summary::Terminate,
        }
    }
}
