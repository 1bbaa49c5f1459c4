//! Schedulers: the driver that speaks to the master for a framework.
//!
//! Read `driver` for what a scheduler is and may do, `registration` for how it becomes known to
//! the leading master, then `calls` for what it sends and `events` for what it hears.
#![forbid(unsafe_code)]

pub mod driver;
mod flags;

mod process;
mod registration;

mod calls;
mod events;

pub use driver::{Acknowledgements, Leader, NewError, Options, Scheduler, SchedulerDriver};
pub use proto::mesos::Status;
