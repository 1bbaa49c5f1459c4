//! A trace to look at: the records of one runtime, or of several, with moments in nanoseconds
//! since the epoch, so that they can be laid side by side.
//! Made by `builtin::trace`; `chrome`, `text` and `html` show it.
//! Never holds anything of the runtime: an export may have come from another process.

pub(crate) mod chrome;
pub(crate) mod html;
pub(crate) mod text;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use crate::pid::{Address, Upid};
use crate::trace::record::shorten;
use crate::trace::{EventId, Kind, Tracer, ticks};

/// One process whose records are in an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// Where its actors are.
    pub(crate) address: String,
    /// The name of its host.
    pub(crate) host: String,
    /// The name of its program.
    pub(crate) program: String,
    /// Its number on its host.
    pub(crate) pid: u32,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, host, program, pid } = self;
        write!(f, "{program} at {address}, pid {pid} on {host}")
    }
}

/// One event. Moments are nanoseconds since the epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hop {
    pub(crate) id: EventId,
    pub(crate) cause: EventId,
    pub(crate) kind: Kind,
    /// Why it was lost, if it was.
    pub(crate) lost: Option<String>,
    /// Who sent it; empty if nobody is known.
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) name: String,
    pub(crate) bytes: u64,
    pub(crate) queued: u64,
    pub(crate) began: u64,
    pub(crate) ended: u64,
}

impl Hop {
    /// The actor on whose lane it is: the sender's if it was sent, the receiver's otherwise.
    pub(crate) fn actor(&self) -> &str {
        if self.kind == Kind::Send { &self.from } else { &self.to }
    }
}

/// What there is to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Export {
    pub(crate) origins: Vec<Origin>,
    /// In the order in which they began.
    pub(crate) hops: Vec<Hop>,
    /// What is missing, and why.
    pub(crate) notes: Vec<String>,
}

impl Export {
    /// All that `tracer` has recorded for a runtime at `address`.
    pub(crate) fn of(tracer: &Tracer, address: Address) -> Self {
        let to_unix = ticks::to_unix();
        let show = |upid: &Upid| if upid.is_empty() { String::new() } else { upid.to_string() };
        let hops = tracer.records().into_iter().map(|record| Hop {
            id: record.id,
            cause: record.cause,
            kind: record.kind,
            lost: record.outcome.loss().map(str::to_owned),
            from: show(&record.from),
            to: show(&record.to),
            name: shorten(&record.name),
            bytes: record.bytes as u64,
            queued: record.queued + to_unix,
            began: record.began + to_unix,
            ended: record.ended + to_unix,
        });
        let origin = Origin {
            address: address.to_string(),
            host: crate::os::hostname::of_this_host().unwrap_or_default(),
            program: crate::os::program::name(),
            pid: std::process::id(),
        };
        let notes = match tracer.passed_over() {
            0 => Vec::new(),
            count => {
                vec![format!("{address} has passed over {count} events: too many at a time")]
            }
        };
        let mut export = Self { origins: vec![origin], hops: hops.collect(), notes };
        export.complete();
        export
    }

    /// Adds the records of another process; nothing if they are there already.
    pub(crate) fn merge(&mut self, other: Export) {
        for origin in other.origins {
            if !self.origins.contains(&origin) {
                self.origins.push(origin);
            }
        }
        self.origins.sort_by(|left, right| left.address.cmp(&right.address));
        let known: BTreeSet<_> = self.hops.iter().map(|hop| hop.id).collect();
        self.hops.extend(other.hops.into_iter().filter(|hop| !known.contains(&hop.id)));
        self.notes.extend(other.notes);
        self.complete();
    }

    /// The addresses of processes that the hops mention and whose own records are not here.
    pub(crate) fn absent(&self) -> BTreeSet<String> {
        let here: BTreeSet<_> = self.origins.iter().map(|origin| &*origin.address).collect();
        let actors = self.hops.iter().filter(|hop| hop.kind != Kind::Request);
        let addresses =
            actors.flat_map(|hop| [&hop.from, &hop.to]).filter_map(|upid| address(upid));
        addresses.filter(|address| !here.contains(address)).map(str::to_owned).collect()
    }

    /// Sorts, and says who made a call: whoever ran its cause.
    fn complete(&mut self) {
        self.hops.sort_by_key(|hop| (hop.began, hop.queued, hop.id));
        let actors: HashMap<_, _> =
            self.hops.iter().map(|hop| (hop.id, hop.actor().to_owned())).collect();
        for hop in self.hops.iter_mut().filter(|hop| hop.from.is_empty()) {
            hop.from = actors.get(&hop.cause).cloned().unwrap_or_default();
        }
    }

    /// The actors with a lane, in the order in which they appear, by address.
    fn lanes(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut lanes = BTreeMap::<_, Vec<_>>::new();
        let mut seen = BTreeSet::new();
        let actors = self.hops.iter().map(Hop::actor).filter(|actor| !actor.is_empty());
        for actor in actors.filter(|actor| seen.insert(*actor)) {
            lanes.entry(address(actor).unwrap_or_default()).or_default().push(actor);
        }
        lanes
    }
}

/// The part of a pid after the last `@`.
fn address(upid: &str) -> Option<&str> {
    upid.rsplit_once('@').map(|(_, address)| address)
}

#[cfg(test)]
pub(crate) mod tests;
