//! Case 50: what we send, read by the rules of those who read it.

use std::net::{SocketAddr, TcpListener};

use bytes::Bytes;
use libprocess::{Address, Upid};

use crate::support::Server;

/// What a peer makes of a message.
#[derive(Debug, PartialEq)]
struct Read {
    id: String,
    name: String,
    from: String,
    body: Vec<u8>,
}

/// Takes bytes off the front.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn line(&mut self) -> &'a str {
        let end = self.0.windows(2).position(|two| two == b"\r\n").expect("a line");
        let line = std::str::from_utf8(&self.0[..end]).expect("text");
        self.0 = &self.0[end + 2..];
        line
    }

    fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn chunk(&mut self) -> Vec<u8> {
        let size = usize::from_str_radix(self.line(), 16).expect("a size");
        let chunk = self.bytes(size).to_vec();
        assert_eq!(self.line(), "");
        chunk
    }

    fn headers(&mut self) -> Vec<(&'a str, &'a str)> {
        let mut headers = Vec::new();
        loop {
            match self.line() {
                "" => return headers,
                line => headers.push(line.split_once(": ").expect("a header")),
            }
        }
    }
}

fn split_target(target: &str) -> (String, String) {
    let [empty, id, name] = target.split('/').collect::<Vec<_>>()[..] else { panic!("{target}") };
    assert_eq!(empty, "");
    (id.to_owned(), name.to_owned())
}

/// 0.20: header names with their case, the sender in User-Agent, chunks until an empty one.
fn read_as_0_20(bytes: &[u8]) -> Read {
    let mut cursor = Cursor(bytes);
    let line = cursor.line();
    let target = line.strip_prefix("POST ").expect("a POST").split(' ').next().expect("a target");
    let headers = cursor.headers();
    let get = |name: &str| headers.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
    assert_eq!(get("Connection"), Some("Keep-Alive"));
    let from = get("User-Agent").and_then(|agent| agent.strip_prefix("libprocess/"));
    let mut body = Vec::new();
    if get("Transfer-Encoding") == Some("chunked") {
        loop {
            match cursor.chunk() {
                chunk if chunk.is_empty() => break,
                chunk => body.extend(chunk),
            }
        }
    }
    assert_eq!(cursor.0, b"");
    let (id, name) = split_target(target);
    Read { id, name, from: from.expect("a sender").to_owned(), body }
}

/// pymesos 0.1.7: by position; exactly one chunk, then five bytes.
fn read_as_pymesos(bytes: &[u8]) -> Read {
    let mut cursor = Cursor(bytes);
    let [method, target, _] = cursor.line().split(' ').collect::<Vec<_>>()[..] else {
        panic!("not three words")
    };
    assert_eq!(method, "POST");
    let [agent, value] = cursor.line().split(' ').collect::<Vec<_>>()[..] else {
        panic!("not two words")
    };
    assert_eq!(agent, "User-Agent:");
    let from = value.split_once('/').expect("a slash").1.to_owned();
    let mut is_chunked = false;
    loop {
        match cursor.line() {
            "" => break,
            line => is_chunked |= line == "Transfer-Encoding: chunked",
        }
    }
    let mut body = Vec::new();
    if is_chunked {
        let size = usize::from_str_radix(cursor.line(), 16).expect("a size");
        body = cursor.bytes(size + 2)[..size].to_vec();
        assert_eq!(cursor.bytes(5), b"0\r\n\r\n");
    }
    assert_eq!(cursor.0, b"");
    let (id, name) = split_target(target);
    assert!(name == "PING" || name.split('.').count() >= 3, "{name}");
    Read { id, name, from, body }
}

/// net/http of Go: HTTP/1.1 needs a Host header, which may be empty; names in any case.
fn read_as_go(bytes: &[u8]) -> Read {
    let mut cursor = Cursor(bytes);
    let [_, target, version] = cursor.line().split(' ').collect::<Vec<_>>()[..] else {
        panic!("not three words")
    };
    let headers = cursor.headers();
    let get = |name: &str| {
        let mut found = headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        let first = found.next().map(|(_, value)| value.trim());
        assert!(found.next().is_none(), "{name} twice");
        first
    };
    assert_eq!((version, get("host")), ("HTTP/1.1", Some("")));
    // Read on only for exactly this value.
    assert_eq!(get("connection"), Some("Keep-Alive"));
    assert_eq!(get("content-length"), None);
    let mut body = Vec::new();
    if get("transfer-encoding") == Some("chunked") {
        loop {
            match cursor.chunk() {
                chunk if chunk.is_empty() => break,
                chunk => body.extend(chunk),
            }
        }
    }
    let from = get("user-agent").and_then(|agent| agent.strip_prefix("libprocess/"));
    let (id, name) = split_target(target);
    Read { id, name, from: from.expect("a sender").to_owned(), body }
}

/// tornado with compactor: Libprocess-From first, exactly one `@` and one `:` in it.
fn read_as_tornado(bytes: &[u8]) -> Read {
    let read = read_as_go(bytes);
    let mut cursor = Cursor(bytes);
    cursor.line();
    let headers = cursor.headers();
    let from = headers.iter().find(|(key, _)| *key == "Libprocess-From").expect("a sender").1;
    assert_eq!((from.matches('@').count(), from.matches(':').count()), (1, 1));
    Read { from: from.to_owned(), ..read }
}

#[test]
fn case_50_third_parties_read_what_we_send() {
    let server = Server::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let SocketAddr::V4(address) = listener.local_addr().unwrap() else { unreachable!() };
    let to = Upid::new("peer(1)", Address::from(address));
    for body in [&b""[..], b"hello", b"\r\n0\r\n\r\n\x00\xff"] {
        let name = "mesos.internal.Ping";
        server.runtime.post(server.master.upid(), &to, name, Bytes::from_static(body));
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut listener.accept().unwrap().0, &mut bytes).unwrap();
        for read in [read_as_0_20, read_as_pymesos, read_as_go, read_as_tornado] {
            let expected = Read {
                id: "peer(1)".to_owned(),
                name: name.to_owned(),
                from: server.master.upid().to_string(),
                body: body.to_vec(),
            };
            assert_eq!(read(&bytes), expected);
        }
    }
}
