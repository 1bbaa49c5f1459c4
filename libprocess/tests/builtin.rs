//! The endpoints that every daemon has: help, processes, logging, metrics, system, profiler,
//! version.

use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::time::Duration;

use futures_util::FutureExt;
use http::StatusCode;
use libprocess::http::{Body, Request, Response, help};
use libprocess::testing::{runtime, start, wait};
use libprocess::{Config, Ctx, Inject, Process, Router, Runtime, Upid};
use serde_json::Value;
use tokio::sync::oneshot;

/// The answer to a request for `target`, a path with its query.
fn request(runtime: &Runtime, target: &str) -> impl Future<Output = Response> + use<> {
    request_as(runtime, target, "curl/8")
}

fn request_as(
    runtime: &Runtime,
    target: &str,
    agent: &str,
) -> impl Future<Output = Response> + use<> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let query = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let mut request = Request { path: path.to_owned(), query, ..Request::default() };
    request.headers.insert("user-agent", agent.parse().expect("a header"));
    let runtime = runtime.clone();
    async move { runtime.request(request).await }
}

fn text(response: &Response) -> &str {
    match &response.body {
        Body::Empty => "",
        Body::Bytes(bytes) => std::str::from_utf8(bytes).expect("text"),
        Body::File(_) | Body::Stream(_) => panic!("not held in memory"),
    }
}

fn check(runtime: &Runtime, target: &str, status: u16, body: &str) {
    let response = wait(request(runtime, target));
    assert_eq!((response.status.as_u16(), text(&response)), (status, body), "{target}");
}

fn json(runtime: &Runtime, target: &str) -> Value {
    let response = wait(request(runtime, target));
    assert_eq!(response.status, StatusCode::OK, "{target}");
    assert_eq!(response.headers["content-type"], "application/json", "{target}");
    serde_json::from_str(text(&response)).expect("JSON")
}

/// Has one page of help and one route without.
struct Helpful;

impl Process for Helpful {
    fn install(&self, router: &mut Router<Self>) {
        let page = help::tldr("Sums up.").description(&["One.", "Two."]);
        router.route("/body", page.into(), |_: &mut Self, _, _| Response::ok(""));
        router.route("/a/b", None, |_: &mut Self, _, _| Response::ok(""));
    }
}

#[test]
fn http_test_endpoints_help() {
    let runtime = runtime();
    let helpful = runtime.spawn("http", Helpful).unwrap();
    let contents = wait(request(&runtime, "/help"));
    assert_eq!(contents.headers["content-type"], "text/x-markdown");
    let expected = "## HELP\n> [/__trace__][__trace__]\n> [/http][http]\n> [/logging][logging]\n\
                    > [/metrics][metrics]\n> [/profiler][profiler]\n> [/system][system]\n\n\
                    [__trace__]: help/__trace__\n[http]: help/http\n\
                    [logging]: help/logging\n[metrics]: help/metrics\n\
                    [profiler]: help/profiler\n[system]: help/system\n";
    assert_eq!(text(&contents), expected);
    check(
        &runtime,
        "/help/http",
        200,
        "## `/http` ##\n> [/http/a/b][http/a/b]\n> [/http/body][http/body]\n\n\
         [http/a/b]: http/a/b\n[http/body]: http/body\n",
    );
    check(
        &runtime,
        "/help/http/body",
        200,
        "### USAGE ###\n>        /http/body\n\n### TL;DR; ###\nSums up.\n\n\
         ### DESCRIPTION ###\nOne.\nTwo.\n\n\n",
    );
    check(&runtime, "/help/http/a/b", 200, "## No help page for `/http/a/b`\n\n");
    check(&runtime, "/help/http/bogus", 400, "No help available for '/http/bogus'.\n");
    check(&runtime, "/help/bogus", 404, "");
    check(&runtime, "/help/__processes__", 404, "");
    let list = json(&runtime, "/help?format=json");
    assert_eq!(list["processes"][1]["id"], "http");
    assert_eq!(list["processes"][1]["endpoints"][1]["name"], "/body");
    helpful.terminate(Inject::Front);
    wait(helpful.wait());
    wait(runtime.shutdown());
}

#[test]
fn http_test_endpoints_help_removal() {
    let runtime = runtime();
    let helpful = runtime.spawn("http", Helpful).unwrap();
    assert_eq!(wait(request(&runtime, "/help/http")).status, StatusCode::OK);
    helpful.terminate(Inject::Front);
    wait(helpful.wait());
    check(&runtime, "/help/http", 404, "");
    assert!(!text(&wait(request(&runtime, "/help"))).contains("http]"));
    wait(runtime.shutdown());
}

#[test]
fn help_for_browsers_is_a_page() {
    let runtime = runtime();
    let page = wait(request_as(&runtime, "/help", "Mozilla/5.0"));
    assert!(!page.headers.contains_key("content-type"));
    assert!(text(&page).contains("<a href=\"help/metrics\">/metrics</a>"), "{}", text(&page));
    wait(runtime.shutdown());
}

/// Sits in a handler until it is told to go on.
struct Busy;

impl Process for Busy {
    fn install(&self, router: &mut Router<Self>) {
        router.route("/", None, |_: &mut Self, _, _| Response::ok(""));
    }
}

#[test]
fn processes_lists_what_waits_in_mailboxes() {
    let runtime = runtime();
    let busy = runtime.spawn("busy", Busy).unwrap();
    let (go, gone) = std::sync::mpsc::channel::<()>();
    let (begin, begun) = oneshot::channel();
    busy.tell(move |_, _| {
        begin.send(()).unwrap();
        gone.recv().unwrap();
    });
    wait(begun).unwrap();
    let from: Upid = "a@1.2.3.4:5".parse().unwrap();
    runtime.post(&from, busy.upid(), "Name", "x/\u{1}".into());
    busy.tell(|_, _| ());
    let mut waiting = request(&runtime, "/busy").boxed();
    assert!((&mut waiting).now_or_never().is_none());
    busy.terminate(Inject::Back);
    let response = wait(request(&runtime, "/__processes__"));
    let upid = busy.upid();
    let expected = format!(
        "{{\"events\":[{{\"body\":\"x\\/\\u0001\",\"from\":\"a@1.2.3.4:5\",\"name\":\"Name\",\
         \"to\":\"{upid}\",\"type\":\"MESSAGE\"}},{{\"type\":\"DISPATCH\"}},\
         {{\"method\":\"GET\",\"type\":\"HTTP\",\"url\":\"\\/busy\"}},\
         {{\"type\":\"TERMINATE\"}}],\"id\":\"busy\",\"queue_length\":4,"
    );
    assert!(text(&response).contains(&expected), "{}", text(&response));
    go.send(()).unwrap();
    assert_eq!(wait(waiting).status, StatusCode::OK);
    wait(runtime.shutdown());
}

#[test]
fn logging_test_toggle() {
    let runtime = runtime();
    runtime.clock().pause();
    check(&runtime, "/logging/toggle", 200, "0\n");
    check(&runtime, "/logging/toggle?level=1", 400, "Expecting 'duration=value' in query.\n");
    check(&runtime, "/logging/toggle?duration=1secs", 400, "Expecting 'level=value' in query.\n");
    let bad = |level: &str, duration: &str, body: &str| {
        let target = format!("/logging/toggle?level={level}&duration={duration}");
        check(&runtime, &target, 400, body);
    };
    bad("x", "1secs", "Failed to convert 'x' to number.\n");
    bad("-1", "1secs", "Invalid level '-1'.\n");
    bad("1", "1s", "Unknown duration unit 's'.\n");
    check(&runtime, "/logging/toggle?level=3&duration=10secs", 200, "");
    check(&runtime, "/logging/toggle", 200, "3\n");
    check(&runtime, "/logging/toggle?level=2&duration=20secs", 200, "");
    runtime.clock().advance(Duration::from_secs(10));
    wait(runtime.settle());
    check(&runtime, "/logging/toggle", 200, "2\n");
    runtime.clock().advance(Duration::from_secs(10));
    wait(runtime.settle());
    check(&runtime, "/logging/toggle", 200, "0\n");
    wait(runtime.shutdown());
}

#[test]
fn profiler_is_refused_as_without_gperftools() {
    let runtime = runtime();
    let why = "Perftools is disabled. To enable perftools, configure libprocess with \
               --enable-perftools.\n";
    check(&runtime, "/profiler/start", 400, why);
    check(&runtime, "/profiler/stop", 400, why);
    wait(runtime.shutdown());
}

#[test]
fn version_is_what_the_program_says() {
    let version =
        vec![("version".to_owned(), "0.28.3".into()), ("build_time".to_owned(), 7.into())];
    let runtime = start(Config { version, ..Config::default() });
    check(&runtime, "/version", 200, "{\"build_time\":7,\"version\":\"0.28.3\"}");
    check(&runtime, "/version/?jsonp=f", 200, "f({\"build_time\":7,\"version\":\"0.28.3\"});");
    wait(runtime.shutdown());
    let runtime = self::runtime();
    check(&runtime, "/version", 404, "");
    wait(runtime.shutdown());
}

#[test]
fn system_test_stats() {
    let runtime = runtime();
    let stats = json(&runtime, "/system/stats.json");
    let names: Vec<_> = stats.as_object().unwrap().keys().cloned().collect();
    let expected = [
        "avg_load_15min",
        "avg_load_1min",
        "avg_load_5min",
        "cpus_total",
        "mem_free_bytes",
        "mem_total_bytes",
    ];
    assert_eq!(names, expected);
    assert!(stats["cpus_total"].is_u64() && stats["avg_load_1min"].is_f64());
    wait(runtime.shutdown());
}

/// Has gauges that give, fail and never end.
struct Gauges;

impl Process for Gauges {
    fn initialize(&mut self, ctx: &mut Ctx<Self>) {
        ctx.gauge("test/gauge", |_, _| 42.0);
        let metrics = ctx.runtime().metrics();
        metrics.gauge("test/gauge_fail", || async { None }.boxed());
        metrics.gauge("test/gauge_timeout", || pending().boxed());
    }
}

fn snapshot(value: Value) -> BTreeMap<String, f64> {
    let members = value.as_object().expect("an object").clone();
    members.into_iter().map(|(name, value)| (name, value.as_f64().expect("a double"))).collect()
}

#[test]
fn metrics_test_counter() {
    let runtime = runtime();
    let counter = runtime.metrics().counter("test/counter");
    let value = || wait(runtime.metrics().snapshot(None))["test/counter"];
    assert_eq!(value(), 0.0);
    counter.increment();
    assert_eq!(value(), 1.0);
    // The same one by the same name.
    runtime.metrics().counter("test/counter").add(41);
    assert_eq!((value(), counter.value()), (42.0, 42));
    wait(runtime.shutdown());
}

#[test]
fn metrics_test_gauge() {
    let runtime = runtime();
    let gauges = runtime.spawn("gauges", Gauges).unwrap();
    wait(gauges.dispatch(|_, ctx| ctx.runtime().metrics().remove("test/gauge_timeout"))).unwrap();
    let values = wait(runtime.metrics().snapshot(None));
    assert_eq!(values["test/gauge"], 42.0);
    assert!(!values.contains_key("test/gauge_fail"));
    gauges.terminate(Inject::Front);
    wait(gauges.wait());
    // Upstream's would never end.
    assert!(!wait(runtime.metrics().snapshot(None)).contains_key("test/gauge"));
    wait(runtime.shutdown());
}

#[test]
fn metrics_test_snapshot() {
    let runtime = runtime();
    runtime.clock().pause();
    // Then the actors that every runtime has are there, with their metrics.
    wait(runtime.settle());
    let gauges = runtime.spawn("gauges", Gauges).unwrap();
    wait(gauges.dispatch(|_, ctx| ctx.runtime().metrics().remove("test/gauge_timeout"))).unwrap();
    let counter = runtime.metrics().counter("test/counter");
    counter.increment();
    let values = snapshot(json(&runtime, "/metrics/snapshot"));
    assert_eq!((values["test/counter"], values["test/gauge"]), (1.0, 42.0));
    assert!(!values.contains_key("test/gauge_fail"));
    for name in ["cpus_total", "load_1min", "load_5min", "load_15min", "mem_total_bytes"] {
        assert!(values.contains_key(&format!("system/{name}")), "{name}");
    }
    runtime.metrics().remove("test/counter");
    runtime.clock().advance(Duration::from_secs(1));
    assert!(!snapshot(json(&runtime, "/metrics/snapshot")).contains_key("test/counter"));
    wait(runtime.shutdown());
}

#[test]
fn metrics_test_snapshot_waits_for_its_turn() {
    let runtime = runtime();
    runtime.clock().pause();
    // Then the actors that every runtime has are there, with their metrics.
    wait(runtime.settle());
    let mut later = request(&runtime, "/metrics/snapshot?jsonp=f").boxed();
    let first = wait(request(&runtime, "/metrics/snapshot"));
    assert!(text(&first).contains("\"system\\/cpus_total\":"), "{}", text(&first));
    assert!((&mut later).now_or_never().is_none());
    wait(runtime.settle());
    runtime.clock().advance(Duration::from_millis(499));
    wait(runtime.settle());
    assert!((&mut later).now_or_never().is_none());
    runtime.clock().advance(Duration::from_millis(1));
    let later = wait(later);
    assert_eq!(later.headers["content-type"], "text/javascript");
    assert!(text(&later).starts_with("f({"));
    wait(runtime.shutdown());
}

#[test]
fn metrics_test_snapshot_timeout() {
    let runtime = runtime();
    runtime.clock().pause();
    let bad = "Invalid timeout 'x': Failed to convert '' to number.\n";
    check(&runtime, "/metrics/snapshot?timeout=x", 400, bad);
    runtime.clock().advance(Duration::from_secs(1));
    let gauges = runtime.spawn("gauges", Gauges).unwrap();
    wait(gauges.dispatch(|_, _| ())).unwrap();
    let (answer, mut answered) = oneshot::channel();
    let asked = request(&runtime, "/metrics/snapshot?timeout=2secs");
    runtime.run(async move { drop(answer.send(asked.await)) });
    wait(runtime.settle());
    assert!(answered.try_recv().is_err());
    runtime.clock().advance(Duration::from_secs(2));
    let response = wait(answered).unwrap();
    let values = snapshot(serde_json::from_str(text(&response)).unwrap());
    assert_eq!(values["test/gauge"], 42.0);
    assert!(!values.contains_key("test/gauge_timeout"));
    wait(runtime.shutdown());
}

#[test]
fn metrics_test_timer() {
    let runtime = runtime();
    runtime.clock().pause();
    let timer = runtime.metrics().timer("test/timer");
    assert!(!wait(runtime.metrics().snapshot(None)).contains_key("test/timer_ms"));
    timer.record(Duration::from_secs(1));
    assert_eq!(wait(runtime.metrics().snapshot(None))["test/timer_ms"], 1000.0);
    wait(runtime.shutdown());
}

#[test]
fn metrics_test_async_timer() {
    let runtime = runtime();
    runtime.clock().pause();
    let timer = runtime.metrics().timer("test/timer");
    let (done, end) = oneshot::channel();
    let timed = timer.time(end);
    runtime.clock().advance(Duration::from_secs(2));
    done.send(7).unwrap();
    assert_eq!(wait(timed), Ok(7));
    assert_eq!(wait(runtime.metrics().snapshot(None))["test/timer_ms"], 2000.0);
    wait(runtime.shutdown());
}

#[test]
fn metrics_test_snapshot_statistics() {
    let runtime = runtime();
    runtime.clock().pause();
    let window = Duration::from_secs(60);
    let timer = runtime.metrics().timer_with_window("test/timer", window);
    for millis in 0..=10 {
        timer.record(Duration::from_millis(millis));
        runtime.clock().advance(Duration::from_secs(1));
    }
    let values = wait(runtime.metrics().snapshot(None));
    let check = |suffix: &str, expected: f64| {
        let value = values[&format!("test/timer_ms{suffix}")];
        assert!((value - expected).abs() < 1e-9, "{suffix}: {value}");
    };
    check("", 10.0);
    check("/count", 11.0);
    check("/min", 0.0);
    check("/max", 10.0);
    check("/p50", 5.0);
    check("/p90", 9.0);
    check("/p9999", 9.999);
    wait(runtime.shutdown());
}
