//! The operating system, as far as it takes `unsafe` or system calls: the only folder of this crate
//! where `unsafe` may stand. Called by the rest of libprocess; knows no actors.
//! Upstream: `stout/os.hpp`, `process/{subprocess,reap}.hpp`.

use std::io;

use nix::errno::Errno;

pub mod host;
pub mod hostname;
pub(crate) mod localtime;
pub mod processes;
pub mod program;
pub(crate) mod signals;

/// An error of the system in the system's words alone. Upstream: `os::strerror`.
pub fn describe(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), |n| Errno::from_raw(n).desc().to_owned())
}
