//! Whole clusters: real daemons, real clients, real sockets, on loopback.

mod clients;
mod hello;
