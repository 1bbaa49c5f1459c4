//! Cases 25, 26, 46 and 47: what closes a connection, and what must not.

use std::time::Duration;

use crate::support::{LF, PING, Seen, Server};

#[test]
fn case_25_what_cannot_be_decoded_is_closed_without_an_answer() {
    let server = Server::new();
    let check = |bytes: &[u8]| {
        let mut client = server.connect();
        client.send_as_far_as_read(bytes);
        client.expect_end();
    };
    check(b"GARBAGE\r\n\r\n");
    check(b"PATCH /state HTTP/1.1\r\n\r\n");
    check(b"get /state HTTP/1.1\r\n\r\n");
    let long = format!("GET /state HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(81 * 1024));
    check(long.as_bytes());
    check("GET /stäte HTTP/1.1\r\n\r\n".as_bytes());
    check(b"GET /state?a=%zz HTTP/1.1\r\n\r\n");
}

#[test]
fn case_26_good_request_before_garbage_is_answered() {
    // Deviation: upstream closes only when yet another byte arrives.
    let server = Server::new();
    let mut client = server.connect();
    client.send(b"GET /state HTTP/1.1\r\n\r\n\x01\x02");
    assert_eq!(client.expect_status("200 OK").text(), "/master/state");
    client.expect_end();
}

#[test]
fn case_46_idle_connection_stays_open() {
    // An hour on the clock that all timers of a runtime run on; connections have none.
    let server = Server::new();
    let mut client = server.connect();
    let mut fresh = server.connect();
    client.expect_quiet();
    server.runtime.clock().pause();
    server.runtime.clock().advance(Duration::from_secs(3600));
    client.expect_quiet();
    fresh.expect_quiet();
}

#[test]
fn case_47_nothing_that_killed_upstream_kills_us() {
    let mut server = Server::new();
    libprocess::logging::set_verbosity(2);
    let dies = |first: &str, then: &str, answers: usize| {
        let mut client = server.connect();
        client.send(first);
        for _ in 0..answers {
            client.expect_status("200 OK");
        }
        client.send_as_far_as_read(then);
        client.expect_end();
    };
    let upgrade = "GET /state HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    dies(upgrade, "GET /state HTTP/1.1\r\n\r\n", 1);
    dies("CONNECT /state HTTP/1.1\r\n\r\n", "GET /state HTTP/1.1\r\n\r\n", 1);
    dies(&format!("POST http://h HTTP/1.1\r\n{LF}\r\n"), "", 0);
    let good_and_bad = "GET /state HTTP/1.1\r\n\r\nGET /state?a=%zz HTTP/1.1\r\n\r\n";
    dies(good_and_bad, "GET /state HTTP/1.1\r\n\r\n", 1);
    for _ in 0..3 {
        assert_eq!(server.next(), Seen::Request("/master/state".to_owned()));
    }
    // The bad escape alone is passed over, as in case 19.
    let mut client = server.connect();
    client.send(format!("POST /%zz/{PING} HTTP/1.1\r\n{LF}\r\n"));
    client.expect_quiet();
    libprocess::logging::set_verbosity(0);
}
