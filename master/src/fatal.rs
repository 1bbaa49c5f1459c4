//! What ends a master: nothing that a peer sends, only the loss of leadership or of the registry.
//! Raised by handlers, turned into an exit by `main`. Upstream: the `EXIT(1)` and `LOG(FATAL)` of
//! a running master.

use std::time::Duration;

use common::ids::SlaveId;
use coordination::election::{ContendError, DetectError};
use coordination::group::GroupError;
use stout::duration;

use crate::registrar::RegistrarError;

/// Why a master cannot go on.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Fatal {
    /// Somebody else leads, or nobody.
    #[error("Lost leadership... committing suicide!")]
    LostLeadership,
    /// It cannot stand for leadership.
    #[error("Failed to contend: {0}")]
    Contend(ContendError),
    /// It cannot know whether it still stands.
    #[error("Failed to watch for candidacy: {0}")]
    Candidacy(ContendError),
    /// It cannot know who leads.
    #[error("Failed to detect the leading master: {0}; committing suicide!")]
    Detect(DetectError),
    /// The other masters' replicas of the registry cannot be found any more.
    #[error("Failed to participate in ZooKeeper group: {0}")]
    Expelled(GroupError),
    /// The registry cannot be read.
    #[error("Recovery failed: {0}")]
    Recovery(RegistrarError),
    /// The registry cannot be written.
    #[error("Failed to {action} slave {slave}: {error}")]
    Registrar {
        /// `admit`, `readmit` or `remove`.
        action: &'static str,
        /// The slave, with what is known of it.
        slave: String,
        /// What the registry says.
        error: RegistrarError,
    },
    /// So many slaves did not come back that somebody has to look.
    #[error(
        "Post-recovery slave removal limit exceeded! After {} there were {} ({}%) slaves recovered \
         from the registry that did not re-register: \n{}\n  The configured removal limit is {}%. \
         Please investigate or increase this limit to proceed further",
        duration::display(*timeout),
        missing.len(),
        percentage,
        print_set(missing),
        limit
    )]
    RemovalLimit {
        /// How long they had.
        timeout: Duration,
        /// Who is missing.
        missing: Vec<SlaveId>,
        /// How many that are of all.
        percentage: f64,
        /// How many may be.
        limit: f64,
    },
}

fn print_set(ids: &[SlaveId]) -> String {
    let ids: Vec<&str> = ids.iter().map(SlaveId::as_str).collect();
    format!("{{ {} }}", ids.join(", "))
}
