//! The slave: it offers a host's resources to a master, runs executors in containers, hands tasks
//! to them, and sends updates until they are acknowledged.
//!
//! Reading order: what may be typed and what it means; the actor, its tables of messages and
//! endpoints, and what it does about them; what it knows; what works beside it; what it shows.

pub mod daemon;

pub mod config;
pub mod flags;

mod constants;

pub mod slave;

mod messages;
mod phase;
mod routes;

mod checkpoint;
mod disk;
pub mod storage;

mod events;
mod handlers;

mod command_executor;
mod paths;
mod refusal;

mod state;

mod gc;
mod monitor;
mod status_updates;

pub mod oversubscription;

mod http;
mod metrics;
mod views;

pub use config::{Config, ConfigError};
pub use flags::Flags;
pub use slave::{Fatal, Parts, Slave, Started};
