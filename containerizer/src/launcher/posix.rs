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
use libprocess::os::processes::{carries, started};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use parking_lot::Mutex;
use tokio::process::{Child, Command};
use tracing::{info, warn};

use crate::launcher::killtree::{Family, Leader, killtree};
use crate::launcher::{Exit, ForkPlan, Forked, Launcher, LauncherError, Left, Output};
use crate::linux::pidfd::ProcessHandle;

/// Launches into sessions, kills by sessions, groups and descent.
#[derive(Debug, Default)]
pub(crate) struct PosixLauncher {
    containers: Mutex<BTreeMap<ContainerId, Launched>>,
}

#[derive(Debug)]
struct Launched {
    family: Family,
    exit: Exit,
}

impl Launcher for PosixLauncher {
    fn recover(&self, container_id: &ContainerId, left: Left) -> Result<Exit, LauncherError> {
        let pid = left.pid;
        let (leader, exit) = take_over(&left).map_err(|source| {
            let container_id = container_id.clone();
            LauncherError::Watch { container_id, pid, source }
        })?;
        let launched =
            Launched { family: Family { leader, marker: Some(left.marker) }, exit: exit.clone() };
        self.containers.lock().insert(container_id.clone(), launched);
        Ok(exit)
    }

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
        let (leader, exit) = adopt(child).map_err(LauncherError::Fork)?;
        info!("Forked child with pid '{}' for container '{container_id}'", leader.pid);
        let launched = Launched { family: Family { leader, marker }, exit: exit.clone() };
        containers.insert(container_id.clone(), launched);
        Ok(Forked { pid: leader.pid, started: leader.started, exit })
    }

    fn destroy(&self, container_id: &ContainerId) -> BoxFuture<'static, Result<(), LauncherError>> {
        let Some(Launched { family, exit }) = self.containers.lock().remove(container_id) else {
            return future::ready(Err(LauncherError::UnknownContainer(container_id.clone())))
                .boxed();
        };
        async move {
            tokio::task::spawn_blocking(move || killtree(&family)).await??;
            exit.await;
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

/// No process starts that late.
const NEVER: u64 = u64::MAX;

/// Finds a process again that is no child of ours, so that only its end can be seen.
fn take_over(left: &Left) -> io::Result<(Leader, Exit)> {
    // The handle comes first: whose number it is then is looked at after.
    let process = ProcessHandle::open(left.pid)?;
    let started = process.as_ref().and_then(|_| started(left.pid).ok());
    let is_same = match (left.started, started) {
        (Some(expected), Some(found)) => expected == found,
        (None, Some(_)) => {
            let (name, value) = &left.marker;
            carries(left.pid, name, value)
        }
        (_, None) => false,
    };
    let leader = |started| Leader { pid: left.pid, started };
    let (Some(process), Some(started), true) = (process, started, is_same) else {
        let ended = future::ready(None).boxed().shared();
        return Ok((leader(left.started.unwrap_or(NEVER)), ended));
    };
    let end = process.ended()?;
    let pid = left.pid;
    let exit = async move {
        if let Err(error) = end.await {
            warn!("Failed to wait for the end of process {pid}: {error}");
        }
        None
    };
    let exit = exit.boxed().shared();
    tokio::spawn(exit.clone());
    Ok((leader(started), exit))
}

/// Takes note of who a child is, and waits for it in the background, so that it is reaped at once.
pub(crate) fn adopt(mut child: Child) -> io::Result<(Leader, Exit)> {
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
    let pid = pid.expect("a process that nobody has waited for has a number");
    let leader = Leader { pid, started: started(pid).map_err(io::Error::other)? };
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
    Ok((leader, exit))
}
