//! Actors that begin and end, and what those cost that have nothing to do: idle actors and idle
//! connections.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use libprocess::testing::wait;
use libprocess::{Ctx, Inject, Process, Router, Runtime};

use crate::remote::{Remote, lift_the_limit_of_descriptors, memory, processor_time, start};

const SPAWNED: u64 = 1_000_000;

const IDLE: u64 = 100_000;

const CONNECTIONS_MAX: u64 = 10_000;

/// An actor of some use: it understands a message and serves a route.
struct Actor(Arc<AtomicU64>);

impl Process for Actor {
    fn install(&self, router: &mut Router<Self>) {
        router.on_raw("ping", |_, ctx, from, body| ctx.send_raw(&from, "pong", body));
        router.route("/state", None, |_: &mut Self, _, _| libprocess::http::Response::ok("idle"));
    }

    fn finalize(&mut self, _: &mut Ctx<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn spawn_and_terminate(runtime: &Runtime) -> Duration {
    let ended = Arc::new(AtomicU64::new(0));
    let begin = Instant::now();
    for _ in 0..SPAWNED {
        runtime.spawn_numbered("actor", || Actor(ended.clone())).terminate(Inject::Front);
    }
    wait(runtime.settle());
    assert_eq!(ended.load(Ordering::Relaxed), SPAWNED, "every one has ended");
    begin.elapsed()
}

fn idle_actor_bytes(runtime: &Runtime) -> u64 {
    let ended = Arc::new(AtomicU64::new(0));
    let before = memory(std::process::id());
    let actors: Vec<_> =
        (0..IDLE).map(|_| runtime.spawn_numbered("idle", || Actor(ended.clone()))).collect();
    wait(runtime.settle());
    let after = memory(std::process::id());
    actors.iter().for_each(|actor| actor.terminate(Inject::Front));
    wait(runtime.settle());
    (after - before) / IDLE
}

/// By connections that have been used once to send a message.
fn idle_connection_bytes() -> u64 {
    let most = lift_the_limit_of_descriptors();
    let count = CONNECTIONS_MAX.min(most / 2);
    let (remote, server) = Remote::start();
    let address = (server.address.ip, server.address.port);
    let message = b"POST /server/ping HTTP/1.1\r\nLibprocess-From: a@127.0.0.1:1\r\n\r\n";
    let connect = |_| {
        let mut stream = TcpStream::connect(address).expect("the server listens");
        std::io::Write::write_all(&mut stream, message).expect("open");
        // The answer tells that the message has been handled.
        let mut answer = [0; 12];
        std::io::Read::read_exact(&mut stream, &mut answer).expect("an answer");
        stream
    };
    let warm: Vec<_> = (0..100).map(connect).collect();
    let before = memory(remote.id());
    let idle: Vec<_> = (0..count).map(connect).collect();
    let after = memory(remote.id());
    drop((warm, idle));
    (after - before) / count
}

pub(crate) fn run() {
    let runtime = start();
    // First: later, there is free memory that the actors fit into.
    println!("idle_process_bytes: {}", idle_actor_bytes(&runtime));
    // Once to have seen all that is made only once.
    spawn_and_terminate(&runtime);
    let before = memory(std::process::id());
    let spent = processor_time(std::process::id());
    let best = (0..3).map(|_| spawn_and_terminate(&runtime)).min().expect("there are some");
    let spent = (processor_time(std::process::id()) - spent) / 3;
    let after = memory(std::process::id());
    println!("spawn_and_terminate_1000000_seconds: {:.2}", best.as_secs_f64());
    println!("spawn_and_terminate_1000000_processor_seconds: {:.2}", spent.as_secs_f64());
    println!("memory_kilobytes_before: {}", before / 1024);
    println!("memory_kilobytes_after: {}", after / 1024);
    println!("idle_connection_bytes: {}", idle_connection_bytes());
}
