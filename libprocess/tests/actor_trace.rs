//! The actor trace: what caused what, within a process and across two, and what was lost.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use libprocess::http::{Body, Request, Response};
use libprocess::testing::{runtime, start, wait};
use libprocess::{Config, Ctx, Inject, Process, Router, Runtime, Upid, logging};
use serde_json::Value;
use tokio::sync::oneshot;

/// The answer to a request for a path with its query.
fn get(runtime: &Runtime, target: &str) -> (u16, String) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let query = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let request = Request { path: path.to_owned(), query, ..Request::default() };
    let Response { status, body, .. } = wait(runtime.request(request));
    let text = match body {
        Body::Empty => String::new(),
        Body::Bytes(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        Body::File(_) | Body::Stream(_) => panic!("not held in memory"),
    };
    (status.as_u16(), text)
}

/// The events of an export by their ids.
struct Trace(BTreeMap<String, Value>);

impl Trace {
    fn of(runtime: &Runtime, merge: &str) -> Self {
        let (status, text) =
            get(runtime, &format!("/__trace__/export?format=chrome&merge={merge}"));
        assert_eq!(status, 200, "{text}");
        let document: Value = serde_json::from_str(&text).unwrap();
        let events = document["traceEvents"].as_array().unwrap();
        let slices = events.iter().filter(|event| event["ph"] == "X");
        let id = |event: &Value| event["args"]["id"].as_str().unwrap().to_owned();
        Self(slices.map(|event| (id(event), event.clone())).collect())
    }

    /// The last event of that name and kind.
    fn find(&self, name: &str, kind: &str) -> &Value {
        let found = self.0.values().filter(|event| event["name"] == name && event["cat"] == kind);
        found.max_by_key(|event| event["args"]["began_nanos"].as_u64()).unwrap_or_else(|| {
            panic!("no {kind} {name} in {:#?}", self.0);
        })
    }

    /// The names of an event and its causes.
    fn history<'a>(&'a self, event: &'a Value) -> Vec<&'a str> {
        let cause = |event: &&'a Value| self.0.get(event["args"]["cause"].as_str()?);
        let events = std::iter::successors(Some(event), cause);
        events.map(|event| event["name"].as_str().unwrap()).collect()
    }
}

/// Passes `Begin` on by all the ways there are, and in the end sends `Over` to `to`.
struct Relay {
    to: Upid,
}

impl Process for Relay {
    fn install(&self, router: &mut Router<Self>) {
        router.on_raw("Begin", |_: &mut Self, ctx, _, _| {
            let pid = ctx.pid().clone();
            pid.tell(Self::called);
        });
        router.on_raw("Over", |_: &mut Self, _, _, _| ());
        router.route("/begin", None, |_: &mut Self, ctx, _| {
            ctx.send_raw(&ctx.upid().clone(), "Begin", Bytes::new());
            Response::ok("")
        });
    }
}

impl Relay {
    fn called(&mut self, ctx: &mut Ctx<Self>) {
        ctx.after(Duration::from_millis(1), Self::timed);
    }

    fn timed(&mut self, ctx: &mut Ctx<Self>) {
        let slept = ctx.runtime().clock().sleep(Duration::from_millis(1));
        ctx.then(slept, Self::done);
    }

    fn done(&mut self, ctx: &mut Ctx<Self>, (): ()) {
        ctx.send_raw(&self.to, "Over", Bytes::from_static(b"body"));
    }
}

/// Completes when `to` has got a message of that name.
fn next(runtime: &Runtime, name: &'static str, to: &Upid) -> impl Future<Output = ()> {
    let (tell, told) = oneshot::channel();
    let (mut tell, to) = (Some(tell), to.clone());
    let installed = runtime.filter(move |envelope| {
        if envelope.name == name && *envelope.to == to {
            // The test waits.
            let _ = tell.take().map(|tell| tell.send(()));
        }
        libprocess::testing::Verdict::NotMine
    });
    async move {
        told.await.unwrap();
        drop(installed);
    }
}

#[test]
fn causes_survive_calls_timers_futures_and_requests() {
    let runtime = runtime();
    let sink = runtime.spawn("sink", Relay { to: Upid::empty() }).unwrap();
    let relay = runtime.spawn("relay", Relay { to: sink.upid().clone() }).unwrap();
    let over = next(&runtime, "Over", sink.upid());
    assert_eq!(get(&runtime, "/relay/begin").0, 200);
    wait(over);
    wait(runtime.settle());
    let trace = Trace::of(&runtime, "");
    let over = trace.find("Over", "message");
    let history = ["Over", "Relay::done", "Relay::timed", "Relay::called", "Begin"];
    assert_eq!(trace.history(over), [&history[..], &["GET /relay/begin"]].concat());
    let arguments = &over["args"];
    assert_eq!(arguments["from"], relay.upid().to_string());
    assert_eq!(arguments["to"], sink.upid().to_string());
    assert_eq!(arguments["bytes"], 4);
    let at = |name: &str| arguments[name].as_u64().unwrap();
    assert!(at("queued_nanos") <= at("began_nanos") && at("began_nanos") <= at("ended_nanos"));
    assert_eq!(trace.find("actor_trace::Relay", "spawn")["args"]["from"], "");
    wait(runtime.shutdown());
}

#[test]
fn causes_cross_processes_while_all_events_are_recorded() {
    let (here, there) = (runtime(), runtime());
    let sink = there.spawn("sink", Relay { to: Upid::empty() }).unwrap();
    let relay = here.spawn("relay", Relay { to: sink.upid().clone() }).unwrap();
    assert_eq!(get(&here, "/__trace__/start").1, "Recording all events for 1mins.\n");
    let over = next(&there, "Over", sink.upid());
    here.post(&Upid::empty(), relay.upid(), "Begin", Bytes::new());
    wait(over);
    wait(there.settle());
    wait(here.settle());
    let trace = Trace::of(&here, "peers");
    let history = trace.history(trace.find("Over", "message"));
    assert_eq!(history, ["Over", "Over", "Relay::done", "Relay::timed", "Relay::called", "Begin"]);
    // The receiver alone knows the cause as well, though not what it is.
    let alone = Trace::of(&there, "");
    let cause = &alone.find("Over", "message")["args"]["cause"];
    assert_eq!(*cause, trace.find("Over", "send")["args"]["id"]);
    wait(here.shutdown());
    wait(there.shutdown());
}

/// What `relay` sends to a listener, up to its body.
fn head_sent_by(runtime: &Runtime, relay: &Upid, listener: &TcpListener) -> String {
    runtime.post(&Upid::empty(), relay, "Begin", Bytes::new());
    let (mut stream, _) = listener.accept().unwrap();
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"0\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    let text = String::from_utf8(bytes).unwrap();
    text.split("\r\n\r\n").next().unwrap().to_owned()
}

#[test]
fn the_wire_is_that_of_upstream_unless_all_events_are_recorded() {
    let runtime = runtime();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to: Upid = format!("sink@{}", listener.local_addr().unwrap()).parse().unwrap();
    let relay = runtime.spawn("relay", Relay { to }).unwrap();
    let from = relay.upid();
    let plain = format!(
        "POST /sink/Over HTTP/1.1\r\nUser-Agent: libprocess/{from}\r\n\
         Libprocess-From: {from}\r\nConnection: Keep-Alive\r\nHost: \r\n\
         Transfer-Encoding: chunked"
    );
    assert_eq!(head_sent_by(&runtime, from, &listener), plain);
    assert_eq!(get(&runtime, "/__trace__/start?duration=30secs").0, 200);
    let traced = head_sent_by(&runtime, from, &listener);
    let field = traced.lines().find(|line| line.starts_with("Libprocess-Cause: ")).unwrap();
    assert_eq!(traced.replace(&format!("{field}\r\n"), ""), plain);
    assert_eq!(get(&runtime, "/__trace__/stop"), (200, String::new()));
    assert_eq!(head_sent_by(&runtime, from, &listener), plain);
    wait(runtime.shutdown());
}

#[test]
fn what_is_lost_says_why() {
    let runtime = runtime();
    let relay = runtime.spawn("relay", Relay { to: Upid::empty() }).unwrap();
    let upid = relay.upid().clone();
    let post = |to: &Upid, name: &'static str| {
        runtime.post(&Upid::empty(), to, name, Bytes::new());
    };
    post(&Upid::new("nobody", runtime.address()), "NoActor");
    post(&upid, "NoHandler");
    let (begin, begun) = oneshot::channel();
    let (go, gone) = std::sync::mpsc::channel::<()>();
    relay.tell(move |_, ctx| {
        begin.send(()).unwrap();
        gone.recv().unwrap();
        ctx.terminate();
    });
    wait(begun).unwrap();
    post(&upid, "Late");
    go.send(()).unwrap();
    wait(relay.wait());
    let bad = runtime.spawn("bad", Relay { to: Upid::empty() }).unwrap();
    bad.tell(|_, _| panic!("on purpose"));
    wait(bad.wait());
    let trace = Trace::of(&runtime, "");
    let check = |name: &str, why: &str| {
        assert_eq!(trace.find(name, "message")["args"]["lost"], why, "{name}");
    };
    check("NoActor", "there is no such actor");
    check("NoHandler", "the actor has no handler for it");
    check("Late", "the actor has ended");
    let panicked = "its handler panicked";
    assert!(trace.0.values().any(|event| event["args"]["lost"] == panicked), "{:?}", trace.0);
    assert!(get(&runtime, "/__trace__/export").1.contains("lost: there is no such actor"));
    wait(runtime.shutdown());
}

#[test]
fn a_trace_is_started_stopped_and_exported_by_name() {
    let runtime = runtime();
    let check = |target: &str, status: u16, body: &str| {
        assert_eq!(get(&runtime, target), (status, body.to_owned()), "{target}");
    };
    check("/__trace__/start?duration=1x", 400, "Unknown duration unit 'x'.\n");
    check("/__trace__/start?duration=2hrs", 400, "A trace takes at most 1hrs.\n");
    check("/__trace__/start?events=-1", 400, "Failed to convert '-1' to number.\n");
    check("/__trace__/start?duration=5secs&events=3", 200, "Recording all events for 5secs.\n");
    let why = "Expecting 'format' to be 'chrome', 'text' or 'html'.\n";
    check("/__trace__/export?format=pdf", 400, why);
    for _ in 0..100 {
        runtime.post(&Upid::empty(), &Upid::new("nobody", runtime.address()), "x", Bytes::new());
    }
    // As many as were asked for, and at most one more for each ring that they are spread over.
    assert!(Trace::of(&runtime, "").0.len() < 100);
    let (_, page) = get(&runtime, "/__trace__/export?format=html");
    assert!(page.starts_with("<!DOCTYPE html>"));
    let (_, text) = get(&runtime, "/__trace__/export?merge=127.0.0.1:1,nonsense");
    assert!(text.contains("No events of 127.0.0.1:1: Failed to connect"), "{text}");
    assert!(text.contains("No events of nonsense: not an address"), "{text}");
    wait(runtime.shutdown());
}

#[test]
fn processes_tells_how_busy_each_actor_is() {
    let runtime = runtime();
    let relay = runtime.spawn("relay", Relay { to: Upid::empty() }).unwrap();
    let slept = relay.dispatch(|_, _| std::thread::sleep(Duration::from_millis(20)));
    wait(slept).unwrap();
    wait(relay.dispatch(|_, _| ())).unwrap();
    let list: Value = serde_json::from_str(&get(&runtime, "/__processes__").1).unwrap();
    let shown = list.as_array().unwrap().iter().find(|process| process["id"] == "relay").unwrap();
    let longest = &shown["longest_handler"];
    assert!(longest["name"].as_str().unwrap().contains("processes_tells_how_busy"), "{shown}");
    let took = longest["us"].as_u64().unwrap();
    assert!(took >= 20_000 && shown["busy_us"].as_u64().unwrap() >= took, "{shown}");
    // Its own start and the two calls, of which the last may not be counted yet.
    assert!(shown["handled"].as_u64().unwrap() >= 2 && shown["queue_length"] == 0, "{shown}");
    wait(runtime.shutdown());
}

/// Not a test of its own: the program that the one below runs.
#[test]
fn program() {
    let env = |name: &str| std::env::var(name).ok();
    if env("LIBPROCESS_SLOW_HANDLER").is_none() {
        return;
    }
    logging::init(&logging::Config::default(), "trace", env).unwrap();
    let runtime = start(Config::from_environment(env).unwrap());
    let relay = runtime.spawn("relay", Relay { to: Upid::empty() }).unwrap();
    for _ in 0..3 {
        relay.tell(|_, _| std::thread::sleep(Duration::from_millis(30)));
    }
    relay.terminate(Inject::Back);
    wait(relay.wait());
    wait(runtime.shutdown());
    std::process::exit(0);
}

#[test]
fn a_handler_that_blocks_is_logged_once_by_name() {
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.args(["--exact", "program", "--nocapture"]).env("LIBPROCESS_SLOW_HANDLER", "20ms");
    let output = program.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    // On a busy machine others may have been held up, too.
    let is_of_it = |line: &&str| line.ends_with("by its handler of 'actor_trace::program'");
    let lines: Vec<_> = stderr.lines().filter(is_of_it).collect();
    let [line] = lines[..] else { panic!("not one line: {stderr}") };
    assert!(line.starts_with('W') && line.contains("] relay@127.0.0.1:"), "{line}");
    assert!(line.contains(" was blocked for "), "{line}");
}

#[test]
fn a_peer_traces_until_its_peer_would_have_stopped() {
    let runtime = runtime();
    let relay = runtime.spawn("relay", Relay { to: Upid::empty() }).unwrap();
    let mut stream = TcpStream::connect(runtime.bound()).unwrap();
    let mut post = |cause: &str| {
        let begun = next(&runtime, "Begin", relay.upid());
        let head = "POST /relay/Begin HTTP/1.1\r\nLibprocess-From: x@127.0.0.1:9\r\n\
                    User-Agent: libprocess/x@127.0.0.1:9\r\n";
        stream.write_all(format!("{head}Libprocess-Cause: {cause}\r\n\r\n").as_bytes()).unwrap();
        wait(begun);
        wait(runtime.settle());
        Trace::of(&runtime, "").find("Begin", "message")["args"]["cause"].clone()
    };
    // A moment that is long over, one that is too far away, and none at all: the cause counts.
    assert_eq!(post("00000000000000aa;until=1"), "00000000000000aa");
    assert_eq!(post("00000000000000ab;until=99999999999"), "00000000000000ab");
    assert_eq!(post("nonsense"), Value::Null);
    wait(runtime.shutdown());
}
