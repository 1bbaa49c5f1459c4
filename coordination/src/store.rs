//! Variables that outlive a process: fetched, changed and stored, each store refused if somebody
//! else has stored since. Used by the master's registrar, which knows no storage by name.
//! Read `variable` for what one does with it, `backend` for what is below.
//! Upstream: `state/`.

pub mod backend;
pub mod in_memory;
pub mod leveldb;
pub mod log;
pub mod svndiff;
mod variable;
pub mod zookeeper;

pub use backend::{Storage, StoreError};
pub use variable::{State, Variable};

#[cfg(test)]
mod tests;
