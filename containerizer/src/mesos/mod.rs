//! The Mesos containerizer: isolators around processes of this host, without a container engine.
//! Reading order: `state`, `containerizer`, `launch`, `recover`, `destroy`, `helper`.
//! Upstream: `src/slave/containerizer/mesos`.

pub use containerizer::MesosContainerizer;
pub use state::Stage;

mod state;

mod containerizer;
mod destroy;
mod launch;
mod recover;

pub mod helper;
