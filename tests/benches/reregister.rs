//! A master that starts again on its registry, and all its slaves that come back at once: how long
//! from the moment it leads until the last one is re-registered. Run by
//! `cargo xtask bench reregister [slaves]`; the master is a process of its own, its registry the
//! replicated log of one.
#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use libprocess::testing::start;
use libprocess::{Config, Ctx, Process, Router, Runtime, Upid};
use proto::mesos::SlaveInfo;
use proto::mesos::internal::{
    PingSlaveMessage, PongSlaveMessage, RegisterSlaveMessage, ReregisterSlaveMessage,
    SlaveRegisteredMessage, SlaveReregisteredMessage,
};
use tests::cluster::free_port;
use tests::daemon::{Daemon, eventually};
use tests::make::resources;

/// How many slaves, unless told.
const SLAVES: usize = 10_000;

/// How often a slave that has no answer asks again.
const RETRY: Duration = Duration::from_secs(1);

/// What all slaves share.
struct Fleet {
    master: Upid,
    registered: AtomicUsize,
    reregistered: AtomicUsize,
}

struct Slave {
    fleet: Arc<Fleet>,
    info: SlaveInfo,
    is_back: bool,
}

impl Process for Slave {
    fn install(&self, router: &mut Router<Self>) {
        router.on(|this: &mut Self, _: &mut Ctx<Self>, _, message: SlaveRegisteredMessage| {
            if this.info.id.replace(message.slave_id).is_none() {
                this.fleet.registered.fetch_add(1, Ordering::Relaxed);
            }
        });
        router.on(|this: &mut Self, _: &mut Ctx<Self>, _, _: SlaveReregisteredMessage| {
            if !std::mem::replace(&mut this.is_back, true) {
                this.fleet.reregistered.fetch_add(1, Ordering::Relaxed);
            }
        });
        router.on(|_: &mut Self, ctx: &mut Ctx<Self>, _, _: PingSlaveMessage| {
            ctx.reply(&PongSlaveMessage {});
        });
    }

    fn initialize(&mut self, ctx: &mut Ctx<Self>) {
        self.register(ctx);
    }
}

impl Slave {
    fn register(&mut self, ctx: &mut Ctx<Self>) {
        if self.info.id.is_some() {
            return;
        }
        let slave = self.info.clone();
        ctx.send(&self.fleet.master, &RegisterSlaveMessage { slave, ..Default::default() });
        ctx.after(RETRY, Self::register);
    }

    fn reregister(&mut self, ctx: &mut Ctx<Self>) {
        if self.is_back {
            return;
        }
        let slave = self.info.clone();
        ctx.send(&self.fleet.master, &ReregisterSlaveMessage { slave, ..Default::default() });
        ctx.after(RETRY, Self::reregister);
    }
}

fn start_master(port: u16, work_dir: &std::path::Path) -> Daemon {
    let arguments = [
        "--ip=127.0.0.1".to_owned(),
        format!("--port={port}"),
        format!("--work_dir={}", work_dir.display()),
        "--registry=replicated_log".to_owned(),
    ];
    Daemon::start("mesos-master", &arguments)
}

fn slave_info(number: usize) -> SlaveInfo {
    SlaveInfo {
        hostname: format!("slave{number}"),
        resources: resources("cpus:4;mem:4096;disk:8192;ports:[31000-32000]"),
        ..SlaveInfo::default()
    }
}

fn all(count: &AtomicUsize, slaves: usize) -> Option<()> {
    (count.load(Ordering::Relaxed) >= slaves).then_some(())
}

fn main() {
    let number = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let slaves: usize = number.unwrap_or(SLAVES);
    let folder = tempfile::tempdir().expect("a folder");
    let port = free_port();
    let mut master = start_master(port, folder.path());
    master.wait_for("slaves from the Registry");

    let schema = Some(proto::initialized::schema as libprocess::router::Schema);
    let runtime: Runtime = start(Config { schema, ..Config::default() });
    let fleet = Arc::new(Fleet {
        master: format!("master@127.0.0.1:{port}").parse().expect("an address"),
        registered: AtomicUsize::new(0),
        reregistered: AtomicUsize::new(0),
    });
    let began = Instant::now();
    let make = |number| Slave { fleet: fleet.clone(), info: slave_info(number), is_back: false };
    let fleet_of = |number| runtime.spawn_numbered("slave", || make(number));
    let pids: Vec<_> = (0..slaves).map(fleet_of).collect();
    eventually("registration of all", || all(&fleet.registered, slaves));
    println!("registered_seconds: {:.3}", began.elapsed().as_secs_f64());

    master.kill();
    let killed = Instant::now();
    let master = start_master(port, folder.path());
    master.wait_for("slaves from the Registry");
    println!("recovered_seconds: {:.3}", killed.elapsed().as_secs_f64());
    let leads = Instant::now();
    pids.iter().for_each(|pid| pid.tell(Slave::reregister));
    eventually("return of all", || all(&fleet.reregistered, slaves));
    println!("reregistered_seconds: {:.3}", leads.elapsed().as_secs_f64());
}
