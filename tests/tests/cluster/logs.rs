//! What operators and developers see of a running master: glog's lines, and the actor trace.

use std::process::Command;

use tests::daemon::{Daemon, binary};
use tests::http;

/// A master whose verbosity is `GLOG_v=level`; with its address.
fn master(folder: &std::path::Path, level: &str) -> (Daemon, String) {
    let mut command = Command::new(binary("mesos-master"));
    command.args(["--ip=127.0.0.1", "--port=0"]);
    command.arg(format!("--work_dir={}", folder.display())).env("GLOG_v", level);
    // `Daemon::spawn` takes away what this process was given, not what the test sets.
    let daemon = Daemon::spawn("mesos-master", command);
    let line = daemon.wait_for(" started on ");
    let address = line.rsplit(' ').next().expect("an address").to_owned();
    (daemon, address)
}

/// Whether a line is glog's: `I1229 22:42:38.818521 11830 process.rs:2426] text`.
fn is_glog(line: &str) -> bool {
    let Some((head, _)) = line.split_once("] ") else { return false };
    let fields: Vec<&str> = head.split_whitespace().collect();
    let [date, time, thread, place] = fields[..] else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (severity, day) = date.split_at(1);
    "IWEF".contains(severity)
        && day.len() == 4
        && digits(day)
        && time.len() == 15
        && digits(thread)
        && place.split_once(".rs:").is_some_and(|(_, number)| digits(number))
}

#[test]
fn lines_are_those_of_glog() {
    let folder = tempfile::tempdir().expect("a folder");
    let (master, _) = master(folder.path(), "0");
    master.wait_for("Elected as the leading master!");
    let printed = master.printed();
    assert!(printed.lines().any(is_glog), "{printed}");
    let odd: Vec<_> = printed.lines().filter(|line| !is_glog(line)).collect();
    // A warning of four lines, in upstream's words.
    let is_warning = |line: &str| line.starts_with("****") || line.starts_with("Master bound to");
    assert!(odd.iter().all(|line| is_warning(line)), "{odd:#?}");
}

#[test]
fn actors_are_traced_in_the_words_of_upstream() {
    let folder = tempfile::tempdir().expect("a folder");
    let (master, address) = master(folder.path(), "3");
    master.wait_for(&format!("Spawned process master@{address}"));
    master.wait_for(&format!("Resuming master@{address} at 2"));
    master.wait_for("Created a timer for ");
    http::get(&address, "/health");
    master.wait_for("Handling HTTP event for process 'master' with path: '/master/health'");
}

#[test]
fn logging_toggle_switches_the_trace_on_and_back_off() {
    let folder = tempfile::tempdir().expect("a folder");
    let (master, address) = master(folder.path(), "0");
    master.wait_for("Elected as the leading master!");
    assert!(!master.printed().contains("Resuming "));
    assert_eq!(http::get(&address, "/logging/toggle?level=3&duration=1secs").0, 200);
    http::get(&address, "/health");
    master.wait_for(&format!("Resuming master@{address} at "));
    let back = "Setting verbose logging level to 0";
    let (after, _) = master.wait_for_after(0, back);
    assert_eq!(http::get(&address, "/logging/toggle"), (200, "0\n".to_owned()));
    let quiet = master.printed();
    let traced = quiet.lines().skip(after).filter(|line| line.contains("Resuming ")).count();
    // The actor that switches it off is on a thread already when it does.
    assert!(traced <= 1, "{quiet}");
}
