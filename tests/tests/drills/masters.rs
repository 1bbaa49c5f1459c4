//! The leading master is killed, frozen, stopped or cut off.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::rounds;
use crate::support::{ensemble, finish, framework, slave, start};

#[test]
fn leading_master_is_killed_again_and_again() {
    let Some(zookeeper) = ensemble(1, "leading_master_is_killed_again_and_again") else {
        return;
    };
    let mut masters = start(&zookeeper);
    let _slave = slave(masters.slave());
    let framework = framework(&masters);
    let mut longest = Duration::ZERO;
    for _ in 0..rounds(20) {
        let leader = masters.leader();
        framework.wait_for_running();
        let offers = framework.offers();
        let killed = Instant::now();
        masters.kill(leader);
        framework.wait_for_offer_after(offers);
        longest = longest.max(killed.elapsed());
        assert_ne!(masters.leader(), leader);
        masters.restart(leader);
        framework.wait_for_finished(1);
    }
    println!("longest time from a leader's death to the next offer: {longest:?}");
    finish("leader killed", framework);
}

#[test]
fn leading_master_is_stopped_as_planned() {
    let Some(zookeeper) = ensemble(1, "leading_master_is_stopped_as_planned") else { return };
    let mut masters = start(&zookeeper);
    let _slave = slave(masters.slave());
    let framework = framework(&masters);
    for _ in 0..rounds(5) {
        let leader = masters.leader();
        framework.wait_for_running();
        let offers = framework.offers();
        let stopped = Instant::now();
        masters.stop(leader);
        framework.wait_for_offer_after(offers);
        println!("time from a planned stop to the next offer: {:?}", stopped.elapsed());
        masters.restart(leader);
        framework.wait_for_finished(1);
    }
    finish("leader stopped", framework);
}

#[test]
fn leading_master_is_frozen_across_its_session() {
    let Some(zookeeper) = ensemble(1, "leading_master_is_frozen_across_its_session") else {
        return;
    };
    let mut masters = start(&zookeeper);
    let _slave = slave(masters.slave());
    let framework = framework(&masters);
    for _ in 0..rounds(5) {
        let frozen = masters.leader();
        framework.wait_for_running();
        masters.daemon(frozen).signal(Signal::SIGSTOP);
        let next = masters.leader_but(frozen);
        framework.wait_for_finished(1);
        masters.daemon(frozen).signal(Signal::SIGCONT);
        let words = masters.wait_for_end(frozen);
        assert!(words.contains("Lost leadership... committing suicide!"), "{words}");
        assert_eq!(masters.leader(), next);
        masters.restart(frozen);
        framework.wait_for_finished(1);
    }
    finish("leader frozen", framework);
}
