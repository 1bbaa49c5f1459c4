//! The server under test, and a client that sees every byte.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddrV4, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::pending;
use libprocess::http::auth::BasicAuthenticator;
use libprocess::http::pipe::pipe;
use libprocess::http::{Body, Failed, Reply, Request, Response};
use libprocess::testing::{start, wait};
use libprocess::{Config, Ctx, Pid, Process, Router, Runtime, Upid};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

/// The sender header of 0.20.
pub(crate) const UA: &str = "User-Agent: libprocess/x@127.0.0.1:9\r\n";
/// The sender header of third parties.
pub(crate) const LF: &str = "Libprocess-From: y@127.0.0.1:9\r\n";
pub(crate) const PING: &str = "mesos.internal.Ping";

/// What an actor of the server has seen.
#[derive(Debug, PartialEq)]
pub(crate) enum Seen {
    Message {
        to: String,
        from: String,
        body: Bytes,
    },
    Request(String),
    /// The client of a slow request has gone.
    Discarded,
    Exited(Upid),
    Terminated,
}

/// An actor of the server: `master`, `slave(1)`, or one made by a test.
pub(crate) struct Witness {
    tell: UnboundedSender<Seen>,
    release: Arc<Mutex<Option<oneshot::Receiver<()>>>>,
}

/// Tells when it is dropped before its time.
struct Pending {
    tell: UnboundedSender<Seen>,
    done: bool,
}

impl Pending {
    fn finish(mut self) {
        self.done = true;
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.done {
            let _ = self.tell.send(Seen::Discarded);
        }
    }
}

impl Witness {
    fn tell(&self, seen: Seen) {
        // A test that has seen enough does not listen any more.
        let _ = self.tell.send(seen);
    }

    fn show(&mut self, _: &mut Ctx<Self>, request: Request) -> Response {
        self.tell(Seen::Request(request.path.clone()));
        Response::ok(request.path)
    }

    /// Answers once the test says so.
    fn slow(&mut self, _: &mut Ctx<Self>, request: Request) -> Reply {
        self.tell(Seen::Request(request.path));
        let release = self.release.lock().expect("no panic").take();
        let waiting = Pending { tell: self.tell.clone(), done: false };
        Reply::later(async move {
            match release {
                Some(release) => drop(release.await),
                None => pending().await,
            }
            waiting.finish();
            Ok(Response::ok("slow"))
        })
    }

    fn stream(&mut self, ctx: &mut Ctx<Self>, _: Request) -> Response {
        let (writer, chunks) = pipe();
        ctx.runtime().run(async move {
            for chunk in ["hello", "seventeen letters"] {
                writer.write(chunk);
            }
            writer.close();
        });
        Response { body: Body::Stream(chunks), ..Response::ok("") }
    }
}

impl Process for Witness {
    fn install(&self, router: &mut Router<Self>) {
        router.on_raw(PING, |this: &mut Self, ctx, from, body| {
            let to = ctx.upid().id.to_string();
            this.tell(Seen::Message { to, from: from.to_string(), body });
        });
        for path in ["/", "/state", "/big"] {
            router.route(path, None, Self::show);
        }
        router.route("/slow", None, Self::slow);
        router.route("/stream", None, Self::stream);
        router.route("/fail", None, |_: &mut Self, _, _| {
            Reply::later(async { Err(Failed("on purpose".to_owned())) })
        });
        router.route("/long", None, |_: &mut Self, _, _| Response::ok("a".repeat(2000)));
        router.route_in_realm("/auth", "mesos", None, |_: &mut Self, _, request| {
            Response::ok(request.principal.unwrap_or_default())
        });
    }

    fn exited(&mut self, _: &mut Ctx<Self>, pid: Upid) {
        self.tell(Seen::Exited(pid));
    }

    fn finalize(&mut self, _: &mut Ctx<Self>) {
        self.tell(Seen::Terminated);
    }
}

/// The server under test: delegate `master`, actors `master` and `slave(1)`.
pub(crate) struct Server {
    pub(crate) runtime: Runtime,
    pub(crate) master: Pid<Witness>,
    pub(crate) seen: UnboundedReceiver<Seen>,
    tell: UnboundedSender<Seen>,
    release: Arc<Mutex<Option<oneshot::Receiver<()>>>>,
}

impl Server {
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        let runtime = start(config);
        runtime.set_delegate("master");
        runtime.set_disabled_endpoints(["/big".to_owned()].into());
        let credentials = [("u", "p"), ("a", "a:b")];
        let credentials = credentials.map(|(name, secret)| (name.to_owned(), secret.to_owned()));
        let authenticator = BasicAuthenticator::new("mesos", credentials);
        runtime.set_authenticator("mesos", Arc::new(authenticator));
        let (tell, seen) = unbounded_channel();
        let release = Arc::new(Mutex::new(None));
        let witness = || Witness { tell: tell.clone(), release: release.clone() };
        let master = runtime.spawn("master", witness()).expect("a free id");
        runtime.spawn_numbered("slave", witness);
        Self { runtime, master, seen, tell, release }
    }

    /// Another actor.
    pub(crate) fn spawn(&self, id: &str) -> Pid<Witness> {
        let witness = Witness { tell: self.tell.clone(), release: self.release.clone() };
        self.runtime.spawn(id, witness).expect("a free id")
    }

    /// The next slow request is answered when the sender sends.
    pub(crate) fn hold_slow(&self) -> oneshot::Sender<()> {
        let (release, released) = oneshot::channel();
        *self.release.lock().expect("no panic") = Some(released);
        release
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.runtime.bound())
    }

    pub(crate) fn next(&mut self) -> Seen {
        wait(self.seen.recv()).expect("the server holds a sender")
    }

    pub(crate) fn expect_message(&mut self, to: &str, from: &str, body: &str) {
        let (to, from, body) = (to.to_owned(), from.to_owned(), body.to_owned().into());
        assert_eq!(self.next(), Seen::Message { to, from, body });
    }

    /// Nothing but what has been looked at has happened.
    pub(crate) fn expect_nothing(&mut self) {
        wait(self.runtime.settle());
        let seen = self.seen.try_recv();
        assert!(seen.is_err(), "{seen:?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            wait(self.runtime.shutdown());
        }
    }
}

/// A connection to the server.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    read: Vec<u8>,
}

/// One response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddrV4) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
        Self { stream, read: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the connection is open");
    }

    pub(crate) fn get(&mut self, target: &str) -> Answer {
        self.send(format!("GET {target} HTTP/1.1\r\n\r\n"));
        self.answer()
    }

    /// Sends what the server may refuse to read to its end.
    pub(crate) fn send_as_far_as_read(&mut self, bytes: impl AsRef<[u8]>) {
        // Refused: that is what is looked for.
        let _ = self.stream.write_all(bytes.as_ref());
    }

    pub(crate) fn finish(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("the connection is open");
    }

    fn read_more(&mut self) -> usize {
        let mut buffer = [0; 4096];
        let count = match self.stream.read(&mut buffer) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            Err(error) => panic!("{error}; read so far: {:?}", self.text()),
        };
        self.read.extend_from_slice(&buffer[..count]);
        count
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.read).into_owned()
    }

    fn read_until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = self.read.windows(end.len()).position(|window| window == end) {
                return self.read.drain(..at + end.len()).collect();
            }
            assert!(self.read_more() > 0, "the connection has ended after {:?}", self.text());
        }
    }

    fn read_exactly(&mut self, count: usize) -> Vec<u8> {
        while self.read.len() < count {
            assert!(self.read_more() > 0, "the connection has ended after {:?}", self.text());
        }
        self.read.drain(..count).collect()
    }

    /// The next response; a chunked body is left as it is.
    pub(crate) fn answer(&mut self) -> Answer {
        let head = String::from_utf8(self.read_until(b"\r\n\r\n")).expect("text");
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let body = match length {
            Some(length) => self.read_exactly(length.parse().expect("a number")),
            None => self.read_until(b"\r\n0\r\n\r\n"),
        };
        Answer { head, body }
    }

    pub(crate) fn expect_status(&mut self, status: &str) -> Answer {
        let answer = self.answer();
        assert!(answer.head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{}", answer.head);
        answer
    }

    /// The short answer to a message, to the last byte.
    pub(crate) fn expect_bare(&mut self, status: &str) {
        let answer = self.answer();
        let start = format!("HTTP/1.1 {status}\r\nDate: ");
        let rest = answer.head.strip_prefix(&start).unwrap_or_else(|| panic!("{}", answer.head));
        assert_eq!(&rest[25..], " GMT\r\nContent-Length: 0\r\n\r\n");
    }

    pub(crate) fn expect_202(&mut self) {
        self.expect_bare("202 Accepted");
    }

    /// Nothing has been answered so far, and the connection is open.
    pub(crate) fn expect_quiet(&mut self) {
        assert_eq!(self.read, b"");
        let answer = self.get("/master/state");
        assert_eq!(answer.body, b"/master/state", "{}", answer.head);
    }

    /// Neither a byte nor an end has come, though the server has had its turn since.
    pub(crate) fn expect_open(&mut self) {
        self.stream.set_nonblocking(true).expect("a socket");
        let peeked = self.stream.peek(&mut [0]).map_err(|error| error.kind());
        assert_eq!(peeked, Err(ErrorKind::WouldBlock));
        self.stream.set_nonblocking(false).expect("a socket");
    }

    /// The connection ends without another byte.
    pub(crate) fn expect_end(&mut self) {
        while self.read_more() > 0 {}
        assert_eq!(self.text(), "");
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }
}
