//! The names of all that a master counts and measures.

use std::collections::BTreeSet;

use libprocess::testing::wait;

use crate::test_util::World;

#[test]
fn master_test_metrics_in_metrics_endpoint() {
    let world = World::new();
    let snapshot = wait(world.runtime.metrics().snapshot(None));
    let ours: BTreeSet<&str> =
        snapshot.keys().map(String::as_str).filter(|name| name.starts_with("master/")).collect();
    let ledger = include_str!("../../../docs/ledger/metrics.tsv");
    let names = ledger.lines().filter_map(|line| line.strip_prefix("master\t"));
    let upstreams: BTreeSet<&str> = names
        .filter_map(|rest| rest.split('\t').next())
        .filter(|name| name.starts_with("master/"))
        .collect();
    assert!(!upstreams.is_empty());
    assert_eq!(ours, upstreams);
}
