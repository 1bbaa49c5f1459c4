//! What comes from outside and is wrong: each gives one clear error, and the daemon goes on.

use std::time::Duration;

use nix::sys::signal::Signal;
use proto::mesos::TaskState;
use proto::mesos::internal::RegisterFrameworkMessage;
use proto::mesos::task_status::Reason;
use tests::cluster::Cluster;
use tests::daemon::Daemon;
use tests::fakes::scheduler::{Event, FakeScheduler, framework};
use tests::http;
use tests::make::{IntoId, command_task, resources};

fn a_framework() -> proto::mesos::FrameworkInfo {
    framework(Duration::ZERO)
}

#[test]
fn garbage_on_the_port_ends_a_connection_and_nothing_else() {
    let mut cluster = Cluster::start();
    let slave = cluster.slave().start();
    let shown = cluster.get("/slaves");
    let pid = shown["slaves"][0]["pid"].as_str().expect("a pid").to_owned();
    let slave_address = pid.split('@').nth(1).expect("an address");
    let message = b"POST /master/mesos.internal.RegisterSlaveMessage HTTP/1.1\r\n\
        Libprocess-From: x@127.0.0.1:1\r\nContent-Length: 99\r\n\r\ncut off";
    let pieces: [&[u8]; 6] = [
        b"",
        b"\0\xff\x16\x03\x01garbage",
        b"PATCH / HTTP/1.1\r\n\r\n",
        b"GET /state HTTP/1.1\r\nUpgrade: h2c\r\n\r\nPRI * HTTP/2.0\r\n\r\n",
        b"POST http://h HTTP/1.1\r\nLibprocess-From: x@127.0.0.1:1\r\n\r\n",
        message,
    ];
    for bytes in pieces {
        http::send_raw(cluster.address(), bytes);
        http::send_raw(slave_address, bytes);
    }
    assert!(cluster.master.is_running());
    assert_eq!(http::get(cluster.address(), "/health").0, 200);
    assert_eq!(http::get(slave_address, "/slave(1)/health").0, 200);
    drop(slave);
}

#[test]
fn message_without_required_fields_is_named_and_dropped() {
    let cluster = Cluster::start();
    let request = "POST /master/mesos.internal.RegisterFrameworkMessage HTTP/1.1\r\n\
        Libprocess-From: x@127.0.0.1:1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let answer = http::send_raw(cluster.address(), request.as_bytes());
    assert!(answer.starts_with(b"HTTP/1.1 202 Accepted"));
    cluster.master.wait_for("Initialization errors: framework");
    let _scheduler = FakeScheduler::registered(cluster.address(), a_framework());
}

#[test]
fn task_that_uses_more_than_the_offer_is_an_error() {
    let cluster = Cluster::start();
    let _slave = cluster.slave().start();
    let mut scheduler = FakeScheduler::registered(cluster.address(), a_framework());
    let offer = scheduler.expect_offer();
    let mut task = command_task("greedy", &offer, "true");
    task.resources = resources("cpus:4000;mem:32");
    scheduler.launch(&offer, std::slice::from_ref(&task));
    let error = scheduler.expect_state(&task, TaskState::TaskError).update.status;
    assert_eq!(error.reason(), Reason::TaskInvalid);
    assert!(error.message().starts_with("Task uses more resources"), "{}", error.message());
}

#[test]
fn launch_on_an_unknown_offer_loses_the_task() {
    let cluster = Cluster::start();
    let _slave = cluster.slave().start();
    let mut scheduler = FakeScheduler::registered(cluster.address(), a_framework());
    let offer = scheduler.expect_offer();
    let task = command_task("task", &offer, "true");
    scheduler.launch_on(&"no-such-offer".into_id(), std::slice::from_ref(&task));
    let lost = scheduler.expect_state(&task, TaskState::TaskLost).update.status;
    assert_eq!(lost.reason(), Reason::InvalidOffers);
    let why = "Task launched with invalid offers: Offer no-such-offer is no longer valid";
    assert_eq!(lost.message(), why);
}

#[test]
fn second_task_of_the_same_id_is_an_error() {
    let cluster = Cluster::start();
    let _slave = cluster.slave().start();
    let mut scheduler = FakeScheduler::registered(cluster.address(), a_framework());
    let offer = scheduler.expect_offer();
    let task = command_task("twin", &offer, "exec sleep 1000");
    scheduler.launch(&offer, std::slice::from_ref(&task));
    scheduler.expect_state(&task, TaskState::TaskRunning);
    let offer = scheduler.expect_offer();
    let twin = command_task("twin", &offer, "true");
    scheduler.launch(&offer, std::slice::from_ref(&twin));
    let error = scheduler.expect_state(&twin, TaskState::TaskError).update.status;
    assert_eq!(error.message(), "Task has duplicate ID: twin");
}

#[test]
fn ids_reach_no_other_folder_and_no_shell() {
    let cluster = Cluster::start();
    let _slave = cluster.slave().start();
    let mut scheduler = FakeScheduler::registered(cluster.address(), a_framework());
    for id in ["../../escape", "..", "a/b", "a\\b", "a\nb"] {
        let offer = scheduler.expect_offer();
        let task = command_task(id, &offer, "true");
        scheduler.launch(&offer, std::slice::from_ref(&task));
        let error = scheduler.expect_state(&task, TaskState::TaskError).update.status;
        assert_eq!(error.reason(), Reason::TaskInvalid, "{id:?}: {}", error.message());
    }
    let stray = cluster.folder().join("stray");
    let offer = scheduler.expect_offer();
    let id = "$(touch stray); touch stray; `touch stray`".replace("stray", "s");
    let task = command_task(&id, &offer, "true");
    scheduler.launch(&offer, std::slice::from_ref(&task));
    scheduler.expect_state(&task, TaskState::TaskFinished);
    assert!(!stray.exists());
}

#[test]
fn framework_that_names_a_framework_of_somebody_else_is_refused() {
    let cluster = Cluster::start();
    let first = FakeScheduler::registered(cluster.address(), framework(Duration::from_secs(60)));
    let mut second = FakeScheduler::new(cluster.address());
    let info = proto::mesos::FrameworkInfo { id: Some(first.id.clone()), ..a_framework() };
    second.send(&RegisterFrameworkMessage { framework: info });
    let why = second.expect("refusal", |event| match event {
        Event::Error(why) => Some(why),
        _ => None,
    });
    assert_eq!(why, "Registering with 'id' already set");
}

/// A program that cannot start says why and exits with 1.
fn refuses(program: &str, flags: &[&str], why: &str) {
    let arguments: Vec<_> = flags.iter().map(|&flag| flag.to_owned()).collect();
    let mut daemon = Daemon::start(program, &arguments);
    assert_eq!(daemon.wait().code(), Some(1), "{flags:?}: {}", daemon.printed());
    assert!(daemon.printed().contains(why), "{flags:?}: {}", daemon.printed());
}

#[test]
fn flags_that_cannot_be_used_are_named() {
    refuses("mesos-master", &["--bogus"], "Failed to load unknown flag 'bogus'");
    let bad_port = "Failed to load flag 'port': Failed to load value 'abc': \
        Failed to convert into required type";
    refuses("mesos-master", &["--port=abc"], bad_port);
    let slave = ["--master=127.0.0.1:5050", "--ip=127.0.0.1", "--port=0"];
    refuses("mesos-slave", &[&slave[..], &["--resources=cpus:x:y"]].concat(), "cpus:x:y");
    let set = [&slave[..], &["--attributes=kind:{a,b}"]].concat();
    refuses("mesos-slave", &set, "kind");
    refuses("mesos-slave", &["--ip=127.0.0.1"], "Missing required option `--master`");
    refuses("mesos-execute", &["--name=x"], "--master");
}

#[test]
fn sigterm_ends_a_daemon_with_one_line() {
    let mut cluster = Cluster::start();
    cluster.master.signal(Signal::SIGTERM);
    cluster.master.wait();
    assert!(cluster.master.printed().contains("Received signal SIGTERM from process"));
}
