//! For how long a session is certain to be alive, whatever happens: the server ends it no sooner
//! than its timeout after it last heard of us, so counting from when we *sent* what it answered
//! errs on the safe side.
//! Renewed by `session`, asked by those who act on the strength of an ephemeral node. Measures by
//! a clock that nobody sets, and that goes on while the process is stopped.
//!
//! Upstream: nothing; there a master that was stopped leads on until it is told.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The certainty that a session is alive. Not yet held when it is made.
#[derive(Debug, Default)]
pub struct Lease {
    until: Mutex<Option<Instant>>,
}

impl Lease {
    /// Whether the session is certainly alive.
    pub fn is_held(&self) -> bool {
        self.remaining() > Duration::ZERO
    }

    /// For how long it is still certain.
    pub fn remaining(&self) -> Duration {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.map(|until| until.saturating_duration_since(Instant::now())).unwrap_or_default()
    }

    /// What was sent at `sent` has been answered.
    pub(crate) fn renew(&self, sent: Instant, timeout: Duration) {
        let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        *until = (*until).max(sent.checked_add(timeout));
    }

    /// The session is over.
    pub(crate) fn end(&self) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_counted_from_what_was_sent_last() {
        let lease = Lease::default();
        assert!(!lease.is_held());
        let now = Instant::now();
        lease.renew(now, Duration::from_secs(60));
        assert!(lease.is_held());
        // An older answer that comes late takes nothing away.
        lease.renew(now, Duration::from_secs(1));
        assert!(lease.remaining() > Duration::from_secs(30));
        lease.end();
        assert!(!lease.is_held());
    }

    #[test]
    fn an_answer_that_took_too_long_renews_nothing() {
        let lease = Lease::default();
        lease.renew(Instant::now(), Duration::ZERO);
        assert!(!lease.is_held());
    }
}
