//! `posix/cpu` and `posix/mem`: they isolate nothing, and measure the processes of a container.
//! Called by `mesos`. Upstream: `PosixCpuIsolatorProcess`, `PosixMemIsolatorProcess`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use common::ids::ContainerId;
use common::resources::Resources;
use futures_util::FutureExt;
use futures_util::future;
use parking_lot::Mutex;
use proto::mesos::ResourceStatistics;
use proto::mesos::slave::{ContainerConfig, ContainerLaunchInfo};
use tracing::warn;

use super::{Isolation, Isolator, IsolatorError};
use crate::RecoverableContainer;
use crate::usage::{Usage, usage};

/// One of the two.
pub(super) struct Posix {
    report: fn(Usage) -> ResourceStatistics,
    /// The first processes of prepared containers, once there are any.
    pids: Mutex<BTreeMap<ContainerId, Option<i32>>>,
}

impl Posix {
    /// Measures processor time.
    pub(super) fn cpu() -> Posix {
        let report = |usage: Usage| ResourceStatistics {
            cpus_user_time_secs: Some(usage.user_secs),
            cpus_system_time_secs: Some(usage.system_secs),
            ..ResourceStatistics::default()
        };
        Posix { report, pids: Mutex::default() }
    }

    /// Measures resident memory.
    pub(super) fn mem() -> Posix {
        let report = |usage: Usage| ResourceStatistics {
            mem_rss_bytes: Some(usage.rss_bytes),
            ..ResourceStatistics::default()
        };
        Posix { report, pids: Mutex::default() }
    }
}

impl Isolator for Posix {
    fn recover(&self, containers: &[RecoverableContainer]) -> Isolation<()> {
        let known = containers.iter().map(|each| (each.container_id.clone(), Some(each.pid)));
        self.pids.lock().extend(known);
        future::ready(Ok(())).boxed()
    }

    fn prepare(
        &self,
        container_id: &ContainerId,
        _config: &ContainerConfig,
    ) -> Isolation<ContainerLaunchInfo> {
        let prepared = match self.pids.lock().entry(container_id.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(None);
                Ok(ContainerLaunchInfo::default())
            }
            Entry::Occupied(_) => Err(IsolatorError::AlreadyPrepared(container_id.clone())),
        };
        future::ready(prepared).boxed()
    }

    fn isolate(&self, container_id: &ContainerId, pid: i32) -> Isolation<()> {
        let isolated = match self.pids.lock().get_mut(container_id) {
            Some(known) => {
                *known = Some(pid);
                Ok(())
            }
            None => Err(IsolatorError::UnknownContainer(container_id.clone())),
        };
        future::ready(isolated).boxed()
    }

    fn update(&self, container_id: &ContainerId, _resources: &Resources) -> Isolation<()> {
        let updated = match self.pids.lock().contains_key(container_id) {
            true => Ok(()),
            false => Err(IsolatorError::UnknownContainer(container_id.clone())),
        };
        future::ready(updated).boxed()
    }

    fn usage(&self, container_id: &ContainerId) -> Isolation<ResourceStatistics> {
        let Some(pid) = self.pids.lock().get(container_id).copied().flatten() else {
            warn!("No resource usage for unknown container '{container_id}'");
            return future::ready(Ok(ResourceStatistics::default())).boxed();
        };
        let report = self.report;
        let measure = tokio::task::spawn_blocking(move || usage(pid).map(report));
        async move { Ok(measure.await??) }.boxed()
    }

    fn cleanup(&self, container_id: &ContainerId) -> Isolation<()> {
        self.pids.lock().remove(container_id);
        future::ready(Ok(())).boxed()
    }
}
