//! The one place that sees every message of a runtime: those between its actors, those that come
//! in and those that go out.
//! Called by the runtime for each message; tests install filters.
//! Never sees calls (`dispatch`), requests or ends of actors.
//!
//! Upstream: `process::Filter`, `process::filter`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::event::Message;
use crate::pid::Upid;
use crate::runtime::Runtime;

/// A message on its way.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// The sender, as stated.
    pub from: &'a Upid,
    /// The receiver, here or elsewhere.
    pub to: &'a Upid,
    /// The name, a protobuf type as a rule.
    pub name: &'a str,
    /// The body, encoded.
    pub body: &'a Bytes,
}

/// What a filter makes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not this filter's concern: older filters are asked.
    NotMine,
    /// It goes on its way, and no other filter is asked.
    Deliver,
    /// It is lost.
    Drop,
}

type Filter = Box<dyn FnMut(&Envelope<'_>) -> Verdict + Send>;

/// The filters of a runtime.
#[derive(Default)]
pub(crate) struct Traffic {
    watched: AtomicBool,
    filters: Mutex<Filters>,
}

#[derive(Default)]
struct Filters {
    serial: u64,
    /// The newest last.
    installed: Vec<(u64, Filter)>,
}

impl Traffic {
    /// Whether a message may go on its way.
    pub(crate) fn admits(&self, message: &Message, to: &Upid) -> bool {
        // Relaxed: who installs a filter makes what it watches happen afterwards.
        !self.watched.load(Ordering::Relaxed) || self.ask(message, to)
    }

    #[cold]
    fn ask(&self, message: &Message, to: &Upid) -> bool {
        let Message { from, name, body } = message;
        let envelope = Envelope { from, to, name, body };
        let mut filters = self.filters.lock();
        let mut verdicts = filters.installed.iter_mut().rev().map(|(_, filter)| filter(&envelope));
        verdicts.find(|verdict| *verdict != Verdict::NotMine) != Some(Verdict::Drop)
    }

    fn install(self: &Arc<Self>, filter: Filter) -> Installed {
        let mut filters = self.filters.lock();
        filters.serial += 1;
        let serial = filters.serial;
        filters.installed.push((serial, filter));
        self.watched.store(true, Ordering::Relaxed);
        Installed { traffic: self.clone(), serial }
    }
}

/// A filter that is in force for as long as this lives.
#[must_use = "the filter ends with this value"]
pub struct Installed {
    traffic: Arc<Traffic>,
    serial: u64,
}

impl Drop for Installed {
    fn drop(&mut self) {
        let mut filters = self.traffic.filters.lock();
        filters.installed.retain(|(serial, _)| *serial != self.serial);
        self.traffic.watched.store(!filters.installed.is_empty(), Ordering::Relaxed);
    }
}

impl Runtime {
    /// Shows every message to `filter`, the newest filter first. It runs where the message is
    /// sent or received and must neither send nor block. Upstream: `process::filter`.
    pub fn filter(
        &self,
        filter: impl FnMut(&Envelope<'_>) -> Verdict + Send + 'static,
    ) -> Installed {
        self.traffic().install(Box::new(filter))
    }
}
