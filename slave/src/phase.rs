//! What a slave is doing, as a whole, and what it therefore takes from its master.
//! Asked by the handlers. Pure.
//! Upstream: `Slave::State`.

use std::fmt;

/// Where a slave is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It looks for what an earlier run has left.
    Recovering,
    /// No master has registered it.
    Disconnected,
    /// A master has registered it.
    Running,
    /// It ends as soon as its last framework has gone.
    Terminating,
}

impl Phase {
    /// Whether tasks can be launched and killed.
    pub(crate) fn takes_tasks(self) -> bool {
        match self {
            Phase::Recovering | Phase::Terminating => false,
            Phase::Disconnected | Phase::Running => true,
        }
    }

    /// Whether frameworks and executors can be shut down.
    pub(crate) fn takes_shutdowns(self) -> bool {
        match self {
            Phase::Recovering | Phase::Disconnected => false,
            Phase::Running | Phase::Terminating => true,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Recovering => "RECOVERING",
            Phase::Disconnected => "DISCONNECTED",
            Phase::Running => "RUNNING",
            Phase::Terminating => "TERMINATING",
        })
    }
}
