//! How long something takes, by a clock that nobody sets and no test pauses, and that goes on
//! while the process is stopped.
//! Called by who must not be deceived by a clock that is set back. Never for timers: they are
//! `clock`'s.
//!
//! Upstream: stout's `Stopwatch`.

use std::time::{Duration, Instant};

/// A running stopwatch.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    started: Instant,
}

impl Stopwatch {
    /// Starts from zero.
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// How long it has been running.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}
