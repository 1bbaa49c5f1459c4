//! The simulation itself, and what actors may rely on between nodes whatever the network does.

mod guarantees;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use libprocess::simulation::{Node, Simulation};
use libprocess::{Ctx, Process, Router, Upid};
use parking_lot::Mutex;

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// What actors have seen, in order.
type Seen = Arc<Mutex<Vec<String>>>;

/// Notes everything, and answers `ping` with `pong`.
struct Witness(Seen);

impl Process for Witness {
    fn install(&self, router: &mut Router<Self>) {
        router.on_raw("ping", |this: &mut Self, ctx, from, body| {
            ctx.send_raw(&from, "pong", body.clone());
            this.note(ctx, format!("ping {}", String::from_utf8_lossy(&body)));
        });
        router.on_raw("pong", |this: &mut Self, ctx, _, body| {
            this.note(ctx, format!("pong {}", String::from_utf8_lossy(&body)));
        });
        router.on_raw("link", |this: &mut Self, ctx, _, body| {
            let to = std::str::from_utf8(&body).ok().and_then(|to| to.parse().ok()).expect("a pid");
            ctx.link(&to);
            this.note(ctx, "linked".to_owned());
        });
    }

    fn exited(&mut self, ctx: &mut Ctx<Self>, pid: Upid) {
        self.note(ctx, format!("exited {pid}"));
    }
}

impl Witness {
    fn note(&self, ctx: &Ctx<Self>, what: String) {
        self.0.lock().push(format!("{} {what}", ctx.upid().address.ip.octets()[3]));
    }
}

fn witness(node: Node) -> Upid {
    Upid::new("witness", node.address())
}

/// `nodes` nodes with a witness each.
fn witnesses(seed: u64, nodes: usize) -> (Simulation, Seen) {
    let seen = Seen::default();
    let all = seen.clone();
    let sim = Simulation::seeded(seed).nodes(nodes).start(move |_, runtime| {
        runtime.spawn("witness", Witness(all.clone())).expect("the first of its name");
    });
    (sim, seen)
}

fn send(sim: &Simulation, from: Node, to: Node, name: &str, body: impl Into<Bytes>) {
    sim.runtime(from).post(&witness(from), &witness(to), name, body.into());
}

fn link(sim: &mut Simulation, from: Node, to: Node) {
    send(sim, from, from, "link", witness(to).to_string());
    sim.run_for(millis(100));
}

fn take(seen: &Seen) -> Vec<String> {
    std::mem::take(&mut *seen.lock())
}

#[test]
fn messages_go_to_and_fro_in_virtual_time() {
    let (mut sim, seen) = witnesses(1, 2);
    let [one, two] = sim.nodes();
    send(&sim, one, two, "ping", "far");
    let answered = sim.run_until(millis(1_000), |_| seen.lock().len() == 2);
    assert!(answered && sim.elapsed() < millis(20), "{:?}", sim.elapsed());
    assert_eq!(take(&seen), ["2 ping far", "1 pong far"]);
    sim.run_for(Duration::from_secs(86_400));
    assert!(sim.elapsed() >= Duration::from_secs(86_400));
}

#[test]
fn a_link_outlives_days_of_silence() {
    let days = Duration::from_secs(3 * 86_400);
    let (mut sim, seen) = witnesses(13, 2);
    let [one, two] = sim.nodes();
    link(&mut sim, one, two);
    take(&seen);
    for _ in 0..2 {
        sim.run_for(days);
        assert_eq!(take(&seen), [""; 0], "nobody was told of an end");
        send(&sim, one, two, "ping", "still there");
        sim.run_for(millis(1_000));
        assert_eq!(take(&seen), ["2 ping still there", "1 pong still there"]);
    }
}

#[test]
fn a_crash_is_told_once_and_a_restart_is_reached() {
    let (mut sim, seen) = witnesses(2, 2);
    let [one, two] = sim.nodes();
    link(&mut sim, one, two);
    sim.crash(two);
    sim.run_for(millis(1_000));
    assert_eq!(take(&seen), ["1 linked".to_owned(), format!("1 exited {}", witness(two))]);
    sim.restart(two);
    send(&sim, one, two, "ping", "again");
    sim.run_for(millis(1_000));
    assert_eq!(take(&seen), ["2 ping again", "1 pong again"]);
}

#[test]
fn a_link_to_nobody_is_told_at_once() {
    let (mut sim, seen) = witnesses(3, 2);
    let [one, two] = sim.nodes();
    sim.crash(two);
    link(&mut sim, one, two);
    assert_eq!(take(&seen), ["1 linked".to_owned(), format!("1 exited {}", witness(two))]);
}

#[test]
fn a_partition_holds_up_and_healing_lets_through() {
    let (mut sim, seen) = witnesses(4, 2);
    let [one, two] = sim.nodes();
    link(&mut sim, one, two);
    take(&seen);
    sim.partition(one, two);
    send(&sim, one, two, "ping", "late");
    sim.run_for(Duration::from_secs(600));
    assert_eq!(take(&seen), [""; 0]);
    sim.heal();
    sim.run_for(millis(1_000));
    assert_eq!(take(&seen), ["2 ping late", "1 pong late"]);
}

#[test]
fn a_partition_that_lasts_ends_the_link_of_who_has_something_to_say() {
    let (mut sim, seen) = witnesses(5, 2);
    let [one, two] = sim.nodes();
    link(&mut sim, one, two);
    link(&mut sim, two, one);
    take(&seen);
    sim.partition(one, two);
    send(&sim, one, two, "ping", "lost");
    sim.run_for(Duration::from_secs(1_000));
    assert_eq!(take(&seen), [format!("1 exited {}", witness(two))]);
}

#[test]
fn a_cut_holds_up_one_direction() {
    let (mut sim, seen) = witnesses(6, 2);
    let [one, two] = sim.nodes();
    link(&mut sim, one, two);
    link(&mut sim, two, one);
    take(&seen);
    sim.cut(two, one);
    send(&sim, one, two, "ping", "x");
    sim.run_for(millis(1_000));
    assert_eq!(take(&seen), ["2 ping x"]);
    sim.heal();
    sim.run_for(millis(1_000));
    assert_eq!(take(&seen), ["1 pong x"]);
}

#[test]
fn a_machine_without_power_is_noticed_once_it_is_back_or_too_long_gone() {
    let (mut sim, seen) = witnesses(7, 2);
    let [one, two] = sim.nodes();
    link(&mut sim, one, two);
    take(&seen);
    sim.power_off(two);
    sim.run_for(Duration::from_secs(3_600));
    assert_eq!(take(&seen), [""; 0]);
    send(&sim, one, two, "ping", "into the void");
    sim.run_for(Duration::from_secs(60));
    sim.restart(two);
    sim.run_for(millis(1_000));
    assert_eq!(take(&seen), [format!("1 exited {}", witness(two))]);
}

#[test]
fn a_reset_ends_links_on_both_sides() {
    let (mut sim, seen) = witnesses(8, 2);
    let [one, two] = sim.nodes();
    link(&mut sim, one, two);
    link(&mut sim, two, one);
    take(&seen);
    sim.reset(one, two);
    sim.run_for(millis(1_000));
    let mut told = take(&seen);
    told.sort();
    assert_eq!(told, [format!("1 exited {}", witness(two)), format!("2 exited {}", witness(one))]);
}

#[test]
fn a_frozen_process_goes_on_where_it_was() {
    let (mut sim, seen) = witnesses(9, 2);
    let [one, two] = sim.nodes();
    sim.freeze(two);
    send(&sim, one, two, "ping", "patience");
    sim.run_for(Duration::from_secs(60));
    assert_eq!(take(&seen), [""; 0]);
    sim.thaw(two);
    sim.run_for(millis(1_000));
    assert_eq!(take(&seen), ["2 ping patience", "1 pong patience"]);
}

#[test]
fn work_that_may_block_runs_in_virtual_time() {
    let mut sim = Simulation::seeded(10).latency(millis(5)..millis(6)).start(|_, _| {});
    let [node] = sim.nodes();
    let done = Arc::new(Mutex::new(None));
    let (runtime, report) = (sim.runtime(node).clone(), done.clone());
    let work = runtime.blocking(|| 42);
    runtime.run(async move { *report.lock() = work.await });
    assert!(sim.run_until(millis(100), |_| done.lock().is_some()));
    assert_eq!(*done.lock(), Some(42));
    assert!((millis(5)..millis(6)).contains(&sim.elapsed()));
}

#[test]
#[should_panic(expected = "witness@10.0.0.1:5050 has panicked")]
fn a_panic_of_an_actor_fails_the_test() {
    let (mut sim, _) = witnesses(11, 1);
    let [one] = sim.nodes();
    send(&sim, one, one, "link", "no pid");
    sim.run_for(millis(100));
}

#[test]
fn the_trace_tells_who_sent_what_to_whom() {
    let (mut sim, _) = witnesses(12, 2);
    let [one, two] = sim.nodes();
    send(&sim, one, two, "ping", "hello");
    sim.run_for(millis(100));
    let trace = sim.trace();
    let line = "node0  witness@10.0.0.1:5050 -> witness@10.0.0.2:5050  ping 'hello'";
    assert!(trace.contains(line) && trace.contains(&line.replacen("node0", "node1", 1)), "{trace}");
}
