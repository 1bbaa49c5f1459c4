//! A registry that lives no longer than its master. Upstream: `state::InMemoryStorage` below
//! `Registrar`.

use parking_lot::Mutex;
use proto::mesos::MasterInfo;
use proto::mesos::internal::Registry;

use super::operations::{Admission, Operation, RegistryState, Strictness};
use super::{Answer, Registrar};

/// Empty at first, done with every change at once, never strict.
pub struct InMemoryRegistrar(Mutex<RegistryState>);

impl Default for InMemoryRegistrar {
    fn default() -> InMemoryRegistrar {
        InMemoryRegistrar::new(Registry::default())
    }
}

impl InMemoryRegistrar {
    /// A registry that an earlier master left.
    pub fn new(registry: Registry) -> InMemoryRegistrar {
        InMemoryRegistrar(Mutex::new(RegistryState::new(registry, Strictness::Lenient)))
    }
}

impl Registrar for InMemoryRegistrar {
    fn recover(&self, master: MasterInfo) -> Answer<Registry> {
        let mut state = self.0.lock();
        state.set_master(master);
        let registry = state.registry().clone();
        Box::pin(std::future::ready(Ok(registry)))
    }

    fn apply(&self, operation: Operation) -> Answer<Admission> {
        let admission = self.0.lock().apply(operation);
        Box::pin(std::future::ready(Ok(admission)))
    }
}
