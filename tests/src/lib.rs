//! What tests of whole clusters stand on: daemons as real processes, clients as real programs.
//!
//! Read `cluster` first; `daemon` is a child process whose log is watched, `needs` says aloud
//! what a machine lacks, `http` asks an endpoint, `fakes` are parts that the test plays, `make`
//! has tasks in a line, `zookeeper` are servers that masters meet at, `disk` is one to be filled.
#![expect(clippy::print_stderr, reason = "tests report on their streams")]

pub mod cluster;
pub mod daemon;
pub mod disk;
pub mod drill;
pub mod fakes;
pub mod http;
pub mod make;
pub mod masters;
pub mod needs;
pub mod network;
pub mod zookeeper;
