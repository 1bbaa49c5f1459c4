//! `mesos-resolve` as a real process; what needs ZooKeeper is tested where ZooKeeper is.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::process::{Command, Output};

fn resolve(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mesos-resolve"));
    command.args(arguments).env("LIBPROCESS_IP", "127.0.0.1").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_fixed_master_is_printed_without_asking_anybody() {
    let check = |master: &str| {
        let output = resolve(&[master]);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "127.0.0.1:1\n".into()));
    };
    check("127.0.0.1:1");
    check("master@127.0.0.1:1");
    check("localhost:1");
}

#[test]
fn what_cannot_be_resolved_is_named() {
    let check = |arguments: &[&str], code: i32, expected: &str| {
        let output = resolve(arguments);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{error}");
        assert!(error.starts_with(expected), "{error}");
        assert_eq!(text(&output.stdout), "");
    };
    let usage = "There must be only one argument: <master>\n\nUsage: mesos-resolve <master>\n\n";
    check(&[], 1, usage);
    check(&["one:1", "two:2"], 1, usage);
    check(&["quiet"], 1, "Failed to create a master detector: Failed to parse 'quiet'\n");
    check(
        &["zk://127.0.0.1:1"],
        1,
        "Failed to create a master detector: Expecting a (chroot) path for ZooKeeper ('/' is not \
         supported)\n",
    );
    check(
        &["--timeout=100ms", "zk://127.0.0.1:1/mesos"],
        255,
        "Failed to detect master from 'zk://127.0.0.1:1/mesos' within 100ms\n",
    );
    check(&["--timeout=soon", "one:1"], 1, "Failed to load flag 'timeout'");
}

#[test]
fn help_goes_to_stdout_and_lists_what_may_be_typed() {
    let output = resolve(&["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let help = text(&output.stdout);
    assert!(help.starts_with("Usage: mesos-resolve <master>\n\n"), "{help}");
    for (flag, default) in [
        ("--[no-]help", "(default: false)"),
        ("--timeout=VALUE", "(default: 5secs)"),
        ("--[no-]verbose", "(default: false)"),
    ] {
        let line = help.lines().find(|line| line.trim_start().starts_with(flag));
        assert!(line.is_some_and(|line| line.ends_with(default)), "{flag}: {help}");
    }
}
