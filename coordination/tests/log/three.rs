//! A log of three replicas, each of which may die.

use std::time::Duration;

use coordination::log::{AutoInitialize, Position};
use libprocess::testing::{Intercept, wait};
use proto::mesos::internal::log::metadata::Status;
use proto::mesos::internal::log::{LearnedMessage, RecoverResponse};

use crate::nodes::{append, nodes, texts, voting};

#[test]
fn recover_test_auto_initialization() {
    let mut nodes = nodes(2);
    nodes[0].start(AutoInitialize::Yes);
    nodes[1].start(AutoInitialize::Yes);
    // Both have heard of two empty ones, which is not enough.
    let is_empty = |response: &RecoverResponse| response.status() == Status::Empty;
    let heard = Intercept::<RecoverResponse>::of(&nodes[0].runtime).when(is_empty);
    wait(heard.next());
    nodes[2].start(AutoInitialize::Yes);
    // They ask again when they have lost their patience.
    for node in &nodes[..2] {
        node.runtime.clock().advance(Duration::from_secs(10));
    }
    for node in &nodes {
        assert_eq!(wait(node.log().recovered()), Ok(()));
    }
    let (writer, ending) = nodes[0].elected();
    assert_eq!((ending, append(&writer, "first")), (Position(0), Some(Position(1))));
}

#[test]
fn coordinator_test_failover() {
    let mut nodes = voting(2);
    let (writer, _) = nodes[0].elected();
    assert_eq!(append(&writer, "one"), Some(Position(1)));
    assert_eq!(append(&writer, "two"), Some(Position(2)));
    nodes[0].kill();

    let (writer, ending) = nodes[1].elected();
    assert_eq!(ending, Position(2));
    assert_eq!(texts(&nodes[1].entries()), ["one", "two"]);
    assert_eq!(append(&writer, "three"), Some(Position(3)));
}

#[test]
fn coordinator_test_demoted() {
    let nodes = voting(2);
    let (first, _) = nodes[0].elected();
    assert_eq!(append(&first, "one"), Some(Position(1)));
    let (second, _) = nodes[1].elected();
    assert_eq!(append(&second, "two"), Some(Position(2)));
    assert_eq!(append(&first, "lost"), None);
    assert_eq!(append(&first, "lost still"), None);
    // It may come back, and sees what was written meanwhile.
    assert_eq!(wait(first.start()), Ok(Some(Position(2))));
    assert_eq!(texts(&nodes[0].entries()), ["one", "two"]);
}

#[test]
fn a_wiped_replica_catches_up_before_it_votes() {
    let mut nodes = voting(2);
    let (writer, _) = nodes[0].elected();
    for text in ["one", "two", "three", "four"] {
        append(&writer, text).expect("nobody else writes");
    }
    let position = wait(writer.truncate(Position(3))).expect("it goes on");
    assert_eq!(position, Some(Position(5)));
    nodes[2].kill();
    assert_eq!(append(&writer, "five"), Some(Position(6)));
    nodes[2].wipe();
    nodes[2].revive(AutoInitialize::Yes);
    assert_eq!(wait(nodes[2].log().recovered()), Ok(()));
    // It has all that the others have, and votes: one of them may be missing now.
    assert_eq!(texts(&nodes[2].entries()), ["three", "four", "five"]);
    nodes[1].kill();
    let (writer, ending) = nodes[0].elected();
    assert_eq!((ending, append(&writer, "six")), (Position(6), Some(Position(7))));
}

#[test]
fn a_wiped_replica_wins_after_a_few_elections() {
    let mut nodes = voting(2);
    for _ in 0..20 {
        nodes[0].elected();
    }
    nodes[1].kill();
    nodes[1].wipe();
    nodes[1].revive(AutoInitialize::Yes);
    let writer = nodes[1].log().writer();
    // The first one is lost, and tells above what to stand.
    assert_eq!(wait(writer.start()), Ok(None));
    assert_eq!(wait(writer.start()), Ok(Some(Position(0))));
}

#[test]
fn coordinator_test_racing_elect() {
    let nodes = voting(2);
    let race = |node: &crate::nodes::Node| {
        let writer = node.log().writer();
        move || (0..5).map(|_| wait(writer.start()).expect("it goes on")).collect::<Vec<_>>()
    };
    let others = std::thread::spawn(race(&nodes[1]));
    race(&nodes[0])();
    others.join().expect("it goes on");
    // Whatever came of it, somebody can write, and all agree.
    let (writer, ending) = nodes[2].elected();
    assert_eq!(append(&writer, "one"), Some(Position(ending.0 + 1)));
}

#[test]
fn learned_notices_have_no_sender() {
    let nodes = voting(2);
    let notice = Intercept::<LearnedMessage>::of(&nodes[1].runtime).next();
    let (writer, _) = nodes[0].elected();
    append(&writer, "one").expect("nobody else writes");
    assert_eq!(wait(notice).from.to_string(), "@0.0.0.0:0");
}

#[test]
fn coordinator_test_append_discarded() {
    let nodes = voting(2);
    let (writer, _) = nodes[0].elected();
    let mute = [&nodes[1], &nodes[2]].map(|node| {
        Intercept::<proto::mesos::internal::log::WriteRequest>::of(&node.runtime).drop_all()
    });
    {
        let appended = wait(async {
            let append = std::pin::pin!(writer.append("lost".into()));
            let answered =
                Intercept::<proto::mesos::internal::log::WriteResponse>::of(&nodes[0].runtime);
            let answered = std::pin::pin!(answered.next());
            // Its own replica has accepted: one vote of two.
            matches!(
                futures_util::future::select(append, answered).await,
                futures_util::future::Either::Right(_)
            )
        });
        assert!(appended);
    }
    assert_eq!(append(&writer, "nobody knows"), None);
    drop(mute);
    assert!(wait(writer.start()).expect("it goes on").is_some());
    append(&writer, "next").expect("nobody else writes");
    let texts = texts(&nodes[0].entries());
    // One vote of three may be heard, or not.
    assert!(texts == ["next"] || texts == ["lost", "next"], "{texts:?}");
}
