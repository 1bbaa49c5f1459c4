//! Values over time within a window, and what is told of their distribution.
//! Called by metrics that have a window. Pure: the time is handed in.
//!
//! When there are more values than fit, every second one of the older half goes, one with each
//! new value: the recent past stays exact, the distant one coarse.
//!
//! Upstream: `process::TimeSeries`, `process::Statistics`.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::time::Duration;

use crate::clock::Time;

/// How many values are kept. Upstream: `TIME_SERIES_CAPACITY`.
const CAPACITY: usize = 1000;

/// See the module.
#[derive(Debug)]
pub(crate) struct Series {
    window: Duration,
    capacity: usize,
    values: BTreeMap<Time, f64>,
    /// The next value to go when there are too many, and its position; none before the first
    /// round and after a value that came out of order.
    candidate: Option<(Time, usize)>,
}

impl Series {
    pub(crate) fn new(window: Duration) -> Self {
        Self::with_capacity(window, CAPACITY)
    }

    fn with_capacity(window: Duration, capacity: usize) -> Self {
        // Fewer than three have no second one in their older half.
        Self { window, capacity: capacity.max(3), values: BTreeMap::new(), candidate: None }
    }

    /// Records a value of `time`; forgets what is too old `now` and what is too much.
    pub(crate) fn set(&mut self, value: f64, time: Time, now: Time) {
        if self.values.last_key_value().is_some_and(|(last, _)| time < *last) {
            self.candidate = None;
        }
        self.values.insert(time, value);
        self.truncate(now);
        self.thin_out();
    }

    /// Forgets what is older than the window, but for the last value.
    fn truncate(&mut self, now: Time) {
        let expired = now - self.window;
        let first_kept = self.values.range((Excluded(expired), Unbounded)).next();
        let Some((&first_kept, _)) = first_kept.filter(|_| self.values.len() > 1) else { return };
        let kept = self.values.split_off(&first_kept);
        let removed = std::mem::replace(&mut self.values, kept).len();
        self.candidate = self
            .candidate
            .filter(|(time, _)| first_kept < *time)
            .map(|(time, position)| (time, position - removed));
    }

    fn thin_out(&mut self) {
        while self.values.len() > self.capacity {
            let within = self.candidate.filter(|(_, position)| *position <= self.values.len() / 2);
            let second = || self.values.keys().nth(1).map(|time| (*time, 1));
            let Some((time, position)) = within.or_else(second) else { return };
            self.values.remove(&time);
            let mut later = self.values.range((Excluded(time), Unbounded));
            self.candidate = later.nth(1).map(|(next, _)| (*next, position + 1));
        }
    }

    /// The distribution of the values, by the suffix of the metric that shows it; nothing with
    /// less than two values.
    pub(crate) fn statistics(&self) -> Option<[(&'static str, f64); 9]> {
        let mut sorted: Vec<f64> = self.values.values().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = match sorted[..] {
            [min, .., max] => (min, max),
            _ => return None,
        };
        Some([
            ("count", sorted.len() as f64),
            ("min", min),
            ("max", max),
            ("p50", percentile(&sorted, 0.5)),
            ("p90", percentile(&sorted, 0.90)),
            ("p95", percentile(&sorted, 0.95)),
            ("p99", percentile(&sorted, 0.99)),
            ("p999", percentile(&sorted, 0.999)),
            ("p9999", percentile(&sorted, 0.9999)),
        ])
    }
}

/// By linear interpolation between the neighbours, of at least two values.
fn percentile(sorted: &[f64], percentile: f64) -> f64 {
    let position = percentile * (sorted.len() - 1) as f64;
    let index = position as usize;
    let delta = position - index as f64;
    sorted[index] + delta * (sorted[index + 1] - sorted[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_000_000;

    fn at(secs: u64) -> Time {
        Time::from_epoch(Duration::from_secs(START + secs))
    }

    fn fill(series: &mut Series, seconds: std::ops::RangeInclusive<u64>, now: Time) {
        seconds.for_each(|second| series.set(second as f64, at(second), now));
    }

    fn values(series: &Series) -> Vec<u64> {
        series.values.values().map(|value| *value as u64).collect()
    }

    #[test]
    fn time_series_test_sparsify() {
        let mut series = Series::with_capacity(Duration::from_secs(START), 10);
        fill(&mut series, 0..=9, at(0));
        assert_eq!(values(&series), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let mut check = |next: u64, expected: [u64; 10]| {
            series.set(next as f64, at(next), at(0));
            assert_eq!(values(&series), expected);
        };
        check(10, [0, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        check(11, [0, 2, 4, 5, 6, 7, 8, 9, 10, 11]);
        check(12, [0, 2, 4, 6, 7, 8, 9, 10, 11, 12]);
        check(13, [0, 2, 4, 6, 8, 9, 10, 11, 12, 13]);
        check(14, [0, 2, 4, 6, 8, 10, 11, 12, 13, 14]);
        // A new round, from the beginning.
        check(15, [0, 4, 6, 8, 10, 11, 12, 13, 14, 15]);
        check(16, [0, 4, 8, 10, 11, 12, 13, 14, 15, 16]);
        check(17, [0, 4, 8, 11, 12, 13, 14, 15, 16, 17]);
        check(18, [0, 4, 8, 11, 13, 14, 15, 16, 17, 18]);
        check(19, [0, 4, 8, 11, 13, 15, 16, 17, 18, 19]);
    }

    #[test]
    fn time_series_test_truncate() {
        let mut series = Series::with_capacity(Duration::from_secs(10), 10);
        fill(&mut series, 0..=9, at(0));
        series.set(10.0, at(10), at(16));
        assert_eq!(values(&series), [7, 8, 9, 10]);

        let mut series = Series::with_capacity(Duration::from_secs(10), 10);
        fill(&mut series, 0..=12, at(0));
        assert_eq!(values(&series), [0, 2, 4, 6, 7, 8, 9, 10, 11, 12]);
        series.truncate(at(12));
        assert_eq!(values(&series), [4, 6, 7, 8, 9, 10, 11, 12]);
        fill(&mut series, 13..=15, at(12));
        assert_eq!(values(&series), [4, 6, 8, 9, 10, 11, 12, 13, 14, 15]);
        // Beyond the next candidate: thinning begins anew.
        series.truncate(at(19));
        assert_eq!(values(&series), [10, 11, 12, 13, 14, 15]);
        fill(&mut series, 16..=20, at(19));
        assert_eq!(values(&series), [10, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
    }

    #[test]
    fn a_lone_value_outlives_the_window() {
        let mut series = Series::new(Duration::from_secs(1));
        series.set(1.0, at(0), at(0));
        series.truncate(at(100));
        assert_eq!(values(&series), [1]);
    }

    #[test]
    fn statistics_test_empty_and_single() {
        let mut series = Series::new(Duration::from_secs(1));
        assert_eq!(series.statistics(), None);
        series.set(0.0, at(0), at(0));
        assert_eq!(series.statistics(), None);
    }

    #[test]
    fn statistics_test_statistics() {
        let mut series = Series::new(Duration::from_secs(100));
        (0..=10).for_each(|second| series.set(second as f64 - 5.0, at(second), at(0)));
        let expected = [
            ("count", 11.0),
            ("min", -5.0),
            ("max", 5.0),
            ("p50", 0.0),
            ("p90", 4.0),
            ("p95", 4.5),
            ("p99", 4.9),
            ("p999", 4.99),
            ("p9999", 4.999),
        ];
        let statistics = series.statistics().expect("enough values");
        for ((name, value), (expected_name, expected)) in statistics.into_iter().zip(expected) {
            assert_eq!(name, expected_name);
            assert!((value - expected).abs() < 1e-9, "{name}: {value}");
        }
    }
}
