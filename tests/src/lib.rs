//! What tests of whole clusters stand on: daemons as real processes, clients as real programs.
//!
//! Read `cluster` first; `daemon` is a child process whose log is watched, `needs` says aloud
//! what a machine lacks, `http` asks an endpoint.

pub mod cluster;
pub mod daemon;
pub mod http;
pub mod needs;
