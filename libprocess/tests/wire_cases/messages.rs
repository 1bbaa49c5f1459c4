//! Cases 1 to 24: messages as they come in.

use crate::support::{Client, LF, PING, Seen, Server, UA};

/// A POST with the given request line's end, headers and body.
fn post(target: &str, version: &str, headers: &[&str], body: &str) -> String {
    format!("POST {target} {version}\r\n{}\r\n{body}", headers.concat())
}

/// A message to the master with these headers and no body.
fn ping(headers: &[&str]) -> String {
    post("/master/mesos.internal.Ping", "HTTP/1.1", headers, "")
}

fn send(server: &Server, bytes: String) -> Client {
    let mut client = server.connect();
    client.send(bytes);
    client
}

/// The server has served the request that shows that a connection is quiet.
fn expect_quiet(server: &mut Server, client: &mut Client) {
    client.expect_quiet();
    assert_eq!(server.next(), Seen::Request("/master/state".to_owned()));
}

#[test]
fn case_01_message_of_today_is_not_answered() {
    let mut server = Server::new();
    let headers = [
        UA,
        "Libprocess-From: x@127.0.0.1:9\r\nConnection: Keep-Alive\r\nHost: \r\n",
        "Transfer-Encoding: chunked\r\n",
    ];
    let body = "5\r\nhello\r\n0\r\n\r\n";
    let target = format!("/master/{PING}");
    let mut client = send(&server, post(&target, "HTTP/1.1", &headers, body));
    server.expect_message("master", "x@127.0.0.1:9", "hello");
    expect_quiet(&mut server, &mut client);
}

#[test]
fn case_02_message_of_0_20_is_not_answered() {
    let mut server = Server::new();
    let headers = [UA, "Connection: Keep-Alive\r\nTransfer-Encoding: chunked\r\n"];
    let body = "5\r\nhello\r\n0\r\n\r\n";
    let target = format!("/master/{PING}");
    let mut client = send(&server, post(&target, "HTTP/1.0", &headers, body));
    server.expect_message("master", "x@127.0.0.1:9", "hello");
    expect_quiet(&mut server, &mut client);
}

#[test]
fn case_03_message_of_compactor_is_accepted() {
    let mut server = Server::new();
    let headers = ["Connection: Keep-Alive\r\nContent-Length: 3\r\n", LF];
    let target = format!("/master/{PING}");
    let mut client = send(&server, post(&target, "HTTP/1.0", &headers, "abc"));
    client.expect_202();
    server.expect_message("master", "y@127.0.0.1:9", "abc");
    expect_quiet(&mut server, &mut client);
}

#[test]
fn case_04_http_1_0_is_closed_after_the_answer() {
    let mut server = Server::new();
    let headers = ["Content-Length: 3\r\n", LF];
    let target = format!("/master/{PING}");
    let mut client = send(&server, post(&target, "HTTP/1.0", &headers, "abc"));
    client.expect_202();
    client.expect_end();
    server.expect_message("master", "y@127.0.0.1:9", "abc");
}

#[test]
fn case_05_connection_close_is_closed_after_the_answer() {
    let mut server = Server::new();
    let mut client = send(&server, ping(&[LF, "Connection: close\r\n"]));
    client.expect_202();
    client.expect_end();
    server.expect_message("master", "y@127.0.0.1:9", "");
}

#[test]
fn case_06_silent_connection_close_is_not_closed() {
    let mut server = Server::new();
    let mut client = send(&server, ping(&[UA, "Connection: close\r\n"]));
    server.expect_message("master", "x@127.0.0.1:9", "");
    server.connect().expect_quiet();
    client.expect_open();
}

#[test]
fn case_07_byte_after_the_last_message_closes() {
    let mut server = Server::new();
    let target = format!("/master/{PING}");
    let mut client = send(&server, post(&target, "HTTP/1.0", &[UA], ""));
    server.expect_message("master", "x@127.0.0.1:9", "");
    client.send("X");
    client.expect_end();
}

#[test]
fn case_08_no_such_actor_is_404() {
    let mut server = Server::new();
    let target = format!("/nope/{PING}");
    let mut client = send(&server, post(&target, "HTTP/1.1", &[LF], ""));
    client.expect_bare("404 Not Found");
    expect_quiet(&mut server, &mut client);
}

#[test]
fn case_09_no_such_actor_is_silence_for_silent_senders() {
    let mut server = Server::new();
    let target = format!("/nope/{PING}");
    let mut client = send(&server, post(&target, "HTTP/1.1", &[UA], ""));
    expect_quiet(&mut server, &mut client);
}

#[test]
fn case_10_unknown_message_is_accepted_and_runs_nothing() {
    let mut server = Server::new();
    let mut client = send(&server, post("/master/foo.Bar", "HTTP/1.1", &[LF], ""));
    client.expect_202();
    server.expect_nothing();
}

#[test]
fn case_11_message_without_id_is_404() {
    let mut server = Server::new();
    let mut client = send(&server, post("/mesos.internal.Ping", "HTTP/1.1", &[LF], ""));
    client.expect_bare("404 Not Found");
    server.expect_nothing();
}

#[test]
fn case_12_message_without_name_is_accepted() {
    let mut server = Server::new();
    let mut client = send(&server, post("/master", "HTTP/1.1", &[LF], ""));
    client.expect_202();
    server.expect_nothing();
}

#[test]
fn case_13_unreadable_sender_is_nobody() {
    let mut server = Server::new();
    let mut client = send(&server, ping(&["Libprocess-From: garbage\r\n"]));
    client.expect_202();
    server.expect_message("master", "@0.0.0.0:0", "");
}

#[test]
fn case_14_header_names_in_any_case() {
    let mut server = Server::new();
    let mut client = send(&server, ping(&["libprocess-from: low@127.0.0.1:9\r\n"]));
    client.expect_202();
    server.expect_message("master", "low@127.0.0.1:9", "");
}

#[test]
fn case_15_blanks_around_the_sender() {
    let mut server = Server::new();
    let mut client = send(&server, ping(&["Libprocess-From:    sp@127.0.0.1:9  \r\n"]));
    client.expect_202();
    server.expect_message("master", "sp@127.0.0.1:9", "");
}

#[test]
fn case_16_libprocess_from_wins_and_user_agent_silences() {
    let mut server = Server::new();
    let headers =
        ["User-Agent: libprocess/ua@127.0.0.1:9\r\n", "Libprocess-From: lf@127.0.0.1:9\r\n"];
    let mut client = send(&server, ping(&headers));
    server.expect_message("master", "lf@127.0.0.1:9", "");
    expect_quiet(&mut server, &mut client);
}

#[test]
fn case_17_user_agent_anywhere_silences_and_only_at_its_start_is_a_sender() {
    let mut server = Server::new();
    let agent = "User-Agent: foo libprocess/z@127.0.0.1:9\r\n";
    let mut client = send(&server, ping(&[agent, LF]));
    server.expect_message("master", "y@127.0.0.1:9", "");
    expect_quiet(&mut server, &mut client);
    client.send(ping(&[agent]));
    let answer = client.expect_status("404 Not Found");
    assert_eq!(answer.body, b"", "a plain POST to no route");
    server.expect_nothing();
}

#[test]
fn case_18_escaped_id() {
    let mut server = Server::new();
    let target = format!("/slave%281%29/{PING}");
    let mut client = send(&server, post(&target, "HTTP/1.1", &[LF], ""));
    client.expect_202();
    server.expect_message("slave(1)", "y@127.0.0.1:9", "");
}

#[test]
fn case_19_bad_escape_in_an_id_is_passed_over() {
    let mut server = Server::new();
    let mut client = send(&server, post("/slave%zz/x", "HTTP/1.1", &[LF], ""));
    client.send("GET /state HTTP/1.1\r\n\r\n");
    assert_eq!(client.expect_status("200 OK").text(), "/master/state");
    assert_eq!(server.next(), Seen::Request("/master/state".to_owned()));
    server.expect_nothing();
}

#[test]
fn case_20_plus_in_an_id_is_a_blank() {
    let server = Server::new();
    let mut client = send(&server, post("/slave+1/x", "HTTP/1.1", &[LF], ""));
    client.expect_bare("404 Not Found");
}

#[test]
fn case_21_chunks_with_extension_and_trailer() {
    let mut server = Server::new();
    let body = "2;ext=1\r\nab\r\n3\r\ncde\r\n0\r\nTrailer: x\r\n\r\n";
    let mut client = send(&server, ping(&[LF, "Transfer-Encoding: chunked\r\n"]) + body);
    client.expect_202();
    server.expect_message("master", "y@127.0.0.1:9", "abcde");
}

#[test]
fn case_22_chunked_wins_over_content_length() {
    let mut server = Server::new();
    let headers = [LF, "Content-Length: 99\r\nTransfer-Encoding: chunked\r\n"];
    let mut client = send(&server, ping(&headers) + "2\r\nab\r\n0\r\n\r\n");
    client.expect_202();
    server.expect_message("master", "y@127.0.0.1:9", "ab");
}

#[test]
fn case_23_messages_and_a_request_in_one_segment() {
    let mut server = Server::new();
    let both = ping(&[LF]) + &ping(&[LF]) + "GET /state HTTP/1.1\r\n\r\n";
    let mut client = send(&server, both);
    client.expect_202();
    client.expect_202();
    client.expect_status("200 OK");
    server.expect_message("master", "y@127.0.0.1:9", "");
    server.expect_message("master", "y@127.0.0.1:9", "");
    assert_eq!(server.next(), Seen::Request("/master/state".to_owned()));
}

#[test]
fn case_24_bare_line_feeds() {
    let mut server = Server::new();
    let mut client = send(&server, ping(&[LF]).replace("\r\n", "\n"));
    client.expect_202();
    server.expect_message("master", "y@127.0.0.1:9", "");
}
