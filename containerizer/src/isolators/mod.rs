//! What is done to a container besides running it: one isolator per resource or concern, chosen
//! by `--isolation`. Called by `mesos` at the stages of a container's life.
//! Upstream: `Isolator` in `mesos/slave/isolator.hpp`, the isolators' part of
//! `MesosContainerizer::create`.

use std::sync::Arc;

use common::ids::ContainerId;
use common::resources::Resources;
use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture};
use proto::mesos::slave::{ContainerConfig, ContainerLaunchInfo, ContainerLimitation};
use proto::mesos::{ContainerStatus, ResourceStatistics};
use tracing::{info, warn};

use crate::RecoverableContainer;
use crate::config::Config;
use crate::usage::UsageError;

mod filesystem_posix;
mod posix;

/// Why an isolator failed.
#[derive(Debug, thiserror::Error)]
pub enum IsolatorError {
    /// A container is prepared once.
    #[error("Container {0} has already been prepared")]
    AlreadyPrepared(ContainerId),
    /// The container was never prepared.
    #[error("Unknown container: {0}")]
    UnknownContainer(ContainerId),
    /// Images need another file system isolator.
    #[error("Container root filesystems not supported")]
    ImageUnsupported,
    /// Volumes need another file system isolator.
    #[error("Volumes in ContainerInfo is not supported")]
    VolumesUnsupported,
    /// The container's processes cannot be measured.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// The runtime is shutting down.
    #[error("Interrupted: {0}")]
    Shutdown(#[from] tokio::task::JoinError),
}

/// The answer of an isolator.
pub type Isolation<T> = BoxFuture<'static, Result<T, IsolatorError>>;

/// Isolates one resource or concern of all containers.
pub trait Isolator: Send + Sync {
    /// Takes over the containers of an earlier run; called once, before anything else. An isolator
    /// that keeps nothing of containers has nothing to do.
    fn recover(&self, _containers: &[RecoverableContainer]) -> Isolation<()> {
        future::ready(Ok(())).boxed()
    }

    /// Before anything of the container runs; one isolator after the other.
    fn prepare(
        &self,
        container_id: &ContainerId,
        config: &ContainerConfig,
    ) -> Isolation<ContainerLaunchInfo>;

    /// While the container's first process waits to go on; all isolators at once.
    fn isolate(&self, container_id: &ContainerId, pid: i32) -> Isolation<()>;

    /// Ready when the container has reached a limit and has to go; never, if there is none.
    fn watch(&self, _container_id: &ContainerId) -> BoxFuture<'static, ContainerLimitation> {
        future::pending().boxed()
    }

    /// The container's resources have changed.
    fn update(&self, container_id: &ContainerId, resources: &Resources) -> Isolation<()>;

    /// The part of the container's statistics that this isolator knows; the timestamp is not.
    fn usage(&self, _container_id: &ContainerId) -> Isolation<ResourceStatistics> {
        future::ready(Ok(ResourceStatistics::default())).boxed()
    }

    /// The part of the container's status that this isolator knows.
    fn status(&self, _container_id: &ContainerId) -> Isolation<ContainerStatus> {
        future::ready(Ok(ContainerStatus::default())).boxed()
    }

    /// After the container's last process; one isolator after the other, the last one first.
    /// A container that was never prepared needs none.
    fn cleanup(&self, container_id: &ContainerId) -> Isolation<()>;
}

/// An isolator that does not exist here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Could not create isolator '{0}': Unknown or unsupported isolator")]
pub struct UnknownIsolator(pub String);

/// The isolators that `--isolation` names, in the order in which they prepare: those for the file
/// system come first.
pub(crate) fn create(config: &Config) -> Result<Vec<Arc<dyn Isolator>>, UnknownIsolator> {
    let names = names(&config.isolation);
    info!("Using isolation: {names}");
    let mut isolators: Vec<Arc<dyn Isolator>> = Vec::new();
    for name in stout::text::tokenize(&names, ",") {
        match name {
            "filesystem/posix" => {
                isolators.insert(0, Arc::new(filesystem_posix::FilesystemPosix::default()));
            }
            "posix/cpu" => isolators.push(Arc::new(posix::Posix::cpu())),
            "posix/mem" => isolators.push(Arc::new(posix::Posix::mem())),
            other => return Err(UnknownIsolator(other.to_owned())),
        }
    }
    Ok(isolators)
}

/// The flag's text with its old spellings replaced, and with an isolator for the file system.
fn names(isolation: &str) -> String {
    let deprecated = |new: &str| {
        warn!(
            "The '{isolation}' isolation flag is deprecated, please update your flags to \
             '--isolation={new}'."
        );
        new.to_owned()
    };
    let names = match isolation {
        "process" => deprecated("posix/cpu,posix/mem"),
        "cgroups" => deprecated("cgroups/cpu,cgroups/mem"),
        other => other.to_owned(),
    };
    if names.contains("filesystem/") { names } else { names + ",filesystem/posix" }
}

#[cfg(test)]
mod tests {
    use super::{UnknownIsolator, create, names};
    use crate::config::Config;

    #[test]
    fn isolation_flag() {
        let check = |flag: &str, expected: &str| assert_eq!(names(flag), expected);
        check("posix/cpu,posix/mem", "posix/cpu,posix/mem,filesystem/posix");
        check("process", "posix/cpu,posix/mem,filesystem/posix");
        check("cgroups", "cgroups/cpu,cgroups/mem,filesystem/posix");
        check("filesystem/posix,posix/cpu", "filesystem/posix,posix/cpu");
        check("", ",filesystem/posix");
    }

    #[test]
    fn unknown_isolators_are_named() {
        let config = |isolation: &str| Config { isolation: isolation.into(), ..Config::default() };
        let check = |isolation: &str, unknown: &str| {
            let error = create(&config(isolation)).err();
            assert_eq!(error, Some(UnknownIsolator(unknown.into())), "{isolation}");
        };
        check("foo", "foo");
        check("posix/cpu,posix/disk", "posix/disk");
        assert_eq!(create(&config(",posix/cpu,,posix/mem")).map(|all| all.len()), Ok(3));
        assert_eq!(
            UnknownIsolator("foo".into()).to_string(),
            "Could not create isolator 'foo': Unknown or unsupported isolator"
        );
    }
}
