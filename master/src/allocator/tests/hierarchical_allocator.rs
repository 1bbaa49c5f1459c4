//! `HierarchicalAllocatorTest`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use libprocess::testing::wait;
use proto::mesos::WeightInfo;

use super::{
    INTERVAL, cluster, cluster_with_interval, create_volume, reserve, resources, revocable, sum,
    unavailability,
};
use crate::allocator::{Allocator, UpdateAvailableError};

#[test]
fn unreserved_drf() {
    let cluster = cluster();
    cluster.add_slave("s1", "cpus:2;mem:1024");
    let f1 = cluster.add_framework("f1", "role1");
    cluster.check_offer(&f1, "cpus:2;mem:1024");
    let f2 = cluster.add_framework("f2", "role2");
    cluster.add_slave("s2", "cpus:1;mem:512");
    cluster.check_offer(&f2, "cpus:1;mem:512");
    cluster.add_slave("s3", "cpus:3;mem:2048");
    cluster.check_offer(&f2, "cpus:3;mem:2048");
    let f3 = cluster.add_framework("f3", "role1");
    cluster.add_slave("s4", "cpus:4;mem:4096");
    cluster.check_offer(&f3, "cpus:4;mem:4096");
    cluster.add_framework("f4", "role1");
    cluster.add_slave("s5", "cpus:1;mem:512");
    cluster.check_offer(&f2, "cpus:1;mem:512");
}

#[test]
fn reserved_drf() {
    let cluster = cluster();
    cluster.add_slave("s1", "cpus:1;mem:512;cpus(role1):100;mem(role1):1024");
    let f1 = cluster.add_framework("f1", "role1");
    cluster.check_offer(&f1, "cpus:1;mem:512;cpus(role1):100;mem(role1):1024");
    let f2 = cluster.add_framework("f2", "role2");
    cluster.add_slave("s2", "cpus:2;mem:512");
    cluster.check_offer(&f2, "cpus:2;mem:512");
    cluster.add_slave("s3", "cpus:2;mem:512");
    cluster.check_offer(&f2, "cpus:2;mem:512");
    let f3 = cluster.add_framework("f3", "role1");
    cluster.add_slave("s4", "cpus(role1):2;mem(role1):1024");
    cluster.check_offer(&f3, "cpus(role1):2;mem(role1):1024");
}

#[test]
fn offer_filter() {
    let cluster = cluster();
    let f1 = cluster.add_framework("f1", "role");
    cluster.add_slave("s1", "cpus:1;mem:512");
    let offers = cluster.check_offer(&f1, "cpus:1;mem:512");
    cluster.decline(&f1, &offers, 2.0);
    cluster.next_batch();
    cluster.check_no_offer();
    cluster.next_batch();
    cluster.check_offer(&f1, "cpus:1;mem:512");
}

#[test]
fn small_offer_filter_timeout() {
    let cluster = cluster_with_interval(Duration::from_secs(60));
    let f1 = cluster.add_framework("f1", "role");
    let f2 = cluster.add_framework("f2", "role");
    cluster.add_used_slave("s1", "cpus:1;mem:512", [(&f1, "cpus:1;mem:512")]);
    cluster.check_no_offer();
    cluster.add_slave("s2", "cpus:1;mem:512");
    let offers = cluster.check_offer(&f2, "cpus:1;mem:512");
    cluster.decline(&f2, &offers, 1.0);
    cluster.advance(Duration::from_secs(1));
    cluster.next_batch();
    let offers = cluster.check_offer(&f1, "cpus:1;mem:512");
    cluster.recover(&f1, &offers);
    cluster.next_batch();
    cluster.check_offer(&f2, "cpus:1;mem:512");
}

#[test]
fn maintenance_inverse_offers() {
    let cluster = cluster();
    let s1 = cluster.add_slave("s1", "cpus:2;mem:1024");
    let f1 = cluster.add_framework("f1", "*");
    cluster.check_offer(&f1, "cpus:2;mem:1024");
    cluster.allocator.update_unavailability(&s1, Some(unavailability(60)));
    cluster.settle();
    let (framework_id, asked) = cluster.inverse_offers.try_recv().expect("an inverse offer");
    assert_eq!(framework_id, f1);
    assert_eq!(asked.keys().collect::<Vec<_>>(), [&s1]);
    assert!(asked[&s1].resources.is_empty());
    assert_eq!(asked[&s1].unavailability, unavailability(60));
}

#[test]
fn coarse_grained() {
    let cluster = cluster();
    cluster.add_slave("s1", "cpus:2;mem:1024");
    cluster.add_slave("s2", "cpus:2;mem:1024");
    let f1 = cluster.add_framework("f1", "role1");
    let offers = cluster.check_offer(&f1, "cpus:4;mem:2048");
    cluster.recover(&f1, &offers);
    let f2 = cluster.add_framework("f2", "role2");
    assert_eq!(cluster.check_offer(&f1, "cpus:2;mem:1024").len(), 1);
    assert_eq!(cluster.check_offer(&f2, "cpus:2;mem:1024").len(), 1);
}

#[test]
fn same_share_fairness() {
    let cluster = cluster();
    let f1 = cluster.add_framework("f1", "*");
    let f2 = cluster.add_framework("f2", "*");
    cluster.add_slave("s1", "cpus:2;mem:1024");
    let mut counts = BTreeMap::new();
    for _ in 0..10 {
        let (framework_id, offers) = cluster.offer();
        assert_eq!(sum(&offers), resources("cpus:2;mem:1024"));
        cluster.recover(&framework_id, &offers);
        *counts.entry(framework_id).or_insert(0) += 1;
        cluster.next_batch();
    }
    assert_eq!(counts, BTreeMap::from([(f1, 5), (f2, 5)]));
}

#[test]
fn reservations() {
    let cluster = cluster();
    let s1 = cluster.add_slave("s1", "cpus(role1):2;mem(role1):1024");
    let s2 = cluster.add_slave("s2", "cpus(role2):2;mem(role2):1024;cpus:1;mem:1024");
    cluster.add_slave("s3", "cpus(role3):1;mem(role3):1024");
    let f1 = cluster.add_framework("f1", "role1");
    let offers = cluster.check_offer(&f1, "cpus(role1):2;mem(role1):1024;cpus:1;mem:1024");
    assert_eq!(offers.keys().collect::<Vec<_>>(), [&s1, &s2]);
    let f2 = cluster.add_framework("f2", "role2");
    let offers = cluster.check_offer(&f2, "cpus(role2):2;mem(role2):1024");
    assert_eq!(offers.keys().collect::<Vec<_>>(), [&s2]);
}

#[test]
fn recover_resources() {
    let cluster = cluster();
    let s1 = cluster.add_slave("s1", "cpus(role1):1;mem(role1):200;cpus:1;mem:200");
    let f1 = cluster.add_framework("f1", "role1");
    cluster.check_offer(&f1, "cpus(role1):1;mem(role1):200;cpus:1;mem:200");
    for text in ["cpus(role1):1;mem(role1):200", "cpus:1;mem:200"] {
        cluster.allocator.recover_resources(&f1, &s1, resources(text), None);
        cluster.next_batch();
        cluster.check_offer(&f1, text);
    }
}

#[test]
fn allocatable() {
    let cluster = cluster();
    let f1 = cluster.add_framework("f1", "role1");
    cluster.add_slave("s1", "cpus:0.005;mem:16;disk:128");
    cluster.check_no_offer();
    for (id, total) in [
        ("s2", "cpus:0.01;mem:16;disk:128"),
        ("s3", "cpus:0.005;mem:32;disk:128"),
        ("s4", "cpus:0.007;mem:16;cpus(role1):0.007;mem(role1):16;disk:128"),
    ] {
        let id = cluster.add_slave(id, total);
        assert_eq!(cluster.check_offer(&f1, total).keys().collect::<Vec<_>>(), [&id]);
    }
}

#[test]
fn update_allocation() {
    let cluster = cluster();
    let s1 = cluster.add_slave("s1", "cpus:100;mem:100;disk:100");
    let f1 = cluster.add_framework("f1", "role1");
    cluster.check_offer(&f1, "cpus:100;mem:100;disk:100");
    let create = create_volume(5);
    let updated = resources("cpus:100;mem:100;disk:100").apply(&create).expect("enough");
    cluster.allocator.update_allocation(&f1, &s1, vec![create]);
    cluster.allocator.recover_resources(&f1, &s1, updated.clone(), None);
    cluster.next_batch();
    cluster.check_offer_of(&f1, &updated);
}

#[test]
fn update_available_success() {
    let cluster = cluster();
    let s1 = cluster.add_slave("s1", "cpus:100;mem:100;disk:100");
    let reserve = reserve("cpus:25;mem:50", "role1");
    let updated = resources("cpus:100;mem:100;disk:100").apply(&reserve).expect("enough");
    assert_eq!(wait(cluster.allocator.update_available(&s1, vec![reserve])), Ok(()));
    let f1 = cluster.add_framework("f1", "role1");
    cluster.check_offer_of(&f1, &updated);
}

#[test]
fn update_available_fail() {
    let cluster = cluster();
    let s1 = cluster.add_slave("s1", "cpus:100;mem:100;disk:100");
    let f1 = cluster.add_framework("f1", "role1");
    cluster.check_offer(&f1, "cpus:100;mem:100;disk:100");
    let reserve = reserve("cpus:25;mem:50", "role1");
    let update = wait(cluster.allocator.update_available(&s1, vec![reserve.clone()]));
    assert!(matches!(update, Err(UpdateAvailableError::Apply(_))), "{update:?}");
    let gone = wait(cluster.allocator.update_available(&"gone".into(), vec![reserve]));
    assert_eq!(gone, Err(UpdateAvailableError::UnknownSlave("gone".into())));
}

#[test]
fn update_slave() {
    let cluster = cluster();
    let s1 = cluster.add_slave("s1", "cpus:100;mem:100;disk:100");
    let f1 = cluster.add_revocable_framework("f1", "role1");
    cluster.check_offer(&f1, "cpus:100;mem:100;disk:100");
    cluster.allocator.update_slave(&s1, revocable("cpus:10"));
    cluster.check_offer_of(&f1, &revocable("cpus:10"));
    cluster.allocator.update_slave(&s1, revocable("cpus:12"));
    cluster.check_offer_of(&f1, &revocable("cpus:2"));
    cluster.allocator.update_slave(&s1, revocable("cpus:5"));
    cluster.check_no_offer();
}

#[test]
fn oversubscribed_not_allocated() {
    let cluster = cluster();
    let s1 = cluster.add_slave("s1", "cpus:100;mem:100;disk:100");
    let f1 = cluster.add_framework("f1", "role1");
    cluster.check_offer(&f1, "cpus:100;mem:100;disk:100");
    cluster.allocator.update_slave(&s1, revocable("cpus:10"));
    cluster.check_no_offer();
}

#[test]
fn recover_oversubscribed_resources() {
    let cluster = cluster();
    let s1 = cluster.add_slave("s1", "cpus:100;mem:100;disk:100");
    let f1 = cluster.add_revocable_framework("f1", "role1");
    cluster.check_offer(&f1, "cpus:100;mem:100;disk:100");
    cluster.allocator.update_slave(&s1, revocable("cpus:10"));
    cluster.check_offer_of(&f1, &revocable("cpus:10"));
    let recovered = revocable("cpus:6") + &resources("cpus:2");
    cluster.allocator.recover_resources(&f1, &s1, recovered.clone(), None);
    cluster.next_batch();
    cluster.check_offer_of(&f1, &recovered);
}

#[test]
fn whitelist() {
    let cluster = cluster();
    let mut hosts = BTreeSet::from(["dummy-slave".to_owned()]);
    cluster.allocator.update_whitelist(Some(hosts.clone()));
    cluster.add_slave("s1", "cpus:2;mem:1024");
    let f1 = cluster.add_framework("f1", "*");
    cluster.next_batch();
    cluster.check_no_offer();
    hosts.insert("s1".to_owned());
    cluster.allocator.update_whitelist(Some(hosts));
    cluster.check_no_offer();
    cluster.next_batch();
    cluster.check_offer(&f1, "cpus:2;mem:1024");
}

#[test]
fn quota_provides_guarantee() {
    let cluster = cluster();
    let f1 = cluster.add_framework("f1", "quota-role");
    cluster.set_quota("quota-role", "cpus:2;mem:1024");
    cluster.add_framework("f2", "no-quota-role");
    cluster.add_slave("s1", "cpus:1;mem:512");
    cluster.check_offer(&f1, "cpus:1;mem:512");
    cluster.add_slave("s2", "cpus:1;mem:512");
    let offers = cluster.check_offer(&f1, "cpus:1;mem:512");
    cluster.decline(&f1, &offers, 2.0);
    cluster.next_batch();
    cluster.check_no_offer();
    cluster.next_batch();
    cluster.check_offer(&f1, "cpus:1;mem:512");
}

#[test]
fn remove_quota() {
    let cluster = cluster();
    cluster.set_quota("quota-role", "cpus:2;mem:1024");
    let f1 = cluster.add_framework("f1", "quota-role");
    let f2 = cluster.add_framework("f2", "no-quota-role");
    let s1 = cluster.add_used_slave("s1", "cpus:1;mem:512", [(&f1, "cpus:1;mem:512")]);
    cluster.add_used_slave("s2", "cpus:1;mem:512", [(&f1, "cpus:1;mem:512")]);
    cluster.allocator.remove_quota("quota-role");
    cluster.check_no_offer();
    cluster.allocator.recover_resources(&f1, &s1, resources("cpus:1;mem:512"), None);
    cluster.next_batch();
    cluster.check_offer(&f2, "cpus:1;mem:512");
}

#[test]
fn multiple_frameworks_in_role_with_quota() {
    let cluster = cluster();
    let f1a = cluster.add_framework("f1a", "quota-role");
    cluster.set_quota("quota-role", "cpus:4;mem:2048");
    cluster.add_framework("f2", "no-quota-role");
    cluster.add_slave("s1", "cpus:1;mem:512");
    cluster.check_offer(&f1a, "cpus:1;mem:512");
    let f1b = cluster.add_framework("f1b", "quota-role");
    cluster.add_slave("s2", "cpus:2;mem:1024");
    cluster.check_offer(&f1b, "cpus:2;mem:1024");
    cluster.add_slave("s3", "cpus:1;mem:512");
    let offers = cluster.check_offer(&f1a, "cpus:1;mem:512");
    cluster.decline(&f1a, &offers, 5.0);
    cluster.next_batch();
    cluster.check_offer(&f1b, "cpus:1;mem:512");
}

#[test]
fn quota_allocation_granularity() {
    let cluster = cluster();
    let f1 = cluster.add_framework("f1", "quota-role");
    cluster.set_quota("quota-role", "cpus:0.5;mem:200");
    cluster.add_framework("f2", "no-quota-role");
    cluster.add_slave("s1", "cpus:1;mem:512");
    cluster.check_offer(&f1, "cpus:1;mem:512");
}

#[test]
fn drf_with_quota() {
    let cluster = cluster();
    cluster.set_quota("quota-role", "cpus:0.25;mem:128");
    let f1 = cluster.add_framework("f1", "quota-role");
    let f2 = cluster.add_framework("f2", "no-quota-role");
    cluster.add_used_slave("s1", "cpus:1;mem:512", [(&f1, "cpus:0.25;mem:128")]);
    cluster.check_offer(&f2, "cpus:0.75;mem:384");
    cluster.add_slave("s2", "cpus:1;mem:512");
    cluster.check_offer(&f2, "cpus:1;mem:512");
}

#[test]
fn quota_against_starvation() {
    let cluster = cluster();
    let f1 = cluster.add_framework("f1", "quota-role");
    let f2 = cluster.add_framework("f2", "no-quota-role");
    cluster.add_used_slave("s1", "cpus:1;mem:512", [(&f1, "cpus:1;mem:512")]);
    cluster.add_slave("s2", "cpus:1;mem:512");
    let offers = cluster.check_offer(&f2, "cpus:1;mem:512");
    cluster.decline(&f2, &offers, 0.0);
    cluster.next_batch();
    let offers = cluster.check_offer(&f2, "cpus:1;mem:512");
    cluster.decline(&f2, &offers, 0.0);
    cluster.set_quota("quota-role", "cpus:2;mem:1024");
    cluster.check_offer(&f1, "cpus:1;mem:512");
}

#[test]
fn quota_absent_framework() {
    let cluster = cluster();
    cluster.set_quota("quota-role", "cpus:2;mem:1024");
    let f1 = cluster.add_framework("f1", "no-quota-role");
    cluster.add_slave("s1", "cpus:2;mem:1024");
    let s2 = cluster.add_slave("s2", "cpus:1;mem:512");
    let offers = cluster.check_offer(&f1, "cpus:1;mem:512");
    assert_eq!(offers.keys().collect::<Vec<_>>(), [&s2]);
    cluster.check_no_offer();
}

#[test]
fn multi_quota_absent_frameworks() {
    let cluster = cluster();
    cluster.add_slave("s1", "cpus:2;mem:2048");
    cluster.set_quota("quota-role-1", "cpus:1;mem:1024");
    cluster.set_quota("quota-role-2", "cpus:2;mem:2048");
    let f1 = cluster.add_framework("f1", "quota-role-2");
    cluster.check_offer(&f1, "cpus:2;mem:2048");
}

#[test]
fn multi_quota_with_frameworks() {
    let cluster = cluster();
    cluster.set_quota("quota-role-1", "cpus:1;mem:200");
    cluster.set_quota("quota-role-2", "cpus:2;mem:2000");
    let f1 = cluster.add_framework("f1", "quota-role-1");
    let f2 = cluster.add_framework("f2", "quota-role-2");
    cluster.add_used_slave("s1", "cpus:1;mem:1024", [(&f1, "cpus:1;mem:1024")]);
    cluster.add_used_slave("s2", "cpus:1;mem:1024", [(&f2, "cpus:1;mem:1024")]);
    cluster.add_slave("s3", "cpus:2;mem:2048");
    cluster.check_offer(&f2, "cpus:2;mem:2048");
}

#[test]
fn reservation_within_quota() {
    let cluster = cluster();
    cluster.set_quota("quota-role", "cpus:2;mem:256");
    let f1 = cluster.add_framework("f1", "quota-role");
    let f2 = cluster.add_framework("f2", "non-quota-role");
    let used = "cpus:2;mem(quota-role):256";
    cluster.add_used_slave("s1", "cpus:8;mem(quota-role):256", [(&f1, used)]);
    cluster.check_offer(&f2, "cpus:6");
    cluster.add_slave("s2", "cpus:4");
    cluster.check_offer(&f2, "cpus:4");
}

#[test]
fn deactivate_and_reactivate_framework() {
    let cluster = cluster();
    cluster.add_slave("s1", "cpus:2;mem:1024");
    let f1 = cluster.add_framework("f1", "role1");
    let offers = cluster.check_offer(&f1, "cpus:2;mem:1024");
    cluster.recover(&f1, &offers);
    cluster.allocator.suppress_offers(&f1);
    cluster.allocator.deactivate_framework(&f1);
    cluster.next_batch();
    cluster.check_no_offer();
    cluster.allocator.activate_framework(&f1);
    cluster.check_offer(&f1, "cpus:2;mem:1024");
}

#[test]
fn update_weight() {
    let cluster = cluster();
    let weigh = |role: &str, weight| {
        let info = WeightInfo { role: Some(role.to_owned()), weight };
        cluster.allocator.update_weights(vec![info]);
    };
    let check_slaves = |expected: &[usize]| {
        for count in expected {
            let (framework_id, offers) = cluster.offer();
            assert_eq!(offers.len(), *count, "{framework_id}");
            cluster.recover(&framework_id, &offers);
        }
        cluster.check_no_offer();
    };
    (1..=6).for_each(|n| drop(cluster.add_slave(&format!("s{n}"), "cpus:2;mem:1024")));
    cluster.add_framework("f1", "role1");
    cluster.add_framework("f2", "role2");
    check_slaves(&[3, 3]);
    weigh("role2", 2.0);
    check_slaves(&[2, 4]);
    weigh("role3", 3.0);
    cluster.check_no_offer();
    cluster.add_framework("f3", "role3");
    check_slaves(&[1, 2, 3]);
    cluster.advance(INTERVAL / 2);
    cluster.check_no_offer();
}
