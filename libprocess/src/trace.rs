//! The actor trace: what caused what, how long it waited, how long it ran, what was lost and why.
//!
//! Every event that is recorded has an id and the id of its cause, the event whose handler, timer
//! or future made it; [`cause`] keeps it across all of these, and a field in the head of messages
//! across processes. Records are kept in rings, one for each thread or so, the oldest overwritten:
//! some all the time, as many as cost nothing to speak of, and all of them between `start` and
//! `stop` of `/__trace__`. A message that is sent while all are recorded has its receiver record
//! all as well, until the same moment.
//!
//! Called where events enter a mailbox, are served and are lost; read by `/__trace__` and
//! `/__processes__`. Never decides anything: an actor cannot tell whether it is traced.

pub(crate) mod cause;
pub(crate) mod export;
mod meter;
mod record;
mod ticks;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

pub use cause::{EventId, Passed};
pub(crate) use meter::Meter;
pub(crate) use record::{Kind, Outcome, Record};

use crate::pid::Upid;
use crate::runtime::config::Config;

/// How long a handler may take before it is logged, unless the configuration says otherwise.
pub(crate) const SLOW_HANDLER: Duration = Duration::from_secs(1);

/// Where a process finds the event that has started it.
pub(crate) const CAUSE_VARIABLE: &str = "LIBPROCESS_CAUSE";

/// How many events a thread records in a tenth of a second at any time.
const ALLOWANCE: u32 = 200;

/// How many it does between `start` and `stop`. Beyond that, recording would hold up what it shows,
/// and the rings would be overwritten before anybody could look.
const ALLOWANCE_OF_ALL: u32 = 2_000;

/// How many events a runtime keeps, unless `start` says otherwise.
const RECORDS: usize = 65_536;

/// How many it keeps at most: about half a gigabyte.
const RECORDS_MAX: usize = 4_000_000;

/// How long all events may be recorded at another process's wish: as long as at that of an
/// operator, of which other processes hear in full seconds.
const FOREIGN_WISH_MAX: Duration = Duration::from_secs(3_601);

/// How many slow handlers are remembered as logged.
const SLOW_LOGGED_MAX: usize = 1_000;

type Ring = VecDeque<Box<Record>>;

/// The trace of a runtime. See the module.
pub(crate) struct Tracer {
    /// The event of another process that has started this one: the cause of what actors here do
    /// for no other reason.
    root: EventId,
    /// Until when all events are recorded, on the fine clock; 0 when they are not.
    until: AtomicU64,
    /// The same in seconds since the epoch, for other processes.
    until_unix: AtomicU64,
    /// The latest such moment so far: whoever comes with that again is not heeded.
    heeded_until_unix: AtomicU64,
    /// How many events were not recorded, because there were too many of them at a time.
    passed_over: AtomicU64,
    rings: Box<[Mutex<Ring>]>,
    records_per_ring: AtomicUsize,
    slow_nanos: u64,
    /// How far the coarse clock may be behind.
    coarse_step: u64,
    slow_logged: Mutex<BTreeSet<(Upid, String)>>,
}

impl Tracer {
    pub(crate) fn new(config: &Config) -> Self {
        // One more for the thread of the sockets, and one for whoever else sends.
        let rings: Box<[_]> = (0..config.workers() + 2).map(|_| Mutex::default()).collect();
        let mut tracer = Self {
            root: EventId::NONE,
            until: AtomicU64::new(0),
            until_unix: AtomicU64::new(0),
            heeded_until_unix: AtomicU64::new(0),
            passed_over: AtomicU64::new(0),
            records_per_ring: AtomicUsize::new(RECORDS / rings.len()),
            rings,
            slow_nanos: u64::try_from(config.slow_handler().as_nanos()).unwrap_or(u64::MAX),
            coarse_step: ticks::coarse_step(),
            slow_logged: Mutex::default(),
        };
        let passed = config.cause.as_ref().and_then(|cause| Passed::parse(cause.as_bytes()));
        tracer.root = passed.map_or(EventId::NONE, |passed| tracer.heed(passed));
        tracer
    }

    /// Forgets what was recorded and records all events for so long, and at most so many.
    pub(crate) fn start(&self, duration: Duration, records: Option<usize>) {
        let records = records.unwrap_or(RECORDS).min(RECORDS_MAX);
        self.records_per_ring.store(records.div_ceil(self.rings.len()), Ordering::Relaxed);
        self.rings.iter().for_each(|ring| *ring.lock() = Ring::new());
        self.passed_over.store(0, Ordering::Relaxed);
        let until = ticks::fine() + u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 2);
        // Rounded up: whoever hears of it late still hears of it.
        let until_unix = (until + ticks::to_unix()).div_ceil(1_000_000_000);
        self.heeded_until_unix.fetch_max(until_unix, Ordering::Relaxed);
        self.until_unix.store(until_unix, Ordering::Relaxed);
        self.until.store(until, Ordering::Relaxed);
    }

    /// Records no more than at any time. What was recorded stays until it is overwritten.
    pub(crate) fn stop(&self) {
        self.until.store(0, Ordering::Relaxed);
    }

    /// Whether all events are recorded.
    pub(crate) fn is_full(&self) -> bool {
        self.until.load(Ordering::Relaxed) != 0
    }

    /// What a process hears that is sent a message by `event`.
    pub(crate) fn passed_by(&self, event: EventId) -> Option<Passed> {
        let until = self.until_unix.load(Ordering::Relaxed);
        (self.is_full() && !event.is_none()).then_some(Passed { event, until })
    }

    /// Does as the sender of a message does, and gives the event that sent it.
    pub(crate) fn heed(&self, passed: Passed) -> EventId {
        let Passed { event, until } = passed;
        if until > self.heeded_until_unix.load(Ordering::Relaxed) {
            let now_unix = ticks::fine() + ticks::to_unix();
            let rest = Duration::from_secs(until).saturating_sub(Duration::from_nanos(now_unix));
            if !rest.is_zero() && rest <= FOREIGN_WISH_MAX {
                self.heeded_until_unix.fetch_max(until, Ordering::Relaxed);
                self.until_unix.store(until, Ordering::Relaxed);
                self.until.store(ticks::fine() + rest.as_nanos() as u64, Ordering::Relaxed);
            }
        }
        event
    }

    /// A record of something that happens now because of `cause`, if there is to be one.
    #[inline]
    pub(crate) fn note(
        &self,
        cause: EventId,
        make: impl FnOnce() -> Record,
    ) -> Option<Box<Record>> {
        let until = self.until.load(Ordering::Relaxed);
        let allowance = if until == 0 { ALLOWANCE } else { ALLOWANCE_OF_ALL };
        if !cause::may_record(allowance, &self.passed_over, ticks::coarse) {
            return None;
        }
        let now = ticks::fine();
        if until != 0 && now > until {
            self.stop();
        }
        let mut record = Box::new(make());
        let is_own = matches!(record.kind, Kind::Spawn | Kind::Call | Kind::Send);
        record.id = EventId::fresh();
        record.cause = if cause.is_none() && is_own { self.root } else { cause };
        (record.queued, record.began, record.ended) = (now, now, now);
        Some(record)
    }

    /// Keeps the record of something that is over.
    pub(crate) fn keep(&self, record: Box<Record>) {
        let mut ring = self.rings[ring_of_this_thread() % self.rings.len()].lock();
        if ring.len() >= self.records_per_ring.load(Ordering::Relaxed) {
            ring.pop_front();
        }
        ring.push_back(record);
    }

    /// Keeps the record of an event that is lost.
    pub(crate) fn lose(&self, record: Option<Box<Record>>, why: Outcome) {
        if let Some(mut record) = record {
            record.outcome = why;
            record.began = ticks::fine();
            record.ended = record.began;
            self.keep(record);
        }
    }

    /// What has been recorded, in no order.
    pub(crate) fn records(&self) -> Vec<Record> {
        let copy =
            |ring: &Mutex<Ring>| ring.lock().iter().map(|record| (**record).clone()).collect();
        self.rings.iter().flat_map(|ring| -> Vec<Record> { copy(ring) }).collect()
    }

    /// How many events have not been recorded since the start, to within a few.
    pub(crate) fn passed_over(&self) -> u64 {
        self.passed_over.load(Ordering::Relaxed)
    }

    /// Says once for each actor and event that a handler took too long.
    #[cold]
    fn log_slow(&self, upid: &Upid, name: &str, took: u64) {
        let mut logged = self.slow_logged.lock();
        if logged.len() < SLOW_LOGGED_MAX && logged.insert((upid.clone(), name.to_owned())) {
            drop(logged);
            let took = stout::duration::display(Duration::from_nanos(took));
            tracing::warn!("{upid} was blocked for {took} by its handler of '{name}'");
        }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        // Not ended: the handler has panicked.
        if let Some(mut record) = self.record.take() {
            record.ended = ticks::fine();
            record.outcome = Outcome::Panicked;
            self.tracer.keep(record);
        }
    }
}

/// The threads take numbers in the order in which they first record something.
fn ring_of_this_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static RING: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    }
    RING.with(|ring| *ring)
}

/// One turn of an actor on a thread: times each handler, and is the cause of what it does.
pub(crate) struct Watch<'a> {
    tracer: &'a Tracer,
    meter: &'a Meter,
    upid: &'a Upid,
    record: Option<Box<Record>>,
    /// When the last handler ended, where that is not recorded.
    last: u64,
    working: cause::Working,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(tracer: &'a Tracer, meter: &'a Meter, upid: &'a Upid) -> Self {
        let working = cause::enter(EventId::NONE);
        Self { tracer, meter, upid, record: None, last: ticks::coarse(), working }
    }

    /// A handler begins; the event's record is what [`Tracer::note`] gave when it was queued.
    pub(crate) fn begin(&mut self, record: Option<Box<Record>>) {
        self.record = record;
        self.working.go_on(match &mut self.record {
            None => EventId::NONE,
            Some(record) => {
                record.began = ticks::fine();
                record.id
            }
        });
    }

    /// The handler has ended.
    pub(crate) fn end(&mut self, name: &str) {
        let outcome = cause::take_outcome();
        let took = match self.record.take() {
            Some(mut record) => {
                let now = ticks::fine();
                let took = now - record.began;
                (record.ended, record.outcome, self.last) = (now, outcome, now);
                self.tracer.keep(record);
                self.meter.count(took);
                took
            }
            None => {
                let now = ticks::coarse();
                let about = now.saturating_sub(self.last);
                self.last = now.max(self.last);
                self.meter.count(about);
                // It took no less than this.
                about.saturating_sub(self.tracer.coarse_step)
            }
        };
        if self.meter.is_longest(took) {
            self.meter.set_longest(took, Arc::from(record::shorten(name)));
        }
        if took >= self.tracer.slow_nanos {
            self.tracer.log_slow(self.upid, &record::shorten(name), took);
        }
    }
}
