//! Finding the leader: who the leading master is, and how one becomes it. And what master and
//! slave do alike when they start.
//!
//! Read `election` for the two traits and what implements them.

pub mod authentication;
pub mod daemon;
pub mod election;
