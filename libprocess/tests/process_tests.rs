//! What actors may rely on, within one runtime and between two of them on real sockets.

use std::time::Duration;

use bytes::Bytes;
use libprocess::http::Response;
use libprocess::testing::{runtime, wait};
use libprocess::{Ctx, Inject, Process, Router, Upid};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What an actor under test reports.
#[derive(Debug, PartialEq)]
enum Seen {
    Message { from: Upid, name: &'static str, body: Bytes },
    Exited(Upid),
    Finalized,
}

/// Tells what it sees, answers `ping` with `pong`.
struct Witness(UnboundedSender<Seen>);

impl Process for Witness {
    fn install(&self, router: &mut Router<Self>) {
        router.on_raw("ping", |this: &mut Self, ctx, from, body| {
            ctx.send_raw(&from, "pong", body.clone());
            this.tell(Seen::Message { from, name: "ping", body });
        });
        router.on_raw("pong", |this: &mut Self, _, from, body| {
            this.tell(Seen::Message { from, name: "pong", body });
        });
        router.route("/hello", None, |_: &mut Self, _, request| {
            Response::ok(format!("{} {}", request.method, request.path))
        });
    }

    fn exited(&mut self, _: &mut Ctx<Self>, pid: Upid) {
        self.tell(Seen::Exited(pid));
    }

    fn finalize(&mut self, _: &mut Ctx<Self>) {
        self.tell(Seen::Finalized);
    }
}

impl Witness {
    fn new() -> (Self, UnboundedReceiver<Seen>) {
        let (tell, told) = unbounded_channel();
        (Self(tell), told)
    }

    fn tell(&self, seen: Seen) {
        self.0.send(seen).expect("the test listens");
    }
}

fn message(from: &Upid, name: &'static str, body: &'static str) -> Option<Seen> {
    Some(Seen::Message { from: from.clone(), name, body: body.into() })
}

#[test]
fn process_test_spawn_refuses_a_second_actor_of_one_id() {
    let runtime = runtime();
    let (first, _told) = Witness::new();
    let (second, _also) = Witness::new();
    let pid = runtime.spawn("witness", first).unwrap();
    let refused = runtime.spawn("witness", second).unwrap_err();
    assert_eq!(refused.0, *pid.upid());
    wait(runtime.shutdown());
}

#[test]
fn process_test_pid_ids_count_from_one_for_each_prefix() {
    let runtime = runtime();
    assert_eq!(runtime.generate("slave"), "slave(1)");
    assert_eq!(runtime.generate("slave"), "slave(2)");
    assert_eq!(runtime.generate("executor"), "executor(1)");
    wait(runtime.shutdown());
}

#[test]
fn process_test_message_goes_to_and_fro_in_one_runtime() {
    let runtime = runtime();
    let (one, mut told_one) = Witness::new();
    let (two, mut told_two) = Witness::new();
    let one = runtime.spawn("one", one).unwrap();
    let two = runtime.spawn("two", two).unwrap();
    runtime.post(one.upid(), two.upid(), "ping", "body".into());
    assert_eq!(wait(told_two.recv()), message(one.upid(), "ping", "body"));
    assert_eq!(wait(told_one.recv()), message(two.upid(), "pong", "body"));
    wait(runtime.shutdown());
}

#[test]
fn process_test_remote_message_and_exited() {
    let (here, there) = (runtime(), runtime());
    let (one, mut told_one) = Witness::new();
    let (two, mut told_two) = Witness::new();
    let one = here.spawn("one", one).unwrap();
    let two = there.spawn("two", two).unwrap();
    let linkee = two.upid().clone();
    wait(one.dispatch(move |_, ctx| ctx.link(&linkee))).unwrap();
    here.post(one.upid(), two.upid(), "ping", "far".into());
    assert_eq!(wait(told_two.recv()), message(one.upid(), "ping", "far"));
    assert_eq!(wait(told_one.recv()), message(two.upid(), "pong", "far"));
    let two = two.upid().clone();
    wait(there.shutdown());
    assert_eq!(wait(told_one.recv()), Some(Seen::Exited(two)));
    wait(here.shutdown());
}

#[test]
fn process_test_exited_once_for_a_local_actor_however_often_linked() {
    let runtime = runtime();
    let (one, mut told) = Witness::new();
    let (two, _told_two) = Witness::new();
    let one = runtime.spawn("one", one).unwrap();
    let two = runtime.spawn("two", two).unwrap();
    let linkee = two.upid().clone();
    wait(one.dispatch(move |_, ctx| {
        ctx.link(&linkee);
        ctx.link(&linkee);
    }))
    .unwrap();
    two.terminate(Inject::Front);
    wait(two.wait());
    assert_eq!(wait(told.recv()), Some(Seen::Exited(two.upid().clone())));
    one.terminate(Inject::Back);
    assert_eq!(wait(told.recv()), Some(Seen::Finalized));
    wait(runtime.shutdown());
}

#[test]
fn http_test_get_reaches_the_route() {
    use std::io::{Read, Write};
    let runtime = runtime();
    let (witness, _told) = Witness::new();
    runtime.spawn("witness", witness).unwrap();
    let mut stream = std::net::TcpStream::connect(runtime.bound()).unwrap();
    let request = "GET /witness/hello HTTP/1.1\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\nDate: "), "{answer}");
    assert!(answer.ends_with("Content-Length: 18\r\n\r\nGET /witness/hello"), "{answer}");
    wait(runtime.shutdown());
}

#[test]
fn what_was_sent_before_a_flush_is_with_the_system_after_it() {
    use std::io::Read;
    const BYTES: usize = 4 << 20;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = match listener.local_addr().unwrap() {
        std::net::SocketAddr::V4(address) => address.into(),
        std::net::SocketAddr::V6(_) => unreachable!("bound to IPv4"),
    };
    let runtime = runtime();
    let to = Upid::new("peer", address);
    runtime.post(&Upid::empty(), &to, "big", vec![0; BYTES].into());
    let read = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut read = Vec::new();
        stream.read_to_end(&mut read).unwrap();
        read.len()
    });
    wait(runtime.flush(Duration::from_secs(30)));
    wait(runtime.shutdown());
    assert!(read.join().unwrap() > BYTES);
}
