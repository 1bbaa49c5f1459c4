//! What the master knows of the cluster, as tables: pure, cheap to clone, always consistent.
//! Handlers change it through `Cluster` and are told what became of what; views read a clone of
//! it. Nothing here sends, logs, waits or looks at a clock.

pub mod cluster;

pub mod slave;

pub mod framework;

pub mod history;
pub mod ids;
pub mod machine;
pub mod offer;
pub mod role;
pub mod task;

#[cfg(test)]
mod tests;

pub use cluster::Cluster;
pub use framework::{Connection, Framework, Frameworks};
pub use history::CompletedFrameworks;
pub use ids::Ids;
pub use machine::{Machine, Machines};
pub use offer::Offer;
pub use role::Roles;
pub use slave::{Executor, NewSlave, Slave, Slaves};
pub use task::{Task, TaskKey, TaskUpdated};
