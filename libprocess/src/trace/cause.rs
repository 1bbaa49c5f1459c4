//! What the present thread works for: the id of the event whose handler runs, or whose timer or
//! future goes on. Whatever is sent meanwhile has that event as its cause.
//! Called by `trace` around handlers, and where work is put off: timers, futures, the network.
//! Never takes a lock.

use std::cell::Cell;
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::trace::Outcome;

/// The name of an event, unlike that of any other in any process; 0 for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(u64);

impl EventId {
    /// No event, or one that was not recorded.
    pub(crate) const NONE: EventId = EventId(0);

    /// An id that nobody has: a random number for the thread, counted up.
    pub(crate) fn fresh() -> Self {
        HERE.with(|here| {
            let last = match here.last_id.get() {
                0 => RandomState::new().build_hasher().finish() & !0xffff_ffff,
                last => last,
            };
            here.last_id.set(last.wrapping_add(1));
            EventId(last.wrapping_add(1))
        })
    }

    pub(crate) fn is_none(self) -> bool {
        self == Self::NONE
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for EventId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(EventId)
    }
}

/// What goes with a message to another process: the event that sent it, and until when it is to
/// be traced, in seconds since the epoch. As text `00c0ffee00000001;until=1796304599`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// The event.
    pub event: EventId,
    /// The moment, in seconds since the epoch.
    pub until: u64,
}

/// The field of a message's head that carries [`Passed`]. Whoever does not know it skips it.
pub(crate) const FIELD: &str = "Libprocess-Cause";

impl fmt::Display for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};until={}", self.event, self.until)
    }
}

impl Passed {
    /// Reads the field's value; nothing if it is not of this form.
    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        let (event, until) = std::str::from_utf8(value).ok()?.split_once(";until=")?;
        Some(Self { event: event.parse().ok()?, until: until.parse().ok()? })
    }
}

struct Here {
    cause: Cell<EventId>,
    last_id: Cell<u64>,
    outcome: Cell<Outcome>,
    /// How many more events may be recorded in this window of time.
    allowance: Cell<u32>,
    /// How many more to pass over before looking whether the window is over.
    patience: Cell<u32>,
    /// When the window is over, on the coarse clock.
    window_ends: Cell<u64>,
    /// How many events were passed over since the last look at the clock.
    passed_over: Cell<u64>,
}

thread_local! {
    static HERE: Here = const { Here {
        cause: Cell::new(EventId::NONE),
        last_id: Cell::new(0),
        outcome: Cell::new(Outcome::Served),
        allowance: Cell::new(0),
        patience: Cell::new(0),
        window_ends: Cell::new(0),
        passed_over: Cell::new(0),
    } };
}

/// What the present thread works for.
pub(crate) fn current() -> EventId {
    HERE.with(|here| here.cause.get())
}

/// Works for `cause` until the guard is dropped.
pub(crate) fn enter(cause: EventId) -> Working {
    Working { before: HERE.with(|here| here.cause.replace(cause)) }
}

/// Puts back what the thread worked for before.
#[must_use = "the thread works for something else again once this is dropped"]
pub(crate) struct Working {
    before: EventId,
}

impl Working {
    /// Works for another cause from now on.
    pub(super) fn go_on(&self, cause: EventId) {
        HERE.with(|here| here.cause.set(cause));
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        HERE.with(|here| here.cause.set(self.before));
    }
}

/// Says how the event being handled fares, unless it is served.
pub(crate) fn fares(outcome: Outcome) {
    HERE.with(|here| here.outcome.set(outcome));
}

/// How the event fared that was handled since the last call.
pub(super) fn take_outcome() -> Outcome {
    HERE.with(|here| here.outcome.replace(Outcome::Served))
}

/// A tenth of a second.
const WINDOW_NANOS: u64 = 100_000_000;

/// How many events are passed over between two looks at the clock.
const PATIENCE: u32 = 64;

/// Whether this thread may record one more event, of which it may record `allowance` in a window
/// of a tenth of a second; those that it may not are added to `passed_over`, now and then. `now`
/// is asked for only when the allowance is spent.
pub(super) fn may_record(
    allowance: u32,
    passed_over: &AtomicU64,
    now: impl FnOnce() -> u64,
) -> bool {
    HERE.with(|here| {
        if let Some(rest) = here.allowance.get().checked_sub(1) {
            here.allowance.set(rest);
            return true;
        }
        here.passed_over.set(here.passed_over.get() + 1);
        if let Some(rest) = here.patience.get().checked_sub(1) {
            here.patience.set(rest);
            return false;
        }
        let now = now();
        if now < here.window_ends.get() {
            here.patience.set(PATIENCE);
            return false;
        }
        here.window_ends.set(now + WINDOW_NANOS);
        here.allowance.set(allowance - 1);
        // All but this one.
        passed_over.fetch_add(here.passed_over.take() - 1, Ordering::Relaxed);
        true
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_fresh() {
        let here = EventId::fresh();
        let there = std::thread::spawn(EventId::fresh).join().unwrap();
        assert!(here != there && here != EventId::fresh() && !here.is_none());
        assert_eq!(here.to_string().parse(), Ok(here));
    }

    #[test]
    fn what_is_passed_on_reads_as_it_is_written() {
        let passed = Passed { event: EventId(0xc0ffee), until: 1_796_304_599 };
        assert_eq!(passed.to_string(), "0000000000c0ffee;until=1796304599");
        assert_eq!(Passed::parse(passed.to_string().as_bytes()), Some(passed));
        for bad in ["", "c0ffee", "c0ffee;until=", "x;until=1", "1;until=-1", "\u{e9};until=1"] {
            assert_eq!(Passed::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn causes_nest() {
        let (outer, inner) = (EventId(1), EventId(2));
        let _outer = enter(outer);
        {
            let _inner = enter(inner);
            assert_eq!(current(), inner);
        }
        assert_eq!(current(), outer);
    }

    #[test]
    fn a_burst_is_recorded_up_to_the_allowance_and_later_ones_again() {
        let passed_over = AtomicU64::new(0);
        let may = |now| may_record(7, &passed_over, || now);
        let count = |now| (0..1_000).filter(|_| may(now)).count();
        assert_eq!(count(1), 7);
        assert_eq!(count(WINDOW_NANOS), 0);
        assert_eq!(count(WINDOW_NANOS + 1), 7);
        // A few are passed over before the clock is looked at.
        let passed_over = passed_over.load(Ordering::Relaxed);
        assert!((1_993..1_993 + u64::from(PATIENCE) + 1).contains(&passed_over), "{passed_over}");
    }
}
