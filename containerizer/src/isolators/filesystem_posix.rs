//! `filesystem/posix`: containers see the host's files; what would need files of their own is
//! refused. Called by `mesos`. Upstream: `PosixFilesystemIsolatorProcess`.

use common::ids::ContainerId;
use common::resources::Resources;
use futures_util::FutureExt;
use futures_util::future;
use proto::mesos::slave::{ContainerConfig, ContainerLaunchInfo};

use super::{Isolation, Isolator, IsolatorError};

/// The isolator that is there if no other one for the file system is asked for.
#[derive(Debug, Default)]
pub(super) struct FilesystemPosix {}

impl Isolator for FilesystemPosix {
    fn prepare(
        &self,
        _container_id: &ContainerId,
        config: &ContainerConfig,
    ) -> Isolation<ContainerLaunchInfo> {
        let container = config.executor_info.container.as_ref();
        let mesos = container.and_then(|container| container.mesos.as_ref());
        let prepared = if mesos.is_some_and(|mesos| mesos.image.is_some()) {
            Err(IsolatorError::ImageUnsupported)
        } else if container.is_some_and(|container| !container.volumes.is_empty()) {
            Err(IsolatorError::VolumesUnsupported)
        } else {
            Ok(ContainerLaunchInfo::default())
        };
        future::ready(prepared).boxed()
    }

    fn isolate(&self, _container_id: &ContainerId, _pid: i32) -> Isolation<()> {
        future::ready(Ok(())).boxed()
    }

    fn update(&self, _container_id: &ContainerId, _resources: &Resources) -> Isolation<()> {
        future::ready(Ok(())).boxed()
    }

    fn cleanup(&self, _container_id: &ContainerId) -> Isolation<()> {
        future::ready(Ok(())).boxed()
    }
}
