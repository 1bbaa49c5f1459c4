//! Finding the leader: who the leading master is, and how one becomes it. And what master and
//! slave do alike when they start.
//!
//! Read `election` for the two traits and what implements them; `group` for how several processes
//! know of each other, and `zookeeper` for what makes that possible; `store` for what outlives them.

pub mod authentication;
pub mod daemon;
pub mod election;
pub mod group;
pub mod store;
pub mod zookeeper;
