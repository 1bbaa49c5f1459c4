//! The bytes on a connection, pure and in both directions: feed what was read to a
//! [`decode::Decoder`], write what [`encode`] appends to a buffer.
//! Called by the owners of sockets. Never opens, reads or closes anything, and never resolves a
//! host name.

pub mod decode;
pub mod encode;
pub mod percent;
pub mod response;

mod body;
mod head;
mod memo;
