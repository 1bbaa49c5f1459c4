//! What the decoder makes of every form of request that upstream has been seen to take or refuse.

mod properties;

use std::io::Write as _;

use super::*;

const UA: &str = "User-Agent: libprocess/x@127.0.0.1:9\r\n";
const LF: &str = "Libprocess-From: y@127.0.0.1:9\r\n";

/// All items of a connection, in short form, and the error that ends it.
fn transcript(chunks: &[&[u8]]) -> Vec<String> {
    let mut decoder = Decoder::new();
    let mut seen = Vec::new();
    for chunk in chunks {
        decoder.feed(chunk);
        loop {
            match decoder.decode() {
                Ok(Some(item)) => seen.push(show(&item)),
                Ok(None) => break,
                Err(error) => {
                    seen.push(format!("error: {error}"));
                    return seen;
                }
            }
        }
    }
    seen
}

fn show(item: &Item) -> String {
    match item {
        Item::Message(message) => {
            let from = match &message.from {
                Parsed::Upid(upid) => upid.to_string(),
                Parsed::NeedsDns { id, host, port } => format!("{id}@dns({host}):{port}"),
            };
            let reply = match message.reply {
                Reply::Silent => "silent",
                Reply::Answer { keep_alive: true } => "answer",
                Reply::Answer { keep_alive: false } => "answer and close",
            };
            let (to, name, body) = (&message.to_id, &message.name, message.body.escape_ascii());
            format!("[{to}] [{name}] from {from} [{body}] {reply}")
        }
        Item::BadTarget { path, user_agent } => format!("bad target {path} [{user_agent}]"),
        Item::Http(request) => {
            let HttpRequest { method, path, query, body, .. } = &**request;
            let Version { major, minor } = request.version;
            let then = if request.keep_alive { "keep" } else { "close" };
            format!("{method} {path} [{query}] {major}.{minor} [{}] {then}", body.escape_ascii())
        }
    }
}

fn check(input: impl AsRef<[u8]>, expected: &[&str]) {
    let input = input.as_ref();
    assert_eq!(transcript(&[input]), expected, "{}", input.escape_ascii());
    let bytes: Vec<&[u8]> = input.chunks(1).collect();
    assert_eq!(transcript(&bytes), expected, "byte by byte: {}", input.escape_ascii());
}

/// A POST to the handler of the test plan, with the given fields and body.
fn post(target: &str, version: &str, rest: &str) -> String {
    format!("POST {target} {version}\r\n{rest}")
}

fn ping(fields: &str) -> String {
    post("/master/mesos.internal.Ping", "HTTP/1.1", &format!("{fields}\r\n"))
}

#[test]
fn message_of_today() {
    // Case 1 of the test plan: what 0.22 and later send.
    let fields = format!(
        "{UA}Libprocess-From: x@127.0.0.1:9\r\nConnection: Keep-Alive\r\nHost: \r\n\
         Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"
    );
    check(ping(&fields), &["[master] [mesos.internal.Ping] from x@127.0.0.1:9 [hello] silent"]);
}

#[test]
fn message_of_0_20() {
    // Case 2: chunked coding within HTTP/1.0.
    let rest = format!(
        "{UA}Connection: Keep-Alive\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    );
    let input = post("/master/mesos.internal.Ping", "HTTP/1.0", &rest);
    check(input, &["[master] [mesos.internal.Ping] from x@127.0.0.1:9 [hello] silent"]);
}

#[test]
fn message_of_compactor() {
    // Cases 3 and 4.
    let rest = format!("Connection: Keep-Alive\r\nContent-Length: 3\r\n{LF}\r\nabc");
    let input = post("/master/x", "HTTP/1.0", &rest);
    check(input, &["[master] [x] from y@127.0.0.1:9 [abc] answer"]);
    let rest = format!("Content-Length: 3\r\n{LF}\r\nabc");
    let input = post("/master/x", "HTTP/1.0", &rest);
    check(input, &["[master] [x] from y@127.0.0.1:9 [abc] answer and close"]);
}

#[test]
fn message_that_ends_the_connection() {
    // Cases 5, 6 and 7.
    let answered = "[master] [mesos.internal.Ping] from y@127.0.0.1:9 [] answer and close";
    check(ping(&format!("{LF}Connection: close\r\n")), &[answered]);
    let silent = "[master] [mesos.internal.Ping] from x@127.0.0.1:9 [] silent";
    check(ping(&format!("{UA}Connection: close\r\n")), &[silent]);
    let after_last = "error: bytes after the last request";
    check(ping(&format!("{UA}Connection: close\r\n")) + "X", &[silent, after_last]);
    let input = post("/master/mesos.internal.Ping", "HTTP/1.0", &format!("{UA}\r\n"));
    check(input.clone(), &[silent]);
    check(input + "\r\n", &[silent, after_last]);
}

#[test]
fn target_and_name() {
    // Cases 8 to 12, 18, 20.
    let check = |target: &str, to: &str, name: &str| {
        let expected = format!("[{to}] [{name}] from y@127.0.0.1:9 [] answer");
        check(post(target, "HTTP/1.1", &format!("{LF}\r\n")), &[&expected]);
    };
    check("/nope/mesos.internal.Ping", "nope", "mesos.internal.Ping");
    check("/mesos.internal.Ping", "mesos.internal.Ping", "");
    check("/master", "master", "");
    check("/master/", "master", "");
    check("/", "", "");
    check("//x", "", "x");
    check("*master/x", "master", "x");
    check("/a/b/c//d", "a", "b/c//d");
    check("/slave%281%29/mesos.internal.Ping", "slave(1)", "mesos.internal.Ping");
    check("/slave(1)/%41+", "slave(1)", "%41+");
    check("/slave+1/x", "slave 1", "x");
    check("/%ff/x", "\u{fffd}", "x");
    check("/id/Name?x=1", "id", "Name");
    check("/id/Name#x?y", "id", "Name");
    check("http://host:80/id/Name", "id", "Name");
}

#[test]
fn bad_escape_in_the_target_is_passed_over() {
    // Case 19.
    let input = post("/slave%zz/x", "HTTP/1.1", &format!("{LF}Content-Length: 1\r\n\r\na"))
        + "GET /state HTTP/1.1\r\n\r\n";
    check(input, &["bad target /slave%zz/x []", "GET /state [] 1.1 [] keep"]);
    let input = post("/%/x", "HTTP/1.1", &format!("{UA}\r\n"));
    check(input, &["bad target /%/x [libprocess/x@127.0.0.1:9]"]);
}

#[test]
fn sender() {
    // Cases 13 to 17, 45.
    let check = |fields: &str, from: &str, reply: &str| {
        let expected = format!("[master] [mesos.internal.Ping] from {from} [] {reply}");
        check(ping(fields), &[&expected]);
    };
    check("Libprocess-From: garbage\r\n", "@0.0.0.0:0", "answer");
    check("Libprocess-From:\r\n", "@0.0.0.0:0", "answer");
    check("User-Agent: libprocess/\r\n", "@0.0.0.0:0", "silent");
    check("libprocess-from: low@127.0.0.1:9\r\n", "low@127.0.0.1:9", "answer");
    check("Libprocess-From:    sp@127.0.0.1:9  \r\n", "sp@127.0.0.1:9", "answer");
    check("Libprocess-From: \tsp@127.0.0.1:9\r\n", "sp@127.0.0.1:9", "answer");
    check(&format!("{UA}Libprocess-From: lf@127.0.0.1:9\r\n"), "lf@127.0.0.1:9", "silent");
    check(&format!("{UA}Libprocess-From: garbage\r\n"), "@0.0.0.0:0", "silent");
    check(&format!("User-Agent: foo libprocess/z@1.2.3.4:9\r\n{LF}"), "y@127.0.0.1:9", "silent");
    check(&format!("User-Agent: Go 1.1 package http\r\n{LF}"), "y@127.0.0.1:9", "answer");
    check(&format!("Libprocess-From: first@1.1.1.1:1\r\n{LF}"), "y@127.0.0.1:9", "answer");
    check("Libprocess-From: py@node.example:7\r\n", "py@dns(node.example):7", "answer");
}

#[test]
fn what_is_no_message() {
    let http = "POST /master/mesos.internal.Ping [] 1.1 [] keep";
    check(ping("User-Agent: foo libprocess/z@127.0.0.1:9\r\n"), &[http]);
    check(ping("User-Agent: Libprocess/z@127.0.0.1:9\r\n"), &[http]);
    check(format!("GET /a/b HTTP/1.1\r\n{LF}\r\n"), &["GET /a/b [] 1.1 [] keep"]);
    check(format!("PUT /a/b HTTP/1.1\r\n{UA}\r\n"), &["PUT /a/b [] 1.1 [] keep"]);
}

#[test]
fn an_endpoint_path_with_a_sender_is_a_message() {
    let input = post("/master/teardown", "HTTP/1.1", &format!("{LF}\r\n"));
    check(input, &["[master] [teardown] from y@127.0.0.1:9 [] answer"]);
}

#[test]
fn chunked_bodies() {
    // Cases 21 and 22.
    let check = |body: &str, expected: &str| {
        let input = ping(&format!("{LF}Content-Length: 99\r\nTransfer-Encoding: chunked\r\n"));
        let prefix = "[master] [mesos.internal.Ping] from y@127.0.0.1:9 ";
        match expected.strip_prefix("error") {
            Some(_) => check(input + body, &[expected]),
            None => check(input + body, &[&format!("{prefix}[{expected}] answer")]),
        }
    };
    check("2;ext=1\r\nab\r\n3\r\ncde\r\n0\r\nTrailer: x\r\n\r\n", "abcde");
    check("2\r\nab\r\n0\r\n\r\n", "ab");
    check("2 \r\nab\r\n0;last\r\nA: b\nC: d\r\n\n", "ab");
    check("00A\r\n0123456789\r\n000\r\n\r\n", "0123456789");
    check("0\r\n\r\n", "");
    check("2\nab", "error: malformed chunk size");
    check("\r\n", "error: malformed chunk size");
    check("-1\r\n", "error: malformed chunk size");
    check("\u{e9}\r\n", "error: malformed chunk size");
    check("2;a\rb", "error: carriage return without line feed");
    check("2\r\nabc", "error: chunk does not end with a line end");
    check("2\r\nab\rc", "error: chunk does not end with a line end");
    check("fffffffffffffffffff\r\n", "error: body is longer than 1073741824 bytes");
    check("40000001\r\n", "error: body is longer than 1073741824 bytes");
    check("0\r\n(: x\r\n", "error: malformed header field name");
    check(&format!("1;{}", "x".repeat(4096)), "error: malformed chunk size");
    check(&format!("{:05000}\r\n", 0), "error: malformed chunk size");
}

#[test]
fn framing_fields_as_upstream() {
    let check = |fields: &str, rest: &str, expected: &[&str]| {
        check(format!("POST /a HTTP/1.1\r\n{fields}\r\n{rest}"), expected);
    };
    check("Content-Length: 3\r\n", "abc", &["POST /a [] 1.1 [abc] keep"]);
    check("content-length:3\r\n", "abc", &["POST /a [] 1.1 [abc] keep"]);
    check("Content-Length : 3\r\n", "abc", &["POST /a [] 1.1 [abc] keep"]);
    check("Content-Length: 1 0 \r\n", "0123456789", &["POST /a [] 1.1 [0123456789] keep"]);
    check("Content-Length: 9\r\nContent-Length: 1\r\n", "a", &["POST /a [] 1.1 [a] keep"]);
    check("Content-Length: 0\r\n", "", &["POST /a [] 1.1 [] keep"]);
    check("Content-Length:\r\n", "", &["POST /a [] 1.1 [] keep"]);
    check("", "", &["POST /a [] 1.1 [] keep"]);
    check("Content-Length: x\r\n", "", &["error: malformed Content-Length"]);
    check("Content-Length: -1\r\n", "", &["error: malformed Content-Length"]);
    check("Content-Length: 1,1\r\n", "", &["error: malformed Content-Length"]);
    let too_long = "error: body is longer than 1073741824 bytes";
    check("Content-Length: 1073741825\r\n", "", &[too_long]);
    check("Content-Length: 99999999999999999999999\r\n", "", &[too_long]);
    check("Content-Length: 1073741824\r\n", "", &[]);
    check("Transfer-Encoding: CHUNKED  \r\n", "1\r\na\r\n0\r\n\r\n", &["POST /a [] 1.1 [a] keep"]);
    check("Transfer-Encoding: gzip, chunked\r\n", "", &["POST /a [] 1.1 [] keep"]);
    check("Expect: 100-continue\r\nContent-Length: 1\r\n", "a", &["POST /a [] 1.1 [a] keep"]);
}

#[test]
fn keep_alive_by_version_and_connection() {
    let check = |version: &str, fields: &str, shown: &str, then: &str| {
        let expected = format!("GET / [] {shown} [] {then}");
        check(format!("GET /{version}\r\n{fields}\r\n"), &[&expected]);
    };
    check(" HTTP/1.1", "", "1.1", "keep");
    check(" HTTP/1.1", "Connection: close\r\n", "1.1", "close");
    check(" HTTP/1.1", "connection:CLOSE \r\n", "1.1", "close");
    check(" HTTP/1.1", "Proxy-Connection: close\r\n", "1.1", "close");
    check(" HTTP/1.1", "Connection: close, x\r\n", "1.1", "keep");
    check(" HTTP/1.1", "Connection: close\r\nConnection: keep-alive\r\n", "1.1", "close");
    check(" HTTP/1.0", "", "1.0", "close");
    check(" HTTP/1.0", "Connection: Keep-Alive\r\n", "1.0", "keep");
    check(" HTTP/2.0", "", "2.0", "close");
    check(" HTTP/3.7", "", "3.7", "keep");
    check(" HTTP/10.999", "", "10.999", "keep");
    check("", "", "0.9", "close");
    check("", "Connection: keep-alive\r\n", "0.9", "keep");
}

#[test]
fn requests_in_one_segment() {
    // Case 23.
    let message = ping(LF);
    let shown = "[master] [mesos.internal.Ping] from y@127.0.0.1:9 [] answer";
    let input = format!("{message}{message}GET /state HTTP/1.1\r\n\r\n");
    check(input, &[shown, shown, "GET /state [] 1.1 [] keep"]);
}

#[test]
fn line_ends() {
    // Case 24.
    let shown = "[master] [mesos.internal.Ping] from y@127.0.0.1:9 [] answer";
    check(ping(LF).replace('\r', ""), &[shown]);
    check("GET / HTTP/1.1\nA: b\r\n\n", &["GET / [] 1.1 [] keep"]);
    check(format!("\r\n\n\r\r{}\r\n", ping(LF)), &[shown]);
    check("GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", &["error: carriage return without line feed"]);
    check("GET / HTTP/1.1\r\r\n\r\n", &["error: malformed HTTP version"]);
    check("GET / HTTP/1.1\r\n\r\r\n", &["error: malformed header field name"]);
}

#[test]
fn methods() {
    for method in ["DELETE", "GET", "HEAD", "POST", "PUT", "OPTIONS", "M-SEARCH", "UNSUBSCRIBE"] {
        check(format!("{method} /a HTTP/1.1\r\n\r\n"), &[&format!("{method} /a [] 1.1 [] keep")]);
    }
    // Case 25. The end of the line is not awaited.
    for start in ["GARBAGE\r\n\r\n", "PATCH /state", "get /", "GETT", "P ", "\x16\x03\x01", " GET"]
    {
        check(start, &["error: unknown method"]);
    }
    check("POS", &[]);
    check("GET\r\n", &["error: unknown method"]);
}

#[test]
fn targets() {
    let check = |target: &str, expected: &str| {
        let shown = format!("GET {expected} 1.1 [] keep");
        let expected = if expected.starts_with("error") { expected } else { &shown };
        check(format!("GET {target} HTTP/1.1\r\n\r\n"), &[expected]);
    };
    check("/", "/ []");
    check("  /", "/ []");
    check("/ ", "/ []");
    check("/a%20b/..;c", "/a%20b/..;c []");
    check("/a?b=c&d?e", "/a [b=c&d?e]");
    check("/a???b", "/a [b]");
    check("/a?#b", "/a []");
    check("/a?b#c?d#e", "/a [b]");
    check("*", "* []");
    check("http://h", " []");
    check("http://h:80", " []");
    check("http://h.x-1:80/a?b", "/a [b]");
    check("http:///a", "/a []");
    check("h.x:80/a", "/a []");
    for target in [
        "a",
        "localhost:80",
        "http:/a",
        "http://h?a",
        "http://h_/",
        "http://h:a/",
        "http://[::1]/",
        "?a",
        "-",
        "/\u{e9}",
        "/a\u{7f}",
        "/a\tb",
        "/\u{1}",
        "1/a",
    ] {
        check(target, "error: malformed request target");
    }
    check("/a b", "error: malformed HTTP version");
    check("/?a=%zz", "error: malformed query: malformed % escape at byte 2");
    check("/?a=%4&1", "error: malformed query: malformed % escape at byte 2");
    check("/%zz#%zz", "/%zz []");
}

#[test]
fn versions() {
    for version in [
        "HTTP/1",
        "HTTP/0.9",
        "HTTP/1.",
        "HTTP/.1",
        "HTTP/1.1 ",
        "HTTP/1000.1",
        "HTTP/1.1000",
        "http/1.1",
        "HTTP/a.b",
        "HTTP 1.1",
        "HTTPS/1.1",
        "X",
    ] {
        check(format!("GET / {version}\r\n\r\n"), &["error: malformed HTTP version"]);
    }
    check("GET / \r\n\r\n", &["error: malformed HTTP version"]);
    check("GET http://h\r\n\r\n", &["error: malformed HTTP version"]);
    check("GET /a?b\n\n", &["GET /a [b] 0.9 [] close"]);
}

#[test]
fn limits_of_the_head() {
    let fits = |bytes: usize| {
        let rest = "GET / HTTP/1.1\r\nA: \r\n\r\n".len();
        format!("GET / HTTP/1.1\r\nA: {}\r\n\r\n", "x".repeat(bytes - rest))
    };
    let transcript = |input: &str| transcript(&[input.as_bytes()]);
    assert_eq!(transcript(&fits(MAX_HEAD_BYTES)), ["GET / [] 1.1 [] keep"]);
    let too_long = ["error: header is longer than 81920 bytes"];
    assert_eq!(transcript(&fits(MAX_HEAD_BYTES + 1)), too_long);
    assert_eq!(transcript(&fits(MAX_HEAD_BYTES + 3)), too_long);
    assert_eq!(transcript(&format!("GET /{}", "x".repeat(MAX_HEAD_BYTES))), too_long);
    let fields = |count| format!("GET / HTTP/1.1\r\n{}\r\n", "a:\r\n".repeat(count));
    assert_eq!(transcript(&fields(MAX_FIELDS)), ["GET / [] 1.1 [] keep"]);
    assert_eq!(transcript(&fields(MAX_FIELDS + 1)), ["error: more than 1024 header fields"]);
    let chunked = "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n";
    assert_eq!(transcript(&format!("{chunked}{}", "a: b\r\n".repeat(20_000))), too_long);
    assert_eq!(transcript(&format!("{chunked}{}", "a".repeat(100_000))), too_long);
}

fn http(input: &[u8]) -> HttpRequest {
    let mut decoder = Decoder::new();
    decoder.feed(input);
    match decoder.decode() {
        Ok(Some(Item::Http(request))) => *request,
        other => panic!("no request but {other:?}"),
    }
}

#[test]
fn decoder_test_request() {
    let request = http(
        b"GET /path/file.json?key1=value1&key2=value2#fragment HTTP/1.1\r\n\
          Host: localhost\r\nConnection: close\r\nAccept-Encoding: compress, gzip\r\n\r\n",
    );
    assert_eq!((&*request.path, &*request.query), ("/path/file.json", "key1=value1&key2=value2"));
    assert_eq!(request.method, "GET");
    assert!(request.body.is_empty() && !request.keep_alive);
    assert_eq!(request.headers.len(), 3);
    assert_eq!(request.headers["accept-encoding"], "compress, gzip");
}

#[test]
fn decoder_test_request_header_continuation() {
    let request = http(b"GET / HTTP/1.1\r\nAccept-Encoding: compress,       gzip\r\n\r\n");
    assert_eq!(request.headers["accept-encoding"], "compress,       gzip");
}

#[test]
fn decoder_test_request_header_case_insensitive() {
    let request = http(b"GET / HTTP/1.1\r\ncOnnECtioN: close\r\naccept-ENCODING: gzip\r\n\r\n");
    assert!(!request.keep_alive);
    assert_eq!(request.headers["Accept-Encoding"], "gzip");
}

#[test]
fn last_of_repeated_headers_wins() {
    let request = http(b"GET / HTTP/1.1\r\nAccept: a\r\nACCEPT:  b \r\nX: \xe9\r\n\r\n");
    assert_eq!(request.headers["accept"], "b ");
    assert_eq!(request.headers["x"].as_bytes(), b"\xe9");
    assert_eq!(request.headers.len(), 2);
}

#[test]
fn odd_fields_are_left_out() {
    let request = http(
        b"GET / HTTP/1.1\r\n folded: a\r\nA B: c\r\nA/B: c\r\nQ\"q: d\r\nG: \x01\r\nE: f\r\n\r\n",
    );
    assert_eq!(request.headers.len(), 1);
    assert_eq!(request.headers["e"], "f");
}

#[test]
fn field_without_colon_is_left_out() {
    let request = http(b"GET / HTTP/1.1\r\nnothing\r\nE: f\r\n\r\n");
    assert_eq!(request.headers.len(), 1);
}

#[test]
fn malformed_fields() {
    let check = |field: &str, expected: &str| {
        check(format!("GET / HTTP/1.1\r\n{field}\r\n\r\n"), &[expected]);
    };
    check(": a", "error: malformed header field name");
    check("\tA: a", "error: malformed header field name");
    check("A(b): a", "error: malformed header field name");
    check("\u{e9}: a", "error: malformed header field name");
}

#[test]
fn garbage_after_a_request_is_told_after_it() {
    // Case 26.
    let input = b"GET /state HTTP/1.1\r\n\r\n\x01\x02";
    check(input, &["GET /state [] 1.1 [] keep", "error: unknown method"]);
}

#[test]
fn remote_crashes_of_upstream_are_errors() {
    // Case 47.
    let after_last = "error: bytes after the last request";
    let get = "GET /a [] 1.1 [] keep";
    let upgrade = "GET /a HTTP/1.1\r\nUpgrade: h2c\r\n\r\n";
    check(upgrade, &[get]);
    check(format!("{upgrade}GET /b HTTP/1.1\r\n\r\n"), &[get, after_last]);
    check("GET /a HTTP/1.1\r\nUpgrade:\r\n\r\n", &[get]);
    let connect = "CONNECT h.x:80 HTTP/1.1\r\nContent-Length: 1\r\n\r\n";
    check(format!("{connect}x"), &["CONNECT  [] 1.1 [] keep", after_last]);
    let no_path = post("http://h", "HTTP/1.1", &format!("{LF}\r\n"));
    check(no_path, &["error: message without a path"]);
    let bad_query = "error: malformed query: malformed % escape at byte 0";
    check("GET /a HTTP/1.1\r\n\r\nGET /a?% HTTP/1.1\r\n\r\nmore", &[get, bad_query]);
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn post_gzip(body: &[u8]) -> Vec<u8> {
    let fields = format!("Content-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", body.len());
    [b"POST /a HTTP/1.1\r\n", fields.as_bytes(), body].concat()
}

#[test]
fn gzip_bodies_are_inflated() {
    let body = gzip(b"hello hello hello");
    check(post_gzip(&body), &["POST /a [] 1.1 [hello hello hello] keep"]);
    check(post_gzip(&[&body[..], b"junk"].concat()), &["POST /a [] 1.1 [hello hello hello] keep"]);
    assert_eq!(http(&post_gzip(&body)).headers["content-length"], "17");
    check(post_gzip(b"plain"), &["error: body is not a gzip stream"]);
    check(post_gzip(b""), &["error: body is not a gzip stream"]);
    check(post_gzip(&body[..body.len() - 1]), &["error: body is not a gzip stream"]);
    let message = [&ping(&format!("{LF}Content-Encoding: gzip\r\nContent-Length: 37\r\n")), ""];
    let body = gzip(&[0x41; 40]);
    let input =
        [message.concat().replace("37", &body.len().to_string()).as_bytes(), &body].concat();
    let inflated = "A".repeat(40);
    let shown = format!("[master] [mesos.internal.Ping] from y@127.0.0.1:9 [{inflated}] answer");
    check(input, &[&shown]);
}

#[test]
fn inflating_is_bounded() {
    let bomb = gzip(&vec![0; MAX_INFLATED_BYTES as usize + 1]);
    let expected = ["error: inflated body is longer than 67108864 bytes"];
    assert_eq!(transcript(&[&post_gzip(&bomb)]), expected);
}

#[test]
fn an_error_is_final() {
    let mut decoder = Decoder::new();
    decoder.feed(b"nonsense");
    assert_eq!(decoder.decode(), Err(DecodeError::Method));
    decoder.feed(b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!(decoder.decode(), Err(DecodeError::Method));
}

#[test]
fn idle_between_requests_only() {
    let mut decoder = Decoder::new();
    for (fed, idle) in [
        ("", true),
        ("GE", false),
        ("T / HTTP/1.1\r\nContent-Length: 1\r\n\r\n", false),
        ("a", true),
        ("\r\n", true),
    ] {
        decoder.buffer().extend_from_slice(fed.as_bytes());
        while decoder.decode().unwrap().is_some() {}
        assert_eq!(decoder.is_idle(), idle, "after {fed:?}");
    }
}

#[test]
fn a_body_in_one_piece_is_not_copied() {
    let mut decoder = Decoder::new();
    decoder.feed(ping(&format!("{LF}Content-Length: 3\r\n")).as_bytes());
    decoder.feed(b"abc");
    let read = decoder.buf.as_ptr_range();
    let Ok(Some(Item::Message(message))) = decoder.decode() else { panic!("no message") };
    assert!(read.contains(&message.body.as_ptr()));
}
