//! Actors that are known by an address and pass messages over HTTP, as libprocess has them.
//!
//! Read it in this order: the runtime and what runs in it, how actors speak to each other, what
//! is on the wire, and what every daemon has for free.
#![deny(unsafe_code)]

pub mod runtime;

pub mod process;

mod event;
mod mailbox;

pub mod router;

pub mod clock;
pub mod pid;
pub mod stopwatch;

mod net;
pub mod tls;
pub mod wire;

pub mod http;
pub mod sync;

mod builtin;
pub use builtin::files;
pub mod embed;
pub mod logging;
pub mod metrics;
pub mod os;

mod reap;
pub mod subprocess;

pub mod simulation;
pub mod trace;

pub mod testing;

pub use event::Name;
pub use pid::{Address, Upid};
pub use process::{Ctx, Inject, Pid, Process};
pub use router::Router;
pub use runtime::Runtime;
pub use runtime::config::Config;
pub use stopwatch::Stopwatch;
