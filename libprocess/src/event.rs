//! Every reason an actor has to wake up, in one closed enum.
//! Made by the senders (`dispatch`, `net`, `runtime`), consumed by `mailbox`.
//! Never holds a reference to the actor itself.
//!
//! Upstream: `Event`, `MessageEvent`, `DispatchEvent`, `HttpEvent`, `ExitedEvent`,
//! `TerminateEvent`.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::http::{Request, Response};
use crate::pid::Upid;
use crate::process::{Ctx, Process};
use crate::trace::{Kind, Record};

/// The name of a message, a full protobuf type name as a rule. Clones are cheap, and those of a
/// name that stands in the program touch no memory that threads share.
#[derive(Clone)]
pub struct Name(Text);

#[derive(Clone)]
enum Text {
    Program(&'static str),
    Shared(Arc<str>),
}

impl Name {
    /// A name that stands in the program.
    #[must_use]
    pub const fn of_static(name: &'static str) -> Self {
        Self(Text::Program(name))
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            Text::Program(name) => name,
            Text::Shared(name) => name,
        }
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Self(Text::Shared(name.into()))
    }
}

impl From<String> for Name {
    fn from(name: String) -> Self {
        Self(Text::Shared(name.into()))
    }
}

impl From<Arc<str>> for Name {
    fn from(name: Arc<str>) -> Self {
        Self(Text::Shared(name))
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Name {}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

/// A message as it travels: who sent it, its name and its encoded body.
/// Upstream: `process::Message`.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// The sender; the empty pid for an anonymous one.
    pub(crate) from: Upid,
    /// The name, such as `mesos.internal.RegisterSlaveMessage`.
    pub(crate) name: Name,
    /// The body, not decoded.
    pub(crate) body: Bytes,
}

impl Message {
    /// What the trace keeps of it on its way to `to`.
    pub(crate) fn record(&self, kind: Kind, to: &Upid) -> Record {
        Record::new(kind, &self.from, to, self.name.clone()).of(self.body.len())
    }
}

/// How many types' names a thread has at hand.
const AT_HAND: usize = 64;

/// Types, by where their names lie in the program, and the names of their messages.
type Names = [Option<(&'static str, Name)>; AT_HAND];

thread_local! {
    static NAMES: RefCell<Names> = const { RefCell::new([const { None }; AT_HAND]) };
}

/// The full protobuf name of `M`, made once instead of for each message.
pub(crate) fn name_of<M: prost::Name>() -> Name {
    let of = std::any::type_name::<M>();
    let place = (of.as_ptr().addr() >> 3) % AT_HAND;
    NAMES.with_borrow_mut(|names| match &names[place] {
        Some((known, name)) if std::ptr::eq(*known, of) => name.clone(),
        _ => {
            let name = Name::of_static(keep(M::full_name()));
            names[place] = Some((of, name.clone()));
            name
        }
    })
}

/// The same text for the rest of the program's life: there are only so many types.
fn keep(name: String) -> &'static str {
    static KEPT: Mutex<Option<HashSet<&'static str>>> = Mutex::new(None);
    let mut kept = KEPT.lock();
    let kept = kept.get_or_insert_default();
    match kept.get(&*name) {
        Some(kept) => kept,
        None => {
            let name: &'static str = name.leak();
            kept.insert(name);
            name
        }
    }
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
    /// With the type of the closure, as a name for it.
    Dispatch(&'static str, Thunk<P>),
    /// Boxed, because it is several times as large as the others, which are copied often.
    Http(Box<HttpEvent>),
    Exited(Upid),
    Terminate,
}

/// What can be put into a mailbox without knowing the actor's type.
pub(crate) enum Untyped {
    Message(Message),
    Http(Box<HttpEvent>),
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
    Message { name: Name, from: Upid, body: Bytes },
    Http { method: String, url: String },
    Dispatch,
    Exited,
    Terminate,
}

impl<P: Process> Event<P> {
    /// What the trace keeps of it when it is queued for `to`.
    pub(crate) fn record(&self, to: &Upid) -> Record {
        let nobody = Upid::nobody();
        match self {
            Event::Message(message) => message.record(Kind::Message, to),
            Event::Dispatch(name, _) => Record::new(Kind::Call, nobody, to, Name::of_static(name)),
            Event::Http(event) => {
                let request = &event.request;
                let name = format!("{} {}", request.method, request.path).into();
                let client = match request.client {
                    Some(SocketAddr::V4(client)) => Upid::new("", client.into()),
                    _ => Upid::empty(),
                };
                Record::new(Kind::Request, &client, to, name).of(request.body.len())
            }
            Event::Exited(from) => Record::new(Kind::Exited, from, to, Name::of_static("exited")),
            Event::Terminate => {
                Record::new(Kind::Terminate, nobody, to, Name::of_static("terminate"))
            }
        }
    }

    pub(crate) fn summary(&self) -> Summary {
        match self {
            Event::Message(message) => Summary::Message {
                name: message.name.clone(),
                from: message.from.clone(),
                body: message.body.clone(),
            },
            Event::Dispatch(..) => Summary::Dispatch,
            Event::Http(event) => Summary::Http {
                method: event.request.method.to_string(),
                url: event.request.path.clone(),
            },
            Event::Exited(_) => Summary::Exited,
            Event::Terminate => Summary::Terminate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Anyone;

    impl Process for Anyone {}

    #[test]
    fn an_event_is_no_larger_than_a_message() {
        assert!(size_of::<Event<Anyone>>() <= size_of::<Message>() + size_of::<usize>());
        assert!(size_of::<Message>() <= 96);
    }
}
