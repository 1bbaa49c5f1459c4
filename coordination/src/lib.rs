//! Finding the leader: who the leading master is, and how one becomes it. The log that all masters
//! agree on. And what master and slave do alike when they start.
//!
//! Read `election` for the two traits and what implements them; `group` for how several processes
//! know of each other, and `zookeeper` for what makes that possible; `log` for what is agreed on,
//! and `store` for what outlives all of them.

pub mod authentication;
pub mod daemon;
pub mod election;
pub mod group;
pub mod log;
pub mod store;
pub mod zookeeper;
