//! What is kept of one event.
//! Made by `trace` where an event is queued, read by `trace::export`.
//! Never holds a body, nor names beyond a fixed length: a ring of records has bounded memory.

use std::fmt;

use crate::event::Name;
use crate::pid::Upid;
use crate::trace::EventId;

/// The longest name, or id of an actor elsewhere, that is kept whole, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// What kind of event it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The actor was spawned and initializes itself.
    Spawn,
    /// A message has arrived.
    Message,
    /// A message was handed to the network.
    Send,
    /// A call from within the process, such as a timer's or a future's.
    Call,
    /// An HTTP request.
    Request,
    /// A linked actor has ended.
    Exited,
    /// The actor is to end.
    Terminate,
}

/// All kinds with their names in an export.
const KINDS: [(Kind, &str); 7] = [
    (Kind::Spawn, "spawn"),
    (Kind::Message, "message"),
    (Kind::Send, "send"),
    (Kind::Call, "call"),
    (Kind::Request, "request"),
    (Kind::Exited, "exited"),
    (Kind::Terminate, "terminate"),
];

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = KINDS.iter().find(|(kind, _)| kind == self).map(|(_, name)| *name);
        f.write_str(name.expect("all kinds are listed"))
    }
}

impl Kind {
    /// The kind of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        KINDS.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Its handler ran, or it was handed on.
    Served,
    /// The actor had ended, or ended before its turn.
    Ended,
    /// There is no actor of that id.
    NoActor,
    /// The actor has no handler for it.
    NoHandler,
    /// Its body cannot be decoded.
    Malformed,
    /// Its handler panicked.
    Panicked,
    /// Too much waits for the peer already.
    PeerBehind,
    /// A test's filter took it.
    Filtered,
}

impl Outcome {
    /// Why it was lost; nothing if it was not.
    pub(super) fn loss(self) -> Option<&'static str> {
        match self {
            Outcome::Served => None,
            Outcome::Ended => Some("the actor has ended"),
            Outcome::NoActor => Some("there is no such actor"),
            Outcome::NoHandler => Some("the actor has no handler for it"),
            Outcome::Malformed => Some("its body is malformed"),
            Outcome::Panicked => Some("its handler panicked"),
            Outcome::PeerBehind => Some("too much waits for the peer"),
            Outcome::Filtered => Some("a filter took it"),
        }
    }
}

/// The beginning of a text that is too long to keep.
fn cut(text: &str) -> Option<String> {
    if text.len() <= NAME_BYTES_MAX {
        return None;
    }
    let end = (0..=NAME_BYTES_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    Some(format!("{}…", &text[..end]))
}

fn bounded(upid: &Upid) -> Upid {
    match cut(&upid.id) {
        None => upid.clone(),
        Some(id) => Upid::new(id, upid.address),
    }
}

/// One event. Moments are on the fine clock of `ticks`.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) id: EventId,
    pub(crate) cause: EventId,
    pub(crate) kind: Kind,
    pub(crate) outcome: Outcome,
    /// Who sent it; the empty pid for a call.
    pub(crate) from: Upid,
    pub(crate) to: Upid,
    /// A message's name, a request's method and path, or the type of a closure.
    pub(crate) name: Name,
    /// The size of its body.
    pub(crate) bytes: usize,
    pub(crate) queued: u64,
    pub(crate) began: u64,
    pub(crate) ended: u64,
}

impl Record {
    /// A record to which [`super::Tracer::note`] adds ids and moments.
    pub(crate) fn new(kind: Kind, from: &Upid, to: &Upid, name: Name) -> Self {
        Self {
            id: EventId::NONE,
            cause: EventId::NONE,
            kind,
            outcome: Outcome::Served,
            from: bounded(from),
            to: bounded(to),
            name: cut(&name).map_or(name, Name::from),
            bytes: 0,
            queued: 0,
            began: 0,
            ended: 0,
        }
    }

    /// The same with a body of that size.
    pub(crate) fn of(self, bytes: usize) -> Self {
        Self { bytes, ..self }
    }
}

/// The name of a closure's type without what the compiler adds: of
/// `slave::run::<impl slave::Slave<T>>::launch::{{closure}}` it is `run::launch`.
/// Other names have neither and stay.
pub(super) fn shorten(name: &str) -> String {
    let mut depth = 0usize;
    let mut plain = String::with_capacity(name.len());
    for c in name.replace("->", "").chars() {
        match c {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            _ if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    let parts: Vec<_> =
        plain.split("::").filter(|part| !part.is_empty() && *part != "{{closure}}").collect();
    match &parts[..] {
        [.., module, function] if name.contains("::") => format!("{module}::{function}"),
        _ => parts.join("::"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_closures_are_shortened() {
        let check = |name: &str, short: &str| assert_eq!(shorten(name), short, "{name}");
        check("slave::run::<impl slave::Slave<T>>::launch::{{closure}}", "run::launch");
        check("a::b::C::d::{{closure}}::{{closure}}", "C::d");
        check("a::f<a::P, fn(u8) -> u8>::{{closure}}", "a::f");
        check("mesos.internal.StatusUpdateMessage", "mesos.internal.StatusUpdateMessage");
        check("GET /master/state", "GET /master/state");
        check("", "");
    }

    #[test]
    fn long_names_are_cut() {
        let (long, nobody) = ("é".repeat(1_000), Upid::nobody());
        let from = Upid::new(&*long, nobody.address);
        let record = Record::new(Kind::Message, &from, nobody, long.into());
        let kept = NAME_BYTES_MAX / 2 + 1;
        assert_eq!(record.name.chars().count(), kept);
        assert_eq!(record.from.id.chars().count(), kept);
    }
}
