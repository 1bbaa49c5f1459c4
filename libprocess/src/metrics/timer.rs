//! How long things take: the last duration of a repeated operation, and of those within a window
//! the distribution.
//! Called by actors that time an operation; read by `Metrics::snapshot`.
//!
//! Upstream: `metrics::Timer<Milliseconds>`.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::clock::Clock;
use crate::metrics::series::Series;

/// A timer in milliseconds; it shows the last duration that was recorded.
#[derive(Clone, Debug, Default)]
pub struct Timer {
    clock: Clock,
    recorded: Arc<Mutex<Recorded>>,
}

#[derive(Debug, Default)]
struct Recorded {
    last: Option<f64>,
    history: Option<Series>,
}

impl Timer {
    pub(crate) fn new(clock: &Clock, window: Option<Duration>) -> Self {
        let recorded = Recorded { last: None, history: window.map(Series::new) };
        Self { clock: clock.clone(), recorded: Arc::new(Mutex::new(recorded)) }
    }

    /// Records how long the operation took this time.
    pub fn record(&self, took: Duration) {
        let millis = took.as_secs_f64() * 1e3;
        let now = self.clock.now();
        let mut recorded = self.recorded.lock();
        recorded.last = Some(millis);
        if let Some(history) = &mut recorded.history {
            history.set(millis, now, now);
        }
    }

    /// Records how long `future` takes from now on, whatever it gives; not if it is dropped.
    /// Upstream: `Timer::time`.
    pub fn time<T>(&self, future: impl Future<Output = T>) -> impl Future<Output = T> {
        let (timer, start) = (self.clone(), self.clock.now());
        async move {
            let outcome = future.await;
            timer.record(timer.clock.now().since(start));
            outcome
        }
    }

    pub(crate) fn collect(&self, name: &str, values: &mut BTreeMap<String, f64>) {
        let recorded = self.recorded.lock();
        if let Some(last) = recorded.last {
            values.insert(format!("{name}_ms"), last);
        }
        let statistics = recorded.history.as_ref().and_then(Series::statistics);
        for (suffix, value) in statistics.into_iter().flatten() {
            values.insert(format!("{name}_ms/{suffix}"), value);
        }
    }
}
