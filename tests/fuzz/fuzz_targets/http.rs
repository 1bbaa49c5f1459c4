//! Whatever arrives on a connection to a running server, and however it is cut in two, the server
//! ends the connection in time, closes what it had open and goes on serving. A panic on any of its
//! threads ends the run, as does memory beyond libFuzzer's limit. The last two bytes of the input
//! say where to cut.
#![no_main]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpStream};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use libprocess::http::auth::BasicAuthenticator;
use libprocess::http::pipe::pipe;
use libprocess::http::{Body, Request, Response};
use libprocess::metrics::SnapshotRate;
use libprocess::{Config, Ctx, Process, Router, Runtime};

/// How long the server may take to end a connection: its own limits come to a good second.
const PATIENCE: Duration = Duration::from_secs(20);

/// After so many connections the server is looked at: whether it serves, and what it has open.
const INSPECTED_EVERY: u64 = 1_000;

/// Far more files than the server has open between two connections.
const OPEN_FILES_MAX: usize = 200;

struct Site;

impl Site {
    fn stream(&mut self, ctx: &mut Ctx<Self>, request: Request) -> Response {
        let (writer, reader) = pipe();
        writer.write(request.body);
        match request.query.get("end").map(String::as_str) {
            Some("fail") => writer.fail("asked for"),
            Some("never") => {
                // It ends with the client, or the memory of this process does.
                ctx.runtime().run(async move { writer.reader_closed().await });
                true
            }
            _ => writer.close(),
        };
        Response { body: Body::Stream(reader), ..Response::ok("") }
    }
}

impl Process for Site {
    fn install(&self, router: &mut Router<Self>) {
        router.on_raw("note", |_: &mut Self, _, _, _| {});
        router.route("/echo", None, |_: &mut Self, _, request| Response::ok(request.body));
        router.route("/stream", None, Self::stream);
        router.route_in_realm("/who", "realm", None, |_: &mut Self, _, request| {
            Response::ok(request.principal.unwrap_or_default())
        });
        router.provide("file", "/proc/self/limits");
    }
}

/// The server, started with the first input.
fn server() -> SocketAddrV4 {
    static SERVER: OnceLock<Runtime> = OnceLock::new();
    let server = SERVER.get_or_init(|| {
        std::panic::set_hook(Box::new(|panic| {
            eprintln!("{panic}");
            std::process::abort();
        }));
        let config = Config {
            ip: Some(Ipv4Addr::LOCALHOST),
            snapshot_rate: SnapshotRate::Unlimited,
            delegate: Some("site".to_owned()),
            ..Config::default()
        };
        let runtime = Runtime::start(config).expect("a free port on the loopback interface");
        let credentials = [("user".to_owned(), "secret".to_owned())];
        let authenticator = BasicAuthenticator::new("realm", credentials);
        runtime.set_authenticator("realm", std::sync::Arc::new(authenticator));
        runtime.set_disabled_endpoints(["/site/disabled".to_owned()].into());
        runtime.spawn("site", Site).expect("a free id");
        runtime
    });
    server.bound()
}

/// How the client ends what it has to say.
#[derive(PartialEq)]
enum Ending {
    /// It closes its half, and may find that answers are given up on a slow machine.
    HalfClose,
    /// It has asked the server to close.
    Wait,
}

/// Sends a connection's bytes and gives what comes back until the server ends it.
fn exchange(server: SocketAddrV4, writes: &[&[u8]], ending: Ending) -> Vec<u8> {
    let mut stream = TcpStream::connect(server).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream.set_nodelay(true).expect("a socket");
    for bytes in writes {
        // It may have been closed already.
        let _ = stream.write_all(bytes);
    }
    if ending == Ending::HalfClose {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let (start, mut answer) = (Instant::now(), Vec::new());
    // A reset is an end, too.
    let _ = stream.read_to_end(&mut answer);
    assert!(start.elapsed() < PATIENCE, "the connection was not ended");
    answer
}

fn inspect(server: SocketAddrV4) {
    let head = b"POST /site/echo HTTP/1.1\r\nConnection: close\r\nContent-Length: 2\r\n\r\n";
    let answer = exchange(server, &[head, b"hi"], Ending::Wait);
    assert!(answer.ends_with(b"\r\n\r\nhi"), "{}", String::from_utf8_lossy(&answer));
    let open = std::fs::read_dir("/proc/self/fd").expect("a procfs").count();
    assert!(open < OPEN_FILES_MAX, "{open} files are open");
}

fuzz_target!(|input: &[u8]| {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let Some((bytes, cut)) = input.split_last_chunk::<2>() else { return };
    let (head, tail) = bytes.split_at(usize::from(u16::from_le_bytes(*cut)) % (bytes.len() + 1));
    let server = server();
    exchange(server, &[head, tail], Ending::HalfClose);
    if COUNT.fetch_add(1, Ordering::Relaxed) % INSPECTED_EVERY == 0 {
        inspect(server);
    }
});
