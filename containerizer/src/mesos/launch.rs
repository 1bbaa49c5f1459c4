//! From an order to a running executor, stage by stage. Called by `containerizer`; each launch is
//! a task of its own, which nobody needs to wait for.
//! Upstream: `MesosContainerizerProcess::launch` to `exec`, and `SandboxContainerLogger`.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::ids::ContainerId;
use common::resources::Resources;
use futures_util::future::{self, BoxFuture, Either, join_all};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use nix::fcntl::OFlag;
use nix::unistd::pipe2;
use proto::mesos::ContainerInfo;
use proto::mesos::container_info::Type;
use proto::mesos::slave::{ContainerConfig, ContainerLaunchInfo};
use tokio::sync::Notify;
use tokio::task::spawn_blocking;
use tracing::info;

use super::containerizer::{Container, Inner};
use super::helper;
use super::state::Stage;
use crate::config::ContainerOutput;
use crate::environment::executor_environment;
use crate::errors::LaunchError;
use crate::fetcher::FetchRequest;
use crate::launcher::{Exit, ForkPlan, Forked, Output};
use crate::{Checkpoint, LaunchSpec, Launched};

/// The variable that tells a container's processes from all others: no two sandboxes are alike.
pub(super) const MARKER: &str = "MESOS_DIRECTORY";
const OUTPUT_MODE: u32 = 0o644;

impl Inner {
    /// Admits a container and starts its launch.
    pub(super) fn launch(
        self: &Arc<Self>,
        mut spec: LaunchSpec,
    ) -> BoxFuture<'static, Result<Launched, LaunchError>> {
        let LaunchSpec { container_id, task_info, executor_info, .. } = &mut spec;
        let mut containers = self.containers.lock();
        if containers.contains_key(container_id) {
            return future::ready(Err(LaunchError::AlreadyStarted)).boxed();
        }
        let of_task = task_info.as_ref().and_then(|task| task.container.as_ref());
        let of_others = |container: &ContainerInfo| container.r#type() != Type::Mesos;
        if of_task.is_some_and(of_others) || executor_info.container.as_ref().is_some_and(of_others)
        {
            return future::ready(Ok(Launched::NotSupported)).boxed();
        }
        if executor_info.container.is_none() {
            executor_info.container.clone_from(&self.config.default_container_info);
        }
        let framework_id = executor_info.framework_id.clone().unwrap_or_default().value;
        let executor_id = &executor_info.executor_id.value;
        info!(
            "Starting container '{container_id}' for executor '{executor_id}' of framework \
             '{framework_id}'"
        );
        let container = Container::new(Resources::from(&executor_info.resources));
        let launching = container.launching.clone().try_lock_owned();
        containers.insert(container_id.clone(), container);
        drop(containers);
        let inner = self.clone();
        let launch = tokio::spawn(async move {
            let launched = inner.run_stages(&spec).await;
            drop(launching);
            launched
        });
        async move { launch.await?.map(|()| Launched::Started) }.boxed()
    }

    async fn run_stages(self: &Arc<Self>, spec: &LaunchSpec) -> Result<(), LaunchError> {
        let id = &spec.container_id;
        provision(spec)?;
        self.enter(id, Stage::Preparing)?;
        let preparations = self.prepare(spec).await?;
        let output = open_output(self.config.output, &spec.directory).await?;
        self.enter(id, Stage::Isolating)?;
        let (forked, control) = self.fork(spec, &preparations, output)?;
        let Forked { pid, started, .. } = forked;
        if let Some(Checkpoint(keep)) = &spec.checkpoint {
            keep(pid, started).await.map_err(LaunchError::Checkpoint)?;
        }
        self.isolate(id, pid).await?;
        let killed = self.enter(id, Stage::Fetching)?;
        let request = FetchRequest {
            container_id: id.clone(),
            command: spec.executor_info.command.clone().unwrap_or_default(),
            sandbox: spec.directory.clone(),
            user: spec.user.clone(),
        };
        self.fetcher.fetch(request, &killed).await?;
        self.exec(id, control)
    }
}

impl Inner {
    /// Takes a container to its next stage, unless it is going; gives what tells it to hurry.
    fn enter(&self, id: &ContainerId, next: Stage) -> Result<Arc<Notify>, LaunchError> {
        let mut containers = self.containers.lock();
        let container = advance(&mut containers, id, next)?;
        Ok(container.killed.clone())
    }

    /// Asks the isolators, one after the other, what the container needs.
    async fn prepare(&self, spec: &LaunchSpec) -> Result<Vec<ContainerLaunchInfo>, LaunchError> {
        let config = ContainerConfig {
            executor_info: spec.executor_info.clone(),
            task_info: spec.task_info.clone(),
            directory: spec.directory.to_string_lossy().into_owned(),
            user: spec.user.clone(),
            ..ContainerConfig::default()
        };
        let mut preparations = Vec::new();
        for isolator in &self.isolators {
            preparations.push(isolator.prepare(&spec.container_id, &config).await?);
        }
        Ok(preparations)
    }

    /// Starts the first process, which waits until the descriptor is written to.
    fn fork(
        self: &Arc<Self>,
        spec: &LaunchSpec,
        preparations: &[ContainerLaunchInfo],
        output: Output,
    ) -> Result<(Forked, OwnedFd), LaunchError> {
        let pipe = pipe2(OFlag::O_CLOEXEC).map_err(|error| LaunchError::Pipe(error.into()));
        let (listening, control) = pipe?;
        let commands = preparations.iter().flat_map(|each| &each.commands);
        let plan = ForkPlan {
            program: self.config.launcher_dir.join(helper::PROGRAM),
            arguments: helper::arguments(&helper::Launch {
                command: spec.executor_info.command.clone().unwrap_or_default(),
                commands: commands.cloned().collect(),
                sandbox: spec.directory.clone(),
                user: spec.user.clone(),
                pipe_read: listening.as_raw_fd(),
            }),
            environment: self.environment(spec, preparations),
            marker: Some(MARKER.to_owned()),
            output,
            inherited: listening,
        };
        let forked = self.launcher.fork(&spec.container_id, plan)?;
        if let Some(container) = self.containers.lock().get_mut(&spec.container_id) {
            container.exit = Some(forked.exit.clone());
        }
        self.reap(&spec.container_id, forked.exit.clone());
        Ok((forked, control))
    }

    /// Ends the container with its first process.
    pub(super) fn reap(self: &Arc<Self>, id: &ContainerId, exit: Exit) {
        let (inner, id) = (self.clone(), id.clone());
        tokio::spawn(async move {
            exit.await;
            inner.reaped(&id);
        });
    }

    /// The executor's environment, and what comes on top of it.
    fn environment(
        &self,
        spec: &LaunchSpec,
        preparations: &[ContainerLaunchInfo],
    ) -> BTreeMap<String, String> {
        let mut environment = executor_environment(spec, &self.config);
        let directory = spec.directory.to_string_lossy().into_owned();
        environment.insert("MESOS_SANDBOX".to_owned(), directory);
        let of_isolators = preparations.iter().map(|each| each.environment.as_ref());
        let of_command =
            spec.executor_info.command.iter().map(|command| command.environment.as_ref());
        for variable in of_command.chain(of_isolators).flatten().flat_map(|each| &each.variables) {
            environment.insert(variable.name.clone(), variable.value().to_owned());
        }
        environment
    }

    /// Lets all isolators take hold of the first process, and listens for limits it may reach.
    async fn isolate(self: &Arc<Self>, id: &ContainerId, pid: i32) -> Result<(), LaunchError> {
        self.watch_limits(id);
        let isolations = self.isolators.iter().map(|isolator| isolator.isolate(id, pid));
        for isolated in join_all(isolations).await {
            isolated?;
        }
        Ok(())
    }

    pub(super) fn watch_limits(self: &Arc<Self>, id: &ContainerId) {
        let mut limits: FuturesUnordered<_> =
            self.isolators.iter().map(|isolator| isolator.watch(id)).collect();
        let Some(mut outcome) =
            self.containers.lock().get(id).map(|container| container.outcome.subscribe())
        else {
            return;
        };
        let (inner, id) = (self.clone(), id.clone());
        tokio::spawn(async move {
            // The container's end ends this task.
            let ended = std::pin::pin!(outcome.changed());
            if let Either::Left((Some(limitation), _)) = future::select(limits.next(), ended).await
            {
                inner.limited(&id, limitation);
            }
        });
    }

    /// Lets the first process go on.
    fn exec(&self, id: &ContainerId, control: OwnedFd) -> Result<(), LaunchError> {
        let mut containers = self.containers.lock();
        advance(&mut containers, id, Stage::Running)?;
        File::from(control).write_all(&[0]).map_err(LaunchError::Synchronize)
    }
}

/// Moves a container on in the table, unless it is going.
fn advance<'a>(
    containers: &'a mut BTreeMap<ContainerId, Container>,
    id: &ContainerId,
    next: Stage,
) -> Result<&'a mut Container, LaunchError> {
    let Some(container) = containers.get_mut(id) else {
        return Err(LaunchError::Destroyed(next.previous()));
    };
    if container.stage == Stage::Destroying {
        return Err(LaunchError::BeingDestroyed(next.previous()));
    }
    assert!(container.stage.leads_to(next), "{id}: from {} to {next}", container.stage);
    container.stage = next;
    Ok(container)
}

/// Brings the container's image here. There are no stores for images, so that any is too much.
fn provision(spec: &LaunchSpec) -> Result<(), LaunchError> {
    let of_task = spec.task_info.as_ref().and_then(|task| task.container.as_ref());
    let of_executor = spec.executor_info.container.as_ref();
    let image = |container: Option<&ContainerInfo>| {
        container.and_then(|container| container.mesos.as_ref()?.image.clone())
    };
    let Some(image) = image(of_task).or_else(|| image(of_executor)) else { return Ok(()) };
    Err(LaunchError::UnsupportedImage(image.r#type().as_str_name().to_owned()))
}

/// Opens the files that keep what the container prints, unless it prints where we do.
async fn open_output(to: ContainerOutput, sandbox: &Path) -> Result<Output, LaunchError> {
    if to == ContainerOutput::Inherited {
        return Ok(Output::Inherited);
    }
    let open = |path: PathBuf| {
        let opened = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(OUTPUT_MODE)
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(&path);
        opened.map_err(|source| LaunchError::Output { path, source })
    };
    let (stdout, stderr) = (sandbox.join("stdout"), sandbox.join("stderr"));
    spawn_blocking(move || Ok(Output::Files { stdout: open(stdout)?, stderr: open(stderr)? }))
        .await?
}
