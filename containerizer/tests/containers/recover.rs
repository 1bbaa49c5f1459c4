//! Another run of the slave takes containers over: those that run, those that have ended, and
//! numbers that are somebody else's by now.

use std::path::PathBuf;
use std::process::{Child, Command};

use containerizer::{Containerizer, RecoverableContainer};
use libprocess::os::processes::started;

use crate::support::{Host, runs};

/// A process like an executor's: the leader of a session, with the sandbox in its environment.
fn left_running(sandbox: &PathBuf) -> Child {
    let mut command = Command::new("setsid");
    command.args(["sleep", "1000"]).env("MESOS_DIRECTORY", sandbox).spawn().unwrap()
}

fn pid_of(child: &Child) -> i32 {
    i32::try_from(child.id()).unwrap()
}

fn left(host: &Host, pid: i32, started: Option<u64>) -> RecoverableContainer {
    let spec = host.spec("c", crate::support::shell("sleep 1000"));
    RecoverableContainer {
        container_id: spec.container_id,
        executor_info: spec.executor_info,
        directory: spec.directory,
        pid,
        started,
    }
}

#[tokio::test]
async fn what_runs_goes_on_and_can_be_destroyed() {
    let host = Host::new();
    let mut child = left_running(&host.sandbox("c"));
    let pid = pid_of(&child);
    let containerizer = host.containerizer();
    let recovered = left(&host, pid, Some(started(pid).unwrap()));
    containerizer.recover(vec![recovered]).await.unwrap();
    assert!(containerizer.containers().contains("c"));
    assert!(runs(pid));
    containerizer.update(&"c".into(), Default::default()).await.unwrap();
    let end = containerizer.wait(&"c".into());
    containerizer.destroy(&"c".into());
    let termination = end.await.unwrap();
    assert_eq!(termination.status, None, "nobody but its parent knows");
    assert_eq!(termination.message(), "Executor terminated");
    assert!(!runs(pid));
    child.wait().unwrap();
}

#[tokio::test]
async fn the_end_of_what_runs_is_noticed() {
    let host = Host::new();
    let mut child = left_running(&host.sandbox("c"));
    let pid = pid_of(&child);
    let containerizer = host.containerizer();
    // As upstream leaves it: without the time at which it started.
    while !libprocess::os::processes::carries(
        pid,
        "MESOS_DIRECTORY",
        &host.sandbox("c").display().to_string(),
    ) {
        tokio::task::yield_now().await;
    }
    containerizer.recover(vec![left(&host, pid, None)]).await.unwrap();
    let end = containerizer.wait(&"c".into());
    child.kill().unwrap();
    assert_eq!(end.await.unwrap().message(), "Executor terminated");
    child.wait().unwrap();
}

#[tokio::test]
async fn a_number_that_is_somebody_elses_is_left_alone() {
    let host = Host::new();
    let stranger = left_running(&host.sandbox("other"));
    let pid = pid_of(&stranger);
    for started in [Some(1), None] {
        let containerizer = host.containerizer();
        containerizer.recover(vec![left(&host, pid, started)]).await.unwrap();
        let termination = containerizer.wait(&"c".into()).await.unwrap();
        assert_eq!(termination.message(), "Executor terminated");
        assert!(runs(pid), "it is not ours");
    }
    let mut stranger = stranger;
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test]
async fn what_is_left_of_an_ended_executor_is_killed() {
    let host = Host::new();
    let mut orphan = left_running(&host.sandbox("c"));
    let containerizer = host.containerizer();
    containerizer.recover(vec![left(&host, i32::MAX, Some(1))]).await.unwrap();
    assert_eq!(containerizer.wait(&"c".into()).await.unwrap().status, None);
    assert!(!runs(pid_of(&orphan)));
    orphan.wait().unwrap();
}

#[tokio::test]
async fn skip_recover_non_mesos_containers() {
    let host = Host::new();
    let mut docker = left(&host, i32::MAX, Some(1));
    docker.executor_info.container = Some(proto::mesos::ContainerInfo {
        r#type: proto::mesos::container_info::Type::Docker.into(),
        ..Default::default()
    });
    let containerizer = host.containerizer();
    containerizer.recover(vec![docker]).await.unwrap();
    assert!(containerizer.containers().is_empty());
}
