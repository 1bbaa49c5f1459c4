//! What comes from outside never ends, stalls or exhausts a runtime.

mod tcp;

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use libprocess::http::Response;
use libprocess::testing::{runtime, start, wait};
use libprocess::{Address, Config, Process, Router, Runtime, Upid};
use socket2::{Domain, Socket, Type};

/// Answers, and takes messages of a type with a required shape.
struct Target;

#[derive(Clone, PartialEq, prost::Message)]
struct Note {
    #[prost(string, tag = "1")]
    text: String,
}

impl prost::Name for Note {
    const NAME: &'static str = "Note";
    const PACKAGE: &'static str = "test";
}

impl Process for Target {
    fn install(&self, router: &mut Router<Self>) {
        router.route("/", None, |_: &mut Self, _, _| Response::ok("alive"));
        router.on(|_: &mut Self, ctx, from, note: Note| ctx.send(&from, &note));
    }
}

fn target() -> Runtime {
    let runtime = runtime();
    runtime.spawn("target", Target).expect("a free id");
    runtime
}

fn connect(runtime: &Runtime) -> TcpStream {
    let stream = TcpStream::connect(runtime.bound()).expect("the runtime listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    stream
}

fn assert_alive(runtime: &Runtime) {
    let mut stream = connect(runtime);
    stream.write_all(b"GET /target HTTP/1.1\r\nConnection: close\r\n\r\n").expect("open");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an end");
    assert!(answer.ends_with("alive"), "{answer}");
}

/// Reads to the end, however it comes.
fn drain(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    bytes
}

/// A pseudo-random byte for each index, the same in every run.
fn noise(length: u32, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as u8
    };
    (0..length).map(next).collect()
}

#[test]
fn garbage_closes_its_connection_alone() {
    let runtime = target();
    let mut neighbour = connect(&runtime);
    for seed in 0..100 {
        let mut stream = connect(&runtime);
        // Refused before its end: that is what is looked for.
        let _ = stream.write_all(&noise(300, seed));
        let _ = stream.shutdown(Shutdown::Write);
        assert_eq!(drain(stream), b"", "seed {seed}");
    }
    neighbour.write_all(b"GET /target HTTP/1.1\r\n\r\n").unwrap();
    let mut start = [0; 15];
    neighbour.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 200 OK");
    wait(runtime.shutdown());
}

#[test]
fn truncated_requests_are_dropped() {
    let runtime = target();
    let whole: &[u8] = b"POST /target/test.Note HTTP/1.1\r\nLibprocess-From: a@127.0.0.1:9\r\n\
        Transfer-Encoding: chunked\r\n\r\n4\r\n\n\x02hi\r\n0\r\n\r\n";
    for length in 0..whole.len() {
        let mut stream = connect(&runtime);
        stream.write_all(&whole[..length]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(drain(stream), b"", "{length} bytes");
    }
    let mut stream = connect(&runtime);
    stream.write_all(whole).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert!(drain(stream).starts_with(b"HTTP/1.1 202 Accepted\r\n"));
    assert_alive(&runtime);
    wait(runtime.shutdown());
}

#[test]
fn bodies_that_do_not_decode_reach_no_handler() {
    let runtime = target();
    for seed in 0..50 {
        runtime.post(
            &"a@127.0.0.1:9".parse().unwrap(),
            &Upid::new("target", runtime.address()),
            "test.Note",
            Bytes::from([&[0x0a, 0xff], &noise(20, seed)[..]].concat()),
        );
    }
    wait(runtime.settle());
    assert_alive(&runtime);
    wait(runtime.shutdown());
}

#[test]
fn absurd_lengths_take_no_memory() {
    let runtime = target();
    let check = |length: &str| {
        let mut stream = connect(&runtime);
        let head = format!("POST /target HTTP/1.1\r\n{length}\r\n\r\nx");
        stream.write_all(head.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(drain(stream), b"", "{length}");
    };
    check("Content-Length: 18446744073709551615");
    check("Content-Length: 99999999999999999999999");
    check("Content-Length: 1000000000");
    check("Content-Length: -1");
    assert_alive(&runtime);
    wait(runtime.shutdown());
}

#[test]
fn a_client_that_never_reads_stops_nobody_else() {
    let runtime = target();
    let mut deaf = connect(&runtime);
    deaf.set_nonblocking(true).unwrap();
    let requests = b"GET /help HTTP/1.1\r\n\r\n".repeat(100);
    // Until the answers that nobody reads hold the requests back too.
    let (mut sent, mut refused) = (0, 0);
    while refused < 3 {
        match deaf.write(&requests[sent % requests.len()..]) {
            Ok(count) => (sent, refused) = (sent + count, 0),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                refused += 1;
                assert_alive(&runtime);
            }
        }
    }
    assert_alive(&runtime);
    wait(runtime.shutdown());
}

/// A runtime that waits less long than usual for a peer that has stalled.
fn impatient() -> Runtime {
    let limit = Some(Duration::from_millis(200));
    start(Config { stalled_connection: limit, ..Config::default() })
}

#[test]
fn a_request_that_stalls_ends_its_connection() {
    let runtime = impatient();
    runtime.spawn("target", Target).expect("a free id");
    let halves: [&[u8]; 4] = [
        b"POST /tar",
        b"GET /target HTTP/1.1\r\nHost: x\r\n",
        b"POST /target/test.Note HTTP/1.1\r\nLibprocess-From: a@127.0.0.1:1\r\n\
          Transfer-Encoding: chunked\r\n\r\nfff\r\nhalf a body",
        b"POST /target HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n",
    ];
    let stalled = halves.map(|half| {
        let mut stream = connect(&runtime);
        stream.write_all(half).expect("open");
        stream
    });
    for stream in stalled {
        assert!(drain(stream).is_empty(), "what is not whole gets no answer");
    }
    wait(runtime.shutdown());
}

#[test]
fn an_idle_connection_of_a_peer_between_messages_is_kept() {
    let runtime = impatient();
    runtime.spawn("target", Target).expect("a free id");
    let mut silent = connect(&runtime);
    let mut between = connect(&runtime);
    between
        .write_all(
            b"POST /target/test.Note HTTP/1.0\r\nUser-Agent: libprocess/a@127.0.0.1:9\r\n\
              Connection: Keep-Alive\r\nContent-Length: 4\r\n\r\n\n\x02hi\
              GET /target HTTP/1.1\r\n\r\n",
        )
        .expect("open");
    let mut start = [0; 15];
    between.read_exact(&mut start).expect("the message is not answered, the request is");
    assert_eq!(&start, b"HTTP/1.1 200 OK");
    // Others that stall are given up one after the other meanwhile.
    for _ in 0..3 {
        let mut stalled = connect(&runtime);
        stalled.write_all(b"POST /tar").expect("open");
        assert!(drain(stalled).is_empty());
    }
    for stream in [&mut silent, &mut between] {
        stream.write_all(b"GET /target HTTP/1.1\r\nConnection: close\r\n\r\n").expect("open");
    }
    assert!(drain(silent).ends_with(b"alive"));
    assert!(drain(between).ends_with(b"alive"));
    wait(runtime.shutdown());
}

/// Answers at length and counts how often.
struct Talker(Arc<AtomicUsize>);

impl Process for Talker {
    fn install(&self, router: &mut Router<Self>) {
        router.route("/", None, |this: &mut Self, _, _| {
            this.0.fetch_add(1, Ordering::Relaxed);
            Response::ok("x".repeat(1 << 20))
        });
    }
}

#[test]
fn a_client_that_never_reads_costs_bounded_memory() {
    const REQUESTS: usize = 1_000;
    let runtime = impatient();
    let answers = Arc::new(AtomicUsize::new(0));
    runtime.spawn("talker", Talker(answers.clone())).expect("a free id");
    let mut deaf = connect(&runtime);
    deaf.write_all(&b"GET /talker HTTP/1.1\r\n\r\n".repeat(REQUESTS)).expect("open");
    // Until the server has given up.
    while deaf.write(b"\r\n").is_ok() {
        std::thread::yield_now();
    }
    let answers = answers.load(Ordering::Relaxed);
    assert!((1..REQUESTS / 4).contains(&answers), "{answers} answers were held");
    wait(runtime.shutdown());
}

#[test]
fn a_peer_that_never_reads_stops_nobody_else() {
    let runtime = target();
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let SocketAddr::V4(address) = peer.local_addr().unwrap() else { unreachable!() };
    let to = Upid::new("peer", Address::from(address));
    let body = Bytes::from(vec![b'x'; 1 << 20]);
    for _ in 0..64 {
        runtime.post(&Upid::empty(), &to, "Large", body.clone());
    }
    let (accepted, _) = peer.accept().unwrap();
    assert_alive(&runtime);
    drop(accepted);
    wait(runtime.shutdown());
}

#[test]
fn a_peer_that_never_accepts_stops_nobody_else() {
    let runtime = target();
    let peer = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    peer.bind(&SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    peer.listen(0).unwrap();
    let address = peer.local_addr().unwrap().as_socket_ipv4().unwrap();
    // Nobody accepts these, and then there is no room for another.
    let fill = |_| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        // In progress at best: that is what is looked for.
        let _ = socket.connect(&address.into());
        socket
    };
    let waiting: Vec<_> = (0..4).map(fill).collect();
    let to = Upid::new("peer", Address::from(address));
    let body = Bytes::from(vec![b'x'; 1 << 20]);
    for _ in 0..16 {
        runtime.post(&Upid::empty(), &to, "Large", body.clone());
        assert_alive(&runtime);
    }
    drop(waiting);
    wait(runtime.shutdown());
}

#[test]
fn a_silent_peer_is_probed() {
    let runtime = target();
    let mut stream = connect(&runtime);
    stream.write_all(b"GET /target HTTP/1.1\r\n\r\n").unwrap();
    let mut start = [0; 15];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 200 OK");
    tcp::wait_until_probed(&stream);
    wait(runtime.shutdown());
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("procfs").count()
}

#[test]
fn churn_gives_its_file_descriptors_back() {
    let runtime = target();
    let peer = TcpListener::bind("127.0.0.1:0").unwrap();
    let SocketAddr::V4(address) = peer.local_addr().unwrap() else { unreachable!() };
    let to = Upid::new("peer", Address::from(address));
    let round = || {
        assert_alive(&runtime);
        runtime.post(&Upid::empty(), &to, "A", Bytes::new());
        let (accepted, _) = peer.accept().unwrap();
        drain(accepted);
        // Half-open for a moment, then reset.
        drop(connect(&runtime));
    };
    (0..10).for_each(|_| round());
    let before = descriptors();
    (0..200).for_each(|_| round());
    // The last ones are closed when their ends have been seen: more churn, not more time.
    for _ in 0..1000 {
        if descriptors() <= before + 3 {
            break;
        }
        assert_alive(&runtime);
    }
    assert!(descriptors() <= before + 3, "{} after {before}", descriptors());
    wait(runtime.shutdown());
}
