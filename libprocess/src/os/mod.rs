//! The operating system, as far as it takes `unsafe` or system calls: the only folder of this crate
//! where `unsafe` may stand. Called by the rest of libprocess; knows no actors.
//! Upstream: `stout/os.hpp`, `process/{subprocess,reap}.hpp`.

pub mod host;
pub mod hostname;
pub(crate) mod localtime;
pub(crate) mod signals;
