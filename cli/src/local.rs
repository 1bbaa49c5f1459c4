//! A whole cluster inside of one process, for those who give `local` as their master.
//! Called by programs that drive a scheduler. The cluster ends with the value that stands for it.
//!
//! Upstream: `local::launch`, `local::shutdown`.

use std::any::Any;

/// A cluster in this process.
pub struct Cluster {
    /// Where its master is: `host:port`.
    pub master: String,
    /// What keeps it alive.
    pub keep: Box<dyn Any>,
}

/// Why there is no cluster.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// It is not part of this build.
    #[error("Local clusters are not supported")]
    Unsupported,
}

/// Starts a cluster as the `MESOS_*` variables say.
///
/// # Errors
/// What stood in the way, for the operator.
pub fn launch(_variables: &[(String, String)]) -> Result<Cluster, LaunchError> {
    Err(LaunchError::Unsupported)
}
