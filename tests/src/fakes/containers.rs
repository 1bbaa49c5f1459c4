//! Containers that a test plays: it says what a launch does and how a container is brought to its
//! end; who waits for which end is kept here. Used by simulations, and by masters and slaves in
//! one process. Upstream: `TestContainerizer`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use common::ids::ContainerId;
use common::resources::Resources;
use containerizer::{
    ContainerError, Containerizer, LaunchError, LaunchSpec, Launched, RecoverError,
    RecoverableContainer, TerminationError,
};
use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture};
use parking_lot::Mutex;
use proto::mesos::containerizer::Termination;
use proto::mesos::{ContainerStatus, ResourceStatistics};
use tokio::sync::watch;

/// Which containers there are, and how they have ended. Clones are the same.
#[derive(Clone, Default)]
pub struct Ends(Arc<Mutex<BTreeMap<ContainerId, watch::Sender<Option<Termination>>>>>);

impl Ends {
    /// A container's first process has ended, with status 0.
    pub fn end(&self, id: &ContainerId) {
        if let Some(end) = self.0.lock().get(id) {
            let status = Some(0);
            end.send_replace(Some(Termination { status, ..Termination::default() }));
        }
    }
}

/// What a test makes of launches and of orders to end.
pub trait Play: Send + Sync {
    /// Starts what runs in a container, which says to `ends` when it has ended.
    fn launch(&self, spec: LaunchSpec, ends: &Ends) -> BoxFuture<'static, ()>;

    /// Brings a container to its end.
    fn destroy(&self, id: &ContainerId, ends: &Ends);
}

/// The containers of one process of a slave.
pub struct FakeContainerizer<P> {
    /// The test's part.
    pub play: P,
    ends: Ends,
}

impl<P: Play> FakeContainerizer<P> {
    /// A containerizer without containers.
    pub fn new(play: P) -> Self {
        Self { play, ends: Ends::default() }
    }
}

impl<P: Play> Containerizer for FakeContainerizer<P> {
    /// They have all ended with the process that had them.
    fn recover(
        &self,
        containers: Vec<RecoverableContainer>,
    ) -> BoxFuture<'static, Result<(), RecoverError>> {
        for container in containers {
            let ended = watch::Sender::new(Some(Termination::default()));
            self.ends.0.lock().insert(container.container_id, ended);
        }
        future::ready(Ok(())).boxed()
    }

    fn launch(&self, spec: LaunchSpec) -> BoxFuture<'static, Result<Launched, LaunchError>> {
        self.ends.0.lock().entry(spec.container_id.clone()).or_default();
        self.play.launch(spec, &self.ends).map(|()| Ok(Launched::Started)).boxed()
    }

    fn update(
        &self,
        _: &ContainerId,
        _: Resources,
    ) -> BoxFuture<'static, Result<(), ContainerError>> {
        future::ready(Ok(())).boxed()
    }

    fn usage(
        &self,
        id: &ContainerId,
    ) -> BoxFuture<'static, Result<ResourceStatistics, ContainerError>> {
        future::ready(Err(ContainerError::Unknown(id.clone()))).boxed()
    }

    fn status(
        &self,
        _: &ContainerId,
    ) -> BoxFuture<'static, Result<ContainerStatus, ContainerError>> {
        future::ready(Ok(ContainerStatus::default())).boxed()
    }

    fn wait(&self, id: &ContainerId) -> BoxFuture<'static, Result<Termination, TerminationError>> {
        let unknown = TerminationError::Unknown(id.clone());
        let Some(mut ended) = self.ends.0.lock().get(id).map(watch::Sender::subscribe) else {
            return future::ready(Err(unknown)).boxed();
        };
        async move {
            let ended = ended.wait_for(Option::is_some).await;
            ended.ok().and_then(|ended| ended.clone()).ok_or(unknown)
        }
        .boxed()
    }

    fn destroy(&self, id: &ContainerId) {
        self.play.destroy(id, &self.ends);
    }

    fn containers(&self) -> BTreeSet<ContainerId> {
        self.ends.0.lock().keys().cloned().collect()
    }

    fn counters(&self) -> BTreeMap<&'static str, u64> {
        BTreeMap::new()
    }
}
