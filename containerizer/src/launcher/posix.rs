//! The launcher that needs no privileges: sessions, process groups and descent tell what belongs
//! to a container. Called by `mesos` only. The session is made by `mesos-containerizer launch`,
//! the program that is started, which therefore must call `setsid` first of all.
//! Upstream: `PosixLauncher`.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use common::ids::ContainerId;
use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use parking_lot::Mutex;
use tokio::process::{Child, Command};
use tracing::{info, warn};

use crate::launcher::killtree::{Family, killtree};
use crate::launcher::{Exit, ForkPlan, Forked, Launcher, LauncherError, Output};

/// Launches into sessions, kills by sessions, groups and descent.
#[derive(Debug, Default)]
pub(crate) struct PosixLauncher {
    containers: Mutex<BTreeMap<ContainerId, Launched>>,
}

#[derive(Debug)]
struct Launched {
    forked: Forked,
    marker: Option<(String, String)>,
}

impl Launcher for PosixLauncher {
    fn fork(&self, container_id: &ContainerId, plan: ForkPlan) -> Result<Forked, LauncherError> {
        let mut containers = self.containers.lock();
        if containers.contains_key(container_id) {
            return Err(LauncherError::AlreadyForked(container_id.clone()));
        }
        let marker = plan
            .marker
            .as_ref()
            .and_then(|name| plan.environment.get(name).map(|value| (name.clone(), value.clone())));
        let child = spawn(plan).map_err(LauncherError::Fork)?;
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
        let pid = pid.expect("a process that nobody has waited for has a number");
        info!("Forked child with pid '{pid}' for container '{container_id}'");
        let forked = Forked { pid, exit: reap(child) };
        let launched = Launched { forked: forked.clone(), marker };
        containers.insert(container_id.clone(), launched);
        Ok(forked)
    }

    fn destroy(&self, container_id: &ContainerId) -> BoxFuture<'static, Result<(), LauncherError>> {
        let Some(Launched { forked, marker }) = self.containers.lock().remove(container_id) else {
            return future::ready(Err(LauncherError::UnknownContainer(container_id.clone())))
                .boxed();
        };
        async move {
            let reaped = forked.exit.peek().is_some();
            let family = Family { leader: forked.pid, reaped, marker };
            tokio::task::spawn_blocking(move || killtree(&family)).await??;
            forked.exit.await;
            Ok(())
        }
        .boxed()
    }
}

fn spawn(plan: ForkPlan) -> io::Result<Child> {
    let mut command = Command::new(plan.program);
    command.args(plan.arguments).env_clear().envs(plan.environment);
    if let Output::Files { stdout, stderr } = plan.output {
        command.stdout(Stdio::from(stdout)).stderr(Stdio::from(stderr));
    }
    // For the moment of the fork this one descriptor is inheritable. Should another thread fork
    // just then, its child holds a read end that nobody reads, which harms nobody.
    fcntl(plan.inherited.as_fd(), FcntlArg::F_SETFD(FdFlag::empty()))?;
    command.spawn()
}

/// Waits for a child in the background, so that it is reaped at once.
pub(crate) fn reap(mut child: Child) -> Exit {
    let exit = async move {
        match child.wait().await {
            Ok(status) => Some(status.into_raw()),
            Err(error) => {
                warn!("Failed to reap a child process: {error}");
                None
            }
        }
    };
    let exit = exit.boxed().shared();
    tokio::spawn(exit.clone());
    exit
}
