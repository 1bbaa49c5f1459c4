//! The operating system, as far as it takes `unsafe` or system calls: the only folder of this crate
//! where `unsafe` may stand. Called by the rest of libprocess; knows no actors.
//! Upstream: `stout/os.hpp`, `process/{subprocess,reap}.hpp`.

use std::io;

pub mod host;
pub mod hostname;
pub(crate) mod localtime;
pub(crate) mod pidfd;
pub mod processes;
pub mod program;
pub(crate) mod signals;

/// An error of the system in the system's words alone. Upstream: `os::strerror`.
pub fn describe(error: &io::Error) -> String {
    let text = error.to_string();
    let number = error.raw_os_error().map(|number| format!(" (os error {number})"));
    number.and_then(|number| text.strip_suffix(&number).map(str::to_owned)).unwrap_or(text)
}
