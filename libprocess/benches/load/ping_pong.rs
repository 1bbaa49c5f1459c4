//! Round trips per second through `send`: clients with 250 pings in flight each against one
//! server, inside one runtime and between two processes over the loopback interface.

use std::cell::Cell;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, Throughput};
use libprocess::{Name, Pid, Process, Router, Runtime, Upid};

use crate::remote::{Remote, processor_time, start};

const IN_FLIGHT: u64 = 250;

const HELLO: Name = Name::of_static("hello");
const PING: Name = Name::of_static("ping");
const PONG: Name = Name::of_static("pong");

/// Returns every ping to its sender; links those who greet, as daemons do with who registers.
pub(crate) struct Server;

impl Process for Server {
    fn install(&self, router: &mut Router<Self>) {
        router.on_raw(&HELLO, |_, ctx, from, _| ctx.link(&from));
        router.on_raw(&PING, |_, ctx, from, body| ctx.send_raw(&from, PONG, body));
    }
}

struct Client {
    server: Upid,
    to_send: u64,
    awaited: u64,
    done: Sender<()>,
}

impl Process for Client {
    fn install(&self, router: &mut Router<Self>) {
        router.on_raw(&PONG, |this: &mut Self, ctx, _, body| {
            this.awaited -= 1;
            if this.to_send > 0 {
                this.to_send -= 1;
                ctx.send_raw(&this.server, PING, body);
            } else if this.awaited == 0 {
                this.done.send(()).expect("the benchmark waits");
            }
        });
    }

    fn initialize(&mut self, ctx: &mut libprocess::Ctx<Self>) {
        ctx.link(&self.server);
        ctx.send_raw(&self.server, HELLO, Bytes::new());
    }
}

/// Clients that play with one server.
pub(crate) struct Load {
    clients: Vec<Pid<Client>>,
    done: Receiver<()>,
    body: Bytes,
}

impl Load {
    pub(crate) fn new(runtime: &Runtime, server: &Upid, clients: usize, bytes: usize) -> Self {
        let (tell, done) = channel();
        let client =
            || Client { server: server.clone(), to_send: 0, awaited: 0, done: tell.clone() };
        let clients = (0..clients).map(|_| runtime.spawn_numbered("client", client)).collect();
        Self { clients, done, body: vec![b'1'; bytes].into() }
    }

    /// So many round trips, shared by the clients.
    pub(crate) fn round(&self, total: u64) -> Duration {
        let each = total / self.clients.len() as u64;
        let start = Instant::now();
        for client in &self.clients {
            let body = self.body.clone();
            client.tell(move |this, ctx| {
                (this.to_send, this.awaited) = (each - IN_FLIGHT, each);
                // Copied, because on the wire each would have a body of its own.
                (0..IN_FLIGHT)
                    .for_each(|_| ctx.send_raw(&this.server, PING, Bytes::copy_from_slice(&body)));
            });
        }
        for _ in &self.clients {
            self.done.recv_timeout(Duration::from_secs(60)).expect("all pings come back");
        }
        start.elapsed()
    }
}

/// Has criterion take the samples and prints the best of them; and how many round trips there
/// were for each second of a processor, which others on the machine influence less.
fn measure(criterion: &mut Criterion, figure: &str, load: &Load, total: u64, processes: &[u32]) {
    let best = Cell::new(0.0_f64);
    let (all, time) = (Cell::new(0), Cell::new(Duration::ZERO));
    let spent = || processes.iter().copied().map(processor_time).sum::<Duration>();
    let mut group = criterion.benchmark_group("ping-pong");
    group.throughput(Throughput::Elements(total)).sample_size(10);
    group.bench_function(figure, |bencher| {
        bencher.iter_custom(|rounds| {
            let before = spent();
            let elapsed = (0..rounds).map(|_| load.round(total)).sum::<Duration>();
            time.set(time.get() + spent() - before);
            all.set(all.get() + total * rounds);
            best.set(best.get().max((total * rounds) as f64 / elapsed.as_secs_f64()));
            elapsed
        });
    });
    group.finish();
    if best.get() > 0.0 {
        println!("{figure}: {:.0}", best.get());
        println!("{figure}_of_a_processor: {:.0}", all.get() as f64 / time.get().as_secs_f64());
    }
}

/// Prints the best sample of each load.
pub(crate) fn run() {
    let mut criterion = Criterion::default().configure_from_args();
    let runtime = start();
    let server = runtime.spawn("server", Server).expect("a free id");
    let local = Load::new(&runtime, server.upid(), 8, 10);
    let here = std::process::id();
    measure(&mut criterion, "local_round_trips_per_second", &local, 400_000, &[here]);
    let (remote, server) = Remote::start();
    for (figure, clients, bytes) in [("1", 1, 10), ("8", 8, 10), ("4kb", 4, 4096)] {
        let load = Load::new(&runtime, &server, clients, bytes);
        let figure = format!("remote_round_trips_per_second_{figure}");
        measure(&mut criterion, &figure, &load, 40_000, &[here, remote.id()]);
    }
}
