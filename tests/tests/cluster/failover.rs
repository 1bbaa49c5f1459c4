//! A master that is killed and started again on what it left: slaves, tasks and frameworks go on;
//! and masters whose registry cannot be had, or whose disk is full.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use flate2::read::GzDecoder;
use proto::mesos::internal::RegisterSlaveMessage;
use proto::mesos::{SlaveInfo, TaskState};
use serde_json::{Value, json};
use tests::cluster::Cluster;
use tests::daemon::{Daemon, binary};
use tests::fakes::scheduler::{Event, FakeScheduler, framework};
use tests::http;
use tests::make::command_task;
use tests::needs::files;

const AN_HOUR: Duration = Duration::from_secs(3_600);

/// Slaves look for a master again when they have not heard of it for so long.
const QUICK: [&str; 2] = ["--slave_ping_timeout=1secs", "--max_slave_ping_timeouts=1"];

fn slaves(registry: &Value) -> Vec<&str> {
    let slaves = registry["slaves"]["slaves"].as_array().map(Vec::as_slice).unwrap_or_default();
    slaves.iter().map(|slave| slave["info"]["id"]["value"].as_str().expect("an id")).collect()
}

#[test]
fn fault_tolerance_test_master_failover() {
    let mut cluster = Cluster::start_with(&QUICK);
    let slave = cluster.slave().start();
    let mut scheduler = FakeScheduler::registered(cluster.address(), framework(AN_HOUR));
    let offer = scheduler.expect_offer();
    let script = "until [ -e go ]; do sleep 0.1; done";
    let task = command_task("task", &offer, script);
    scheduler.launch(&offer, std::slice::from_ref(&task));
    scheduler.expect_state(&task, TaskState::TaskRunning);
    let registry = cluster.get("/registrar(1)/registry");
    assert_eq!(slaves(&registry), [offer.slave_id.value.as_str()]);
    let first_master = registry["master"]["info"]["id"].clone();

    cluster.restart_master();
    cluster.master.wait_for("Recovered 1 slaves from the Registry");
    let registry = cluster.get("/registrar(1)/registry");
    assert_eq!(slaves(&registry), [offer.slave_id.value.as_str()]);
    assert_ne!(registry["master"]["info"]["id"], first_master);

    // The slave comes by itself, with its task, which nobody has claimed yet.
    cluster.master.wait_for("Re-registered slave");
    slave.daemon.wait_for("Re-registered with master");
    cluster.wait_until("/state", |state| {
        let orphans = state["orphan_tasks"].as_array().map(Vec::as_slice).unwrap_or_default();
        orphans.iter().any(|orphan| orphan["state"] == "TASK_RUNNING")
    });
    // A framework that the new master does not know registers, not re-registers.
    let id = scheduler.id.clone();
    let mut scheduler = FakeScheduler::failed_over(cluster.address(), framework(AN_HOUR), &id);
    assert_eq!(scheduler.id, id);
    let state = cluster.get("/state");
    assert_eq!(state["orphan_tasks"], json!([]));
    assert_eq!(state["frameworks"][0]["tasks"][0]["id"], "task");
    let used = &state["slaves"][0]["used_resources"]["cpus"];
    assert_eq!(used, &state["frameworks"][0]["used_resources"]["cpus"]);

    File::create(slave.sandbox("task").join("go")).expect("a sandbox");
    let finished = scheduler.expect_state(&task, TaskState::TaskFinished);
    assert_eq!(finished.update.slave_id, Some(offer.slave_id));
    let rest = scheduler.expect("offer of the rest", |event| match event {
        Event::Offers(offers) => offers.into_iter().next(),
        _ => None,
    });
    assert_eq!(rest.slave_id.value, slaves(&registry)[0]);
}

/// Far sooner than it misses the pings.
#[test]
fn slaves_notice_that_their_master_was_restarted() {
    let mut cluster = Cluster::start();
    let slave = cluster.slave().start();
    cluster.restart_master();
    slave.daemon.wait_for("Re-registered with master");
}

/// Unpacks what an upstream master left into the work directory of one of ours.
fn unpack_sample(work_dir: &Path) {
    let sample = files("golden/log/replicated_log.tar.gz");
    let sample = File::open(&sample).unwrap_or_else(|e| panic!("{}: {e}", sample.display()));
    tar::Archive::new(GzDecoder::new(sample)).unpack(work_dir).expect("a good archive");
    assert!(work_dir.join("replicated_log/CURRENT").exists());
}

fn master(work_dir: &Path, flags: &[&str]) -> Daemon {
    let mut command = Command::new(binary("mesos-master"));
    command.args(["--ip=127.0.0.1", "--port=0"]).args(flags);
    command.arg(format!("--work_dir={}", work_dir.display()));
    Daemon::spawn("mesos-master", command)
}

fn address(master: &Daemon) -> String {
    let started = master.wait_for(" started on ");
    started.rsplit(' ').next().expect("an address").to_owned()
}

#[test]
fn the_registry_of_an_upstream_master_is_recovered() {
    let folder = tempfile::tempdir().expect("a folder");
    unpack_sample(folder.path());
    let master = master(folder.path(), &["--hostname=localhost"]);
    master.wait_for("Successfully fetched the registry (462B)");
    let recovered = master.wait_for("slaves from the Registry");
    assert!(recovered.contains("Recovered 2 slaves from the Registry ("), "{recovered}");
    let registry = http::get_json(&address(&master), "/registrar(1)/registry");
    let text = std::fs::read_to_string(files("golden/log/registry.json")).expect("the sample");
    let recorded: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(registry["slaves"], recorded["slaves"]);
    let (_, call) = http::get(&address(&master), "/registrar(1)/registry?jsonp=f");
    assert!(call.contains(r#"f({"master":{"info":{"address":{"hostname":"localhost""#), "{call}");
}

#[test]
fn a_registry_in_use_is_not_touched() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = master(folder.path(), &[]);
    first.wait_for("slaves from the Registry");
    let mut second = master(folder.path(), &[]);
    assert_eq!(second.wait().code(), Some(1));
    let lock = folder.path().join("replicated_log/LOCK");
    let expected = format!(
        "Failed to recover the log: IO error: lock {}: Resource temporarily unavailable",
        lock.display()
    );
    assert!(second.printed().ends_with(&expected), "{}", second.printed());
}

#[test]
fn a_log_that_nobody_initialized_is_waited_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let flags = ["--no-log_auto_initialize", "--registry_fetch_timeout=2secs"];
    let mut master = master(folder.path(), &flags);
    master.wait_for("Replicated log has not been initialized. Did you");
    assert_eq!(master.wait().code(), Some(1));
    let expected = "Recovery failed: Failed to recover registrar: \
                    Failed to perform fetch within 2secs";
    assert!(master.printed().ends_with(expected), "{}", master.printed());
}

/// A limit to the size of files stands for a full disk: a write fails, and the process goes on.
#[test]
fn a_full_disk_ends_the_master_with_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new("sh");
    let script = "trap '' XFSZ; ulimit -f 16; exec \"$0\" \"$@\"";
    command.args(["-c", script]).arg(binary("mesos-master"));
    command.args(["--ip=127.0.0.1", "--port=0", "--registry_store_timeout=2secs"]);
    command.arg(format!("--work_dir={}", folder.path().display()));
    let mut limited = Daemon::spawn("mesos-master", command);
    let address = address(&limited);
    limited.wait_for("Recovered 0 slaves from the Registry");
    let slave = FakeScheduler::new(&address);
    let register = |hostname: String| {
        let slave = SlaveInfo { hostname, ..SlaveInfo::default() };
        RegisterSlaveMessage { slave, ..RegisterSlaveMessage::default() }
    };
    slave.send(&register("a".repeat(20_000)));
    assert_eq!(limited.wait().code(), Some(1));
    let printed = limited.printed();
    let last = printed.lines().last().expect("it says why");
    assert!(last.starts_with("Failed to admit slave "), "{last}");
    let why = ": Failed to update 'registry': Failed to perform store within 2secs";
    assert!(last.ends_with(why), "{last}");
    assert!(printed.contains("File too large"), "{printed}");

    // With room, it goes on with what was there.
    let master = master(folder.path(), &[]);
    master.wait_for("Recovered 0 slaves from the Registry");
}
