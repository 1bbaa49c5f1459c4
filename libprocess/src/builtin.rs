//! The actors that every daemon has for free; none knows anything of Mesos.
//! Started by `Runtime::start`.
//!
//! Upstream: the second half of `process::initialize`.

use crate::runtime::config::Config;
use crate::runtime::{AlreadyRunning, Runtime};

/// Starts them all.
pub(crate) fn spawn_all(_runtime: &Runtime, _config: &Config) -> Result<(), AlreadyRunning> {
    Ok(())
}
