//! Several masters, slaves and frameworks that find each other through ZooKeeper.

use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tests::daemon::{Daemon, binary, eventually};
use tests::zookeeper::ZooKeeper;

/// A master of several, and where it is.
struct Master {
    daemon: Daemon,
    address: String,
}

struct Scene {
    zookeeper: ZooKeeper,
    folder: TempDir,
}

impl Scene {
    fn start(test: &str) -> Option<Scene> {
        let zookeeper = ZooKeeper::start(test)?;
        Some(Scene { zookeeper, folder: tempfile::tempdir().expect("a folder") })
    }

    fn url(&self) -> String {
        self.zookeeper.url("/mesos")
    }

    fn master(&self, flags: &[&str]) -> Master {
        let mut arguments = vec![
            "--ip=127.0.0.1".to_owned(),
            "--hostname=localhost".to_owned(),
            format!("--zk={}", self.url()),
        ];
        arguments.extend(flags.iter().map(|&flag| flag.to_owned()));
        for usual in ["--port=0", "--registry=in_memory"] {
            let (name, _) = usual.split_once('=').expect("it is a flag");
            if !flags.iter().any(|flag| flag.starts_with(name)) {
                arguments.push(usual.to_owned());
            }
        }
        let daemon = Daemon::start("mesos-master", &arguments);
        let started = daemon.wait_for(" started on ");
        let address = started.rsplit(' ').next().expect("an address").to_owned();
        Master { daemon, address }
    }

    fn leader(&self) -> Master {
        let master = self.master(&[]);
        master.daemon.wait_for("Elected as the leading master!");
        master.daemon.wait_for("slaves from the Registry");
        master
    }

    /// One more, which follows `leader`.
    fn follower(&self, leader: &Master) -> Master {
        let master = self.master(&[]);
        let line = format!("The newly elected leader is master@{} with id ", leader.address);
        master.daemon.wait_for(&line);
        master.daemon.wait_for("New candidate (id='");
        master
    }

    fn slave(&self) -> Daemon {
        let arguments = [
            format!("--master={}", self.url()),
            "--ip=127.0.0.1".to_owned(),
            "--port=0".to_owned(),
            "--hostname=localhost".to_owned(),
            "--resources=cpus:4;mem:1024;disk:1024;ports:[31000-32000]".to_owned(),
            "--no-systemd_enable_support".to_owned(),
            "--registration_backoff_factor=10ms".to_owned(),
            format!("--work_dir={}", self.folder.path().join("slave").display()),
        ];
        Daemon::start("mesos-slave", &arguments)
    }

    /// A command, run by `mesos-execute`.
    fn execute(&self, command_line: &str, cpus: u32) -> Daemon {
        let mut command = Command::new(binary("mesos-execute"));
        let master = format!("--master={}", self.url());
        let line = format!("--command={command_line}");
        let resources = format!("--resources=cpus:{cpus};mem:32");
        command.args([&master, "--name=test", &line, &resources]);
        command.env("LIBPROCESS_IP", "127.0.0.1").env("MESOS_REGISTRATION_BACKOFF_FACTOR", "10ms");
        Daemon::spawn("mesos-execute", command)
    }

    fn resolve(&self, flags: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(binary("mesos-resolve"));
        let output = command.args(flags).arg(self.url()).output().expect("it is built");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }
}

#[test]
fn the_first_master_leads_and_the_next_one_follows_it() {
    let test = "the_first_master_leads_and_the_next_one_follows_it";
    let Some(scene) = Scene::start(test) else { return };
    let (code, _, error) = scene.resolve(&["--timeout=500ms"]);
    let nobody = format!("Failed to detect master from '{}' within 500ms\n", scene.url());
    assert_eq!((code, error), (Some(255), nobody));

    let mut leader = scene.leader();
    let follower = scene.follower(&leader);
    let printed = format!("{}\n", leader.address);
    assert_eq!(scene.resolve(&[]), (Some(0), printed.clone(), String::new()));
    let (code, out, log) = scene.resolve(&["--verbose"]);
    assert_eq!((code, out), (Some(0), printed));
    assert!(log.contains("] Detected a new leader: (id='"), "{log}");
    let slave = scene.slave();
    slave.wait_for(&format!("New master detected at master@{}", leader.address));
    slave.wait_for("Registered with master");

    leader.daemon.kill();
    follower.daemon.wait_for("Elected as the leading master!");
    let line = slave.line_count();
    slave.wait_for(&format!("New master detected at master@{}", follower.address));
    slave.wait_for_after(
        line.saturating_sub(3),
        &format!("gistered with master master@{}", { &follower.address }),
    );
}

#[test]
fn a_leader_that_is_asked_to_stop_is_succeeded_before_its_session_is_over() {
    let test = "a_leader_that_is_asked_to_stop_is_succeeded_before_its_session_is_over";
    let builder = ZooKeeper::builder().session_timeout(Duration::from_secs(600));
    let Some(zookeeper) = builder.start(test) else { return };
    let scene = Scene { zookeeper, folder: tempfile::tempdir().expect("a folder") };
    let mut leader = scene.leader();
    let follower = scene.follower(&leader);
    leader.daemon.signal(Signal::SIGTERM);
    follower.daemon.wait_for("Elected as the leading master!");
    let status = leader.daemon.wait();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(15));
    let printed = leader.daemon.printed();
    assert!(printed.lines().last().unwrap().contains("RAW: Received signal SIGTERM"), "{printed}");
    assert!(!printed.contains("Lost leadership"), "{printed}");
}

#[test]
fn a_leader_that_loses_its_session_ends() {
    let Some(scene) = Scene::start("a_leader_that_loses_its_session_ends") else { return };
    let mut leader = scene.leader();
    let follower = scene.follower(&leader);
    let nodes = scene.zookeeper.ephemerals();
    scene.zookeeper.expire(nodes[0].1);
    follower.daemon.wait_for("Elected as the leading master!");
    assert_eq!(leader.daemon.wait().code(), Some(1));
    let printed = leader.daemon.printed();
    assert!(printed.ends_with("\nLost leadership... committing suicide!"), "{printed}");
}

#[test]
fn a_follower_that_loses_its_session_contends_again() {
    let test = "a_follower_that_loses_its_session_contends_again";
    let Some(scene) = Scene::start(test) else { return };
    let mut leader = scene.leader();
    let follower = scene.follower(&leader);
    let line = follower.daemon.line_count();
    let nodes = scene.zookeeper.ephemerals();
    scene.zookeeper.expire(nodes[1].1);
    follower.daemon.wait_for("Lost candidacy as a follower... Contend again");
    follower.daemon.wait_for_after(line, "New candidate (id='");
    leader.daemon.kill();
    follower.daemon.wait_for("Elected as the leading master!");
}

#[test]
fn a_leader_that_was_stopped_does_not_act_when_it_goes_on() {
    let test = "a_leader_that_was_stopped_does_not_act_when_it_goes_on";
    let Some(scene) = Scene::start(test) else { return };
    let mut leader = scene.leader();
    let follower = scene.follower(&leader);
    let slave = scene.slave();
    slave.wait_for("Registered with master");
    leader.daemon.signal(Signal::SIGSTOP);
    follower.daemon.wait_for("Elected as the leading master!");
    leader.daemon.signal(Signal::SIGCONT);
    assert_eq!(leader.daemon.wait().code(), Some(1));
    let printed = leader.daemon.printed();
    assert!(printed.ends_with("\nLost leadership... committing suicide!"), "{printed}");
}

#[test]
fn a_master_that_is_restarted_at_its_address_need_not_wait_for_its_former_self() {
    let test = "a_master_that_is_restarted_at_its_address_need_not_wait_for_its_former_self";
    let builder = ZooKeeper::builder().session_timeout(Duration::from_secs(600));
    let Some(zookeeper) = builder.start(test) else { return };
    let scene = Scene { zookeeper, folder: tempfile::tempdir().expect("a folder") };
    let mut leader = scene.leader();
    leader.daemon.kill();
    let port = leader.address.rsplit(':').next().unwrap();
    let restarted = scene.master(&[&format!("--port={port}")]);
    restarted.daemon.wait_for("Elected as the leading master!");
}

#[test]
fn masters_outlive_a_short_absence_of_zookeeper() {
    let test = "masters_outlive_a_short_absence_of_zookeeper";
    let builder = ZooKeeper::builder().session_timeout(Duration::from_secs(20));
    let Some(zookeeper) = builder.start(test) else { return };
    let mut scene = Scene { zookeeper, folder: tempfile::tempdir().expect("a folder") };
    let leader = scene.leader();
    scene.zookeeper.kill(0);
    leader.daemon.wait_for("Lost connection to ZooKeeper, attempting to reconnect ...");
    scene.zookeeper.launch(0);
    leader.daemon.wait_for(" reconnected to ZooKeeper");
    assert_eq!(scene.resolve(&[]).1, format!("{}\n", leader.address));
}

#[test]
fn a_quorum_outlives_the_death_of_its_leader() {
    let test = "a_quorum_outlives_the_death_of_its_leader";
    let builder = ZooKeeper::builder().size(3).session_timeout(Duration::from_secs(10));
    let Some(zookeeper) = builder.start(test) else { return };
    let mut scene = Scene { zookeeper, folder: tempfile::tempdir().expect("a folder") };
    let mut leader = scene.leader();
    let follower = scene.follower(&leader);
    let number = eventually("a leader of the quorum", || scene.zookeeper.leader());
    scene.zookeeper.kill(number);
    eventually("another leader of the quorum", || scene.zookeeper.leader());
    assert!(leader.daemon.is_running());
    leader.daemon.kill();
    follower.daemon.wait_for("Elected as the leading master!");
}

#[test]
fn execute_finds_the_master_and_the_next_one() {
    let test = "execute_finds_the_master_and_the_next_one";
    let Some(scene) = Scene::start(test) else { return };
    let mut leader = scene.leader();
    let follower = scene.follower(&leader);
    let slave = scene.slave();
    slave.wait_for("Registered with master");
    // It fits on no slave, and so goes on.
    let mut execute = scene.execute("exit 0", 8);
    execute.wait_for("Framework registered with ");
    leader.daemon.kill();
    follower.daemon.wait_for("slaves from the Registry");
    execute.wait_for(&format!("New master detected at master@{}", follower.address));
    follower.daemon.wait_for("Subscribing framework ");
    assert!(execute.is_running());
}

#[test]
fn registrar_zoo_keeper_test_task_running() {
    let Some(scene) = Scene::start("registrar_zoo_keeper_test_task_running") else { return };
    let work_dir = format!("--work_dir={}", scene.folder.path().join("master").display());
    let master = scene.master(&["--registry=replicated_log", "--quorum=1", &work_dir]);
    master.daemon.wait_for("ZooKeeper group PIDs: { log-replica(1)@");
    let slave = scene.slave();
    slave.wait_for("Registered with master");
    let mut execute = scene.execute("exit 0", 1);
    execute.wait_for("Received status update TASK_RUNNING for task test");
    assert!(execute.wait().success());
}

#[test]
fn what_is_no_zookeeper_is_refused() {
    let check = |flags: &[&str], expected: &str| {
        let arguments: Vec<String> = ["--ip=127.0.0.1", "--port=0", "--registry=in_memory"]
            .iter()
            .chain(flags)
            .map(|&flag| flag.to_owned())
            .collect();
        let mut master = Daemon::start("mesos-master", &arguments);
        assert_eq!(master.wait().code(), Some(1));
        let printed = master.printed();
        assert!(printed.ends_with(expected), "{printed}");
    };
    let text = "Failed to create a master contender: Failed to parse 'host:1'";
    check(&["--zk=host:1"], text);
    let text = "Failed to create a master contender: Expecting a (chroot) path for ZooKeeper ('/' \
                is not supported)";
    check(&["--zk=zk://host:1"], text);
}
