//! Logs as a whole process writes them: each case runs this binary once more as a program that
//! logs, and reads what it left on stderr and on disk.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};

use libprocess::logging::{self, Config};
use libprocess::{vlog, vlog_is_on};

/// Not a test of its own: the program that the others run, told by `PROGRAM` what to do.
#[test]
fn program() {
    let env = |name: &str| std::env::var(name).ok();
    let Some(act) = env("PROGRAM") else { return };
    let config = Config {
        quiet: env("QUIET").is_some(),
        logging_level: env("LEVEL").unwrap_or("INFO".to_owned()),
        log_dir: env("DIR"),
        logbufsecs: env("BUFFER").map_or(0, |secs| secs.parse().unwrap()),
        ..Config::default()
    };
    if let Err(error) = logging::init(&config, "/usr/sbin/mesos-test", env) {
        eprintln!("{error}");
        std::process::exit(1);
    }
    perform(&act);
    std::process::exit(0);
}

fn perform(act: &str) {
    match act {
        "speak" => speak(),
        "toggle" => toggle(),
        "again" => {
            let again = logging::init(&Config::default(), "again", |_| None);
            assert!(matches!(again, Err(logging::InitError::AlreadyInitialized)));
        }
        "fatal" => libprocess::fatal!("Failed to bind: {}", "address in use"),
        "nested" => tracing::info!("outer {}", Chatty),
        "sigterm" => {
            logging::handle_signals().unwrap();
            tracing::info!("ready");
            nix::sys::signal::raise(nix::sys::signal::SIGTERM).unwrap();
            loop {
                std::thread::park();
            }
        }
        "abort" => {
            logging::handle_signals().unwrap();
            std::process::abort();
        }
        "overflow" => {
            logging::handle_signals().unwrap();
            std::hint::black_box(endless(0));
        }
        "panic" => {
            logging::handle_signals().unwrap();
            let _ = std::thread::spawn(|| panic!("out of {}", "cheese")).join();
        }
        other => unreachable!("{other}"),
    }
}

fn speak() {
    tracing::debug!("never shown");
    tracing::info!("an info of {} words", 4);
    tracing::warn!(task = 7, "a warning");
    tracing::error!("an error");
    vlog!(1, "verbose 1");
    vlog!(2, "verbose 2");
}

fn toggle() {
    let say = |step: &str| {
        vlog!(2, "{step}");
        assert_eq!(vlog_is_on!(3), logging::verbosity() >= 3);
    };
    say("before");
    logging::set_verbosity(3);
    say("during");
    logging::set_verbosity(logging::original_verbosity());
    say("after");
}

/// Uses up the stack.
fn endless(depth: u64) -> u64 {
    if std::hint::black_box(depth) == u64::MAX { 0 } else { endless(depth + 1) + 1 }
}

struct Chatty;

impl std::fmt::Display for Chatty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        tracing::warn!("inner");
        f.write_str("text")
    }
}

fn run(act: &str, env: &[(&str, &str)]) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "program", "--nocapture"])
        .env_clear()
        .env("PROGRAM", act)
        .env("USER", "operator")
        .envs(env.iter().copied())
        .output()
        .unwrap()
}

/// The lines on stderr, without their prefixes except for the severity: `I an info of 4 words`.
fn texts(log: &str) -> Vec<String> {
    log.lines().map(text).collect()
}

fn text(line: &str) -> String {
    match line.split_once("] ") {
        Some((prefix, text)) => format!("{} {text}", &prefix[..1]),
        None => line.to_owned(),
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

const INFO: &str = "I an info of 4 words";
const WARNING: &str = "W a warning task=7";
const ERROR: &str = "E an error";

#[test]
fn lines_have_glogs_format() {
    let log = stderr(&run("speak", &[("TZ", "UTC")]));
    let line = log.lines().next().unwrap();
    // I1229 22:42:38.818521 11830 process.rs:2426] text
    let digits: String = line.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    let (head, tail) = digits.split_at("I1229 22:42:38.818521 ".len());
    assert_eq!(head, "I0000 00:00:00.000000 ");
    let (thread, rest) = tail.trim_start().split_once(' ').unwrap();
    assert!(thread.bytes().all(|c| c == b'0'));
    assert_eq!(tail.len() - rest.len() - 1, thread.len().max(5));
    assert_eq!(rest, "logging.rs:00] an info of 0 words");
}

#[test]
fn who_hears_what() {
    let check = |env: &[(&str, &str)], expected: &[&str]| {
        assert_eq!(texts(&stderr(&run("speak", env))), expected, "{env:?}");
    };
    check(&[], &[INFO, WARNING, ERROR]);
    check(&[("LEVEL", "WARNING")], &[WARNING, ERROR]);
    check(&[("LEVEL", "ERROR")], &[ERROR]);
    check(&[("GLOG_minloglevel", "1")], &[WARNING, ERROR]);
    check(&[("GLOG_minloglevel", "1"), ("LEVEL", "ERROR")], &[ERROR]);
    check(&[("GLOG_minloglevel", "3")], &[]);
    check(&[("QUIET", "")], &[]);
    let all = [INFO, WARNING, ERROR];
    check(&[("QUIET", ""), ("MESOS_VERBOSE", "1")], &all);
    check(&[("LEVEL", "ERROR"), ("MESOS_VERBOSE", "1")], &all);
    check(&[("QUIET", ""), ("GLOG_v", "1")], &[]);
    let v1 = [INFO, WARNING, ERROR, "I verbose 1"];
    let started = [&["I Logging to STDERR"], &v1[..]].concat();
    check(&[("GLOG_v", "1")], &started);
    check(&[("GLOG_v", "2")], &[&started[..], &["I verbose 2"]].concat());
    check(&[("GLOG_vmodule", "loggin?=1")], &v1);
    check(&[("GLOG_vmodule", "log*=1,logging=2")], &v1);
    check(&[("GLOG_v", "2"), ("GLOG_vmodule", "*=0")], &all);
    check(&[("GLOG_v", "2"), ("LEVEL", "WARNING")], &[WARNING, ERROR]);
}

#[test]
fn bad_level_exits_with_upstreams_text() {
    let output = run("speak", &[("LEVEL", "LOUD")]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stderr(&output),
        "'LOUD' is not a valid logging level. Possible values for 'logging_level' flag are:  \
         'INFO', 'WARNING', 'ERROR'.\n"
    );
}

#[test]
fn log_dir_that_cannot_be_made_exits_with_upstreams_text() {
    let output = run("speak", &[("DIR", "/proc/nowhere")]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stderr(&output),
        "Could not initialize logging: Failed to create directory /proc/nowhere: \
         No such file or directory\n"
    );
}

fn file(dir: &Path, severity: &str) -> Vec<String> {
    let log = fs::read_to_string(dir.join(format!("mesos-test.{severity}"))).unwrap();
    let mut lines = log.lines();
    assert!(lines.next().unwrap().starts_with("Log file created at: 20"));
    assert!(lines.next().unwrap().starts_with("Running on machine: "));
    let format = "Log line format: [IWEF]mmdd hh:mm:ss.uuuuuu threadid file:line] msg";
    assert_eq!(lines.next(), Some(format));
    lines.map(text).collect()
}

#[test]
fn severity_files_hold_the_higher_ones_too() {
    let dir = tempfile::tempdir().unwrap();
    let logs = dir.path().join("to/be/made");
    let output = run("speak", &[("DIR", logs.to_str().unwrap())]);
    let started = "I INFO level logging started!";
    assert_eq!(texts(&stderr(&output)), [started, INFO, WARNING, ERROR]);
    assert_eq!(file(&logs, "INFO"), [started, INFO, WARNING, ERROR]);
    assert_eq!(file(&logs, "WARNING"), [WARNING, ERROR]);
    assert_eq!(file(&logs, "ERROR"), [ERROR]);
    assert!(!logs.join("mesos-test.FATAL").exists());

    let target = fs::read_link(logs.join("mesos-test.WARNING")).unwrap();
    let host = nix::unistd::gethostname().unwrap().into_string().unwrap();
    let name = target.to_str().unwrap();
    let rest = name.strip_prefix(&format!("mesos-test.{host}.operator.log.WARNING.")).unwrap();
    let (time, pid) = rest.split_once('.').unwrap();
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "00000000-000000");
    assert!(pid.parse::<u32>().is_ok());
}

#[test]
fn quiet_and_level_with_log_dir() {
    let check = |env: &[(&str, &str)], on_stderr: &[&str], on_disk: &[&str]| {
        let dir = tempfile::tempdir().unwrap();
        let env = [env, &[("DIR", dir.path().to_str().unwrap())]].concat();
        assert_eq!(texts(&stderr(&run("speak", &env))), on_stderr, "{env:?}");
        assert_eq!(file(dir.path(), "INFO"), on_disk, "{env:?}");
    };
    let all = ["I INFO level logging started!", INFO, WARNING, ERROR];
    let some = ["W WARNING level logging started!", WARNING, ERROR];
    check(&[("QUIET", "")], &[], &all);
    check(&[("QUIET", ""), ("GLOG_alsologtostderr", "1")], &all, &all);
    check(&[("QUIET", ""), ("MESOS_VERBOSE", "1")], &all, &all);
    check(&[("LEVEL", "WARNING")], &some, &some);
    check(&[("LEVEL", "WARNING"), ("QUIET", "")], &[], &some);
    check(
        &[("LEVEL", "WARNING"), ("MESOS_VERBOSE", "1")],
        &["W WARNING level logging started!", INFO, WARNING, ERROR],
        &some,
    );
}

#[test]
fn buffered_lines_reach_the_disk_at_exit() {
    let dir = tempfile::tempdir().unwrap();
    run("toggle", &[("DIR", dir.path().to_str().unwrap()), ("BUFFER", "3600")]);
    assert_eq!(file(dir.path(), "INFO"), ["I INFO level logging started!", "I during"]);
}

#[test]
fn toggle_changes_the_global_level_and_no_module() {
    let check = |env: &[(&str, &str)], expected: &[&str]| {
        assert_eq!(texts(&stderr(&run("toggle", env))), expected, "{env:?}");
    };
    check(&[], &["I during"]);
    let before = "I Logging to STDERR";
    check(&[("GLOG_v", "2")], &[before, "I before", "I during", "I after"]);
}

#[test]
fn second_init_is_an_error_value() {
    assert!(run("again", &[]).status.success());
}

#[test]
fn text_that_logs_while_it_is_printed() {
    assert_eq!(texts(&stderr(&run("nested", &[]))), ["W inner", "I outer text"]);
}

#[test]
fn fatal_says_so_everywhere_and_aborts() {
    let dir = tempfile::tempdir().unwrap();
    let output = run("fatal", &[("QUIET", ""), ("DIR", dir.path().to_str().unwrap())]);
    let log = texts(&stderr(&output));
    assert_eq!(log[0], "F Failed to bind: address in use");
    assert_eq!(log[1], "*** Check failure stack trace: ***");
    assert_eq!(file(dir.path(), "FATAL"), log[..1]);
    assert_eq!(output.status.signal(), Some(nix::libc::SIGABRT));
}

#[test]
fn sigterm_names_its_sender_and_ends_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let output = run("sigterm", &[("DIR", dir.path().to_str().unwrap()), ("BUFFER", "3600")]);
    assert_eq!(output.status.signal(), Some(nix::libc::SIGTERM));
    let log = file(dir.path(), "INFO");
    let line = log.last().unwrap();
    assert!(line.starts_with("W RAW: Received signal SIGTERM from process "), "{line}");
    let uid = nix::unistd::getuid();
    assert!(line.ends_with(&format!(" of user {uid}; exiting")), "{line}");
    assert_eq!(texts(&stderr(&output)), log);
}

#[test]
fn crash_leaves_a_note() {
    let check = |act: &str, signal: i32, name: &str| {
        let output = run(act, &[]);
        assert_eq!(output.status.signal(), Some(signal));
        let log = stderr(&output);
        let (first, second) = log.trim_end().split_once('\n').unwrap();
        assert!(first.starts_with("*** Aborted at "), "{log}");
        assert!(second.starts_with(&format!("*** {name} (@0x")), "{log}");
        assert!(second.ends_with("; stack trace: ***"), "{log}");
    };
    check("abort", nix::libc::SIGABRT, "SIGABRT");
    check("overflow", nix::libc::SIGSEGV, "SIGSEGV");
}

#[test]
fn panic_is_in_the_log() {
    let output = run("panic", &[]);
    assert_eq!(texts(&stderr(&output))[0], "E Panic: out of cheese");
    assert!(output.status.success());
}

#[test]
fn files_that_cannot_be_made_are_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let output = run("speak", &[("DIR", dir.path().to_str().unwrap()), ("USER", "no/body")]);
    let log = texts(&stderr(&output));
    let (complaints, lines): (Vec<_>, Vec<_>) =
        log.iter().partition(|line| line.starts_with("Could not create log file"));
    assert_eq!(complaints.len(), 3, "INFO, WARNING, ERROR: {log:?}");
    assert_eq!(lines, ["I INFO level logging started!", INFO, WARNING, ERROR]);
    assert!(output.status.success());
}
