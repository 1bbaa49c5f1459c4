//! Parts of a cluster that a test plays itself, over the real wire.

pub mod containers;
pub mod scheduler;
