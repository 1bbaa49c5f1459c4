//! Messages per second: eight clients with 250 pings in flight each, against one server, in one
//! runtime and between two over the loopback interface.

use std::net::Ipv4Addr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use libprocess::{Config, Pid, Process, Router, Runtime, Upid};

const CLIENTS: usize = 8;
const IN_FLIGHT: u64 = 250;
const PINGS_PER_CLIENT: u64 = 5_000;

#[derive(Clone, PartialEq, prost::Message)]
struct Ping {
    #[prost(string, tag = "1")]
    text: String,
}

impl prost::Name for Ping {
    const NAME: &'static str = "Ping";
    const PACKAGE: &'static str = "bench";
}

/// Returns every message to its sender.
struct Server;

impl Process for Server {
    fn install(&self, router: &mut Router<Self>) {
        router.on(|_: &mut Self, ctx, _, ping: Ping| ctx.reply(&ping));
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
        router.on(|this: &mut Self, ctx, _, ping: Ping| {
            this.awaited -= 1;
            if this.to_send > 0 {
                this.to_send -= 1;
                ctx.send(&this.server, &ping);
            } else if this.awaited == 0 {
                this.done.send(()).expect("the benchmark waits");
            }
        });
    }
}

struct Bench {
    clients: Vec<Pid<Client>>,
    done: Receiver<()>,
    runtimes: Vec<Runtime>,
}

impl Bench {
    /// One runtime for all, or one for the clients and one for the server.
    fn new(runtimes: usize) -> Self {
        let start = |_| {
            let config = Config { ip: Some(Ipv4Addr::LOCALHOST), ..Config::default() };
            Runtime::start(config).expect("a free port")
        };
        let runtimes: Vec<_> = (0..runtimes).map(start).collect();
        let (here, there) = (&runtimes[0], &runtimes[runtimes.len() - 1]);
        let server = there.spawn("server", Server).expect("a free id");
        let (tell, done) = channel();
        let client =
            || Client { server: server.upid().clone(), to_send: 0, awaited: 0, done: tell.clone() };
        let clients: Vec<_> = (0..CLIENTS).map(|_| here.spawn_numbered("client", client)).collect();
        for client in &clients {
            let server = server.upid().clone();
            client.tell(move |_, ctx| ctx.link(&server));
            let client = client.upid().clone();
            server_links(there, client);
        }
        Self { clients, done, runtimes }
    }

    fn round(&self) {
        for client in &self.clients {
            client.tell(|this, ctx| {
                this.to_send = PINGS_PER_CLIENT - IN_FLIGHT;
                this.awaited = PINGS_PER_CLIENT;
                let ping = Ping { text: "0123456789".to_owned() };
                (0..IN_FLIGHT).for_each(|_| ctx.send(&this.server, &ping));
            });
        }
        for _ in &self.clients {
            self.done.recv_timeout(Duration::from_secs(60)).expect("all pings come back");
        }
    }
}

/// Links from the server's side, as daemons do with those who register.
fn server_links(runtime: &Runtime, client: Upid) {
    struct Linker(Upid);

    impl Process for Linker {
        fn initialize(&mut self, ctx: &mut libprocess::Ctx<Self>) {
            ctx.link(&self.0);
        }
    }

    runtime.spawn_numbered("linker", || Linker(client.clone()));
}

fn ping_pong(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ping_pong");
    group.throughput(Throughput::Elements(2 * CLIENTS as u64 * PINGS_PER_CLIENT));
    group.sample_size(10);
    for (name, runtimes) in [("local", 1), ("loopback", 2)] {
        let bench = Bench::new(runtimes);
        group.bench_function(name, |bencher| bencher.iter(|| bench.round()));
        for runtime in &bench.runtimes {
            futures_util::FutureExt::now_or_never(runtime.shutdown());
        }
    }
    group.finish();
}

criterion_group!(benches, ping_pong);
criterion_main!(benches);
