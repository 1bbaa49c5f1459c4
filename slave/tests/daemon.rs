//! The program mesos-slave: what it prints and how it ends.

#![allow(clippy::unwrap_used, reason = "helpers of tests are outside of test functions")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::process::{Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn slave(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mesos-slave"));
    command.args(["--ip=127.0.0.1", "--port=0"]).args(arguments);
    command
}

fn output(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    slave(arguments)
        .arg("--quiet")
        .arg(format!("--work_dir={}", folder.path().display()))
        .output()
        .unwrap()
}

/// It ends with status 1 and this line.
fn check_refused(arguments: &[&str], expected: &str) {
    let output = output(arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr.lines().next(), Some(expected), "{arguments:?}");
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
}

#[test]
fn flags_that_no_slave_can_start_with() {
    check_refused(&[], "Missing required option `--master`");
    check_refused(&["--foo"], "Failed to load unknown flag 'foo'");
    check_refused(
        &["--gc_delay=abc"],
        "Failed to load flag 'gc_delay': Failed to load value 'abc': Failed to convert '' to \
         number",
    );
    let check =
        |flag: &str, expected: &str| check_refused(&["--master=127.0.0.1:1", flag], expected);
    check(
        "--ip_discovery_command=true",
        "Only one of `--ip` or `--ip_discovery_command` should be specified",
    );
    check(
        "--containerizers=foo",
        "Failed to create a containerizer: Unknown or unsupported containerizer: foo",
    );
    check(
        "--isolation=foo",
        "Failed to create a containerizer: Could not create MesosContainerizer: Could not create \
         isolator 'foo': Unknown or unsupported isolator",
    );
    check("--hooks=foo", "Error installing hooks: No hook module named 'foo' available");
    check(
        "--resource_estimator=foo",
        "Failed to create resource estimator: Failed to create resource estimator module 'foo': \
         Module 'foo' unknown",
    );
    check(
        "--qos_controller=foo",
        "Failed to create QoS Controller: Failed to create QoS Controller module 'foo': Module \
         'foo' unknown",
    );
    check(
        "--attributes=kind:{a,b}",
        "Bad type for attribute kind text {a,b} type SET: not supported",
    );
    check(
        "--resources=cpus:a",
        "Failed to determine slave resources: Bad type for resource cpus value a type TEXT",
    );
    check_refused(&["--master=foo"], "Failed to create a master detector: Failed to parse 'foo'");
}

#[test]
fn help_and_version() {
    let version = output(&["--version"]);
    assert_eq!(String::from_utf8(version.stdout).unwrap(), "mesos 0.28.3\n");
    let help = output(&["--help"]);
    assert!(help.stdout.starts_with(b"Usage: mesos-slave [options]\n"));
    assert!(help.status.success());
}

#[test]
fn a_signal_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = slave(&["--master=127.0.0.1:1"])
        .arg(format!("--work_dir={}", folder.path().display()))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("Slave started on 1)@127.0.0.1:")));
    lines.find(|line| line.contains("Detecting new master")).unwrap();
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGUSR1).unwrap();
    assert!(lines.any(|line| line.contains("Received SIGUSR1 signal from user")));
    assert!(lines.any(|line| line.ends_with("Slave terminating")));
    assert!(child.wait().unwrap().success());
    assert_eq!(fs::read_to_string(folder.path().join("meta/boot_id")).unwrap().len(), 36);
}

#[test]
fn what_cannot_be_recovered_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let meta = folder.path().join("meta");
    let info = meta.join("slaves/S0/slave.info");
    fs::create_dir_all(info.parent().unwrap()).unwrap();
    fs::write(&info, [100, 0, 0, 0, 1]).unwrap();
    symlink(meta.join("slaves/S0"), meta.join("slaves/latest")).unwrap();
    let work_dir = format!("--work_dir={}", folder.path().display());
    let output = slave(&["--master=127.0.0.1:1", "--quiet", &work_dir]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let expected = format!(
        "Failed to perform recovery: Failed to read '{}': Failed to read message of size 100 \
         bytes: hit EOF unexpectedly, possible corruption\n\
         To remedy this do as follows:\n\
         Step 1: rm -f {}\n        \
         This ensures slave doesn't recover old live executors.\n\
         Step 2: Restart the slave.\n",
        info.display(),
        meta.join("slaves/latest").display()
    );
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.ends_with(&expected), "{stderr}");
}
