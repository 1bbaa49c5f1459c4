//! What operators and the web UI ask over HTTP: the routes, on a real socket.
//! What the documents say is held by the tests of `views`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use libprocess::http::auth::BasicAuthenticator;
use master::authorizer::{Action, Authorizer, Verdict};
use master::constants::HTTP_REALM;
use master::fatal::Fatal;
use proto::mesos::FrameworkInfo;
use proto::mesos::internal::{Registry, ShutdownFrameworkMessage};
use serde_json::Value;

use crate::test_util::{World, framework_info};

/// What came back.
struct Answer {
    status: u16,
    /// Status line and headers.
    head: String,
    body: String,
}

impl Answer {
    fn has(&self, header: &str) -> bool {
        self.head.lines().any(|line| line == header)
    }
}

/// `headers` are whole lines.
fn ask(world: &World, method: &str, path: &str, headers: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(world.runtime.bound()).expect("it listens");
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n\
         {body}"
    );
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    let (head, body) = answer.split_once("\r\n\r\n").expect("headers end");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.expect("a status");
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

fn get(world: &World, path: &str) -> Answer {
    ask(world, "GET", path, "", "")
}

fn json(world: &World, path: &str) -> Value {
    let answer = get(world, path);
    assert_eq!(answer.status, 200, "{path}");
    assert!(answer.has("Content-Type: application/json"), "{}", answer.head);
    serde_json::from_str(&answer.body).expect("JSON")
}

// === reads ===

#[test]
fn documents_show_what_is_registered() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave"), world.framework("framework"));
    let task = world.launch(&framework, &slave, "t");
    let id = |value: &Value| value["id"].as_str().unwrap().to_owned();
    for path in ["/master/state", "/master/state.json", "/master/state-summary", "/master/slaves"] {
        assert_eq!(id(&json(&world, path)["slaves"][0]), slave.id.as_str(), "{path}");
    }
    for path in ["/master/state", "/master/state-summary", "/master/frameworks"] {
        assert_eq!(id(&json(&world, path)["frameworks"][0]), framework.id.as_str(), "{path}");
    }
    for path in ["/master/tasks", "/master/tasks.json?limit=1"] {
        assert_eq!(id(&json(&world, path)["tasks"][0]), task.as_str(), "{path}");
    }
    for path in ["/master/roles", "/master/roles.json"] {
        let roles = json(&world, path);
        assert_eq!(roles["roles"][0]["frameworks"][0], framework.id.as_str(), "{path}");
    }
    assert_eq!(json(&world, "/master/tasks?offset=1")["tasks"], Value::Array(vec![]));
    assert!(json(&world, "/master/flags")["flags"].is_object());
}

#[test]
fn state_tells_times_and_leader() {
    let world = World::new();
    let state = json(&world, "/master/state");
    let now = world.runtime.clock().now().secs();
    // What is printed has fifteen digits.
    let is_now = |time: &Value| (time.as_f64().unwrap() - now).abs() < 1e-4;
    assert!(is_now(&state["start_time"]) && is_now(&state["elected_time"]), "{state}");
    assert_eq!(state["leader"], world.master.upid().to_string());
    assert_eq!(state["pid"], world.master.upid().to_string());
}

#[test]
fn a_standby_answers_from_its_own_empty_books() {
    let world = World::standby(master::Config::default(), Registry::default(), None);
    let state = json(&world, "/master/state");
    assert_eq!(state["slaves"], Value::Array(vec![]));
    assert_eq!((state.get("leader"), state.get("elected_time")), (None, None));
    assert_eq!(get(&world, "/master/health").status, 200);
}

#[test]
fn health_has_nothing_to_say() {
    let answer = get(&World::new(), "/master/health");
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
}

#[test]
fn redirect_names_the_leader() {
    let world = World::new();
    let answer = get(&world, "/master/redirect");
    let location = format!("Location: //localhost:{}", world.runtime.address().port);
    assert_eq!(answer.status, 307);
    assert!(answer.has(&location), "{}", answer.head);
}

#[test]
fn observe_confirms() {
    let world = World::new();
    let report = "monitor=m&hosts=a,b&level=ok";
    let answer = ask(&world, "POST", "/master/observe", "", report);
    let expected = r#"{"hosts":["a","b"],"isHealthy":true,"monitor":"m"}"#;
    assert_eq!((answer.status, answer.body.as_str()), (200, expected));
    let answer = ask(&world, "POST", "/master/observe?monitor=m", "", "");
    assert_eq!((answer.status, answer.body.as_str()), (400, "Missing value for 'monitor'"));
}

const ENDPOINTS: [&str; 14] = [
    "/flags",
    "/frameworks",
    "/health",
    "/observe",
    "/redirect",
    "/roles",
    "/roles.json",
    "/slaves",
    "/state",
    "/state-summary",
    "/state.json",
    "/tasks",
    "/tasks.json",
    "/teardown",
];

#[test]
fn every_endpoint_has_a_help_page() {
    let world = World::new();
    let help: Value = serde_json::from_str(&get(&world, "/help?format=json").body).unwrap();
    let processes = help["processes"].as_array().unwrap();
    let master = processes.iter().find(|process| process["id"] == "master").unwrap();
    let pages = master["endpoints"].as_array().unwrap();
    let names: Vec<_> = pages.iter().map(|page| page["name"].as_str().unwrap()).collect();
    assert_eq!(names, ENDPOINTS);
    assert!(pages.iter().all(|page| page["text"].as_str().unwrap().contains("### TL;DR; ###")));
}

#[test]
fn a_master_that_may_have_lost_its_session_changes_nothing_for_an_operator() {
    for path in ENDPOINTS {
        let world = World::new();
        let (slave, framework) = (world.slave("slave"), world.framework("framework"));
        let form = format!("frameworkId={}", framework.id);
        world.lease.end();
        let answer = ask(&world, "POST", &format!("/master{path}"), "", &form);
        world.settle_without_looking();
        assert_eq!(slave.peer.rest(), [""; 0], "{path}");
        let acts = path == "/teardown";
        let fatal: &[Fatal] = if acts { &[Fatal::LostLeadership] } else { &[] };
        assert_eq!((answer.status == 503, &world.fatal.lock()[..]), (acts, fatal), "{path}");
    }
}

// === teardown ===

const TEARDOWN: &str = "/master/teardown";

#[test]
fn teardown_test_teardown_endpoint() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave"), world.framework("framework"));
    let form = format!("frameworkId={}", framework.id);
    assert_eq!(ask(&world, "GET", TEARDOWN, "", &form).status, 405);
    let answer = ask(&world, "POST", TEARDOWN, "", &form);
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    world.settle();
    assert!(world.ask(|cluster| cluster.frameworks.is_empty()));
    let shutdown = slave.peer.take::<ShutdownFrameworkMessage>();
    assert_eq!(shutdown.framework_id.value, framework.id.as_str());
    let answer = ask(&world, "POST", TEARDOWN, "", &form);
    let unknown = "No framework found with specified ID";
    assert_eq!((answer.status, answer.body.as_str()), (400, unknown));
}

/// A world where operators have to say who they are.
fn guarded(world: World) -> World {
    let credentials = [("operator".to_owned(), "secret".to_owned())];
    let authenticator = BasicAuthenticator::new(HTTP_REALM, credentials);
    world.runtime.set_authenticator(HTTP_REALM, Arc::new(authenticator));
    world
}

/// `operator:secret` and `operator:wrong`.
const GOOD: &str = "Authorization: Basic b3BlcmF0b3I6c2VjcmV0\r\n";
const BAD: &str = "Authorization: Basic b3BlcmF0b3I6d3Jvbmc=\r\n";

#[test]
fn teardown_test_teardown_endpoint_bad_credentials() {
    let world = guarded(World::new());
    let framework = world.framework("framework");
    let form = format!("frameworkId={}", framework.id);
    assert_eq!(ask(&world, "POST", TEARDOWN, BAD, &form).status, 401);
    assert!(world.ask(|cluster| cluster.frameworks.len() == 1));
    assert_eq!(ask(&world, "POST", TEARDOWN, GOOD, &form).status, 200);
    assert!(world.ask(|cluster| cluster.frameworks.is_empty()));
}

#[test]
fn teardown_test_teardown_endpoint_no_header() {
    let world = guarded(World::new());
    let form = format!("frameworkId={}", world.framework("framework").id);
    assert_eq!(ask(&world, "POST", TEARDOWN, "", &form).status, 401);
    // Reads are open to everybody.
    assert_eq!(get(&world, "/master/state").status, 200);
}

/// Gives its verdict to those who ask as they should.
struct Judge(Verdict);

impl Authorizer for Judge {
    fn authorize(
        &self,
        request: master::authorizer::Request,
    ) -> std::pin::Pin<Box<dyn Future<Output = Verdict> + Send>> {
        let framework_principal = Some("framework".to_owned());
        let verdict = match request.action {
            Action::TeardownFramework { framework_principal: asked } => {
                assert_eq!(asked, framework_principal);
                assert_eq!(request.principal.as_deref(), Some("operator"));
                self.0.clone()
            }
            _ => Verdict::Allowed,
        };
        Box::pin(std::future::ready(verdict))
    }
}

#[test]
fn an_operator_needs_to_be_authorized_to_tear_down() {
    let check = |verdict: Verdict, status: u16| {
        let is_removed = verdict == Verdict::Allowed;
        let judge: Arc<dyn Authorizer> = Arc::new(Judge(verdict));
        let config = master::Config::default();
        let world = guarded(World::start(config, Registry::default(), Some(judge)));
        let principal = Some("framework".to_owned());
        let info = FrameworkInfo { principal, ..framework_info() };
        let form = format!("frameworkId={}", world.framework_with("framework", info).id);
        let answer = ask(&world, "POST", TEARDOWN, GOOD, &form);
        assert_eq!((answer.status, answer.body.as_str()), (status, ""));
        assert_eq!(world.ask(|cluster| cluster.frameworks.is_empty()), is_removed);
    };
    check(Verdict::Allowed, 200);
    check(Verdict::Denied, 403);
    check(Verdict::Failed("nobody knows".to_owned()), 503);
}
