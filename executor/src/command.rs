//! The executor that runs one command: what `mesos-executor` is. Read `executor` for the life of
//! the task, `launch` for how it starts, `kill` for how it is ended.
//!
//! Upstream: `src/launcher/executor.cpp`.

pub mod executor;
pub mod flags;

mod kill;
mod launch;
mod rootfs;

pub use executor::CommandExecutor;
pub use kill::{ProcessTrees, killtree};
pub use launch::{CHILD_NAME, ChildError, become_task};
