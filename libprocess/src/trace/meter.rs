//! How busy one actor is: what it has handled, how long that took, and what took longest.
//! Written by the worker that runs the actor, read by `/__processes__` at any time.
//! Never locks unless a record is broken.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    handled: AtomicU64,
    busy_nanos: AtomicU64,
    longest_nanos: AtomicU64,
    longest: Mutex<Option<Arc<str>>>,
}

/// What a meter shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Events handled.
    pub(crate) handled: u64,
    /// The time that its handlers took.
    pub(crate) busy: Duration,
    /// The longest handler's time and the name of its event.
    pub(crate) longest: Option<(Duration, Arc<str>)>,
}

impl Meter {
    /// Counts one event; by the actor's own worker only, so that adding needs no exchange.
    pub(super) fn count(&self, took: u64) {
        add(&self.handled, 1);
        add(&self.busy_nanos, took);
    }

    /// Whether nothing took longer yet.
    pub(super) fn is_longest(&self, took: u64) -> bool {
        took > self.longest_nanos.load(Ordering::Relaxed)
    }

    pub(super) fn set_longest(&self, took: u64, name: Arc<str>) {
        let mut longest = self.longest.lock();
        self.longest_nanos.store(took, Ordering::Relaxed);
        *longest = Some(name);
    }

    pub(crate) fn read(&self) -> Reading {
        let name = self.longest.lock();
        let longest = Duration::from_nanos(self.longest_nanos.load(Ordering::Relaxed));
        Reading {
            handled: self.handled.load(Ordering::Relaxed),
            busy: Duration::from_nanos(self.busy_nanos.load(Ordering::Relaxed)),
            longest: name.clone().map(|name| (longest, name)),
        }
    }
}

fn add(count: &AtomicU64, more: u64) {
    count.store(count.load(Ordering::Relaxed) + more, Ordering::Relaxed);
}
