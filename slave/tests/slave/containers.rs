//! Containers without processes, which end when a test says so. Used by `support`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use common::ids::ContainerId;
use common::resources::Resources;
use containerizer::{
    ContainerError, Containerizer, LaunchError, LaunchSpec, Launched, RecoverError,
    RecoverableContainer, TerminationError,
};
use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture};
use proto::mesos::containerizer::Termination;
use proto::mesos::{ContainerStatus, ResourceStatistics};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;

/// What the containers shall do.
#[derive(Default)]
struct Script {
    launch_fails: bool,
    forks_never: bool,
    update_fails: bool,
    recovers_never: bool,
    ended: BTreeMap<ContainerId, watch::Sender<Option<Termination>>>,
    destroyed: BTreeSet<ContainerId>,
    updates: Vec<Resources>,
}

/// Containers without processes.
pub(crate) struct FakeContainerizer {
    script: Mutex<Script>,
    launched: UnboundedSender<LaunchSpec>,
}

impl FakeContainerizer {
    pub(crate) fn new() -> (Arc<FakeContainerizer>, UnboundedReceiver<LaunchSpec>) {
        let (launched, launches) = unbounded_channel();
        (Arc::new(FakeContainerizer { script: Mutex::default(), launched }), launches)
    }

    pub(crate) fn fail_launches(&self) {
        self.script.lock().unwrap().launch_fails = true;
    }

    /// From now on, launches go on for ever before they start anything.
    pub(crate) fn never_fork(&self) {
        self.script.lock().unwrap().forks_never = true;
    }

    pub(crate) fn fail_updates(&self) {
        self.script.lock().unwrap().update_fails = true;
    }

    /// From now on, containers are looked for for ever.
    pub(crate) fn never_recover(&self) {
        self.script.lock().unwrap().recovers_never = true;
    }

    /// The executor's process ends.
    pub(crate) fn end(&self, container_id: &ContainerId, termination: Termination) {
        let mut script = self.script.lock().unwrap();
        let ended = script.ended.entry(container_id.clone()).or_default();
        ended.send_replace(Some(termination));
    }

    pub(crate) fn is_destroyed(&self, container_id: &ContainerId) -> bool {
        self.script.lock().unwrap().destroyed.contains(container_id)
    }

    /// What the containers were resized to, in order.
    pub(crate) fn updates(&self) -> Vec<Resources> {
        self.script.lock().unwrap().updates.clone()
    }

    fn error(container_id: &ContainerId) -> ContainerError {
        ContainerError::Unknown(container_id.clone())
    }
}

/// How a container ends that is told to.
pub(crate) fn destroyed() -> Termination {
    Termination {
        status: Some(9),
        message: Some("Executor terminated".to_owned()),
        ..Termination::default()
    }
}

impl Containerizer for FakeContainerizer {
    fn recover(
        &self,
        containers: Vec<RecoverableContainer>,
    ) -> BoxFuture<'static, Result<(), RecoverError>> {
        let mut script = self.script.lock().unwrap();
        for container in containers {
            script.ended.entry(container.container_id).or_default();
        }
        match script.recovers_never {
            true => future::pending().boxed(),
            false => future::ready(Ok(())).boxed(),
        }
    }

    fn launch(&self, spec: LaunchSpec) -> BoxFuture<'static, Result<Launched, LaunchError>> {
        let mut script = self.script.lock().unwrap();
        script.ended.entry(spec.container_id.clone()).or_default();
        let outcome = match script.launch_fails {
            true => Err(LaunchError::UnsupportedImage("DOCKER".to_owned())),
            false => Ok(Launched::Started),
        };
        let is_forked = outcome.is_ok() && !script.forks_never;
        let kept = spec.checkpoint.as_ref().filter(|_| is_forked).map(|keep| (keep.0)(4242, 1));
        let launched = self.launched.clone();
        async move {
            if let Some(kept) = kept {
                kept.await.unwrap();
            }
            // The test may not care.
            let _ = launched.send(spec);
            outcome
        }
        .boxed()
    }

    fn update(
        &self,
        container_id: &ContainerId,
        resources: Resources,
    ) -> BoxFuture<'static, Result<(), ContainerError>> {
        let mut script = self.script.lock().unwrap();
        script.updates.push(resources);
        let outcome = match script.update_fails {
            true => Err(FakeContainerizer::error(container_id)),
            false => Ok(()),
        };
        future::ready(outcome).boxed()
    }

    fn usage(
        &self,
        container_id: &ContainerId,
    ) -> BoxFuture<'static, Result<ResourceStatistics, ContainerError>> {
        let known = self.script.lock().unwrap().ended.contains_key(container_id);
        let usage = ResourceStatistics {
            timestamp: 1.0,
            cpus_limit: Some(1.1),
            ..ResourceStatistics::default()
        };
        let outcome = if known { Ok(usage) } else { Err(FakeContainerizer::error(container_id)) };
        future::ready(outcome).boxed()
    }

    fn status(
        &self,
        _: &ContainerId,
    ) -> BoxFuture<'static, Result<ContainerStatus, ContainerError>> {
        future::ready(Ok(ContainerStatus::default())).boxed()
    }

    fn wait(
        &self,
        container_id: &ContainerId,
    ) -> BoxFuture<'static, Result<Termination, TerminationError>> {
        let unknown = TerminationError::Unknown(container_id.clone());
        let script = self.script.lock().unwrap();
        let Some(ended) = script.ended.get(container_id) else {
            return future::ready(Err(unknown)).boxed();
        };
        let mut ended = ended.subscribe();
        async move {
            let ended = ended.wait_for(Option::is_some).await;
            ended.ok().and_then(|ended| ended.clone()).ok_or(unknown)
        }
        .boxed()
    }

    fn destroy(&self, container_id: &ContainerId) {
        let mut script = self.script.lock().unwrap();
        script.destroyed.insert(container_id.clone());
        if let Some(ended) = script.ended.get(container_id) {
            ended.send_if_modified(|ended| {
                let is_new = ended.is_none();
                ended.get_or_insert_with(destroyed);
                is_new
            });
        }
    }

    fn containers(&self) -> BTreeSet<ContainerId> {
        self.script.lock().unwrap().ended.keys().cloned().collect()
    }

    fn counters(&self) -> BTreeMap<&'static str, u64> {
        BTreeMap::from([("containerizer/mesos/container_destroy_errors", 0)])
    }
}
