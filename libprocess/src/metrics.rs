//! What a process counts and measures, and the snapshot of it.
//! Called by every actor that has something to count; `builtin::metrics` serves the snapshot.
//! Never waits inside an actor: a gauge that asks one gives a future.
//!
//! Upstream: `metrics::Counter`, `metrics::Gauge`, `metrics::Timer`, `MetricsProcess`.

mod series;
mod timer;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use parking_lot::Mutex;
use stout::duration::{self, DurationError};
use stout::number::{self, NotANumber};

use crate::clock::Clock;
use crate::process::{Ctx, Process};

pub use timer::Timer;

/// How often `/metrics/snapshot` answers; requests beyond that wait.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SnapshotRate {
    /// As often as it is asked.
    Unlimited,
    /// At most once in each such interval.
    Every(Duration),
}

impl Default for SnapshotRate {
    /// Twice a second.
    fn default() -> Self {
        Self::Every(Duration::from_millis(500))
    }
}

impl SnapshotRate {
    /// Reads `<number>/<duration>`; an empty text is no limit.
    ///
    /// # Errors
    /// When there are no two parts, without a reason; with one if a part is wrong.
    pub fn parse(text: &str) -> Result<Self, Option<BadRate>> {
        if text.is_empty() {
            return Ok(Self::Unlimited);
        }
        let [count, interval] = stout::text::tokenize(text, "/")[..] else { return Err(None) };
        let count: i32 = number::numify(count).map_err(BadRate::Requests)?;
        let interval = duration::parse(interval).map_err(BadRate::Interval)?;
        let count = u32::try_from(count).ok().filter(|count| *count > 0);
        let count = count.filter(|_| !interval.is_zero()).ok_or(BadRate::Zero)?;
        Ok(Self::Every(interval / count))
    }
}

/// Why a rate cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRate {
    /// The first part is no number.
    #[error("Failed to parse the number of requests: {0}")]
    Requests(NotANumber),
    /// The second part is no duration.
    #[error("Failed to parse the interval: {0}")]
    Interval(DurationError),
    /// There is nothing to divide by. Upstream fails a check.
    #[error("both must be greater than zero")]
    Zero,
}

/// A number that only grows, and can be reset by removing it. Upstream: `metrics::Counter`.
#[derive(Clone, Debug, Default)]
pub struct Counter {
    value: Arc<AtomicU64>,
}

impl Counter {
    /// Adds one.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Adds `more`.
    pub fn add(&self, more: u64) {
        self.value.fetch_add(more, Ordering::Relaxed);
    }

    /// The value.
    pub fn value(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }
}

type Gauge = Arc<dyn Fn() -> BoxFuture<'static, Option<f64>> + Send + Sync>;

enum Metric {
    Counter(Counter),
    Gauge(Gauge),
    Timer(Timer),
}

/// The metrics of a runtime; clones are the same.
#[derive(Clone, Default)]
pub struct Metrics {
    clock: Clock,
    metrics: Arc<Mutex<BTreeMap<String, Metric>>>,
}

impl Metrics {
    pub(crate) fn new(clock: &Clock) -> Self {
        Self { clock: clock.clone(), metrics: Arc::default() }
    }

    /// The counter called `name`; the same one each time it is asked for.
    pub fn counter(&self, name: &str) -> Counter {
        let mut metrics = self.metrics.lock();
        if let Some(Metric::Counter(counter)) = metrics.get(name) {
            return counter.clone();
        }
        let counter = Counter::default();
        metrics.insert(name.to_owned(), Metric::Counter(counter.clone()));
        counter
    }

    /// Measures `name` by calling `value` for each snapshot; `None` leaves it out of that one.
    pub fn gauge(
        &self,
        name: &str,
        value: impl Fn() -> BoxFuture<'static, Option<f64>> + Send + Sync + 'static,
    ) {
        self.metrics.lock().insert(name.to_owned(), Metric::Gauge(Arc::new(value)));
    }

    /// The timer called `name`, which appears as `<name>_ms` once it has a value.
    pub fn timer(&self, name: &str) -> Timer {
        self.add_timer(name, None)
    }

    /// As [`Metrics::timer`], with the distribution of the values of the last `window`:
    /// `<name>_ms/count`, `/min`, `/max`, `/p50`, `/p90`, `/p95`, `/p99`, `/p999`, `/p9999`.
    pub fn timer_with_window(&self, name: &str, window: Duration) -> Timer {
        self.add_timer(name, Some(window))
    }

    fn add_timer(&self, name: &str, window: Option<Duration>) -> Timer {
        let timer = Timer::new(&self.clock, window);
        self.metrics.lock().insert(name.to_owned(), Metric::Timer(timer.clone()));
        timer
    }

    /// Takes a metric out.
    pub fn remove(&self, name: &str) {
        self.metrics.lock().remove(name);
    }

    /// Every metric that has a value, by name. Waits for the gauges, `timeout` at most; those
    /// that take longer are left out.
    pub async fn snapshot(&self, timeout: Option<Duration>) -> BTreeMap<String, f64> {
        let mut values = BTreeMap::new();
        let mut gauges = FuturesUnordered::new();
        let mut missing = BTreeSet::new();
        for (name, metric) in &*self.metrics.lock() {
            match metric {
                Metric::Counter(counter) => {
                    values.insert(name.clone(), counter.value() as f64);
                }
                Metric::Timer(timer) => timer.collect(name, &mut values),
                Metric::Gauge(gauge) => {
                    let name = name.clone();
                    missing.insert(name.clone());
                    gauges.push(gauge().map(move |value| (name, value)));
                }
            }
        }
        let mut late = match timeout {
            None => futures_util::future::pending().boxed(),
            Some(timeout) => self.clock.sleep(timeout).boxed(),
        };
        loop {
            tokio::select! {
                biased;
                next = gauges.next() => {
                    let Some((name, value)) = next else { break };
                    missing.remove(&name);
                    values.extend(value.map(|value| (name, value)));
                }
                () = &mut late => break,
            }
        }
        for name in missing {
            crate::vlog!(
                1,
                "Exceeded timeout of {} when attempting to get metric '{name}'",
                duration::display(timeout.unwrap_or_default())
            );
        }
        values
    }
}

impl<P: Process> Ctx<P> {
    /// Measures `name` by asking this actor for each snapshot; gone with the actor.
    pub fn gauge(
        &self,
        name: &str,
        value: impl Fn(&mut P, &mut Ctx<P>) -> f64 + Send + Sync + 'static,
    ) {
        let (pid, value) = (self.pid().clone(), Arc::new(value));
        self.runtime().metrics().gauge(name, move || {
            let value = value.clone();
            pid.dispatch(move |process, ctx| value(process, ctx)).map(Result::ok).boxed()
        });
    }
}
