//! How often the frameworks of a principal may speak.

use std::time::Duration;

use master::config::{RateLimit, RateLimits};
use proto::mesos::FrameworkInfo;
use proto::mesos::internal::{
    FrameworkErrorMessage, FrameworkRegisteredMessage, ReregisterFrameworkMessage,
    ReviveOffersMessage,
};

use crate::test_util::{Framework, World, framework_info};

fn with_limit(capacity: Option<u64>) -> World {
    let limit = RateLimit { interval: Duration::from_secs(1), capacity };
    let by_principal = [("slow".to_owned(), Some(limit)), ("free".to_owned(), None)].into();
    let rate_limits = RateLimits { by_principal, default: None };
    World::with(master::Config { rate_limits, ..Default::default() })
}

fn framework(world: &World, id: &str, principal: &str) -> Framework {
    let info = FrameworkInfo { principal: Some(principal.to_owned()), ..framework_info() };
    world.framework_with(id, info)
}

fn revive(framework: &Framework) {
    framework.peer.send(&ReviveOffersMessage { framework_id: (&framework.id).into() });
}

fn counts(world: &World, principal: &str) -> (f64, f64) {
    let metric = |what: &str| world.metric(&format!("frameworks/{principal}/messages_{what}"));
    (metric("received"), metric("processed"))
}

#[test]
fn rate_limiting_test_rate_limiting_enabled() {
    let world = with_limit(None);
    let framework = framework(&world, "f", "slow");
    for _ in 0..3 {
        revive(&framework);
    }
    world.settle();
    assert_eq!(counts(&world, "slow"), (3.0, 1.0));
    world.advance(1.0);
    assert_eq!(counts(&world, "slow"), (3.0, 2.0));
    world.advance(1.0);
    assert_eq!(counts(&world, "slow"), (3.0, 3.0));
}

#[test]
fn rate_limiting_test_different_principal_frameworks() {
    let world = with_limit(None);
    let (slow, free) = (framework(&world, "f", "slow"), framework(&world, "g", "free"));
    let nobody = world.framework("h");
    for _ in 0..3 {
        revive(&slow);
        revive(&free);
        revive(&nobody);
    }
    world.settle();
    assert_eq!(counts(&world, "slow"), (3.0, 1.0));
    assert_eq!(counts(&world, "free"), (3.0, 3.0));
    assert_eq!(world.metric("master/messages_revive_offers"), 7.0);
}

#[test]
fn rate_limiting_test_same_principal_frameworks() {
    let world = with_limit(None);
    let (one, two) = (framework(&world, "f", "slow"), framework(&world, "g", "slow"));
    revive(&one);
    revive(&two);
    world.settle();
    assert_eq!(counts(&world, "slow"), (2.0, 1.0));
    one.peer.exit();
    // The end of a link waits behind messages.
    world.settle();
    assert_eq!(world.metric("master/frameworks_connected"), 2.0);
    world.advance(1.0);
    world.advance(1.0);
    world.advance(0.001);
    assert_eq!(world.metric("master/frameworks_connected"), 1.0);
    assert_eq!(counts(&world, "slow"), (2.0, 2.0));
    two.peer.exit();
    world.settle();
    world.advance(1.0);
    world.advance(0.001);
    assert!(!world.has_metric("frameworks/slow/messages_received"));
}

#[test]
fn rate_limiting_test_capacity_reached() {
    let world = with_limit(Some(2));
    let framework = framework(&world, "f", "slow");
    revive(&framework);
    world.settle();
    for _ in 0..3 {
        revive(&framework);
    }
    world.settle();
    let error = framework.peer.take::<FrameworkErrorMessage>();
    let expected = "Message mesos.internal.ReviveOffersMessage dropped: capacity(2) exceeded";
    assert_eq!(error.message, expected);
    assert!(framework.peer.find::<FrameworkErrorMessage>().is_none());
    world.advance(1.0);
    world.advance(1.0);
    assert_eq!(counts(&world, "slow"), (4.0, 3.0));
}

#[test]
fn rate_limiting_test_scheduler_failover() {
    let world = with_limit(None);
    let old = framework(&world, "f", "slow");
    revive(&old);
    world.settle();
    assert_eq!(counts(&world, "slow"), (1.0, 1.0));
    world.advance(1.0);
    let peer = world.peer("g");
    let info = old.known_info();
    peer.send(&ReregisterFrameworkMessage { framework: info, failover: true });
    world.settle();
    peer.take::<FrameworkRegisteredMessage>();
    // The old one's end is no longer that of the framework's, and counts go on.
    old.peer.exit();
    let new = Framework { peer, ..old };
    for _ in 0..2 {
        revive(&new);
    }
    world.settle();
    assert_eq!(counts(&world, "slow"), (3.0, 2.0));
    world.advance(1.0);
    assert_eq!(counts(&world, "slow"), (3.0, 3.0));
}
