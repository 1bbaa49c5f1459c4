//! May it? One question each, answered from the tables alone: pure, in upstream's order, with
//! upstream's words in the refusals. Called by handlers before they change anything.
//! Upstream: `master/validation.cpp`.

pub mod offer;
pub mod operation;
pub mod resources;
pub mod slave;
pub mod task;

#[cfg(test)]
mod tests;
