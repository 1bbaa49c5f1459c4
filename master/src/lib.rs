//! The master: who is in the cluster, who is offered what, and what became of every task.
//! Read it in this order: how it is made, the actor and its tables of messages, what it does when
//! something happens, what it asks and what it knows.

pub mod daemon;

pub mod config;
pub mod flags;

pub mod master;

mod calls;
mod messages;
mod phase;
mod routes;

mod handlers;

pub mod http;
pub mod views;

pub mod fatal;
pub mod refusal;

pub mod validation;

pub mod state;

pub mod allocator;
pub mod authorizer;
pub mod registrar;

mod observer;
mod whitelist;

mod metrics;

pub mod constants;

pub use config::Config;
pub use master::{Master, Parts};
