//! What must survive a master: who was admitted, what is maintained, who has a quota. The trait
//! that the master writes to, what can be written, and the actor that writes it.
//! The master calls it from its handlers and goes on when a write is done; no slave is told that
//! it is admitted before that. Upstream: `Registrar`, `master/registrar.hpp`.

mod actor;
mod document;
mod operations;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use coordination::store::StoreError;
use proto::initialized::Incomplete;
use proto::mesos::MasterInfo;
use proto::mesos::internal::Registry;
use stout::duration;

pub use actor::{Options, RegistrarHandle, VARIABLE, start};
pub use document::{Document, Strictness};
pub use operations::{Admission, Operation};

/// The registry cannot be read or written, and will not be by trying again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistrarError {
    /// Nobody has read it yet.
    #[error("Attempted to apply the operation before recovering")]
    NotRecovered,
    /// It cannot be read.
    #[error("Failed to recover registrar: {0}")]
    Fetch(Trouble),
    /// It was read, but who leads now cannot be written.
    #[error("Failed to recover registrar: Failed to persist MasterInfo: {0}")]
    MasterInfo(Box<RegistrarError>),
    /// It cannot be written.
    #[error("Failed to update 'registry': {0}")]
    Update(Trouble),
    /// The registrar has ended.
    #[error("The registrar has been terminated")]
    Gone,
}

/// What is wrong with the store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// It takes too long: `fetch` or `store`.
    #[error("Failed to perform {operation} within {}", duration::display(*limit))]
    Timeout {
        /// What does.
        operation: &'static str,
        /// What is too long.
        limit: Duration,
    },
    /// Another master has written since.
    #[error("version mismatch")]
    VersionMismatch,
    /// It has failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What is there is no registry.
    #[error("Failed to deserialize mesos.internal.Registry: {0}")]
    Malformed(#[from] Incomplete),
}

/// A registry's answer, later.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, RegistrarError>> + Send>>;

/// Keeps the registry. Operations take effect in the order of the calls.
pub trait Registrar: Send {
    /// Reads the registry, and writes into it who leads now.
    fn recover(&self, master: MasterInfo) -> Answer<Registry>;

    /// Changes the registry. Completes once the change is durable.
    fn apply(&self, operation: Operation) -> Answer<Admission>;
}
