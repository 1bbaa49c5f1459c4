//! Finding the leader: who the leading master is, and how one becomes it.
//!
//! Read `election` for the two traits and what implements them.

pub mod authentication;
pub mod election;
