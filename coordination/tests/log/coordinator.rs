//! Elections, writes and what is filled, where some hear too little.

use coordination::log::{AutoInitialize, Position, RangeError, ReadError, Writer};
use futures_util::future::{Either, join, join_all, select};
use libprocess::testing::{Intercept, Tally, wait};
use proto::mesos::internal::log::{
    LearnedMessage, PromiseRequest, PromiseResponse, WriteRequest, WriteResponse,
};

use crate::nodes::{Node, append, nodes, texts, voting};

/// No notice reaches these.
fn deaf(nodes: &[Node]) -> Vec<Tally> {
    let drop_all = |node: &Node| Intercept::<LearnedMessage>::of(&node.runtime).drop_all();
    nodes.iter().map(drop_all).collect()
}

/// Appends `one`, `two` and so on, at positions 1, 2 and so on.
fn append_some(writer: &Writer) -> [&'static str; 4] {
    let all = ["one", "two", "three", "four"];
    for (text, position) in all.into_iter().zip(1..) {
        assert_eq!(append(writer, text), Some(Position(position)));
    }
    all
}

#[test]
fn coordinator_test_elect() {
    let nodes = voting(2);
    assert_eq!(wait(nodes[0].log().writer().start()), Ok(Some(Position(0))));
}

#[test]
fn coordinator_test_elect_no_quorum() {
    let mut nodes = voting(2);
    nodes[1].kill();
    nodes[2].kill();
    let own = Intercept::<PromiseResponse>::of(&nodes[0].runtime);
    let own = std::pin::pin!(own.next());
    let start = std::pin::pin!(nodes[0].log().writer().start());
    let first = wait(select(start, own));
    assert!(matches!(first, Either::Right(_)), "one vote of three is none");
}

#[test]
fn coordinator_test_elect_with_clock_paused() {
    let nodes = voting(2);
    nodes.iter().for_each(|node| node.runtime.clock().pause());
    assert_eq!(wait(nodes[0].log().writer().start()), Ok(Some(Position(0))));
}

#[test]
fn coordinator_test_recovery_race() {
    let mut nodes = nodes(2);
    nodes[0].initialize();
    for node in &mut nodes {
        node.start(AutoInitialize::No);
    }
    let writer = nodes[0].log().writer();
    assert_eq!(wait(writer.start()), Ok(None), "those who do not vote say so");
    nodes[1].kill();
    nodes[1].initialize();
    nodes[1].revive(AutoInitialize::No);
    let (writer, ending) = nodes[0].elected();
    assert_eq!((ending, append(&writer, "one")), (Position(0), Some(Position(1))));
}

#[test]
fn coordinator_test_append_no_quorum() {
    let mut nodes = voting(2);
    let (writer, _) = nodes[0].elected();
    nodes[1].kill();
    nodes[2].kill();
    let own = Intercept::<WriteResponse>::of(&nodes[0].runtime);
    let own = std::pin::pin!(own.next());
    let appended = std::pin::pin!(writer.append("lost".into()));
    let first = wait(select(appended, own));
    assert!(matches!(first, Either::Right(_)), "one vote of three is none");
}

#[test]
fn coordinator_test_multiple_appends() {
    let nodes = voting(2);
    let (writer, _) = nodes[0].elected();
    let all = append_some(&writer);
    assert_eq!(texts(&nodes[0].entries()), all);
}

#[test]
fn coordinator_test_append_read_error() {
    let nodes = voting(2);
    let (writer, _) = nodes[0].elected();
    append_some(&writer);
    let read = |from, to| wait(nodes[0].log().reader().read(Position(from), Position(to)));
    assert_eq!(read(1, 5), Err(ReadError::Range(RangeError::PastEnd)));
    assert_eq!(read(3, 2), Err(ReadError::Range(RangeError::Backwards)));
}

#[test]
fn coordinator_test_truncate() {
    let nodes = voting(2);
    let (writer, _) = nodes[0].elected();
    append_some(&writer);
    assert_eq!(wait(writer.truncate(Position(3))), Ok(Some(Position(5))));
    let read = |from, to| wait(nodes[0].log().reader().read(Position(from), Position(to)));
    assert_eq!(read(2, 4), Err(ReadError::Range(RangeError::Truncated)));
    assert_eq!(texts(&read(3, 5).expect("it is there")), ["three", "four"]);
    assert!(wait(writer.truncate(Position(7))).is_err());
}

#[test]
fn coordinator_test_fill() {
    let mut nodes = voting(2);
    let (writer, _) = nodes[0].elected();
    // One hears of nothing at all.
    let learned = deaf(&nodes[2..]);
    let asked = Intercept::<WriteRequest>::of(&nodes[2].runtime).drop_all();
    let all = append_some(&writer);
    drop((learned, asked));
    nodes[0].kill();
    let (_, ending) = nodes[2].elected();
    assert_eq!((ending, texts(&nodes[2].entries())), (Position(4), all.map(str::to_owned).into()));
}

#[test]
fn coordinator_test_multiple_appends_not_learned_fill() {
    let mut nodes = voting(2);
    let (writer, _) = nodes[0].elected();
    let deaf = deaf(&nodes[1..]);
    let all = append_some(&writer);
    drop(deaf);
    nodes[0].kill();
    let (_, ending) = nodes[1].elected();
    assert_eq!((ending, texts(&nodes[1].entries())), (Position(4), all.map(str::to_owned).into()));
}

#[test]
fn coordinator_test_truncate_not_learned_fill() {
    let mut nodes = voting(2);
    let (writer, _) = nodes[0].elected();
    append_some(&writer);
    let deaf = deaf(&nodes[1..]);
    assert_eq!(wait(writer.truncate(Position(3))), Ok(Some(Position(5))));
    drop(deaf);
    nodes[0].kill();
    let (_, ending) = nodes[1].elected();
    assert_eq!(ending, Position(5));
    assert_eq!(wait(nodes[1].log().reader().beginning()), Ok(Position(3)));
    assert_eq!(texts(&nodes[1].entries()), ["three", "four"]);
}

#[test]
fn coordinator_test_truncate_learned_fill() {
    let nodes = voting(2);
    let (writer, _) = nodes[0].elected();
    let learned = deaf(&nodes[2..]);
    let asked = Intercept::<WriteRequest>::of(&nodes[2].runtime).drop_all();
    append_some(&writer);
    assert_eq!(wait(writer.truncate(Position(3))), Ok(Some(Position(5))));
    drop((learned, asked));
    // The others know no more of the first positions than that they are truncated.
    let (_, ending) = nodes[2].elected();
    assert_eq!(ending, Position(5));
    assert_eq!(texts(&nodes[2].entries()), ["three", "four"]);
}

#[test]
fn coordinator_test_fill_no_quorum() {
    let mut nodes = voting(2);
    let (writer, _) = nodes[0].elected();
    let learned = deaf(&nodes[2..]);
    let asked = Intercept::<WriteRequest>::of(&nodes[2].runtime).drop_all();
    append_some(&writer);
    drop((learned, asked));
    nodes[0].kill();
    // The other one takes part in the election, and in nothing else.
    let _mute = Intercept::<PromiseRequest>::of(&nodes[1].runtime)
        .when(|request| request.position.is_some())
        .drop_all();
    let own = Intercept::<PromiseResponse>::of(&nodes[2].runtime)
        .from(nodes[2].log().replica())
        .when(|response| response.position > Some(0));
    let own = std::pin::pin!(own.next());
    let start = std::pin::pin!(nodes[2].log().writer().start());
    let first = wait(select(start, own));
    assert!(matches!(first, Either::Right(_)), "one vote of three is none");
}

/// Lets a writer give up an entry that only the replica `own` has accepted.
fn append_alone(nodes: &[Node], own: usize, writer: &Writer, text: &'static str) {
    let others = nodes.iter().enumerate().filter(|(number, _)| *number != own);
    let lost = others.map(|(_, node)| Intercept::<WriteRequest>::of(&node.runtime).drop_next());
    let accepted = Intercept::<WriteResponse>::of(&nodes[own].runtime).next();
    let all = std::pin::pin!(join(join_all(lost), accepted));
    let append = std::pin::pin!(writer.append(text.into()));
    assert!(matches!(wait(select(append, all)), Either::Right(_)), "one vote of three is none");
}

#[test]
fn coordinator_test_fill_inconsistent() {
    let mut nodes = voting(2);
    let (first, _) = nodes[0].elected();
    append_alone(&nodes, 0, &first, "one");
    let deaf = Intercept::<PromiseRequest>::of(&nodes[0].runtime).drop_all();
    let (second, ending) = nodes[1].elected();
    assert_eq!(ending, Position(0), "nobody has told of it");
    append_alone(&nodes, 1, &second, "two");
    drop(deaf);
    // Who has accepted different entries agrees on the later one.
    nodes[2].kill();
    let (_, ending) = nodes[0].elected();
    assert_eq!((ending, texts(&nodes[0].entries())), (Position(1), vec!["two".to_owned()]));
}

/// What was learned at replica 0 alone is known to replica 1, too, once that leads.
fn learned_on_one_replica(meanwhile: impl FnOnce(&mut Node)) {
    let mut nodes = voting(2);
    let (writer, _) = nodes[0].elected();
    let deaf = deaf(&nodes[1..]);
    let all = append_some(&writer);
    drop(deaf);
    nodes[2].kill();
    meanwhile(&mut nodes[1]);
    let (_, ending) = nodes[1].elected();
    assert_eq!((ending, texts(&nodes[1].entries())), (Position(4), all.map(str::to_owned).into()));
}

#[test]
fn coordinator_test_learned_on_one_replica_not_learned_on_another() {
    learned_on_one_replica(|_| {});
}

#[test]
fn coordinator_test_learned_on_one_replica_not_learned_on_another_another_fails_and_recovers() {
    learned_on_one_replica(|another| {
        another.kill();
        another.revive(AutoInitialize::No);
    });
}

#[test]
fn replica_test_restore() {
    let mut nodes = voting(2);
    let (writer, _) = nodes[0].elected();
    append_some(&writer);
    wait(writer.truncate(Position(2))).expect("it goes on");
    nodes[0].kill();
    nodes[0].revive(AutoInitialize::No);
    assert_eq!(wait(nodes[0].log().reader().beginning()), Ok(Position(2)));
    assert_eq!(wait(nodes[0].log().reader().ending()), Ok(Position(5)));
    assert_eq!(texts(&nodes[0].entries()), ["two", "three", "four"]);
}

#[test]
fn recover_test_racing_catchup() {
    let mut nodes = voting(3);
    let (writer, _) = nodes[0].elected();
    let all = append_some(&writer);
    for node in &mut nodes[3..] {
        node.kill();
        node.wipe();
    }
    for node in &mut nodes[3..] {
        node.revive(AutoInitialize::Yes);
    }
    for node in &nodes[3..] {
        assert_eq!(wait(node.log().recovered()), Ok(()));
        assert_eq!(texts(&node.entries()), all);
    }
}
