//! What upstream's suite leaves out: late messages, bursts, recovery, inverse offers' answers.

use std::collections::BTreeMap;
use std::time::Duration;

use libprocess::testing::wait;
use proto::mesos::Filters;
use proto::mesos::master::InverseOfferStatus;
use proto::mesos::master::inverse_offer_status::Status;

use super::{Cluster, cluster, create_volume, quota, resources, revocable, unavailability};
use crate::allocator::{Allocator, InverseOfferUpdate};

#[test]
fn late_messages_about_the_gone_change_nothing() {
    let cluster = cluster();
    let (gone_framework, gone_slave) = ("gone".into(), "gone".into());
    let f1 = cluster.add_framework("f1", "*");
    let s1 = cluster.add_slave("s1", "cpus:2;mem:1024");
    cluster.check_offer(&f1, "cpus:2;mem:1024");
    let allocator = &cluster.allocator;
    let cpus = || resources("cpus:1");
    let filters = Some(Filters { refuse_seconds: Some(9.0) });
    allocator.recover_resources(&gone_framework, &gone_slave, cpus(), filters);
    allocator.recover_resources(&f1, &gone_slave, cpus(), filters);
    allocator.remove_framework(&gone_framework);
    allocator.activate_framework(&gone_framework);
    allocator.deactivate_framework(&gone_framework);
    allocator.update_framework(&gone_framework, &Default::default());
    allocator.suppress_offers(&gone_framework);
    allocator.revive_offers(&gone_framework);
    allocator.request_resources(&gone_framework, Vec::new());
    allocator.remove_slave(&gone_slave);
    allocator.update_slave(&gone_slave, revocable("cpus:1"));
    allocator.activate_slave(&gone_slave);
    allocator.deactivate_slave(&gone_slave);
    allocator.update_allocation(&f1, &gone_slave, vec![create_volume(5)]);
    allocator.update_allocation(&gone_framework, &s1, vec![create_volume(5)]);
    allocator.update_unavailability(&gone_slave, Some(unavailability(1)));
    answer(&cluster, ("s1", "f1"), Some(Status::Accept), Some(9.0));
    answer(&cluster, ("gone", "f1"), Some(Status::Accept), Some(9.0));
    allocator.remove_quota("gone");
    cluster.add_framework("f1", "another");
    cluster.add_slave("s1", "cpus:100");
    cluster.next_batch();
    cluster.check_no_offer();
    assert_eq!(wait(cluster.allocator.inverse_offer_statuses()), BTreeMap::new());
}

#[test]
fn more_than_was_held_comes_back() {
    let cluster = cluster();
    let f1 = cluster.add_framework("f1", "*");
    let s1 = cluster.add_slave("s1", "cpus:2;mem:1024");
    cluster.check_offer(&f1, "cpus:2;mem:1024");
    cluster.allocator.recover_resources(&f1, &s1, resources("cpus:9;disk:1"), None);
    cluster.allocator.recover_resources(&f1, &s1, resources("cpus:2"), None);
    cluster.next_batch();
    cluster.check_offer(&f1, "cpus:2");
    cluster.allocator.update_allocation(&f1, &s1, vec![create_volume(5)]);
    cluster.allocator.recover_resources(&f1, &s1, resources("cpus:2;mem:1024"), None);
    cluster.next_batch();
    cluster.check_offer(&f1, "cpus:2;mem:1024");
}

#[test]
fn a_burst_of_frameworks_costs_one_allocation() {
    let cluster = cluster();
    (1..=4).for_each(|n| drop(cluster.add_slave(&format!("s{n}"), "cpus:2;mem:1024")));
    cluster.settle();
    // Nothing is handled between these, however fast the actor is: it is busy with the first.
    let blocked = wait_inside(&cluster);
    let frameworks = ["f1", "f2", "f3", "f4"].map(|id| cluster.add_framework(id, id));
    drop(blocked);
    for framework in &frameworks {
        cluster.check_offer(framework, "cpus:2;mem:1024");
    }
    cluster.check_no_offer();
}

/// Keeps the allocator busy until what is returned is dropped.
fn wait_inside(cluster: &Cluster) -> std::sync::mpsc::Sender<()> {
    let (sender, receiver) = std::sync::mpsc::channel();
    cluster.allocator.tell(move |_, _| {
        // The sender is only ever dropped.
        let _ = receiver.recv();
    });
    sender
}

#[test]
fn a_removed_framework_is_charged_nothing_and_its_resources_wait_for_recovery() {
    let cluster = cluster();
    let f1 = cluster.add_framework("f1", "*");
    let s1 = cluster.add_slave("s1", "cpus:2;mem:1024");
    cluster.check_offer(&f1, "cpus:2;mem:1024");
    cluster.allocator.remove_framework(&f1);
    let f2 = cluster.add_framework("f2", "*");
    cluster.check_no_offer();
    cluster.allocator.recover_resources(&f1, &s1, resources("cpus:2;mem:1024"), None);
    cluster.next_batch();
    cluster.check_offer(&f2, "cpus:2;mem:1024");
}

#[test]
fn refusals_end_with_revival_and_return_with_the_next_decline() {
    let cluster = cluster();
    let f1 = cluster.add_framework("f1", "*");
    cluster.add_slave("s1", "cpus:2;mem:1024");
    let offers = cluster.check_offer(&f1, "cpus:2;mem:1024");
    cluster.decline(&f1, &offers, 100.0);
    cluster.advance(Duration::from_secs(50));
    cluster.check_no_offer();
    cluster.allocator.suppress_offers(&f1);
    cluster.allocator.revive_offers(&f1);
    let offers = cluster.check_offer(&f1, "cpus:2;mem:1024");
    cluster.decline(&f1, &offers, 100.0);
    // The first filter's time is over: it must not end the second.
    cluster.advance(Duration::from_secs(60));
    cluster.check_no_offer();
    cluster.advance(Duration::from_secs(41));
    cluster.next_batch();
    cluster.check_offer(&f1, "cpus:2;mem:1024");
}

#[test]
fn a_negative_refusal_lasts_five_seconds() {
    let cluster = cluster();
    let f1 = cluster.add_framework("f1", "*");
    cluster.add_slave("s1", "cpus:2;mem:1024");
    let offers = cluster.check_offer(&f1, "cpus:2;mem:1024");
    cluster.decline(&f1, &offers, -1.0);
    (0..4).for_each(|_| cluster.next_batch());
    cluster.check_no_offer();
    cluster.next_batch();
    cluster.check_offer(&f1, "cpus:2;mem:1024");
}

#[test]
fn deactivated_slaves_are_not_offered() {
    let cluster = cluster();
    // While there is nobody to offer it to: what follows at once could come after an offer.
    let s1 = cluster.add_slave("s1", "cpus:2;mem:1024");
    cluster.allocator.deactivate_slave(&s1);
    let f1 = cluster.add_framework("f1", "*");
    cluster.next_batch();
    cluster.check_no_offer();
    cluster.allocator.activate_slave(&s1);
    cluster.check_no_offer();
    cluster.next_batch();
    cluster.check_offer(&f1, "cpus:2;mem:1024");
}

#[test]
fn recovery_waits_for_most_slaves() {
    let cluster = cluster();
    let quotas = BTreeMap::from([("a".to_owned(), quota("cpus:1"))]);
    cluster.allocator.recover(3, quotas);
    let f1 = cluster.add_framework("f1", "a");
    cluster.add_slave("s1", "cpus:2;mem:1024");
    cluster.next_batch();
    cluster.check_no_offer();
    cluster.add_slave("s2", "cpus:2;mem:1024");
    cluster.check_offer(&f1, "cpus:2;mem:1024");
}

#[test]
fn recovery_waits_ten_minutes_at_most() {
    let cluster = cluster();
    let quotas = BTreeMap::from([("a".to_owned(), quota("cpus:1"))]);
    cluster.allocator.recover(30, quotas);
    let f1 = cluster.add_framework("f1", "a");
    cluster.add_slave("s1", "cpus:2;mem:1024");
    cluster.advance(Duration::from_secs(599));
    cluster.check_no_offer();
    cluster.next_batch();
    cluster.next_batch();
    cluster.check_offer(&f1, "cpus:2;mem:1024");
}

#[test]
fn recovered_quotas_hold_although_no_slave_is_waited_for() {
    let cluster = cluster();
    let quotas = BTreeMap::from([("a".to_owned(), quota("cpus:2;mem:1024"))]);
    cluster.allocator.recover(1, quotas);
    let f1 = cluster.add_framework("f1", "b");
    cluster.add_slave("s1", "cpus:2;mem:1024");
    cluster.check_no_offer();
    cluster.allocator.remove_quota("a");
    cluster.check_offer(&f1, "cpus:2;mem:1024");
}

fn answer(cluster: &Cluster, of: (&str, &str), status: Option<Status>, refuse: Option<f64>) {
    let framework_id = proto::mesos::FrameworkId { value: of.1.to_owned() };
    let status = status.map(|status| InverseOfferStatus {
        status: status.into(),
        framework_id,
        timestamp: Default::default(),
    });
    cluster.allocator.update_inverse_offer(InverseOfferUpdate {
        slave_id: of.0.into(),
        framework_id: of.1.into(),
        unavailable: None,
        status,
        filters: refuse.map(|seconds| Filters { refuse_seconds: Some(seconds) }),
    });
}

#[test]
fn inverse_offers_come_again_after_an_answer_unless_refused() {
    let cluster = cluster();
    let s1 = cluster.add_slave("s1", "cpus:2;mem:1024");
    let f1 = cluster.add_framework("f1", "*");
    cluster.check_offer(&f1, "cpus:2;mem:1024");
    cluster.allocator.update_unavailability(&s1, Some(unavailability(60)));
    let asked = |seconds: u64| {
        cluster.advance(Duration::from_secs(seconds));
        cluster.inverse_offers.try_iter().count()
    };
    assert_eq!(asked(0), 1);
    assert_eq!(asked(3), 0, "it is outstanding");
    answer(&cluster, ("s1", "f1"), None, None);
    assert_eq!(asked(1), 1, "it was rescinded");
    answer(&cluster, ("s1", "f1"), Some(Status::Decline), Some(5.0));
    assert_eq!(asked(4), 0, "it is refused");
    assert_eq!(asked(2), 1);
    let statuses = wait(cluster.allocator.inverse_offer_statuses());
    assert_eq!(statuses[&s1][&f1].status(), Status::Decline);
    cluster.allocator.update_unavailability(&s1, None);
    assert_eq!(asked(1), 0);
    assert_eq!(wait(cluster.allocator.inverse_offer_statuses()), BTreeMap::new());
}

#[test]
fn deactivated_frameworks_are_not_asked_before_they_return() {
    let cluster = cluster();
    let s1 = cluster.add_slave("s1", "cpus:2;mem:1024");
    let f1 = cluster.add_framework("f1", "*");
    cluster.check_offer(&f1, "cpus:2;mem:1024");
    cluster.allocator.deactivate_framework(&f1);
    cluster.allocator.update_unavailability(&s1, Some(unavailability(60)));
    cluster.next_batch();
    assert_eq!(cluster.inverse_offers.try_iter().count(), 0);
    cluster.allocator.activate_framework(&f1);
    cluster.next_batch();
    assert_eq!(cluster.inverse_offers.try_iter().count(), 1);
}

#[test]
fn calls_that_wait_are_counted() {
    let cluster = cluster();
    let waiting = || {
        let snapshot = wait(cluster.runtime.metrics().snapshot(None));
        snapshot["allocator/event_queue_dispatches"]
    };
    cluster.settle();
    assert_eq!(waiting(), 0.0);
    let blocked = wait_inside(&cluster);
    cluster.allocator.remove_quota("a");
    cluster.allocator.remove_quota("b");
    assert!(waiting() >= 2.0);
    drop(blocked);
    cluster.settle();
    assert_eq!(waiting(), 0.0);
}
