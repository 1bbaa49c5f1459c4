//! How long things take: the last duration of a repeated operation.
//! Called by actors that time an operation; read by `Metrics::snapshot`.
//!
//! Upstream: `metrics::Timer<Milliseconds>`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

/// A timer in milliseconds; it shows the last duration that was recorded.
#[derive(Clone, Debug, Default)]
pub struct Timer {
    last: Arc<Mutex<Option<Duration>>>,
}

impl Timer {
    /// Records how long the operation took this time.
    pub fn record(&self, took: Duration) {
        *self.last.lock() = Some(took);
    }

    pub(crate) fn collect(&self, name: &str, values: &mut BTreeMap<String, f64>) {
        if let Some(last) = *self.last.lock() {
            values.insert(format!("{name}_ms"), last.as_secs_f64() * 1e3);
        }
    }
}
