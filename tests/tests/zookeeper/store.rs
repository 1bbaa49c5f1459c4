//! Variables kept in ZooKeeper, as they are in every other storage.

use std::time::Duration;

use coordination::store::zookeeper::ZooKeeperStorage;
use coordination::store::{State, StoreError, Variable};
use libprocess::Runtime;
use libprocess::testing::{runtime, wait};
use tests::zookeeper::ZooKeeper;

fn state(runtime: &Runtime, url: &str) -> State {
    let url = url.parse().expect("a URL");
    State::new(ZooKeeperStorage::new(runtime, url, Duration::from_secs(10)))
}

fn store(state: &State, variable: &Variable) -> Option<Variable> {
    wait(state.store(variable.clone())).expect("it answers")
}

/// All of upstream's `ZooKeeperStateTest` on one server, which takes seconds to start.
#[test]
fn zookeeper_state_test() {
    let Some(zookeeper) = ZooKeeper::start("zookeeper_state_test") else { return };
    let runtime = runtime();
    let state = state(&runtime, &zookeeper.url("/a/state/"));
    let fetch = || wait(state.fetch("slaves")).expect("it answers");
    assert_eq!(wait(state.names()), Ok([].into()));

    let fetched = fetch();
    assert_eq!(fetched.value(), "");
    let first = store(&state, &fetched.mutate("1".into())).expect("nobody else stores");
    assert_eq!(fetch(), first);
    assert_eq!(wait(state.names()), Ok(["slaves".to_owned()].into()));
    // Whoever knows an old version only is refused.
    assert_eq!(store(&state, &fetched.mutate("2".into())), None);
    let second = store(&state, &first.mutate("2".into())).expect("nobody else stores");
    assert_eq!(wait(state.expunge(first)), Ok(false));
    assert_eq!(fetch(), second);

    assert_eq!(wait(state.expunge(second.clone())), Ok(true));
    assert_eq!(wait(state.expunge(second.clone())), Ok(false));
    assert_eq!(fetch().value(), "");
    let third = store(&state, &second).expect("what is not there is nobody's");
    assert_eq!(fetch(), third);

    let large = third.mutate(vec![0; 1024 * 1024].into());
    assert_eq!(wait(state.store(large)), Err(StoreError::TooBig));
    wait(runtime.shutdown());
}

#[test]
fn a_store_waits_for_a_connection() {
    let Some(zookeeper) = ZooKeeper::start("a_store_waits_for_a_connection") else { return };
    let runtime = runtime();
    let proxy = zookeeper.proxy();
    let state = state(&runtime, &proxy.url("/state"));
    let variable = wait(state.fetch("slaves")).expect("it answers");
    proxy.cut();
    proxy.reset();
    let stored = state.store(variable.mutate("1".into()));
    proxy.mend();
    assert!(wait(stored).expect("it answers").is_some());
    wait(runtime.shutdown());
}
