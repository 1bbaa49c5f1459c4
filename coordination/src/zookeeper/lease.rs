//! For how long a session is certain to be alive, whatever happens: the server ends it no sooner
//! than its timeout after it last heard of us, so counting from when we *sent* what it answered
//! errs on the safe side.
//! Renewed by `session`, asked by those who act on the strength of an ephemeral node. Measures by
//! a clock that nobody sets, and that goes on while the process is stopped.
//!
//! Upstream: nothing; there a master that was stopped leads on until it is told.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use libprocess::Stopwatch;

/// The certainty that a session is alive. Not yet held when it is made.
#[derive(Debug, Default)]
pub struct Lease {
    /// Since when, and for how long from then on.
    held: Mutex<Option<(Stopwatch, Duration)>>,
}

impl Lease {
    /// Whether the session is certainly alive.
    pub fn is_held(&self) -> bool {
        self.remaining() > Duration::ZERO
    }

    /// For how long it is still certain.
    pub fn remaining(&self) -> Duration {
        remaining(*self.lock())
    }

    /// What was sent at `sent` has been answered.
    pub(crate) fn renew(&self, sent: Stopwatch, timeout: Duration) {
        let mut held = self.lock();
        if remaining(Some((sent, timeout))) > remaining(*held) {
            *held = Some((sent, timeout));
        }
    }

    /// The session is over.
    pub(crate) fn end(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Stopwatch, Duration)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn remaining(held: Option<(Stopwatch, Duration)>) -> Duration {
    held.map(|(sent, timeout)| timeout.saturating_sub(sent.elapsed())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_counted_from_what_was_sent_last() {
        let lease = Lease::default();
        assert!(!lease.is_held());
        let sent = Stopwatch::start();
        lease.renew(sent, Duration::from_secs(60));
        assert!(lease.is_held());
        // An older answer that comes late takes nothing away.
        lease.renew(sent, Duration::from_secs(1));
        assert!(lease.remaining() > Duration::from_secs(30));
        lease.end();
        assert!(!lease.is_held());
    }

    #[test]
    fn an_answer_that_took_too_long_renews_nothing() {
        let lease = Lease::default();
        lease.renew(Stopwatch::start(), Duration::ZERO);
        assert!(!lease.is_held());
    }
}
