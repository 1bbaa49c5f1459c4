//! What must survive a master: who was admitted. The trait that the master writes to, what can
//! be written, and the registry that lives no longer than its master.
//! The master calls it from its handlers and goes on when a write is done; no slave is told that
//! it is admitted before that. Upstream: `Registrar`, `master/registrar.hpp`.

mod in_memory;
mod operations;

use std::future::Future;
use std::pin::Pin;

use proto::mesos::MasterInfo;
use proto::mesos::internal::Registry;

pub use in_memory::InMemoryRegistrar;
pub use operations::{Admission, Operation, RegistryState, Strictness};

/// The registry cannot be read or written, and will not be by trying again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RegistrarError(pub String);

/// A registry's answer, later.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, RegistrarError>> + Send>>;

/// Keeps the registry. Operations take effect in the order of the calls.
pub trait Registrar: Send {
    /// Reads the registry, and writes into it who leads now.
    fn recover(&self, master: MasterInfo) -> Answer<Registry>;

    /// Changes the registry. Completes once the change is durable.
    fn apply(&self, operation: Operation) -> Answer<Admission>;
}
