//! What happened in a simulation, kept to be told when a check fails, and its hash, by which two
//! runs are compared.
//! Filled by the host of each node and by the network. Never influences what happens.

use std::collections::VecDeque;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::Arc;

use bytes::Bytes;

use crate::clock::Time;
use crate::pid::Upid;
use crate::simulation::Node;

/// How many of the last events are kept to be told.
const KEPT_MAX: usize = 500;

/// How many bytes of a message are shown, where they are text.
const SHOWN_BYTES_MAX: usize = 48;

/// How many bytes of a message go into the hash, with its length.
const HASHED_BYTES_MAX: usize = 4 << 10;

/// Something that happened.
#[derive(Clone, Debug, Hash)]
pub(super) enum What {
    /// A message passed by: where it was sent, and where it arrived if that is another node.
    Message { node: Node, from: Upid, to: Upid, name: Arc<str>, body: Body },
    /// An actor was told of the end of another.
    Exited { node: Node, linker: Arc<str>, linkee: Upid },
    /// A connection was asked for.
    Connecting { connection: u64, from: Node, to: Node },
    /// It is there.
    Connected { connection: u64 },
    /// One end of it has failed.
    Failed { connection: u64, node: Node, why: io::ErrorKind },
    /// One end of it was closed.
    Closed { connection: u64, node: Node },
    /// Something was done to the cluster.
    Fault(Fault),
}

/// What was done to the cluster.
#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq)]
pub(super) enum Fault {
    Boot(Node),
    Crash(Node),
    PowerOff(Node),
    Freeze(Node),
    Thaw(Node),
    Cut(Node, Node),
    Mend(Node, Node),
    Reset(Node, Node),
}

#[derive(Default)]
pub(super) struct Trace {
    hasher: DefaultHasher,
    forgotten: usize,
    kept: VecDeque<(Time, What)>,
}

impl Trace {
    pub(super) fn add(&mut self, now: Time, what: What) {
        (now, &what).hash(&mut self.hasher);
        if self.kept.len() == KEPT_MAX {
            self.kept.pop_front();
            self.forgotten += 1;
        }
        self.kept.push_back((now, what));
    }

    /// Takes a choice into the hash that need not be told.
    pub(super) fn note(&mut self, choice: u64) {
        self.hasher.write_u64(choice);
    }

    pub(super) fn hash(&self) -> u64 {
        self.hasher.finish()
    }

    /// One line an event, times counted from `start`.
    pub(super) fn tell(&self, start: Time) -> String {
        let mut text = String::new();
        if self.forgotten > 0 {
            text += &format!("{:>12} earlier events are not shown\n", self.forgotten);
        }
        for (time, what) in &self.kept {
            text += &format!("{:>14.6}s  {what}\n", time.since(start).as_secs_f64());
        }
        text
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Message { node, from, to, name, body } => {
                write!(f, "{node}  {from} -> {to}  {name}{body}")
            }
            What::Exited { node, linker, linkee } => {
                write!(f, "{node}  {linker} is told: exited {linkee}")
            }
            What::Connecting { connection, from, to } => {
                write!(f, "{from}  connection {connection} to {to} is asked for")
            }
            What::Connected { connection } => write!(f, "       connection {connection} is there"),
            What::Failed { connection, node, why } => {
                write!(f, "{node}  connection {connection} has failed: {why}")
            }
            What::Closed { connection, node } => {
                write!(f, "{node}  connection {connection} is closed from here")
            }
            What::Fault(fault) => write!(f, "*** {fault}"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Boot(node) => write!(f, "{node} starts"),
            Fault::Crash(node) => write!(f, "{node} crashes"),
            Fault::PowerOff(node) => write!(f, "{node} loses its power"),
            Fault::Freeze(node) => write!(f, "{node} is stopped"),
            Fault::Thaw(node) => write!(f, "{node} continues"),
            Fault::Cut(from, to) => write!(f, "nothing gets from {from} to {to}"),
            Fault::Mend(from, to) => write!(f, "{from} reaches {to} again"),
            Fault::Reset(one, other) => write!(f, "connections of {one} and {other} are reset"),
        }
    }
}

/// A body: told as text where it is some, else by its length.
#[derive(Clone, Debug)]
pub(super) struct Body(pub(super) Bytes);

impl Hash for Body {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let hashed = self.0.len().min(HASHED_BYTES_MAX);
        (self.0.len(), &self.0[..hashed]).hash(state);
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |byte: &u8| (b' '..=b'~').contains(byte);
        match &self.0[..] {
            [] => Ok(()),
            bytes if bytes.len() <= SHOWN_BYTES_MAX && bytes.iter().all(is_plain) => {
                write!(f, " '{}'", String::from_utf8_lossy(bytes))
            }
            bytes => write!(f, " ({} bytes)", bytes.len()),
        }
    }
}
