//! Whole clusters: real daemons, real clients, real sockets, on loopback.

mod hello;

mod leveldb;

mod clients;

mod bad_input;
mod failover;
mod failures;
mod slave_recovery;

mod tls;

mod logs;
mod surface;
mod trace;
