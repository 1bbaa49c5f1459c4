//! Logs as operators of Mesos know them: glog's lines, files and switches on top of `tracing`.
//!
//! Call sites use `tracing::{info!, warn!, error!}` and, for glog's verbose levels,
//! [`vlog!`](crate::vlog). A `main` calls [`init`] once, before it starts anything, and
//! [`handle_signals`] after it; drivers call [`init`] alone and ignore
//! [`InitError::AlreadyInitialized`]. Without [`init`] nothing is printed.
//!
//! ```no_run
//! use libprocess::logging;
//!
//! fn main() {
//!     let config = logging::Config::default(); // from the daemon's flags
//!     let program = std::env::args().next().unwrap_or_default();
//!     if let Err(error) = logging::init(&config, &program, |name| std::env::var(name).ok()) {
//!         eprintln!("{error}");
//!         std::process::exit(1);
//!     }
//!     if let Err(error) = logging::handle_signals() {
//!         libprocess::fatal!("Failed to set sigaction: {error}");
//!     }
//!     tracing::info!("Version: {}", "0.28.3");
//!     libprocess::vlog!(1, "shown with GLOG_v=1");
//! }
//! ```
//!
//! Never reads the environment by itself: the caller hands it in.
//! Upstream: `src/logging/{logging,flags}.cpp` and glog 0.3.3.

mod flags;
mod glog;
mod init;
mod sink;
mod vlog;

pub use flags::{Config, InvalidLevel};
pub use glog::Severity;
pub use init::{InitError, fatal, flush, handle_signals, handle_signals_with, init, write};
pub use vlog::{Site, original_verbosity, set_verbosity, verbosity};

#[cfg(test)]
mod tests;
