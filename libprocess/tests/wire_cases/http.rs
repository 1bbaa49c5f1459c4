//! Cases 27 to 35 and 48: plain HTTP beside the messages.

use std::io::Read;
use std::time::Duration;

use libprocess::Inject;
use libprocess::testing::wait;
use tokio::sync::oneshot;

use crate::support::{Seen, Server};

fn request(path: &str) -> Seen {
    Seen::Request(path.to_owned())
}

#[test]
fn case_27_answers_keep_the_order_of_the_requests() {
    let mut server = Server::new();
    let release = server.hold_slow();
    let mut client = server.connect();
    client.send("GET /slow HTTP/1.1\r\n\r\nGET /state HTTP/1.1\r\n\r\n");
    assert_eq!(server.next(), request("/master/slow"));
    assert_eq!(server.next(), request("/master/state"));
    release.send(()).unwrap();
    assert_eq!(client.expect_status("200 OK").text(), "slow");
    assert_eq!(client.expect_status("200 OK").text(), "/master/state");
}

#[test]
fn case_28_half_close_ends_what_is_not_ready() {
    let mut server = Server::new();
    let mut client = server.connect();
    client.send("GET /state HTTP/1.1\r\n\r\n");
    assert_eq!(server.next(), request("/master/state"));
    // Then the answer is ready.
    wait(server.runtime.settle());
    client.finish();
    client.expect_status("200 OK");
    client.expect_end();
    let mut client = server.connect();
    client.send("GET /slow HTTP/1.1\r\n\r\n");
    assert_eq!(server.next(), request("/master/slow"));
    client.finish();
    client.expect_end();
    assert_eq!(server.next(), Seen::Discarded);
}

#[test]
fn case_29_stream_is_chunked_by_its_writes() {
    let server = Server::new();
    let mut client = server.connect();
    let answer = client.get("/stream");
    assert_eq!(answer.header("Transfer-Encoding"), Some("chunked"));
    assert_eq!(answer.text(), "5\r\nhello\r\n11\r\nseventeen letters\r\n0\r\n\r\n");
}

#[test]
fn case_30_routing() {
    let server = Server::new();
    let check = |request: &str, status: &str, body: &str| {
        let mut client = server.connect();
        client.send(format!("{request} HTTP/1.1\r\n\r\n"));
        assert_eq!(client.expect_status(status).text(), body, "{request}");
    };
    check("GET /", "200 OK", "/master");
    check("GET /state", "200 OK", "/master/state");
    check("GET /master//state", "200 OK", "/master//state");
    check("GET //master/state", "404 Not Found", "");
    check("GET /master/state/x", "200 OK", "/master/state/x");
    check("GET /master/state/", "404 Not Found", "");
    check("GET /files/..x", "404 Not Found", "");
    check("GET /slave(1)/state", "200 OK", "/slave(1)/state");
    check("GET /slave%281%29/state", "200 OK", "/slave%281%29/state");
    check("GET /state?<a>|^", "200 OK", "/master/state");
    check("GET http://h:1/state?x=1", "200 OK", "/master/state");
    check("OPTIONS *", "400 Bad Request", "");
}

#[test]
fn case_31_failed_handler_is_503() {
    let server = Server::new();
    let answer = server.connect().get("/fail");
    assert!(answer.head.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{}", answer.head);
    assert_eq!(answer.header("Content-Length"), Some("0"));
}

#[test]
fn case_32_gzip_if_the_client_takes_it() {
    let server = Server::new();
    let mut client = server.connect();
    let mut get = |accept: &str| {
        client.send(format!("GET /long HTTP/1.1\r\nAccept-Encoding: {accept}\r\n\r\n"));
        client.expect_status("200 OK")
    };
    let zipped = get("gzip;q=0.5");
    assert_eq!(zipped.header("Content-Encoding"), Some("gzip"));
    let mut plain = String::new();
    flate2::read::GzDecoder::new(&zipped.body[..]).read_to_string(&mut plain).unwrap();
    assert_eq!(plain, "a".repeat(2000));
    let identity = get("gzip;q=0");
    assert_eq!((identity.header("Content-Encoding"), identity.text()), (None, &*plain));
}

#[test]
fn case_33_basic_authentication() {
    let server = Server::new();
    let mut client = server.connect();
    let mut check = |authorization: &str, status: &str, body: &str| {
        client.send(format!("GET /auth HTTP/1.1\r\n{authorization}\r\n"));
        let answer = client.expect_status(status);
        assert_eq!(answer.text(), body, "{authorization}");
        let challenge = (body.is_empty()).then_some("Basic realm=\"mesos\"");
        let shown = answer.head.to_ascii_lowercase();
        assert_eq!(shown.contains("www-authenticate: basic realm=\"mesos\""), challenge.is_some());
    };
    check("", "401 Unauthorized", "");
    check("Authorization: Basic dTpw\r\n", "200 OK", "u");
    check("Authorization: basic dTpw\r\n", "401 Unauthorized", "");
    check("Authorization: Basic YTphOmI=\r\n", "401 Unauthorized", "");
}

#[test]
fn case_34_firewall() {
    let server = Server::new();
    let mut client = server.connect();
    let refused = client.get("/big");
    assert!(refused.head.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{}", refused.head);
    assert_eq!(refused.text(), "Endpoint '/master/big' is disabled");
    assert_eq!(client.get("/master/big/x").text(), "/master/big/x");
}

#[test]
fn case_35_logging_toggle() {
    let server = Server::new();
    server.runtime.clock().pause();
    let mut client = server.connect();
    let mut check = |query: &str, status: &str, body: &str| {
        client.send(format!("POST /logging/toggle{query} HTTP/1.1\r\n\r\n"));
        assert_eq!(client.expect_status(status).text(), body, "{query}");
    };
    check("", "200 OK", "0\n");
    check("?level=1", "400 Bad Request", "Expecting 'duration=value' in query.\n");
    check("?duration=1secs", "400 Bad Request", "Expecting 'level=value' in query.\n");
    check("?level=x&duration=1secs", "400 Bad Request", "Failed to convert 'x' to number.\n");
    check("?level=-1&duration=1secs", "400 Bad Request", "Invalid level '-1'.\n");
    check("?level=1&duration=1s", "400 Bad Request", "Unknown duration unit 's'.\n");
    check("?level=1&duration=1secs", "200 OK", "");
    check("", "200 OK", "1\n");
    server.runtime.clock().advance(Duration::from_secs(1));
    wait(server.runtime.settle());
    check("", "200 OK", "0\n");
}

#[test]
fn case_48_requests_of_an_actor_that_ends() {
    let mut server = Server::new();
    let busy = server.spawn("busy");
    let mut stuck = server.connect();
    stuck.send("GET /busy/slow HTTP/1.1\r\n\r\n");
    assert_eq!(server.next(), request("/busy/slow"));
    let (begin, begun) = oneshot::channel();
    let (go, gone) = std::sync::mpsc::channel::<()>();
    busy.tell(move |_, _| {
        begin.send(()).unwrap();
        gone.recv().unwrap();
    });
    wait(begun).unwrap();
    let mut queued = server.connect();
    queued.send("GET /busy/state HTTP/1.1\r\n\r\n");
    // The request is in the mailbox when it shows there.
    let mut observer = server.connect();
    while !observer.get("/__processes__").text().contains("\\/busy\\/state") {}
    busy.terminate(Inject::Front);
    go.send(()).unwrap();
    queued.expect_bare("500 Internal Server Error");
    assert_eq!(server.next(), Seen::Terminated);
    server.connect().expect_quiet();
    stuck.expect_open();
    stuck.finish();
    stuck.expect_end();
}
