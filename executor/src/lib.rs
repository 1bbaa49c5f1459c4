//! Executors: the driver that speaks to the slave for them, and the one that runs commands.
//!
//! Read `driver` for what an executor is and may do, `process` for what goes over the wire.
#![forbid(unsafe_code)]

mod child;
pub mod driver;
mod environment;
mod process;

pub mod command;
pub mod health;

pub use driver::{Executor, ExecutorDriver, NewError};
pub use environment::{Environment, EnvironmentError};
pub use proto::mesos::Status;
