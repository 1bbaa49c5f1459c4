//! Ending containers: at every stage, with all that they started.

use std::sync::Arc;

use containerizer::isolators::Isolator;
use containerizer::launcher::{Exit, ForkPlan, Forked, Launcher, LauncherError, Left};
use containerizer::mesos::MesosContainerizer;
use containerizer::{Containerizer, LaunchError};
use futures_util::FutureExt;
use futures_util::future::{self, BoxFuture};
use proto::mesos::TaskState;
use proto::mesos::command_info::Uri;
use proto::mesos::slave::ContainerLimitation;
use proto::mesos::task_status::Reason;
use tokio::sync::oneshot;

use crate::support::{Host, TestIsolator, message_of_end, runs, shell};

const SIGKILL: i32 = 9;

/// Runs `command`, which reports so many process numbers; destroys it, and sees them all gone.
async fn all_are_gone(command: &str, count: usize) {
    let host = Host::new();
    let containerizer = host.containerizer();
    let reports = host.reports("c");
    containerizer.launch(host.spec("c", shell(command))).await.unwrap();
    let pids = reports.pids(count).await;
    for pid in &pids {
        assert!(runs(*pid), "{pid} of {pids:?} does not run");
    }
    containerizer.destroy(&"c".into());
    let termination = containerizer.wait(&"c".into()).await.unwrap();
    assert_eq!(termination.message(), "Executor terminated");
    assert_eq!(termination.status, Some(SIGKILL));
    for pid in &pids {
        assert!(!runs(*pid), "{pid} of {pids:?} still runs");
    }
    assert!(containerizer.containers().is_empty());
    assert_eq!(containerizer.counters()["containerizer/mesos/container_destroy_errors"], 0);
}

#[tokio::test]
async fn the_executor_is_killed_though_it_ignores_signals() {
    all_are_gone("trap '' TERM INT HUP; echo $$ > reports; while :; do sleep 1000; done", 1).await;
}

#[tokio::test]
async fn children_are_killed() {
    let command = "exec 3> reports; sleep 1000 & echo $! >&3; \
                   sh -c 'sleep 1000 & echo $! >&3; wait' & wait";
    all_are_gone(command, 2).await;
}

#[tokio::test]
async fn children_in_other_sessions_are_killed() {
    let command = "setsid sh -c 'setsid sh -c \"echo \\$\\$; sleep 1000\" & echo $$; sleep 1000' \
                   > reports & wait";
    all_are_gone(command, 2).await;
}

#[tokio::test]
async fn orphans_of_the_session_are_killed() {
    all_are_gone("exec 3> reports; (sleep 1000 & echo $! >&3); echo $$ >&3; sleep 1000", 2).await;
}

#[tokio::test]
async fn orphans_in_sessions_of_their_own_are_killed() {
    // The shell in between ends, so that nothing but its environment tells the daemon's origin.
    let command = "exec 3> reports; setsid sh -c 'setsid sleep 1000 & echo $! >&3'; \
                   echo $$ >&3; sleep 1000";
    all_are_gone(command, 2).await;
}

#[tokio::test]
async fn stopped_processes_are_killed() {
    let command = "exec 3> reports; sleep 1000 & kill -STOP $!; echo $! >&3; echo $$ >&3; \
                   kill -STOP $$";
    all_are_gone(command, 2).await;
}

#[tokio::test]
async fn what_an_executor_leaves_behind_is_killed() {
    let host = Host::new();
    let containerizer = host.containerizer();
    let reports = host.reports("c");
    let command = "exec 3> reports; sleep 1000 & echo $! >&3; setsid sleep 1000 & echo $! >&3; \
                   exit 3";
    containerizer.launch(host.spec("c", shell(command))).await.unwrap();
    let end = containerizer.wait(&"c".into());
    let pids = reports.pids(2).await;
    assert_eq!(end.await.unwrap().status, Some(3 << 8));
    for pid in &pids {
        assert!(!runs(*pid), "{pid} of {pids:?} still runs");
    }
}

#[tokio::test]
async fn other_containers_and_we_live_on() {
    let host = Host::new();
    let containerizer = host.containerizer();
    let reports = host.reports("other");
    let other = host.spec("other", shell("echo $$ > reports; sleep 1000"));
    containerizer.launch(other).await.unwrap();
    let pid = reports.pids(1).await[0];
    containerizer.launch(host.spec("c", shell("sleep 1000"))).await.unwrap();
    containerizer.destroy(&"c".into());
    message_of_end(&containerizer, "c").await;
    assert!(runs(pid));
    containerizer.destroy(&"other".into());
    message_of_end(&containerizer, "other").await;
    assert!(!runs(pid));
}

#[tokio::test]
async fn many_containers_at_once() {
    let host = Host::new();
    let containerizer = host.containerizer();
    let names: Vec<String> = (0..20).map(|number| format!("c{number}")).collect();
    let command = "setsid sleep 1000 & sleep 1000 & echo $!; exec sleep 1000";
    let launches = names.iter().map(|name| containerizer.launch(host.spec(name, shell(command))));
    for launch in future::join_all(launches).await {
        launch.unwrap();
    }
    let ends: Vec<_> = names.iter().map(|name| containerizer.wait(&name.as_str().into())).collect();
    for name in &names {
        containerizer.destroy(&name.as_str().into());
    }
    for end in future::join_all(ends).await {
        assert_eq!(end.unwrap().status, Some(SIGKILL));
    }
    assert!(containerizer.containers().is_empty());
    for name in &names {
        for pid in host.read(name, "stdout").lines() {
            assert!(!runs(pid.parse().unwrap()), "{pid} of {name} still runs");
        }
    }
}

#[tokio::test]
async fn executors_killed_by_others_are_reaped_at_once() {
    let host = Host::new();
    let containerizer = host.containerizer();
    containerizer.launch(host.spec("c", shell("kill -9 $$"))).await.ok();
    assert_eq!(containerizer.wait(&"c".into()).await.unwrap().status, Some(SIGKILL));
}

#[tokio::test]
async fn an_end_is_kept_for_one_who_waits_late() {
    let host = Host::new();
    let containerizer = host.containerizer();
    containerizer.launch(host.spec("c", shell("exit 3"))).await.unwrap();
    while !containerizer.containers().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(containerizer.wait(&"c".into()).await.unwrap().status, Some(3 << 8));
    assert!(containerizer.wait(&"c".into()).await.is_err());
}

/// A gate that an isolator waits at, and its key.
fn gate() -> (oneshot::Sender<()>, BoxFuture<'static, ()>) {
    let (key, locked) = oneshot::channel();
    (key, locked.map(drop).boxed())
}

fn with_gate(
    place: impl Fn(&TestIsolator, BoxFuture<'static, ()>),
) -> (oneshot::Sender<()>, Arc<TestIsolator>) {
    let (key, gate) = gate();
    let isolator = Arc::new(TestIsolator::default());
    place(&isolator, gate);
    (key, isolator)
}

#[tokio::test]
async fn destroy_while_preparing() {
    let host = Host::new();
    let (key, isolator) = with_gate(|isolator, gate| drop(isolator.prepared.lock().replace(gate)));
    let containerizer = host.with_isolators(vec![isolator.clone()]);
    let launch = containerizer.launch(host.spec("c", shell("echo never")));
    let mut end = containerizer.wait(&"c".into());
    tokio::task::yield_now().await;
    containerizer.destroy(&"c".into());
    containerizer.destroy(&"c".into());
    assert!((&mut end).now_or_never().is_none(), "the isolator is not ready yet");
    key.send(()).unwrap();
    let failure = launch.await.unwrap_err();
    assert_eq!(failure.to_string(), "Container is being destroyed during preparing");
    let termination = end.await.unwrap();
    assert_eq!(termination.message(), "Container destroyed while preparing isolators");
    assert_eq!(termination.status, None);
    assert_eq!(*isolator.calls.lock(), ["prepare", "cleanup"]);
}

#[tokio::test]
async fn destroy_before_anything_has_happened() {
    let host = Host::new();
    let containerizer = host.containerizer();
    let launch = containerizer.launch(host.spec("c", shell("echo never")));
    let end = containerizer.wait(&"c".into());
    containerizer.destroy(&"c".into());
    let failure = launch.await.unwrap_err();
    assert_eq!(failure.to_string(), "Container is being destroyed during provisioning");
    let message = end.await.unwrap().message;
    assert_eq!(message.as_deref(), Some("Container destroyed while provisioning images"));
}

#[tokio::test]
async fn destroy_while_isolating() {
    let host = Host::new();
    let (key, isolator) = with_gate(|isolator, gate| drop(isolator.isolated.lock().replace(gate)));
    let containerizer = host.with_isolators(vec![isolator.clone()]);
    let launch = containerizer.launch(host.spec("c", shell("echo never")));
    while !isolator.calls.lock().contains(&"isolate".to_owned()) {
        tokio::task::yield_now().await;
    }
    let end = containerizer.wait(&"c".into());
    containerizer.destroy(&"c".into());
    key.send(()).unwrap();
    let failure = launch.await.unwrap_err();
    assert_eq!(failure.to_string(), "Container is being destroyed during isolating");
    let termination = end.await.unwrap();
    assert_eq!(termination.message(), "Executor terminated");
    assert_eq!(host.read("c", "stdout"), "");
    assert_eq!(*isolator.calls.lock(), ["prepare", "isolate", "cleanup"]);
}

#[tokio::test]
async fn destroy_while_fetching() {
    let host = Host::new();
    let containerizer = host.containerizer();
    // A web server that takes the request and never answers.
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut command = shell("echo never");
    let value = format!("http://{}/file", server.local_addr().unwrap());
    command.uris.push(Uri { value, ..Uri::default() });
    let launch = containerizer.launch(host.spec("c", command));
    let (connection, _) = server.accept().await.unwrap();
    let end = containerizer.wait(&"c".into());
    containerizer.destroy(&"c".into());
    let failure = launch.await.unwrap_err();
    assert!(matches!(failure, LaunchError::Fetch(_)), "{failure}");
    assert_eq!(
        failure.to_string(),
        "Failed to fetch all URIs for container 'c' with exit status: 9"
    );
    let termination = end.await.unwrap();
    assert_eq!(termination.message(), "Executor terminated");
    assert!(!host.read("c", "stdout").contains("never"));
    drop(connection);
}

#[tokio::test]
async fn isolators_clean_up_in_reverse_order() {
    let host = Host::new();
    let isolators: Vec<_> = (0..3).map(|_| Arc::new(TestIsolator::default())).collect();
    let as_dyn = isolators.iter().map(|isolator| isolator.clone() as Arc<dyn Isolator>);
    let containerizer = host.with_isolators(as_dyn.collect());
    containerizer.launch(host.spec("c", shell("exit 0"))).await.unwrap();
    message_of_end(&containerizer, "c").await;
    for isolator in isolators {
        assert_eq!(*isolator.calls.lock(), ["prepare", "isolate", "cleanup"]);
    }
}

#[tokio::test]
async fn a_failing_cleanup_fails_the_end_but_not_the_others() {
    let host = Host::new();
    let healthy = Arc::new(TestIsolator::default());
    let failing = TestIsolator { fails_to_clean_up: true, ..TestIsolator::default() };
    let containerizer = host.with_isolators(vec![healthy.clone(), Arc::new(failing)]);
    let launch = containerizer.launch(host.spec("c", shell("exit 0")));
    let end = containerizer.wait(&"c".into());
    launch.await.unwrap();
    assert_eq!(
        end.await.unwrap_err().to_string(),
        "Failed to clean up an isolator when destroying container 'c': Unknown container: c"
    );
    assert_eq!(healthy.calls.lock().last().map(String::as_str), Some("cleanup"));
    assert_eq!(containerizer.counters()["containerizer/mesos/container_destroy_errors"], 1);
    assert!(containerizer.containers().is_empty());
}

/// Forks as usual, and cannot kill.
struct Powerless(Arc<dyn Launcher>);

impl Launcher for Powerless {
    fn recover(&self, id: &common::ids::ContainerId, left: Left) -> Result<Exit, LauncherError> {
        self.0.recover(id, left)
    }

    fn fork(&self, id: &common::ids::ContainerId, plan: ForkPlan) -> Result<Forked, LauncherError> {
        self.0.fork(id, plan)
    }

    fn destroy(
        &self,
        id: &common::ids::ContainerId,
    ) -> BoxFuture<'static, Result<(), LauncherError>> {
        future::ready(Err(LauncherError::UnknownContainer(id.clone()))).boxed()
    }
}

#[tokio::test]
async fn launcher_destroy_failure() {
    let host = Host::new();
    let launcher = Arc::new(Powerless(containerizer::launcher::posix()));
    let isolator = Arc::new(TestIsolator::default());
    let containerizer = MesosContainerizer::with(host.config(), launcher, vec![isolator.clone()]);
    let launch = containerizer.launch(host.spec("c", shell("exit 0")));
    let end = containerizer.wait(&"c".into());
    launch.await.unwrap();
    assert_eq!(
        end.await.unwrap_err().to_string(),
        "Failed to destroy container c: Unknown container c"
    );
    assert_eq!(containerizer.counters()["containerizer/mesos/container_destroy_errors"], 1);
    assert_eq!(*isolator.calls.lock(), ["prepare", "isolate"]);
}

#[tokio::test]
async fn a_container_that_reaches_a_limit_goes() {
    let host = Host::new();
    let limit = ContainerLimitation {
        message: Some("Memory limit exceeded".into()),
        reason: Some(Reason::ContainerLimitationMemory.into()),
        ..ContainerLimitation::default()
    };
    let isolator = Arc::new(TestIsolator::default());
    *isolator.limit.lock() = Some(future::ready(limit).boxed());
    let containerizer = host.with_isolators(vec![isolator]);
    let launch = containerizer.launch(host.spec("c", shell("sleep 1000")));
    let end = containerizer.wait(&"c".into());
    drop(launch);
    let termination = end.await.unwrap();
    assert_eq!(termination.message(), "Memory limit exceeded");
    assert_eq!(termination.state(), TaskState::TaskFailed);
    assert_eq!(termination.reasons, [i32::from(Reason::ContainerLimitationMemory)]);
}
