//! The containers that there are and what may be asked of them; launching is `launch`, ending
//! them `destroy`. Called by the slave through the trait.
//! Upstream: `MesosContainerizerProcess`. Its turns as an actor are short locks here; the one
//! launch that a container has holds `Container::launching` until it is through, which is what
//! `destroy` waits for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::ids::ContainerId;
use common::resources::Resources;
use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture, join_all};
use parking_lot::Mutex;
use prost::Message;
use proto::mesos::containerizer::Termination;
use proto::mesos::slave::ContainerLimitation;
use proto::mesos::{ContainerStatus, ResourceStatistics};
use stout::bounded::BoundedMap;
use tokio::sync::{Notify, watch};
use tracing::warn;

use super::state::Stage;
use crate::config::Config;
use crate::create::CreateError;
use crate::errors::{ContainerError, LaunchError, RecoverError, TerminationError};
use crate::fetcher::Fetcher;
use crate::isolators::{self, Isolator, IsolatorError};

use crate::launcher::{self, Exit, Launcher};
use crate::{Containerizer, LaunchSpec, Launched, RecoverableContainer};

/// Launches executors as processes of this host.
pub struct MesosContainerizer(Arc<Inner>);

/// What the tasks that serve containers share.
pub(super) struct Inner {
    pub(super) config: Arc<Config>,
    pub(super) launcher: Arc<dyn Launcher>,
    pub(super) isolators: Vec<Arc<dyn Isolator>>,
    pub(super) fetcher: Fetcher,
    pub(super) containers: Mutex<BTreeMap<ContainerId, Container>>,
    /// Ends that came before anybody waited: a process may end before its launch is reported.
    pub(super) unclaimed: Mutex<BoundedMap<ContainerId, Ended>>,
    pub(super) destroy_errors: AtomicU64,
}

/// How a container ended.
pub(super) type Ended = Result<Termination, TerminationError>;

/// How many ends are kept for those who wait late.
const UNCLAIMED_MAX: usize = 1000;

/// One container.
pub(super) struct Container {
    pub(super) stage: Stage,
    pub(super) resources: Resources,
    pub(super) limitations: Vec<ContainerLimitation>,
    /// The end of the first process, once that was started.
    pub(super) exit: Option<Exit>,
    /// Held by the launch until it has succeeded or failed.
    pub(super) launching: Arc<tokio::sync::Mutex<()>>,
    /// Tells the launch to hurry.
    pub(super) killed: Arc<Notify>,
    /// How it ended; nothing until it has.
    pub(super) outcome: watch::Sender<Option<Ended>>,
    /// Whether anybody has waited for that.
    pub(super) claimed: bool,
}

impl Container {
    pub(super) fn new(resources: Resources) -> Container {
        Container {
            stage: Stage::Provisioning,
            resources,
            limitations: Vec::new(),
            exit: None,
            launching: Arc::default(),
            killed: Arc::default(),
            outcome: watch::Sender::new(None),
            claimed: false,
        }
    }
}

impl MesosContainerizer {
    /// A containerizer without containers, as `config` wants it.
    pub fn new(config: Config) -> Result<MesosContainerizer, CreateError> {
        let launcher = match config.launcher.as_deref() {
            None | Some("posix") => launcher::posix(),
            Some(other) => return Err(CreateError::UnknownLauncher(other.to_owned())),
        };
        let isolators = isolators::create(&config)?;
        Ok(MesosContainerizer::with(config, launcher, isolators))
    }

    /// A containerizer of given parts.
    pub fn with(
        config: Config,
        launcher: Arc<dyn Launcher>,
        isolators: Vec<Arc<dyn Isolator>>,
    ) -> MesosContainerizer {
        let config = Arc::new(config);
        MesosContainerizer(Arc::new(Inner {
            launcher,
            isolators,
            fetcher: Fetcher::new(config.clone()),
            config,
            containers: Mutex::default(),
            unclaimed: Mutex::new(BoundedMap::new(UNCLAIMED_MAX)),
            destroy_errors: AtomicU64::new(0),
        }))
    }

    /// The answers of all isolators that have one, merged.
    fn gather<M>(
        &self,
        container_id: &ContainerId,
        ask: impl Fn(&dyn Isolator) -> BoxFuture<'static, Result<M, IsolatorError>>,
    ) -> BoxFuture<'static, M>
    where
        M: Message + Default + 'static,
    {
        let asked = join_all(self.0.isolators.iter().map(|isolator| ask(&**isolator)));
        let container_id = container_id.clone();
        async move {
            let mut merged = M::default();
            for answer in asked.await {
                match answer {
                    // What prost encodes it can merge; there is nothing else to fail.
                    Ok(part) => drop(merged.merge(part.encode_to_vec().as_slice())),
                    Err(why) => warn!("Skipping a part of container {container_id}: {why}"),
                }
            }
            merged
        }
        .boxed()
    }

    fn unknown<T: Send + 'static>(
        container_id: &ContainerId,
    ) -> BoxFuture<'static, Result<T, ContainerError>> {
        future::ready(Err(ContainerError::Unknown(container_id.clone()))).boxed()
    }
}

impl Containerizer for MesosContainerizer {
    fn recover(
        &self,
        containers: Vec<RecoverableContainer>,
    ) -> BoxFuture<'static, Result<(), RecoverError>> {
        let inner = self.0.clone();
        async move { inner.recover(containers).await }.boxed()
    }

    fn launch(&self, spec: LaunchSpec) -> BoxFuture<'static, Result<Launched, LaunchError>> {
        self.0.launch(spec)
    }

    fn update(
        &self,
        container_id: &ContainerId,
        resources: Resources,
    ) -> BoxFuture<'static, Result<(), ContainerError>> {
        let mut containers = self.0.containers.lock();
        let Some(container) = containers.get_mut(container_id) else {
            warn!("Ignoring update for unknown container: {container_id}");
            return future::ready(Ok(())).boxed();
        };
        if container.stage == Stage::Destroying {
            warn!("Ignoring update for currently being destroyed container: {container_id}");
            return future::ready(Ok(())).boxed();
        }
        container.resources = resources.clone();
        let isolators = self.0.isolators.iter();
        let updates = join_all(isolators.map(|each| each.update(container_id, &resources)));
        async move { Ok(updates.await.into_iter().collect::<Result<(), _>>()?) }.boxed()
    }

    fn usage(
        &self,
        container_id: &ContainerId,
    ) -> BoxFuture<'static, Result<ResourceStatistics, ContainerError>> {
        let containers = self.0.containers.lock();
        let Some(container) = containers.get(container_id) else {
            return MesosContainerizer::unknown(container_id);
        };
        let resources = container.resources.clone();
        let gathered = self.gather(container_id, |isolator| isolator.usage(container_id));
        let clock = self.0.config.clock.clone();
        async move {
            let mut statistics = gathered.await;
            statistics.timestamp = clock.secs();
            statistics.mem_limit_bytes = resources.mem().map(|mem| mem.bytes());
            statistics.cpus_limit = resources.cpus().map(|cpus| cpus.to_f64());
            Ok(statistics)
        }
        .boxed()
    }

    fn status(
        &self,
        container_id: &ContainerId,
    ) -> BoxFuture<'static, Result<ContainerStatus, ContainerError>> {
        if !self.0.containers.lock().contains_key(container_id) {
            return MesosContainerizer::unknown(container_id);
        }
        self.gather(container_id, |isolator| isolator.status(container_id)).map(Ok).boxed()
    }

    fn wait(
        &self,
        container_id: &ContainerId,
    ) -> BoxFuture<'static, Result<Termination, TerminationError>> {
        let mut containers = self.0.containers.lock();
        let Some(container) = containers.get_mut(container_id) else {
            let unknown = || Err(TerminationError::Unknown(container_id.clone()));
            let ended = self.0.unclaimed.lock().remove(container_id);
            return future::ready(ended.unwrap_or_else(unknown)).boxed();
        };
        container.claimed = true;
        let mut outcome = container.outcome.subscribe();
        let container_id = container_id.clone();
        async move {
            let abandoned = TerminationError::Abandoned(container_id);
            match outcome.wait_for(Option::is_some).await.as_deref() {
                Ok(Some(ended)) => ended.clone(),
                Ok(None) | Err(_) => Err(abandoned),
            }
        }
        .boxed()
    }

    fn destroy(&self, container_id: &ContainerId) {
        self.0.destroy(container_id);
    }

    fn containers(&self) -> BTreeSet<ContainerId> {
        self.0.containers.lock().keys().cloned().collect()
    }

    fn counters(&self) -> BTreeMap<&'static str, u64> {
        let errors = self.0.destroy_errors.load(Ordering::Relaxed);
        BTreeMap::from([("containerizer/mesos/container_destroy_errors", errors)])
    }
}
