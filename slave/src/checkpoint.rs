//! What the next run of a slave finds of this one, below `meta`: upstream's files in upstream's
//! places and bytes, so that either slave goes on where the other has ended.
//!
//! `write` says which steps put something on the disk, `read` reads all of it back as `recovered`,
//! `record` is the framing that both use, `compatible` compares what a slave was with what it is.
//! Upstream: `slave/state.{hpp,cpp}`.

pub(crate) mod write;

pub(crate) mod read;

pub(crate) mod recovered;

pub(crate) mod compatible;

mod record;

#[cfg(test)]
mod power_loss;
