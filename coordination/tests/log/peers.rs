//! What a replica says to peers that are not ours, or mean no good.

use coordination::log::{AutoInitialize, Config, Log, Network, Offline};
use libprocess::testing::{Peer, start};
use libprocess::{Runtime, Upid};
use proto::mesos::internal::log::action::{Append, Nop, Type};
use proto::mesos::internal::log::metadata::Status;
use proto::mesos::internal::log::{
    Action, LearnedMessage, PromiseRequest, PromiseResponse, RecoverRequest, RecoverResponse,
    WriteRequest, WriteResponse, promise_response, write_response,
};
use tempfile::TempDir;

struct Scene {
    _runtime: Runtime,
    _folder: TempDir,
    _log: Log,
    replica: Upid,
}

/// A replica that votes, or is empty, in a group with these.
fn scene(votes: bool, peers: &[&Peer]) -> Scene {
    let folder = tempfile::tempdir().expect("a temporary folder");
    if votes {
        Offline::open(folder.path()).expect("an empty folder").initialize();
    }
    let schema = Some(proto::initialized::schema as libprocess::router::Schema);
    let runtime = start(libprocess::Config { schema, ..libprocess::Config::default() });
    let log = Log::start(
        &runtime,
        Config {
            quorum: 2,
            path: folder.path().to_owned(),
            network: Network::Fixed(peers.iter().map(|peer| peer.upid().clone()).collect()),
            auto_initialize: AutoInitialize::No,
        },
    )
    .expect("its files can be had");
    let replica = log.replica().clone();
    Scene { _runtime: runtime, _folder: folder, _log: log, replica }
}

#[test]
fn replica_test_promise() {
    let peer = Peer::start("peer");
    let scene = scene(true, &[&peer]);
    let ask = |proposal, position| {
        peer.send(&scene.replica, &PromiseRequest { proposal, position });
        let PromiseResponse { okay, r#type, proposal, position, action } = peer.expect().message;
        assert_eq!(okay, r#type == Some(promise_response::Type::Accept.into()));
        (okay, proposal, position, action)
    };
    assert_eq!(ask(2, None), (true, 2, Some(0), None));
    assert_eq!(ask(1, None), (false, 2, None, None));
    assert_eq!(ask(2, None), (false, 2, None, None));
    assert_eq!(ask(3, Some(5)), (true, 3, Some(5), None));
}

#[test]
fn replica_test_append() {
    let peer = Peer::start("peer");
    let scene = scene(true, &[&peer]);
    peer.send(&scene.replica, &PromiseRequest { proposal: 1, position: None });
    assert!(peer.expect::<PromiseResponse>().message.okay);
    let write = |proposal| WriteRequest {
        proposal,
        position: 1,
        r#type: Type::Append.into(),
        append: Some(Append { bytes: "hello world".into(), cksum: None }),
        ..WriteRequest::default()
    };
    for (proposal, okay) in [(1, true), (0, false)] {
        peer.send(&scene.replica, &write(proposal));
        let response = peer.expect::<WriteResponse>().message;
        assert_eq!((response.okay, response.proposal, response.position), (okay, 1, 1));
    }
    peer.send(&scene.replica, &PromiseRequest { proposal: 2, position: Some(1) });
    let action = peer.expect::<PromiseResponse>().message.action.expect("it was accepted");
    assert_eq!((action.promised, action.performed, action.learned), (1, Some(1), None));
    assert_eq!(action.append, write(1).append);
}

#[test]
fn replica_test_non_voting() {
    let peer = Peer::start("peer");
    let scene = scene(false, &[&peer]);
    // It asks all, itself and this one, how to come to vote.
    peer.expect::<RecoverRequest>();
    peer.send(&scene.replica, &PromiseRequest { proposal: 2, position: None });
    let response = peer.expect::<PromiseResponse>().message;
    assert_eq!(response.r#type(), promise_response::Type::Ignore);
    assert_eq!((response.okay, response.proposal), (false, 2));
    let request = WriteRequest {
        proposal: 2,
        position: 7,
        r#type: Type::Nop.into(),
        nop: Some(Nop::default()),
        ..WriteRequest::default()
    };
    peer.send(&scene.replica, &request);
    let response = peer.expect::<WriteResponse>().message;
    assert_eq!(response.r#type(), write_response::Type::Ignore);
    assert_eq!((response.okay, response.proposal, response.position), (false, 2, 7));
}

#[test]
fn a_request_of_a_stranger_waits_until_he_is_none() {
    let (peer, stranger) = (Peer::start("peer"), Peer::start("stranger"));
    let scene = scene(true, &[&peer]);
    stranger.send(&scene.replica, &PromiseRequest { proposal: u64::MAX, position: None });
    // Asking harms nobody; and that this one is answered shows that the first one was not.
    stranger.send(&scene.replica, &RecoverRequest {});
    assert_eq!(stranger.expect::<RecoverResponse>().message.status(), Status::Voting);
    peer.send(&scene.replica, &PromiseRequest { proposal: 1, position: None });
    assert!(peer.expect::<PromiseResponse>().message.okay);
}

#[test]
fn malformed_notices_and_writes_end_nothing() {
    let peer = Peer::start("peer");
    let scene = scene(true, &[&peer]);
    let action = Action { position: 3, promised: 1, performed: Some(1), ..Action::default() };
    let append = Some(Append { bytes: "x".into(), cksum: None });
    let notices = [
        action.clone(),
        Action { learned: Some(true), ..action.clone() },
        Action { learned: Some(true), r#type: Some(Type::Append.into()), ..action.clone() },
        Action { learned: Some(true), r#type: Some(9), append: append.clone(), ..action.clone() },
        Action {
            position: 1 << 40,
            learned: Some(true),
            r#type: Some(Type::Append.into()),
            append: append.clone(),
            ..action
        },
    ];
    for action in notices {
        peer.send(&scene.replica, &LearnedMessage { action });
    }
    let write = WriteRequest { proposal: 1, position: 3, append, ..WriteRequest::default() };
    for kind in [Type::Nop, Type::Truncate] {
        peer.send(&scene.replica, &WriteRequest { r#type: kind.into(), ..write.clone() });
    }
    peer.send(&scene.replica, &RecoverRequest {});
    let RecoverResponse { status, begin, end } = peer.expect().message;
    assert_eq!((status, begin, end), (Status::Voting.into(), Some(0), Some(0)));
    assert!(peer.is_quiet());
}
