//! `mesos-log` as a real process, on files.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_mesos-log");

fn run(arguments: &[&str]) -> (i32, String, String) {
    let output: Output = Command::new(PROGRAM).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn path_flag(path: &Path) -> String {
    format!("--path={}", path.display())
}

/// What a master of 0.28.3 has left behind.
fn sample() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let archive = fs::File::open("../tests/golden/log/replicated_log.tar.gz").unwrap();
    tar::Archive::new(flate2::read::GzDecoder::new(archive)).unpack(folder.path()).unwrap();
    let path = folder.path().join("replicated_log");
    (folder, path)
}

fn commands() -> String {
    format!(
        "Usage: {PROGRAM} <command> [OPTIONS]\n\nAvailable commands:\n    help\n    replica\n    \
         read\n    initialize\n    benchmark\n"
    )
}

#[test]
fn mesos_log_without_a_command_lists_them() {
    assert_eq!(run(&[]), (1, String::new(), commands()));
    assert_eq!(run(&["help"]), (0, String::new(), commands()));
    let unknown = format!("Cannot find command 'nope'\n\n{}", commands());
    assert_eq!(run(&["nope"]), (1, String::new(), unknown));
}

#[test]
fn mesos_log_help_of_a_command_fails() {
    for arguments in [["help", "read"], ["read", "--help"]] {
        let (code, out, err) = run(&arguments);
        assert_eq!((code, out), (1, String::new()));
        let heading = "Usage: read [options]\n\nThis command is used to read the log.\n\n\n\n";
        assert!(err.starts_with(heading), "{err}");
        assert!(err.contains("  --from=VALUE") && err.contains("  --[no-]quiet"), "{err}");
    }
}

#[test]
fn mesos_log_says_what_is_missing() {
    let check = |arguments: &[&str], expected: &str| {
        let (code, out, err) = run(arguments);
        assert_eq!((code, out), (1, String::new()));
        assert!(err.starts_with(&format!("{expected}\n\nUsage: {} [", arguments[0])), "{err}");
    };
    check(&["read"], "Missing required flag --path");
    check(&["initialize"], "Missing required option --path");
    check(&["replica"], "Missing required option --quorum");
    check(&["replica", "--quorum=1"], "Missing required option --path");
    check(&["benchmark", "--quorum=1", "--path=x"], "Missing required option --servers");
    check(&["replica", "--quorum=1", "--path=x", "--servers=y"], "Missing required option --znode");
    let place = ["benchmark", "--quorum=1", "--path=x", "--servers=y", "--znode=/z"];
    check(&place, "Missing required option --input");
    check(&["read", "--nope"], "Failed to load unknown flag 'nope'");
}

#[test]
fn mesos_log_initialize_makes_a_replica_vote_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let flag = path_flag(&path);
    let (code, out, _) = run(&["initialize", &flag, "--timeout=1mins"]);
    assert_eq!((code, out), (0, String::new()));
    let (code, _, err) = run(&["initialize", &flag, "--quiet"]);
    assert_eq!((code, err), (1, "The log is not empty\n".to_owned()));
    // Without an entry there is nothing to print, but the position that is still a hole.
    assert_eq!(run(&["read", &flag, "--quiet"]), (0, String::new(), String::new()));
}

#[test]
fn mesos_log_replica_refuses_a_log_that_is_not_empty() {
    let (_folder, path) = sample();
    let arguments = ["--quorum=1", &path_flag(&path), "--servers=127.0.0.1:1", "--znode=/log"];
    let (code, _, err) = run(&[&["replica", "--quiet"], &arguments[..]].concat());
    assert_eq!((code, err), (1, "The log is not empty\n".to_owned()));
}

#[test]
fn mesos_log_read_prints_what_an_upstream_master_has_written() {
    let (_folder, path) = sample();
    let flag = path_flag(&path);
    let (code, out, err) = run(&["read", &flag, "--from=6", "--quiet"]);
    let expected = "----------------------------------------------\nposition: 6\npromised: 1\n\
                    performed: 1\nlearned: true\ntype: TRUNCATE\ntruncate {\n  to: 5\n}\n";
    assert_eq!((code, out, err), (0, expected.to_owned(), String::new()));
    let (code, out, _) = run(&["read", &flag, "--timeout=1mins"]);
    assert_eq!(code, 0);
    assert!(out.contains("type: APPEND\nappend {\n  bytes: \"\\010\\001\\022"), "{out}");

    let check = |from: &str, to: &str, expected: &str| {
        let (code, out, err) = run(&["read", &flag, "--quiet", from, to]);
        assert_eq!((code, out, err), (1, String::new(), format!("{expected}\n")));
    };
    check("--from=6", "--to=5", "Bad read range (to < from)");
    check("--from=4", "--to=5", "Bad read range (truncated position)");
    check("--from=5", "--to=7", "Bad read range (past end of log)");
}
