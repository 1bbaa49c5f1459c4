//! Cases 36 to 45 and 49: messages and links that go out.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use libprocess::testing::wait;
use libprocess::{Address, Config, Inject, Upid};
use tokio::sync::oneshot;

use crate::support::{Client, LF, PING, Seen, Server};

/// A peer that accepts connections and looks at what comes.
struct Peer {
    listener: TcpListener,
}

impl Peer {
    fn new() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").expect("a free port") }
    }

    fn upid(&self, id: &str) -> Upid {
        let SocketAddr::V4(address) = self.listener.local_addr().expect("an address") else {
            unreachable!()
        };
        Upid::new(id, Address::from(address))
    }

    fn accept(&self) -> TcpStream {
        let (stream, _) = self.listener.accept().expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        stream
    }
}

fn read_all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("an end");
    String::from_utf8(bytes).expect("text")
}

fn read(stream: &mut TcpStream, count: usize) -> String {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).expect("more bytes");
    String::from_utf8(bytes).expect("text")
}

/// The bytes of a message of the master.
fn message(from: &Upid, id: &str, name: &str, body: &str) -> String {
    let head = format!(
        "POST /{id}/{name} HTTP/1.1\r\nUser-Agent: libprocess/{from}\r\n\
         Libprocess-From: {from}\r\nConnection: Keep-Alive\r\nHost: \r\n"
    );
    match body.len() {
        0 => format!("{head}\r\n"),
        length => {
            format!("{head}Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n")
        }
    }
}

/// Sends from the master, which does all of it before anything else.
fn send(server: &Server, to: &Upid, messages: &[(&'static str, &'static str)]) {
    let (to, messages) = (to.clone(), messages.to_vec());
    let sent = server.master.dispatch(move |_, ctx| {
        messages.iter().for_each(|(name, body)| ctx.send_raw(&to, *name, (*body).into()));
    });
    wait(sent).expect("the master lives");
}

fn link(server: &Server, to: &Upid) {
    let to = to.clone();
    wait(server.master.dispatch(move |_, ctx| ctx.link(&to))).expect("the master lives");
}

#[test]
fn case_36_message_to_the_last_byte() {
    let server = Server::new();
    let peer = Peer::new();
    send(&server, &peer.upid("peer(1)"), &[("mesos.internal.Foo", "twenty bytes exactly")]);
    let from = server.master.upid();
    let expected = message(from, "peer(1)", "mesos.internal.Foo", "twenty bytes exactly");
    assert!(expected.contains("\r\n\r\n14\r\n"));
    assert_eq!(read_all(&mut peer.accept()), expected);
}

#[test]
fn case_37_rapid_messages_share_a_connection() {
    let server = Server::new();
    let peer = Peer::new();
    // The thread of the sockets is held up until all have been sent.
    let (begin, begun) = oneshot::channel();
    let (go, gone) = std::sync::mpsc::channel::<()>();
    server.runtime.run(async move {
        begin.send(()).expect("the test waits");
        gone.recv().expect("the test lets it go");
    });
    wait(begun).expect("it has begun");
    send(&server, &peer.upid("peer(1)"), &[("A", ""), ("B", ""), ("C", "")]);
    go.send(()).expect("it waits");
    let from = server.master.upid();
    let expected: String = ["A", "B", "C"].map(|name| message(from, "peer(1)", name, "")).concat();
    assert_eq!(read_all(&mut peer.accept()), expected);
}

#[test]
fn case_38_link_opens_a_connection_that_stays() {
    let server = Server::new();
    let peer = Peer::new();
    let to = peer.upid("peer(1)");
    link(&server, &to);
    let mut stream = peer.accept();
    let from = server.master.upid();
    for name in ["A", "B"] {
        let expected = message(from, "peer(1)", name, "x");
        send(&server, &to, &[(if name == "A" { "A" } else { "B" }, "x")]);
        assert_eq!(read(&mut stream, expected.len()), expected);
    }
    // Open, and alone: another message still comes this way.
    let expected = message(from, "peer(1)", "C", "");
    send(&server, &to, &[("C", "")]);
    assert_eq!(read(&mut stream, expected.len()), expected);
}

#[test]
fn case_39_every_link_to_an_address_ends_with_the_connection() {
    let mut server = Server::new();
    let peer = Peer::new();
    let ids = ["peer(1)", "peer(2)"].map(|id| peer.upid(id));
    ids.iter().for_each(|id| link(&server, id));
    link(&server, &ids[0]);
    drop(peer.accept());
    let mut ended = [server.next(), server.next()];
    ended.sort_by_key(|seen| format!("{seen:?}"));
    assert_eq!(ended, ids.clone().map(Seen::Exited));
    send(&server, &ids[0], &[("A", "")]);
    let expected = message(server.master.upid(), "peer(1)", "A", "");
    assert_eq!(read_all(&mut peer.accept()), expected);
    server.expect_nothing();
}

#[test]
fn case_40_what_comes_back_on_a_link_is_ignored() {
    let mut server = Server::new();
    let peer = Peer::new();
    let to = peer.upid("peer(1)");
    link(&server, &to);
    let mut stream = peer.accept();
    stream.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n\x00junk").unwrap();
    let expected = message(server.master.upid(), "peer(1)", "A", "");
    send(&server, &to, &[("A", "")]);
    assert_eq!(read(&mut stream, expected.len()), expected);
    server.expect_nothing();
}

#[test]
fn case_41_half_close_of_the_peer_ends_a_link() {
    let mut server = Server::new();
    let peer = Peer::new();
    let to = peer.upid("peer(1)");
    link(&server, &to);
    let mut stream = peer.accept();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(server.next(), Seen::Exited(to));
    assert_eq!(read_all(&mut stream), "");
}

#[test]
fn case_42_reconnect_replaces_the_connection() {
    let mut server = Server::new();
    let peer = Peer::new();
    let to = peer.upid("peer(1)");
    link(&server, &to);
    let mut old = peer.accept();
    let linkee = to.clone();
    wait(server.master.dispatch(move |_, ctx| ctx.link_reconnect(&linkee))).unwrap();
    let mut new = peer.accept();
    assert_eq!(read_all(&mut old), "");
    drop(old);
    send(&server, &to, &[("A", "")]);
    let expected = message(server.master.upid(), "peer(1)", "A", "");
    assert_eq!(read(&mut new, expected.len()), expected);
    server.expect_nothing();
    drop(new);
    assert_eq!(server.next(), Seen::Exited(to));
}

#[test]
fn case_43_closed_port() {
    let mut server = Server::new();
    let to = Peer::new().upid("peer(1)");
    send(&server, &to, &[("A", "")]);
    link(&server, &to);
    assert_eq!(server.next(), Seen::Exited(to));
    server.expect_nothing();
}

#[test]
fn case_44_links_to_local_actors() {
    let mut server = Server::new();
    let absent = Upid::new("absent", server.runtime.address());
    link(&server, &absent);
    assert_eq!(server.next(), Seen::Exited(absent));
    let other = server.spawn("other");
    link(&server, other.upid());
    server.expect_nothing();
    other.terminate(Inject::Front);
    assert_eq!(server.next(), Seen::Terminated);
    assert_eq!(server.next(), Seen::Exited(other.upid().clone()));
}

#[test]
fn case_45_anonymous_sender() {
    let server = Server::new();
    let peer = Peer::new();
    server.runtime.post(&Upid::empty(), &peer.upid("peer(1)"), "A", "".into());
    let expected = message(&Upid::empty(), "peer(1)", "A", "");
    assert!(expected.contains("User-Agent: libprocess/@0.0.0.0:0\r\n"));
    assert_eq!(read_all(&mut peer.accept()), expected);
}

#[test]
fn case_49_advertised_address() {
    let config = Config {
        advertise_ip: Some(Ipv4Addr::new(10, 9, 8, 7)),
        advertise_port: Some(7),
        ..Config::default()
    };
    let mut server = Server::with(config);
    assert_eq!(server.master.upid().to_string(), "master@10.9.8.7:7");
    let mut client = Client::connect(server.runtime.bound());
    client.send(format!("POST /slave(1)/{PING} HTTP/1.1\r\nHost: 10.9.8.7:7\r\n{LF}\r\n"));
    client.expect_202();
    server.expect_message("slave(1)", "y@127.0.0.1:9", "");
    let peer = Peer::new();
    send(&server, &peer.upid("peer(1)"), &[("A", "")]);
    let from: Upid = "master@10.9.8.7:7".parse().unwrap();
    assert_eq!(read_all(&mut peer.accept()), message(&from, "peer(1)", "A", ""));
}
