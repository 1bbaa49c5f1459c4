//! Time as the actors see it: the real clock, or one that a test pauses and advances; and the
//! timers that run on it.
//! Called by `process::Ctx` (`now`, `after`), by the runtime's timer task and by tests.
//! Never runs a callback while it holds its own lock; equal expiries fire in creation order.
//!
//! Upstream: `process::Clock`, `process::Timer`.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{Notify, oneshot};

use crate::trace::{EventId, cause};

/// A point in time: nanoseconds since the epoch, in UTC. Prints as
/// `YYYY-MM-DD HH:MM:SS[.nnnnnnnnn]+00:00`. Upstream: `process::Time`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(Duration);

impl Time {
    /// The time `since_epoch` after 1970-01-01 00:00:00 UTC.
    pub const fn from_epoch(since_epoch: Duration) -> Self {
        Self(since_epoch)
    }

    /// How long ago 1970-01-01 00:00:00 UTC was.
    pub const fn since_epoch(self) -> Duration {
        self.0
    }

    /// Seconds since the epoch, as the JSON endpoints and protobuf timestamps give them.
    pub fn secs(self) -> f64 {
        // Through microseconds, so that the last printed digits are those of upstream.
        self.0.as_secs() as f64 + f64::from(self.0.subsec_nanos()) / 1e9
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Time) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    fn of_the_system() -> Self {
        // A clock set before 1970 reads as the epoch.
        Self(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

impl std::ops::Add<Duration> for Time {
    type Output = Time;

    fn add(self, duration: Duration) -> Time {
        Time(self.0.saturating_add(duration))
    }
}

impl std::ops::Sub<Duration> for Time {
    type Output = Time;

    fn sub(self, duration: Duration) -> Time {
        Time(self.0.saturating_sub(duration))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secs = self.0.as_secs();
        let (year, month, day) = civil_from_days(secs / 86_400);
        let (hour, minute, second) = (secs / 3_600 % 24, secs / 60 % 60, secs % 60);
        write!(f, "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")?;
        match self.0.subsec_nanos() {
            0 => f.write_str("+00:00"),
            nanos => write!(f, ".{nanos:09}+00:00"),
        }
    }
}

/// The Gregorian date `days` after 1970-01-01, by counting in eras of 400 years from 0000-03-01.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

type Callback = Box<dyn FnOnce() + Send>;

/// Names a timer, to cancel it. Upstream: `process::Timer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timer {
    expiry: Time,
    serial: u64,
}

impl Timer {
    /// When it is due. Upstream: `Timer::timeout`.
    pub fn expiry(&self) -> Time {
        self.expiry
    }
}

#[derive(Default)]
struct State {
    /// The frozen time while the clock is paused.
    paused: Option<Time>,
    /// All that was ever advanced; it stays when the clock is resumed.
    advanced: Duration,
    serial: u64,
    /// With the event that set each.
    timers: BTreeMap<(Time, u64), (EventId, Callback)>,
}

impl State {
    fn now(&self) -> Time {
        self.paused.unwrap_or_else(|| Time::of_the_system() + self.advanced)
    }

    fn take_due(&mut self) -> Vec<(EventId, Callback)> {
        let now = self.now();
        let mut later = self.timers.split_off(&(now, u64::MAX));
        std::mem::swap(&mut later, &mut self.timers);
        later.into_values().collect()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

/// A runtime's clock; clones are the same clock.
#[derive(Clone, Default)]
pub struct Clock {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

impl Clock {
    /// A clock that is paused at `time`.
    pub(crate) fn paused_at(time: Time) -> Self {
        let state = State { paused: Some(time), ..State::default() };
        Self { state: Arc::new(Mutex::new(state)), changed: Arc::default() }
    }

    /// The time it is: the system's, or the frozen one while paused.
    pub fn now(&self) -> Time {
        self.state.lock().now()
    }

    /// Freezes time. Upstream: `Clock::pause`.
    pub fn pause(&self) {
        let mut state = self.state.lock();
        let now = state.now();
        state.paused.get_or_insert(now);
        crate::vlog!(2, "Clock paused at {now}");
    }

    /// Lets time run again, ahead of the system's by all that was advanced.
    /// Upstream: `Clock::resume`.
    pub fn resume(&self) {
        let mut state = self.state.lock();
        if state.paused.take().is_some() {
            crate::vlog!(2, "Clock resumed at {}", state.now());
        }
        drop(state);
        self.changed.notify_one();
    }

    /// Whether time is frozen.
    pub fn is_paused(&self) -> bool {
        self.state.lock().paused.is_some()
    }

    /// Moves time on by `duration` and runs the timers that come due. Upstream: `Clock::advance`.
    pub fn advance(&self, duration: Duration) {
        let mut state = self.state.lock();
        state.advanced += duration;
        if let Some(paused) = state.paused {
            state.paused = Some(paused + duration);
            crate::vlog!(
                2,
                "Clock advanced ({}) to {}",
                stout::duration::display(duration),
                paused + duration
            );
        }
        drop(state);
        self.fire_due();
        self.changed.notify_one();
    }

    /// Runs `callback` once, `delay` from now. Upstream: `Clock::timer`.
    pub(crate) fn after(&self, delay: Duration, callback: Callback) -> Timer {
        let state = self.state.lock();
        let expiry = state.now() + delay;
        self.set(state, expiry, callback)
    }

    /// Runs `callback` once, at `moment`, or at once if that has passed. Whoever knows the moment
    /// says so here: while somebody works out what is left until then, the clock may be advanced.
    pub(crate) fn at(&self, moment: Time, callback: Callback) -> Timer {
        self.set(self.state.lock(), moment, callback)
    }

    fn set(&self, mut state: MutexGuard<'_, State>, expiry: Time, callback: Callback) -> Timer {
        let serial = state.serial;
        state.serial += 1;
        let is_first = state.timers.keys().next().is_none_or(|&(first, _)| expiry < first);
        state.timers.insert((expiry, serial), (cause::current(), callback));
        drop(state);
        if is_first {
            self.changed.notify_one();
        }
        Timer { expiry, serial }
    }

    /// Completes `delay` from now, counted from this call.
    pub fn sleep(&self, delay: Duration) -> impl Future<Output = ()> + Send + 'static {
        let (wake, woken) = oneshot::channel();
        let wake = move || {
            // Whoever slept may have gone, too late to take the timer back.
            let _ = wake.send(());
        };
        let timer = self.after(delay, Box::new(wake));
        let guard = Sleeping { clock: self.clone(), timer };
        async move {
            let _guard = guard;
            // The callback is dropped without a call only together with the clock.
            let _ = woken.await;
        }
    }

    /// Forgets a timer; false if it has expired already. Upstream: `Clock::cancel`.
    pub fn cancel(&self, timer: Timer) -> bool {
        self.state.lock().timers.remove(&(timer.expiry, timer.serial)).is_some()
    }

    /// When the first timer is due.
    pub(crate) fn next_expiry(&self) -> Option<Time> {
        self.state.lock().timers.keys().next().map(|&(expiry, _)| expiry)
    }

    /// Whether a timer is due that has not run yet.
    pub(crate) fn has_due(&self) -> bool {
        let state = self.state.lock();
        let now = state.now();
        state.timers.keys().next().is_some_and(|&(first, _)| first <= now)
    }

    fn fire_due(&self) {
        let due = self.state.lock().take_due();
        if !due.is_empty() {
            crate::vlog!(3, "Handling timers up to {}", self.now());
        }
        for (cause, callback) in due {
            let _working = cause::enter(cause);
            callback();
        }
    }

    /// Fires timers as real time passes; runs for as long as the runtime does.
    pub(crate) async fn run(self) {
        loop {
            self.fire_due();
            let wait = {
                let state = self.state.lock();
                let next = state.timers.keys().next().map(|&(expiry, _)| expiry);
                if let Some(next) = next {
                    crate::vlog!(3, "Have timeout(s) at {next}");
                }
                next.filter(|_| state.paused.is_none()).map(|expiry| expiry.since(state.now()))
            };
            match wait {
                None => self.changed.notified().await,
                Some(wait) => {
                    let _ = tokio::time::timeout(wait, self.changed.notified()).await;
                }
            }
        }
    }
}

/// Takes the timer of a sleep back that nobody waits for.
struct Sleeping {
    clock: Clock,
    timer: Timer,
}

impl Drop for Sleeping {
    fn drop(&mut self) {
        self.clock.cancel(self.timer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_test_output() {
        let check = |secs, nanos, text: &str| {
            assert_eq!(Time::from_epoch(Duration::new(secs, nanos)).to_string(), text);
        };
        check(0, 0, "1970-01-01 00:00:00+00:00");
        check(0, 1, "1970-01-01 00:00:00.000000001+00:00");
        check(951_782_400, 0, "2000-02-29 00:00:00+00:00");
        check(1_456_790_400, 0, "2016-03-01 00:00:00+00:00");
        check(1_796_304_599, 500_000_000, "2026-12-03 13:29:59.500000000+00:00");
    }

    #[test]
    fn time_test_arithmetic() {
        let weeks = |count: u64| Duration::from_secs(count * 7 * 24 * 60 * 60);
        let at = |count| Time::from_epoch(weeks(count));
        assert_eq!(at(1_000) - weeks(1), at(999));
        assert_eq!(at(999) + weeks(2), at(1_001));
        assert_eq!(at(1_000).since(at(999)), weeks(1));
        assert_eq!(at(999).since(at(1_000)), Duration::ZERO);
    }

    #[test]
    fn time_test_now() {
        let clock = Clock::default();
        let before = clock.now();
        let start = std::time::Instant::now();
        while start.elapsed() < Duration::from_micros(10) {
            std::hint::spin_loop();
        }
        assert!(clock.now().since(before) >= Duration::from_micros(10));
    }

    #[test]
    fn timers_fire_in_order_of_expiry_then_of_creation() {
        let clock = Clock::default();
        clock.pause();
        let seen = Arc::new(Mutex::new(Vec::new()));
        for (secs, name) in [(2, "late"), (1, "first"), (1, "second"), (9, "never")] {
            let seen = seen.clone();
            clock.after(Duration::from_secs(secs), Box::new(move || seen.lock().push(name)));
        }
        let gone = clock.after(Duration::from_secs(1), Box::new(|| unreachable!("cancelled")));
        assert!(clock.cancel(gone));
        clock.advance(Duration::from_secs(2));
        assert_eq!(*seen.lock(), ["first", "second", "late"]);
        assert!(!clock.cancel(gone));
    }

    #[test]
    fn a_timer_for_a_moment_expires_then_however_late_it_was_set() {
        let clock = Clock::default();
        clock.pause();
        let moment = clock.now() + Duration::from_secs(2);
        clock.advance(Duration::from_secs(1));
        let seen = Arc::new(Mutex::new(Vec::new()));
        for (moment, name) in [(moment, "then"), (clock.now(), "at once")] {
            let seen = seen.clone();
            clock.at(moment, Box::new(move || seen.lock().push(name)));
        }
        assert!(clock.has_due());
        clock.advance(Duration::from_secs(1));
        assert_eq!(*seen.lock(), ["at once", "then"]);
    }

    #[test]
    fn process_test_after_is_forgotten_with_its_future() {
        let clock = Clock::default();
        clock.pause();
        let slept = clock.sleep(Duration::from_secs(5));
        assert_eq!(clock.state.lock().timers.len(), 1);
        drop(slept);
        assert!(clock.state.lock().timers.is_empty());
    }

    #[test]
    fn clock_test_pause_and_resume_keeps_what_was_advanced() {
        let clock = Clock::default();
        let before = clock.now();
        clock.pause();
        clock.advance(Duration::from_secs(3_600));
        clock.resume();
        assert!(clock.now() >= before + Duration::from_secs(3_600));
    }
}
