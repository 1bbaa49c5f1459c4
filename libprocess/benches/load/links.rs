//! Many actors link one node, which is killed: how long until all of them know.

use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use libprocess::{Ctx, Process, Upid};

use crate::remote::{Remote, start};

const LINKS: usize = 10_000;

struct Linker {
    to: Upid,
    told: Sender<()>,
}

impl Process for Linker {
    fn initialize(&mut self, ctx: &mut Ctx<Self>) {
        ctx.link(&self.to);
    }

    fn exited(&mut self, _: &mut Ctx<Self>, _: Upid) {
        self.told.send(()).expect("the benchmark waits");
    }
}

pub(crate) fn run() {
    let runtime = start();
    let (told, tell) = channel();
    let best = (0..5).map(|_| {
        let (mut remote, server) = Remote::start();
        let linker = || Linker { to: server.clone(), told: told.clone() };
        let begin = Instant::now();
        let linkers: Vec<_> =
            (0..LINKS).map(|_| runtime.spawn_numbered("linker", linker)).collect();
        // A call is served after what the actor does first.
        linkers.iter().for_each(|linker| {
            let linked = told.clone();
            linker.tell(move |_, _| linked.send(()).expect("the benchmark waits"));
        });
        let await_all = || {
            (0..LINKS).for_each(|_| {
                tell.recv_timeout(Duration::from_secs(60)).expect("every one tells");
            })
        };
        await_all();
        let made = begin.elapsed();
        let death = Instant::now();
        remote.kill();
        await_all();
        (death.elapsed(), made)
    });
    let (exited, made) = best.min().expect("there are some");
    println!("links: {LINKS}");
    println!("links_made_milliseconds: {:.1}", made.as_secs_f64() * 1e3);
    println!("links_exited_milliseconds: {:.1}", exited.as_secs_f64() * 1e3);
}
