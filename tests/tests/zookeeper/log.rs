//! The replicated log, whose replicas find each other in ZooKeeper.

use std::path::Path;
use std::time::Duration;

use coordination::group::{Group, Members};
use coordination::log::{AutoInitialize, Config, Log, Network, Offline, Position, Writer};
use libprocess::Runtime;
use libprocess::testing::{start, wait};
use tempfile::TempDir;
use tests::daemon::Daemon;
use tests::zookeeper::ZooKeeper;

const SESSION_TIMEOUT: Duration = Duration::from_secs(10);

struct Node {
    runtime: Runtime,
    log: Log,
    _folder: TempDir,
}

fn group(runtime: &Runtime, url: &str) -> Group {
    Group::new(runtime, &url.parse().expect("a URL"), SESSION_TIMEOUT)
}

fn node(url: &str, quorum: usize) -> Node {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let schema = Some(proto::initialized::schema as libprocess::router::Schema);
    let runtime = start(libprocess::Config { schema, ..libprocess::Config::default() });
    let config = Config {
        quorum,
        path: folder.path().to_owned(),
        network: Network::Group(group(&runtime, url)),
        auto_initialize: AutoInitialize::Yes,
    };
    let log = Log::start(&runtime, config).expect("its files can be had");
    Node { runtime, log, _folder: folder }
}

fn elected(log: &Log) -> (Writer, Position) {
    let writer = log.writer();
    loop {
        if let Some(ending) = wait(writer.start()).expect("it goes on") {
            return (writer, ending);
        }
    }
}

#[test]
fn log_zoo_keeper_test_write_read() {
    let Some(zookeeper) = ZooKeeper::start("log_zoo_keeper_test_write_read") else { return };
    let url = zookeeper.url("/mesos/log_replicas");
    let [first, second, third] = [node(&url, 2), node(&url, 2), node(&url, 2)];
    for node in [&first, &second, &third] {
        assert_eq!(wait(node.log.recovered()), Ok(()));
    }
    let (writer, _) = elected(&first.log);
    let position = wait(writer.append("hello world".into())).expect("it goes on");
    assert_eq!(position, Some(Position(1)));

    // One dies, and another one takes over.
    wait(first.runtime.shutdown());
    drop(first);
    let (_, ending) = elected(&second.log);
    assert_eq!(ending, Position(1));
    let entries = wait(second.log.reader().read(Position(1), ending)).expect("it is whole");
    assert_eq!(&*entries[0].data, b"hello world");
}

#[test]
fn log_zoo_keeper_test_lost_zoo_keeper() {
    let test = "log_zoo_keeper_test_lost_zoo_keeper";
    let Some(mut zookeeper) = ZooKeeper::start(test) else { return };
    let node = node(&zookeeper.url("/log"), 1);
    let (writer, _) = elected(&node.log);
    zookeeper.kill(0);
    let position = wait(writer.append("hello world".into())).expect("it goes on");
    assert_eq!(position, Some(Position(1)));
}

#[test]
fn a_replica_that_has_lost_its_session_joins_again() {
    let test = "a_replica_that_has_lost_its_session_joins_again";
    let Some(zookeeper) = ZooKeeper::start(test) else { return };
    let url = zookeeper.url("/log");
    let node = node(&url, 1);
    let observer = group(&node.runtime, &url);
    let joined = wait(observer.watch(Members::new())).expect("it can be seen");
    let sessions = zookeeper.ephemerals();
    assert_eq!((joined.len(), sessions.len()), (1, 1));
    zookeeper.expire(sessions[0].1);
    let mut members = joined.clone();
    while members.is_empty() || members == joined {
        members = wait(observer.watch(members)).expect("it can be seen");
    }
    let membership = members.values().next().expect("one has come");
    let data = wait(observer.data(membership)).expect("it can be read").expect("it is there");
    assert_eq!(String::from_utf8_lossy(&data), node.log.replica().to_string());
}

#[test]
fn a_member_of_which_nobody_knows_what_it_is_stops_no_replica() {
    let test = "a_member_of_which_nobody_knows_what_it_is_stops_no_replica";
    let Some(zookeeper) = ZooKeeper::start(test) else { return };
    let url = zookeeper.url("/log");
    let first = node(&url, 2);
    let stranger = group(&first.runtime, &url);
    wait(stranger.join(&b"no\xffpid"[..], None)).expect("anybody may join");
    let [second, third] = [node(&url, 2), node(&url, 2)];
    for node in [&first, &second, &third] {
        assert_eq!(wait(node.log.recovered()), Ok(()));
    }
    let (writer, _) = elected(&third.log);
    let position = wait(writer.append("hello world".into())).expect("it goes on");
    assert_eq!(position, Some(Position(1)));
}

#[test]
fn a_quorum_that_is_too_small_for_the_replicas_is_told() {
    let test = "a_quorum_that_is_too_small_for_the_replicas_is_told";
    let Some(zookeeper) = ZooKeeper::start(test) else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let replica = |name: &str| mesos_log("replica", &zookeeper, &folder.path().join(name), &[]);
    let replicas = [replica("first"), replica("second")];
    for replica in &replicas {
        replica.wait_for("There are 2 replicas, but a quorum of 1 is meant for 1 at most: ");
    }
}

fn mesos_log(command: &str, zookeeper: &ZooKeeper, path: &Path, more: &[String]) -> Daemon {
    let mut arguments = vec![
        command.to_owned(),
        "--quorum=1".to_owned(),
        format!("--path={}", path.display()),
        format!("--servers={}", zookeeper.servers()),
        "--znode=/log".to_owned(),
    ];
    arguments.extend_from_slice(more);
    Daemon::start("mesos-log", &arguments)
}

#[test]
fn mesos_log_replica_serves_until_it_is_killed() {
    let test = "mesos_log_replica_serves_until_it_is_killed";
    let Some(zookeeper) = ZooKeeper::start(test) else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut replica = mesos_log("replica", &zookeeper, folder.path(), &[]);
    replica.wait_for("Recover process terminated");
    replica.wait_for("ZooKeeper group PIDs: { log-replica(1)@");
    assert!(replica.is_running());
    // Its files are its own for as long as it runs.
    assert!(Offline::open(folder.path()).is_err());
    replica.kill();
    assert!(!Offline::open(folder.path()).expect("they are free").is_empty());
}

#[test]
fn mesos_log_benchmark_measures_each_append() {
    let test = "mesos_log_benchmark_measures_each_append";
    let Some(zookeeper) = ZooKeeper::start(test) else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (input, output) = (folder.path().join("trace"), folder.path().join("out"));
    std::fs::write(&input, "100B\n2KB\n1MB\n").expect("a file");
    let files = [format!("--input={}", input.display()), format!("--output={}", output.display())];
    let mut benchmark = mesos_log("benchmark", &zookeeper, &folder.path().join("log"), &files);
    benchmark.wait_for("Total number of appends: 3");
    benchmark.wait_for("Total time used: ");
    assert!(benchmark.wait().success());
    let lines = std::fs::read_to_string(output).expect("it was written");
    for (line, size) in lines.lines().zip([100, 2048, 1_048_576]) {
        assert!(line.contains(&format!("+00:00 Appended {size} bytes in ")), "{line}");
        assert!(line.ends_with(" ms"), "{line}");
    }
    assert_eq!(lines.lines().count(), 3);
}
