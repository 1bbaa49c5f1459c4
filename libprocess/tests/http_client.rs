//! The HTTP client against a runtime's own server, and against servers that misbehave. Named after
//! upstream's tests where there is one.

use std::io::{Read, Write};
use std::net::TcpListener;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Method, StatusCode, header};
use libprocess::http::client::{
    self, ClientError, Connection, Content, Delivery, Request as Outgoing,
};
use libprocess::http::pipe::{PipeError, Reader, pipe};
use libprocess::http::url::{Scheme, Url};
use libprocess::http::{Body, Failed, Reply, Request, Response};
use libprocess::testing::{runtime, wait};
use libprocess::wire::percent;
use libprocess::{Process, Router, Runtime, Upid};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

/// A request that the test answers.
type Asked = (Request, oneshot::Sender<Response>);

/// Hands every request to the test.
struct Desk(UnboundedSender<Asked>);

impl Process for Desk {
    fn install(&self, router: &mut Router<Self>) {
        router.route("/get", None, |this: &mut Self, _, request| -> Reply {
            let (answer, answered) = oneshot::channel();
            this.0.send((request, answer)).expect("the test listens");
            Reply::later(async { answered.await.map_err(|_| Failed("dropped".to_owned())) })
        });
    }
}

/// A runtime with a desk called `id`, what arrives there, and its URL.
fn desk_in(runtime: &Runtime, id: &str) -> (UnboundedReceiver<Asked>, Url) {
    let (ask, asked) = unbounded_channel();
    let desk = runtime.spawn(id.to_owned(), Desk(ask)).expect("a free id");
    (asked, Url::of(desk.upid(), "get"))
}

fn desk() -> (Runtime, UnboundedReceiver<Asked>, Url) {
    let runtime = runtime();
    let (asked, url) = desk_in(&runtime, "desk");
    (runtime, asked, url)
}

fn next(asked: &mut UnboundedReceiver<Asked>) -> Asked {
    wait(asked.recv()).expect("the desk is open")
}

fn whole(response: Result<Response, ClientError>) -> String {
    match response.expect("an answer").body {
        Body::Bytes(bytes) => String::from_utf8(bytes.to_vec()).expect("text"),
        body => panic!("not whole: {body:?}"),
    }
}

fn streamed(response: Result<Response, ClientError>) -> Reader {
    match response.expect("an answer").body {
        Body::Stream(reader) => reader,
        body => panic!("not streamed: {body:?}"),
    }
}

fn read(reader: &mut Reader) -> Result<Option<Bytes>, PipeError> {
    wait(reader.read())
}

fn ask(url: &Url, body: &'static str) -> Outgoing {
    Outgoing { body: Content::Bytes(body.into()), ..Outgoing::new(Method::GET, url.clone()) }
        .keep_alive()
}

fn connect(runtime: &Runtime, url: &Url) -> Connection {
    wait(client::connect(runtime, url)).expect("the runtime listens")
}

/// Asks on another thread than the one that answers, as actors do.
fn begin<T: Send + 'static>(
    runtime: &Runtime,
    future: impl Future<Output = T> + Send + 'static,
) -> oneshot::Receiver<T> {
    let (done, outcome) = oneshot::channel();
    runtime.run(async move { drop(done.send(future.await)) });
    outcome
}

#[test]
fn http_test_get() {
    let (runtime, mut asked, url) = desk();
    let url = url.with_query([("foo", "b r")]);
    let (here, there) = (runtime.clone(), url.clone());
    let got = begin(&runtime, async move { client::get(&here, there).await });
    let (request, answer) = next(&mut asked);
    assert_eq!((&request.method, &*request.path), (&Method::GET, "/desk/get"));
    assert_eq!(request.query, url.query);
    assert_eq!(request.header("Host"), Some(&*format!("127.0.0.1:{}", url.port)));
    assert_eq!(request.header("Connection"), Some("close"));
    assert_eq!(request.header("Content-Length"), Some("0"));
    assert!(request.client.is_some() && request.body.is_empty());
    answer.send(Response::ok("got")).unwrap();
    let response = wait(got).unwrap().unwrap();
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(whole(Ok(response)), "got");
    wait(runtime.shutdown());
}

#[test]
fn http_test_post() {
    let (runtime, mut asked, url) = desk();
    let here = runtime.clone();
    let payload = "This is the payload.";
    let got = begin(&runtime, async move { client::post(&here, url, payload, "text/plain").await });
    let (request, answer) = next(&mut asked);
    assert_eq!((&request.method, &request.body[..]), (&Method::POST, payload.as_bytes()));
    assert_eq!(request.header("Content-Type"), Some("text/plain"));
    answer.send(Response::new(StatusCode::ACCEPTED)).unwrap();
    assert_eq!(wait(got).unwrap().unwrap().status, StatusCode::ACCEPTED);
    wait(runtime.shutdown());
}

#[test]
fn http_test_delete() {
    let (runtime, mut asked, url) = desk();
    let here = runtime.clone();
    let got = begin(&runtime, async move { client::delete(&here, url).await });
    let (request, answer) = next(&mut asked);
    assert_eq!(request.method, Method::DELETE);
    answer.send(Response::ok("")).unwrap();
    assert_eq!(whole(wait(got).unwrap()), "");
    wait(runtime.shutdown());
}

#[test]
fn http_test_request() {
    let (runtime, mut asked, url) = desk();
    let here = runtime.clone();
    let put = Outgoing::new(Method::PUT, url).with_header(header::ACCEPT_ENCODING, "gzip");
    let got =
        begin(
            &runtime,
            async move { client::request(&here, put.keep_alive(), Delivery::Whole).await },
        );
    let (request, answer) = next(&mut asked);
    assert_eq!(request.method, Method::PUT);
    assert_eq!(request.header("Connection"), Some("close"), "it has a connection of its own");
    let long = "gzip me ".repeat(1_000);
    answer.send(Response::ok(long.clone())).unwrap();
    let response = wait(got).unwrap().unwrap();
    assert_eq!(response.headers["content-encoding"], "gzip");
    assert_eq!(whole(Ok(response)), long);
    wait(runtime.shutdown());
}

#[test]
fn http_test_endpoints() {
    let (runtime, mut asked, url) = desk();
    let here = runtime.clone();
    let got = begin(&runtime, async move { client::get(&here, url).await });
    let (writer, reader) = pipe();
    next(&mut asked).1.send(Response { body: Body::Stream(reader), ..Response::ok("") }).unwrap();
    assert!(writer.write("Hello World\n") && writer.close());
    let response = wait(got).unwrap().unwrap();
    assert_eq!(response.headers["transfer-encoding"], "chunked");
    assert_eq!(whole(Ok(response)), "Hello World\n");
    wait(runtime.shutdown());
}

/// Begins a streamed answer: what the server writes to and the client reads from.
fn stream() -> (Runtime, libprocess::http::pipe::Writer, Reader) {
    let (runtime, mut asked, url) = desk();
    let here = runtime.clone();
    let got = begin(&runtime, async move {
        client::request(&here, Outgoing::new(Method::GET, url), Delivery::Streamed).await
    });
    let (writer, reader) = pipe();
    next(&mut asked)
        .1
        .send(Response { body: Body::Stream(reader), ..Response::ok("") })
        .expect("both sides are there");
    let mut reader = streamed(wait(got).expect("both sides are there"));
    assert!(reader.read().now_or_never().is_none());
    for chunk in ["hello", "goodbye"] {
        assert!(writer.write(chunk));
        assert_eq!(read(&mut reader), Ok(Some(chunk.into())));
    }
    (runtime, writer, reader)
}

#[test]
fn http_test_streaming_get_to_its_end() {
    let (runtime, writer, mut reader) = stream();
    assert!(writer.close());
    assert_eq!(read(&mut reader), Ok(None));
    wait(runtime.shutdown());
}

#[test]
fn http_test_streaming_get_failure() {
    let (runtime, writer, mut reader) = stream();
    assert!(writer.fail("oops"));
    assert!(matches!(read(&mut reader), Err(PipeError::Failed(_))));
    wait(runtime.shutdown());
}

#[test]
fn a_reader_that_closes_reaches_the_writer_on_the_other_side() {
    let (runtime, writer, reader) = stream();
    drop(reader);
    // The client learns of it with the next chunk.
    assert!(writer.write("to nobody"));
    wait(writer.reader_closed());
    wait(runtime.shutdown());
}

#[test]
fn a_streamed_request_arrives_whole() {
    let (runtime, mut asked, url) = desk();
    let connection = connect(&runtime, &url);
    let (writer, reader) = pipe();
    let upload = Outgoing { body: Content::Stream(reader), ..ask(&url, "") };
    let first = connection.send(upload, Delivery::Whole);
    let second = connection.send(ask(&url, "behind it"), Delivery::Whole);
    assert!(writer.write("in ") && writer.write("pieces") && writer.close());
    for body in ["in pieces", "behind it"] {
        let (request, answer) = next(&mut asked);
        assert_eq!(request.body, body);
        answer.send(Response::ok(body)).unwrap();
    }
    assert_eq!(whole(wait(first)), "in pieces");
    assert_eq!(whole(wait(second)), "behind it");
    wait(runtime.shutdown());
}

#[test]
fn http_connection_test_serial() {
    let (runtime, mut asked, url) = desk();
    let connection = connect(&runtime, &url);
    let first = connection.send(ask(&url, "1"), Delivery::Whole);
    let (request, answer) = next(&mut asked);
    assert_eq!(request.body, "1");
    answer.send(Response::ok("1")).unwrap();
    assert_eq!(whole(wait(first)), "1");
    let second = connection.send(ask(&url, "2"), Delivery::Streamed);
    next(&mut asked).1.send(Response::ok("2")).unwrap();
    let mut reader = streamed(wait(second));
    assert_eq!(read(&mut reader), Ok(Some("2".into())));
    assert_eq!(read(&mut reader), Ok(None));
    connection.disconnect();
    wait(connection.disconnected());
    let refused = wait(connection.send(ask(&url, "3"), Delivery::Whole));
    assert_eq!(refused.unwrap_err(), ClientError::Disconnected);
    wait(runtime.shutdown());
}

#[test]
fn http_connection_test_pipeline() {
    let (runtime, mut asked1, url1) = desk();
    let (mut asked2, url2) = desk_in(&runtime, "other");
    let connection = connect(&runtime, &url1);
    let first = connection.send(ask(&url1, "1"), Delivery::Whole);
    let second = connection.send(ask(&url2, "2"), Delivery::Streamed);
    let third = connection.send(ask(&url1, "3"), Delivery::Whole);
    let (first_asked, second_asked, third_asked) =
        (next(&mut asked1), next(&mut asked2), next(&mut asked1));
    assert_eq!((&first_asked.0.body[..], &third_asked.0.body[..]), (&b"1"[..], &b"3"[..]));
    third_asked.1.send(Response::ok("3")).unwrap();
    second_asked.1.send(Response::ok("2")).unwrap();
    let mut first = first.boxed();
    assert!((&mut first).now_or_never().is_none());
    first_asked.1.send(Response::ok("1")).unwrap();
    assert_eq!(whole(wait(first)), "1");
    assert_eq!(read(&mut streamed(wait(second))), Ok(Some("2".into())));
    assert_eq!(whole(wait(third)), "3");
    wait(runtime.shutdown());
}

#[test]
fn http_connection_test_closing_request() {
    let (runtime, mut asked, url) = desk();
    let connection = connect(&runtime, &url);
    let first = connection.send(ask(&url, ""), Delivery::Whole);
    let last = Outgoing::new(Method::GET, url.clone());
    let second = connection.send(last, Delivery::Whole);
    let refused = wait(connection.send(ask(&url, ""), Delivery::Whole));
    assert_eq!(refused.unwrap_err(), ClientError::Closing);
    for _ in 0..2 {
        next(&mut asked).1.send(Response::ok("body")).unwrap();
    }
    assert_eq!((whole(wait(first)), whole(wait(second))), ("body".into(), "body".into()));
    wait(connection.disconnected());
    wait(runtime.shutdown());
}

#[test]
fn http_connection_test_closing_response() {
    let (runtime, mut asked, url) = desk();
    let connection = connect(&runtime, &url);
    let first = connection.send(ask(&url, ""), Delivery::Whole);
    let second = connection.send(ask(&url, ""), Delivery::Whole);
    let (closing, _second) = (next(&mut asked), next(&mut asked));
    closing.1.send(Response::ok("body").with_header(header::CONNECTION, "close")).unwrap();
    assert_eq!(whole(wait(first)), "body");
    assert_eq!(wait(second).unwrap_err(), ClientError::ClosedByServer);
    wait(connection.disconnected());
    wait(runtime.shutdown());
}

#[test]
fn http_connection_test_reference_counting() {
    let (runtime, _asked, url) = desk();
    let connection = connect(&runtime, &url);
    let copy = connection.clone();
    let mut ended = connection.disconnected().boxed();
    drop(connection);
    assert!((&mut ended).now_or_never().is_none());
    drop(copy);
    wait(ended);
    wait(runtime.shutdown());
}

#[test]
fn http_connection_test_equality() {
    let (runtime, _asked, url) = desk();
    let (one, two) = (connect(&runtime, &url), connect(&runtime, &url));
    assert_ne!(one, two);
    assert_eq!(two, two.clone());
    wait(runtime.shutdown());
}

/// What the client makes of a server that answers `bytes` and then ends.
fn answered(bytes: &'static str) -> Result<Response, ClientError> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a connection over loopback");
    let port = listener.local_addr().expect("a connection over loopback").port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection over loopback");
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).expect("a connection over loopback") > 0);
        stream.write_all(bytes.as_bytes()).expect("a connection over loopback");
    });
    let runtime = runtime();
    let response = wait(client::get(&runtime, Url::new(Scheme::Http, "localhost", port, "/")));
    wait(runtime.shutdown());
    server.join().expect("a connection over loopback");
    response
}

#[test]
fn a_server_that_misbehaves_gives_one_clear_error() {
    let check = |bytes: &'static str, error: &str| {
        assert_eq!(answered(bytes).unwrap_err().to_string(), error, "{bytes:?}");
    };
    check("", "Disconnected");
    check("HTTP/1.1 200", "failed to decode body: the connection ended before it did");
    check(
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        "failed to decode body: the connection ended before it did",
    );
    check("what?\r\n\r\n", "Failed to decode response: invalid HTTP version");
    check(
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        "failed to decode body: it is not whole gzip data",
    );
    assert_eq!(whole(answered("HTTP/1.0 200 OK\r\n\r\nup to the end")), "up to the end");
}

#[test]
fn what_cannot_be_asked_is_refused_before_it_is_sent() {
    let runtime = runtime();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let get =
        |path: &str| wait(client::get(&runtime, Url::new(Scheme::Http, "127.0.0.1", port, path)));
    let injected = get("/x HTTP/1.1\r\nEvil: yes").unwrap_err();
    assert!(matches!(injected, ClientError::Target(_)), "{injected}");
    drop(listener);
    let refused = get("/").unwrap_err();
    let expected = format!("Failed to connect to 127.0.0.1:{port}: Connection refused");
    assert_eq!(refused.to_string(), expected);
    wait(runtime.shutdown());
}

/// Tells of the messages that come, and answers requests, under an id that has to be escaped.
struct Odd(UnboundedSender<(Upid, Bytes)>);

const ODD: &str = "id(42)/with%odd things";

impl Process for Odd {
    fn install(&self, router: &mut Router<Self>) {
        router.on_raw("handler", |this: &mut Self, _, from, body| {
            this.0.send((from, body)).expect("the test listens");
        });
        router.route("/handler2", None, |_: &mut Self, _, _| Response::ok("2"));
    }
}

fn odd(id: &'static str) -> (Runtime, UnboundedReceiver<(Upid, Bytes)>, Url) {
    let runtime = runtime();
    let (tell, told) = unbounded_channel();
    runtime.spawn(id, Odd(tell)).expect("a free id");
    let path = format!("{}/handler", percent::encode(id));
    let url = Url::new(Scheme::Http, "127.0.0.1", runtime.address().port, &path);
    (runtime, told, url)
}

/// Sends a message as an old peer does, and sees that it is not answered.
fn post_without_answer(id: &'static str) -> Runtime {
    let (runtime, mut told, url) = odd(id);
    let connection = connect(&runtime, &url);
    let message = Outgoing { method: Method::POST, ..ask(&url, "hello world") }
        .with_header(header::USER_AGENT, "libprocess/");
    let mut response = connection.send(message, Delivery::Whole).boxed();
    let (from, body) = wait(told.recv()).expect("a message");
    assert_eq!((from, &body[..]), (Upid::empty(), &b"hello world"[..]));
    assert!((&mut response).now_or_never().is_none());
    connection.disconnect();
    assert_eq!(wait(response).err(), Some(ClientError::Disconnected));
    runtime
}

#[test]
fn process_test_http1() {
    wait(post_without_answer("plain").shutdown());
}

#[test]
fn process_test_http2() {
    let (runtime, mut told, url) = odd("plain");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let from = Upid::new("", runtime.address());
    let port = listener.local_addr().unwrap().port();
    let from = Upid { address: libprocess::Address { port, ..from.address }, ..from };
    let message = Outgoing { method: Method::POST, ..ask(&url, "hello world") }
        .with_header(header::HeaderName::from_static("libprocess-from"), &from.to_string());
    let response = wait(client::request(&runtime, message, Delivery::Whole)).unwrap();
    assert_eq!(response.status, StatusCode::ACCEPTED);
    assert_eq!(wait(told.recv()), Some((from.clone(), "hello world".into())));
    runtime.post(&Upid::new("plain", runtime.address()), &from, "reply", Bytes::new());
    let (mut stream, _) = listener.accept().unwrap();
    let expected = b"POST /reply HTTP/1.1";
    let mut line = vec![0; expected.len()];
    stream.read_exact(&mut line).unwrap();
    assert_eq!(line, expected);
    wait(runtime.shutdown());
}

#[test]
fn process_test_percent_encoded_urls() {
    let runtime = post_without_answer(ODD);
    let path = format!("{}/handler2", percent::encode(ODD));
    let url = Url::new(Scheme::Http, "127.0.0.1", runtime.address().port, &path);
    assert_eq!(whole(wait(client::get(&runtime, url))), "2");
    wait(runtime.shutdown());
}
