//! HTTP by actor: routes, assets, realms, firewall, streams. Named after upstream's tests where
//! there is one.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::StatusCode;
use libprocess::http::auth::{Authentication, Authenticator};
use libprocess::http::pipe::{Reader, Writer, pipe};
use libprocess::http::{Body, Reply, Request, Response};
use libprocess::testing::{runtime, wait};
use libprocess::{Ctx, Process, Router, Runtime};
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Answers with the path and who asks.
struct Site {
    asset: std::path::PathBuf,
}

impl Site {
    fn show(&mut self, _: &mut Ctx<Self>, request: Request) -> Response {
        Response::ok(format!("{} {}", request.method, request.path))
    }

    fn who(&mut self, _: &mut Ctx<Self>, request: Request) -> Response {
        Response::ok(request.principal.unwrap_or_else(|| "nobody".to_owned()))
    }
}

impl Process for Site {
    fn install(&self, router: &mut Router<Self>) {
        for path in ["/handler1", "/handler2", "/handler3", "/a/b/c", "/a"] {
            router.route(path, None, Self::show);
        }
        router.route("/body", None, |_: &mut Self, _, request| Response::ok(request.body));
        router.route_in_realm("/who", "realm", None, Self::who);
        router.provide("", &self.asset);
        router.provide("static", self.asset.parent().expect("a folder"));
    }
}

/// A runtime with the site as `site`, and the folder of its assets.
fn site() -> (Runtime, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let asset = folder.path().join("lorem.txt");
    std::fs::write(&asset, "Lorem ipsum").expect("a file");
    let runtime = runtime();
    runtime.spawn("site", Site { asset }).expect("a free id");
    (runtime, folder)
}

fn get(runtime: &Runtime, path: &str) -> Response {
    let request = Request { path: path.to_owned(), ..Request::default() };
    wait(runtime.request(request))
}

fn text(response: Response) -> (u16, String) {
    let body = match response.body {
        Body::Bytes(bytes) => String::from_utf8(bytes.to_vec()).expect("text"),
        _ => String::new(),
    };
    (response.status.as_u16(), body)
}

/// Sends `request` over a socket and reads to the end.
fn exchange(runtime: &Runtime, request: impl AsRef<[u8]>) -> String {
    let mut stream = TcpStream::connect(runtime.bound()).expect("the runtime listens");
    stream.write_all(request.as_ref()).expect("an open connection");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an end");
    String::from_utf8_lossy(&answer).into_owned()
}

fn closing(method: &str, path: &str, rest: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n{rest}")
}

#[test]
fn http_test_get_post_and_delete() {
    let (runtime, _folder) = site();
    let get = exchange(&runtime, closing("GET", "/site/handler1", "\r\n"));
    assert!(get.starts_with("HTTP/1.1 200 OK\r\nDate: "), "{get}");
    assert!(get.ends_with("Content-Length: 18\r\n\r\nGET /site/handler1"), "{get}");
    let delete = exchange(&runtime, closing("DELETE", "/site/handler1", "\r\n"));
    assert!(delete.ends_with("\r\n\r\nDELETE /site/handler1"), "{delete}");
    let post = exchange(&runtime, closing("POST", "/site/body", "Content-Length: 5\r\n\r\nhello"));
    assert!(post.ends_with("\r\n\r\nhello"), "{post}");
    // A body comes with HEAD too, as upstream sends it.
    let head = exchange(&runtime, closing("HEAD", "/site/handler1", "\r\n"));
    assert!(head.ends_with("\r\n\r\nHEAD /site/handler1"), "{head}");
    wait(runtime.shutdown());
}

#[test]
fn http_test_nested_get() {
    let (runtime, _folder) = site();
    let check = |path: &str, found: bool| {
        let expected = match found {
            true => (200, format!("GET {path}")),
            false => (404, String::new()),
        };
        assert_eq!(text(get(&runtime, path)), expected, "{path}");
    };
    check("/site/a/b/c", true);
    check("/site/a/b/c/d", true);
    check("/site/a/b", true);
    check("/site/ab", false);
    check("/site/a/", false);
    wait(runtime.shutdown());
}

#[test]
fn process_test_provide() {
    let (runtime, folder) = site();
    std::fs::write(folder.path().join("empty.html"), "").unwrap();
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    let get =
        |path: &str| exchange(&runtime, closing("GET", path, "Accept-Encoding: gzip\r\n\r\n"));
    let lorem = get("/site");
    assert!(lorem.contains("\r\nContent-Type: text/plain\r\n"), "{lorem}");
    assert!(lorem.ends_with("Content-Length: 11\r\n\r\nLorem ipsum"), "{lorem}");
    assert!(get("/site/static/lorem.txt").ends_with("\r\n\r\nLorem ipsum"));
    assert!(get("/site/static//lorem.txt").ends_with("\r\n\r\nLorem ipsum"));
    assert!(get("/site/static/empty.html").ends_with("Content-Length: 0\r\n\r\n"));
    for nothing in ["/site/static/sub", "/site/static/none", "/site/none", "/site/static/../x"] {
        assert!(get(nothing).starts_with("HTTP/1.1 404 Not Found\r\n"), "{nothing}");
    }
    wait(runtime.shutdown());
}

#[test]
fn process_test_firewall_disable_paths() {
    let (runtime, _folder) = site();
    let rules = ["/site/handler1", "/site/handler2/nested", "/site/handler3/*"];
    runtime.set_disabled_endpoints(rules.map(str::to_owned).into());
    let check = |path: &str, status: u16| {
        let (found, body) = text(get(&runtime, path));
        assert_eq!(found, status, "{path}");
        if status == 403 {
            assert_eq!(body, format!("Endpoint '{path}' is disabled"));
        }
    };
    check("/site/handler1", 403);
    check("/site/handler2", 200);
    check("/site/handler2/nested", 403);
    check("/site/handler2/nested/path", 200);
    check("/site/handler3", 200);
    check("/site/handler3/nested", 200);
    wait(runtime.shutdown());
}

#[test]
fn process_test_firewall_uninstall() {
    let (runtime, _folder) = site();
    let rules = ["/site/handler1".to_owned(), "/site/handler2".to_owned()];
    runtime.set_disabled_endpoints(rules.into());
    assert_eq!(get(&runtime, "/site/handler1").status, StatusCode::FORBIDDEN);
    runtime.set_disabled_endpoints([].into());
    assert_eq!(get(&runtime, "/site/handler1").status, StatusCode::OK);
    assert_eq!(get(&runtime, "/site/handler2").status, StatusCode::OK);
    wait(runtime.shutdown());
}

/// Decides when and as the test says, in order.
#[derive(Default)]
struct Doorkeeper {
    decisions: Mutex<Vec<oneshot::Receiver<Authentication>>>,
}

impl Doorkeeper {
    fn expect(&self) -> oneshot::Sender<Authentication> {
        let (decide, decided) = oneshot::channel();
        self.decisions.lock().push(decided);
        decide
    }
}

impl Authenticator for Doorkeeper {
    fn authenticate<'a>(&'a self, _: &'a Request) -> BoxFuture<'a, Authentication> {
        let decision = self.decisions.lock().remove(0);
        async move { decision.await.expect("the test decides") }.boxed()
    }
}

fn refused(status: StatusCode) -> Authentication {
    Authentication::Refused(Box::new(Response::new(status)))
}

#[test]
fn http_authentication_test_no_authenticator() {
    let (runtime, _folder) = site();
    assert_eq!(text(get(&runtime, "/site/who")), (200, "nobody".to_owned()));
    wait(runtime.shutdown());
}

#[test]
fn http_authentication_test_unauthorized_forbidden_authenticated() {
    let (runtime, _folder) = site();
    let doorkeeper = Arc::new(Doorkeeper::default());
    runtime.set_authenticator("realm", doorkeeper.clone());
    let check = |decision: Authentication, status: u16, body: &str| {
        doorkeeper.expect().send(decision).expect("the door is watched");
        assert_eq!(text(get(&runtime, "/site/who")), (status, body.to_owned()));
    };
    check(refused(StatusCode::UNAUTHORIZED), 401, "");
    check(refused(StatusCode::FORBIDDEN), 403, "");
    check(Authentication::Principal("principal".to_owned()), 200, "principal");
    assert_eq!(text(get(&runtime, "/site/handler1")).0, 200);
    wait(runtime.shutdown());
}

#[test]
fn http_authentication_test_pipelining() {
    let (runtime, _folder) = site();
    let doorkeeper = Arc::new(Doorkeeper::default());
    runtime.set_authenticator("realm", doorkeeper.clone());
    let (first, second) = (doorkeeper.expect(), doorkeeper.expect());
    second.send(Authentication::Principal("second".to_owned())).unwrap();
    let path = || Request { path: "/site/who".to_owned(), ..Request::default() };
    let (mut one, mut two) = (runtime.request(path()).boxed(), runtime.request(path()).boxed());
    assert!((&mut one).now_or_never().is_none());
    assert!((&mut two).now_or_never().is_none());
    wait(runtime.settle());
    assert!((&mut two).now_or_never().is_none(), "the first has not been let in yet");
    first.send(Authentication::Principal("first".to_owned())).unwrap();
    assert_eq!(text(wait(one)), (200, "first".to_owned()));
    assert_eq!(text(wait(two)), (200, "second".to_owned()));
    wait(runtime.shutdown());
}

/// Streams what the test writes.
struct Streamer(Mutex<Option<Reader>>);

impl Process for Streamer {
    fn install(&self, router: &mut Router<Self>) {
        router.route("/", None, |this: &mut Self, _, _| -> Reply {
            let chunks = this.0.lock().take().expect("asked once");
            Response { body: Body::Stream(chunks), ..Response::ok("") }.into()
        });
    }
}

fn streamer() -> (Runtime, Writer, TcpStream) {
    let runtime = runtime();
    let (writer, chunks) = pipe();
    runtime.spawn("stream", Streamer(Mutex::new(Some(chunks)))).expect("a free id");
    let mut stream = TcpStream::connect(runtime.bound()).expect("the runtime listens");
    stream.write_all(b"GET /stream HTTP/1.1\r\n\r\n").expect("an open connection");
    (runtime, writer, stream)
}

fn read(stream: &mut TcpStream, expected: &str) {
    let mut bytes = vec![0; expected.len()];
    stream.read_exact(&mut bytes).expect("more bytes");
    assert_eq!(String::from_utf8_lossy(&bytes), expected);
}

fn read_head(stream: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a head");
        head.extend(byte);
    }
}

#[test]
fn http_test_streaming_get_complete() {
    let (runtime, writer, mut stream) = streamer();
    read_head(&mut stream);
    // A request behind an open stream is held back until its end.
    stream.write_all(b"GET /none HTTP/1.1\r\n\r\n").unwrap();
    assert!(writer.write("hello"));
    read(&mut stream, "5\r\nhello\r\n");
    assert!(writer.write("a second, longer one"));
    read(&mut stream, "14\r\na second, longer one\r\n");
    assert!(writer.close());
    read(&mut stream, "0\r\n\r\nHTTP/1.1 404 Not Found\r\n");
    wait(runtime.shutdown());
}

#[test]
fn a_client_that_leaves_an_open_stream_is_noticed() {
    let (runtime, writer, mut stream) = streamer();
    read_head(&mut stream);
    drop(stream);
    wait(writer.reader_closed());
    wait(runtime.shutdown());
}
