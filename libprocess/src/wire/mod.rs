//! The bytes on a connection, pure and in both directions. Called by the sockets' owners.
//! Never opens, reads or closes anything.

pub mod percent;
