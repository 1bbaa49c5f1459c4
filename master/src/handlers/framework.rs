//! Frameworks: how they come, come back, fall silent and end.

mod connection;
mod failover;
mod subscribe;
mod teardown;
