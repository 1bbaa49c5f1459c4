//! The master: who is in the cluster, who is offered what, and what became of every task.

pub mod allocator;
pub mod state;

pub mod http;
pub mod views;
