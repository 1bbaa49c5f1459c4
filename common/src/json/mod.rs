//! JSON of the domain: any message by its descriptor, and the shapes both daemons print.
//! Pure; served by the views and endpoints of master and slave.

pub mod protobuf;

mod flag;
mod framework;
mod shown;
mod slave;
mod task;

#[cfg(test)]
mod tests;

pub use flag::JsonFlag;
pub use shown::{Form, Shown};
pub use task::{BookedTask, PendingTask};
