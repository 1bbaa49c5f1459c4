//! The master: who is in the cluster, who is offered what, and what became of every task.

pub mod allocator;
pub mod state;
