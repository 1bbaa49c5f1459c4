//! Removing the directories of what has ended, after a while or when the disk is full.
//!
//! Upstream: `slave/gc.{hpp,cpp}`.

mod actor;

mod schedule;

pub(crate) use actor::{Age, GarbageCollector};
