//! Thousands of schedules of resets, partitions, stopped, dead and dark nodes, with what
//! libprocess guarantees as invariants:
//!
//! - no message arrives twice; what arrives on one connection are the first that were sent on it,
//!   in order and without gaps;
//! - who linked is told of an end once for each link, and nothing is lost on a link of whose end
//!   nobody is told;
//! - between two actors of one node nothing is lost, and nothing arrives after the end was told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use libprocess::simulation::{Faults, Node, Simulation, seeds};
use libprocess::{Ctx, Process, Router, Runtime, Upid};
use parking_lot::Mutex;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::millis;

const NODES: usize = 3;

/// How many schedules a plain test run takes, and how many `cargo xtask simulate` does.
const SCHEDULES: (u64, u64) = (500, 10_000);

/// One in so many messages is so long that it fills the connection's window.
const LONG_ONE_IN: u32 = 100;
const LONG_BYTES: usize = 300 << 10;

/// The messages that an actor sent to a node from one link to the next, as far as they arrived.
#[derive(Default)]
struct Stream {
    sent: u64,
    /// How often the link's connection was replaced by a fresh one.
    reconnects: usize,
    /// The linker was told of the end.
    ended: bool,
    /// What arrived: numbers from the first to the last, one pair for each connection.
    runs: Vec<(u64, u64)>,
}

impl Stream {
    fn receive(&mut self, number: u64) {
        let known = self.runs.iter().any(|&(first, last)| (first..=last).contains(&number));
        assert!(!known, "{number} has arrived twice: {:?}", self.runs);
        match self.runs.iter_mut().find(|(_, last)| last + 1 == number) {
            Some((_, last)) => *last = number,
            None => self.runs.push((number, number)),
        }
        // One for the link's connection, one for each that replaced it, and one for what is sent
        // after a break of which the actor has yet to hear.
        let most = 2 + self.reconnects;
        assert!(self.runs.len() <= most, "out of order or with gaps: {:?}", self.runs);
    }

    fn check_at_the_end(&self) {
        if !self.ended && self.reconnects == 0 {
            let all: &[(u64, u64)] = if self.sent == 0 { &[] } else { &[(1, self.sent)] };
            assert_eq!(self.runs, all, "lost on a link that holds, of {}", self.sent);
        }
    }
}

/// Which actor to which node on which of its links.
type Key = (u64, Node, u64);

#[derive(Default)]
struct Ledger {
    /// How many actors have been started.
    lives: u64,
    /// The last one of each node.
    living: BTreeMap<Node, u64>,
    /// Nobody sends any more.
    quiet: bool,
    streams: BTreeMap<Key, Stream>,
}

type Shared = Arc<Mutex<Ledger>>;

/// The link of an actor to one of another node.
#[derive(Default)]
struct Link {
    /// Counts the links.
    number: u64,
    /// It is there, as far as the actor knows.
    holds: bool,
    /// How often an end may be told: once for each time the actor has asked for it. Asking again
    /// counts, because the link may have ended meanwhile.
    asked: usize,
}

/// Links others, sends them numbered messages, and has children that do so too.
struct Talker {
    life: u64,
    node: Node,
    others: Vec<Node>,
    links: BTreeMap<Node, Link>,
    children: BTreeMap<Upid, u64>,
    ledger: Shared,
    random: SmallRng,
}

impl Process for Talker {
    fn install(&self, router: &mut Router<Self>) {
        router.on_raw("number", |this: &mut Self, _, _, body| this.receive(&body));
        router.on_raw("child", |this: &mut Self, _, from, body| {
            let last = this.children.get_mut(&from).expect("not after its end was told");
            *last += 1;
            assert_eq!(body, last.to_string());
        });
    }

    fn initialize(&mut self, ctx: &mut Ctx<Self>) {
        self.wait(ctx);
    }

    fn exited(&mut self, _: &mut Ctx<Self>, pid: Upid) {
        if let Some(last) = self.children.remove(&pid) {
            return assert_eq!(last, Child::MESSAGES, "lost in one node");
        }
        let to = *self.others.iter().find(|to| talker(**to) == pid).expect("linked or a child");
        let link = self.links.get_mut(&to).expect("linked");
        link.holds = false;
        link.asked = link.asked.checked_sub(1).unwrap_or_else(|| panic!("told twice of {pid}"));
        self.ledger.lock().streams.entry((self.life, to, link.number)).or_default().ended = true;
    }
}

impl Talker {
    fn wait(&mut self, ctx: &mut Ctx<Self>) {
        let pause = self.random.random_range(millis(5)..millis(40));
        ctx.after(pause, |this, ctx| {
            this.act(ctx);
            this.wait(ctx);
        });
    }

    fn act(&mut self, ctx: &mut Ctx<Self>) {
        if self.ledger.lock().quiet {
            return;
        }
        let to = self.others[self.random.random_range(0..self.others.len())];
        let link = self.links.entry(to).or_default();
        if !link.holds {
            *link = Link { number: link.number + 1, holds: true, asked: link.asked + 1 };
            ctx.link(&talker(to));
        }
        let key = (self.life, to, link.number);
        match self.random.random_range(0..20) {
            0 => {
                link.asked += 1;
                ctx.link(&talker(to));
            }
            1 => {
                link.asked += 1;
                self.ledger.lock().streams.entry(key).or_default().reconnects += 1;
                ctx.link_reconnect(&talker(to));
            }
            2 => self.have_child(ctx),
            _ => self.send(ctx, key),
        }
    }

    fn send(&mut self, ctx: &mut Ctx<Self>, key: Key) {
        let mut ledger = self.ledger.lock();
        let stream = ledger.streams.entry(key).or_default();
        stream.sent += 1;
        let (life, to, link) = key;
        let mut body = format!("{life} {link} {}", stream.sent);
        if self.random.random_ratio(1, LONG_ONE_IN) {
            body += &" ".repeat(LONG_BYTES);
        }
        drop(ledger);
        ctx.send_raw(&talker(to), "number", body.into());
    }

    fn receive(&mut self, body: &Bytes) {
        let text = std::str::from_utf8(body).expect("as it was sent");
        let mut numbers = text.split_ascii_whitespace().map(|number| number.parse());
        let mut next = || numbers.next().expect("three numbers").expect("a number");
        let (life, link, number) = (next(), next(), next());
        let mut ledger = self.ledger.lock();
        ledger.streams.get_mut(&(life, self.node, link)).expect("sent before").receive(number);
    }

    fn have_child(&mut self, ctx: &mut Ctx<Self>) {
        let parent = ctx.upid().clone();
        let child = ctx.runtime().spawn_numbered("child", || Child(parent.clone()));
        self.children.insert(child.upid().clone(), 0);
        ctx.link(child.upid());
    }
}

/// Says its numbers to its parent, and ends.
struct Child(Upid);

impl Child {
    const MESSAGES: u64 = 3;
}

impl Process for Child {
    fn initialize(&mut self, ctx: &mut Ctx<Self>) {
        for number in 1..=Self::MESSAGES {
            ctx.send_raw(&self.0, "child", number.to_string().into());
        }
        ctx.terminate();
    }
}

fn talker(node: Node) -> Upid {
    Upid::new("talker", node.address())
}

fn start(seed: u64) -> (Simulation, Shared) {
    let ledger = Shared::default();
    let shared = ledger.clone();
    let boot = move |node: Node, runtime: &Runtime| {
        let mut ledger = shared.lock();
        ledger.lives += 1;
        let life = ledger.lives;
        ledger.living.insert(node, life);
        drop(ledger);
        let talker = Talker {
            life,
            node,
            others: Node::all(NODES).filter(|other| *other != node).collect(),
            links: BTreeMap::new(),
            children: BTreeMap::new(),
            ledger: shared.clone(),
            random: SmallRng::seed_from_u64(seed << 16 | life),
        };
        runtime.spawn("talker", talker).expect("the first of its name");
    };
    let sim = Simulation::seeded(seed).nodes(NODES).loss(0.02).start(boot);
    (sim, ledger)
}

/// One schedule: some faults, then a while without, in which all that is broken is noticed
/// because everybody goes on talking; gives the hash of the run.
fn run(seed: u64) -> u64 {
    let (mut sim, ledger) = start(seed);
    let faults = Faults::every(millis(40)).resets().partitions().freezes().crashes(2);
    sim.faults(faults);
    sim.run_for(millis(600));
    sim.calm();
    sim.run_for(millis(600));
    ledger.lock().quiet = true;
    sim.run_for(Duration::from_secs(10));
    let ledger = ledger.lock();
    let of_the_living = |(life, ..): &Key| ledger.living.values().any(|living| living == life);
    let streams = ledger.streams.iter().filter(|(key, _)| of_the_living(key));
    streams.for_each(|(_, stream)| stream.check_at_the_end());
    sim.hash()
}

#[test]
fn remote_link_and_message_guarantees_hold_on_every_schedule() {
    for seed in seeds(SCHEDULES.0, SCHEDULES.1) {
        run(seed);
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 1..=5 {
        assert_eq!(run(seed), run(seed));
    }
    assert_ne!(run(1), run(2));
}
