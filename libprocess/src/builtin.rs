//! The actors that every daemon has for free; none knows anything of Mesos.
//! Started by `Runtime::start`, but for `files` and `version`, which only daemons have.
//!
//! Upstream: the second half of `process::initialize`, and `mesos::internal::Files`.

pub mod files;
mod help;
mod logging;
mod metrics;
mod processes;
mod profiler;
mod system;
mod trace;
mod version;

use crate::runtime::config::Config;
use crate::runtime::{AlreadyRunning, Runtime};

/// Starts them all.
pub(crate) fn spawn_all(runtime: &Runtime, config: &Config) -> Result<(), AlreadyRunning> {
    runtime.spawn("help", help::Help)?;
    runtime.spawn("metrics", metrics::Snapshots::new(runtime, config.snapshot_rate))?;
    runtime.spawn("logging", logging::Logging::default())?;
    runtime.spawn("profiler", profiler::Profiler)?;
    runtime.spawn("system", system::System)?;
    runtime.spawn("__processes__", processes::Processes)?;
    runtime.spawn("__trace__", trace::Trace)?;
    if !config.version.is_empty() {
        runtime.spawn("version", version::Version::new(&config.version))?;
    }
    Ok(())
}
