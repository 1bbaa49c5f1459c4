//! The verbose lines by which operators follow actors: a process of its own runs a few actors at
//! `GLOG_v=3`, and its stderr is read.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use libprocess::http::Response;
use libprocess::testing::{runtime, wait};
use libprocess::{Ctx, Inject, Process, Router, Runtime, logging};

struct Actor;

impl Process for Actor {
    fn install(&self, router: &mut Router<Self>) {
        router.route("/", None, |_: &mut Self, _, _| Response::ok(""));
    }

    fn initialize(&mut self, ctx: &mut Ctx<Self>) {
        ctx.after(Duration::from_secs(90), |_, _| ());
    }
}

fn exchange(runtime: &Runtime, request: &str) {
    let mut stream = TcpStream::connect(runtime.bound()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
}

/// Not a test of its own: the program that the other one runs.
#[test]
fn program() {
    let env = |name: &str| std::env::var(name).ok();
    if env("GLOG_v").is_none() {
        return;
    }
    logging::init(&logging::Config::default(), "trace", env).unwrap();
    let runtime = runtime();
    let actor = runtime.spawn("actor", Actor).unwrap();
    let from = "Libprocess-From: y@127.0.0.1:9\r\nConnection: close\r\n\r\n";
    exchange(&runtime, &format!("POST /actor/a.b.Name HTTP/1.1\r\n{from}"));
    exchange(&runtime, &format!("POST /none/a.b.Name HTTP/1.1\r\n{from}"));
    exchange(&runtime, "GET /actor HTTP/1.1\r\nConnection: close\r\n\r\n");
    exchange(&runtime, "GET /none HTTP/1.1\r\nConnection: close\r\n\r\n");
    actor.terminate(Inject::Back);
    wait(actor.wait());
    runtime.post(actor.upid(), actor.upid(), "a.b.Name", "".into());
    println!("address={}", runtime.address());
    wait(runtime.shutdown());
    std::process::exit(0);
}

/// The lines of the program after glog's prefix.
fn lines(level: &str) -> (String, Vec<String>) {
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.args(["--exact", "program", "--nocapture"]).env("GLOG_v", level);
    let output = program.output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let address = stdout.split("address=").nth(1).unwrap().lines().next().unwrap().to_owned();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let texts = stderr.lines().filter_map(|line| Some(line.split_once("] ")?.1.to_owned()));
    (address, texts.collect())
}

#[test]
fn actors_are_traced_in_the_words_of_upstream() {
    let (address, lines) = lines("3");
    let mut expected = vec![
        format!("Spawned process actor@{address}"),
        "Attempting to parse 'y@127.0.0.1:9' into a PID".to_owned(),
        format!("Parsed message name 'a.b.Name' for actor@{address} from y@127.0.0.1:9"),
        "Accepted libprocess message to /actor/a.b.Name".to_owned(),
        "Failed to handle libprocess message to /none/a.b.Name: not found".to_owned(),
        "Handling HTTP event for process 'actor' with path: '/actor'".to_owned(),
        "Returning '404 Not Found' for '/none'".to_owned(),
        format!("Cleaning up actor@{address}"),
        format!("Dropping event for process actor@{address}"),
    ];
    expected.reverse();
    for line in &lines {
        if expected.last() == Some(line) {
            expected.pop();
        }
    }
    assert!(expected.is_empty(), "missing or out of order: {expected:?} in {lines:#?}");
    let starts = [
        format!("libprocess is initialized on {address} for "),
        format!("Resuming actor@{address} at 2"),
        format!("Created a timer for actor@{address} in 90secs in the future (2"),
        "Have timeout(s) at 2".to_owned(),
    ];
    for start in starts {
        assert!(lines.iter().any(|line| line.starts_with(&start)), "{start} in {lines:#?}");
    }
}

#[test]
fn verbose_lines_have_levels() {
    let check = |level: &str, shown: &[&str], hidden: &[&str]| {
        let (_, lines) = lines(level);
        let any = |start: &&str| lines.iter().any(|line| line.starts_with(start));
        assert!(shown.iter().all(any), "{level}: {lines:#?}");
        assert!(!hidden.iter().any(any), "{level}: {lines:#?}");
    };
    check("0", &[], &["libprocess is", "Spawned process", "Created a timer"]);
    check("1", &["libprocess is", "Handling HTTP event"], &["Spawned process", "Created a timer"]);
    check("2", &["libprocess is", "Spawned process", "Resuming"], &["Created a timer"]);
}
