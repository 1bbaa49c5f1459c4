//! `ResourcesTest` on scalars, ranges and sets; `RevocableResourceTest`.

use std::collections::{BTreeMap, BTreeSet};

use proto::mesos::{self, value};
use stout::bytes::Bytes;

use super::{of, resources, revocable};
use crate::resources::Resources;
use crate::values::Scalar;

#[test]
fn resources_by_name() {
    let all = resources("cpus:45.55;mem:1024;ports:[10000-20000, 30000-50000];disk:512");
    assert_eq!(all.cpus(), Some(Scalar::from_milli(45_550)));
    assert_eq!(all.mem(), Some(Bytes::from_megabytes(1024)));
    assert_eq!(all.disk(), Some(Bytes::from_megabytes(512)));
    assert_eq!(all.ports().expect("ports").to_string(), "[10000-20000, 30000-50000]");
    let few = resources("cpus:45.55;disk:512.9");
    assert_eq!(few.disk(), Some(Bytes::from_megabytes(512)));
    assert_eq!((few.mem(), few.ports()), (None, None));
}

#[test]
fn bad_resources_not_allocatable() {
    assert!(Resources::new().is_empty());
    let nameless = mesos::Resource { name: String::new(), ..super::message("cpus:1") };
    assert!(Resources::from(&vec![nameless]).is_empty());
    let zero =
        mesos::Resource { scalar: Some(value::Scalar { value: 0.0 }), ..super::message("cpus:1") };
    assert!(Resources::from(&vec![zero]).is_empty());
}

#[test]
fn equality() {
    let check = |left: &str, right: &str, expected: bool| {
        assert_eq!(resources(left) == resources(right), expected, "{left} == {right}");
    };
    check("cpus:3;mem:3072", "mem:3072;cpus:3", true);
    check("cpus(role1):3", "cpus(role2):3", false);
    check("ports:[20-40]", "ports:[20-30, 31-39, 40-40]", true);
    check("disks:{sda1,sda2}", "disks:{sda2,sda1}", true);
    check("", "cpus:2", false);
    check("cpus:1.5011", "cpus:1.501", true);
}

#[test]
fn subset() {
    let check = |left: &str, right: &str, expected: bool| {
        assert_eq!(resources(left).contains(&resources(right)), expected, "{left} of {right}");
    };
    check("cpus:1;mem:4096", "cpus:1;mem:3072", true);
    check("cpus:1;mem:3072", "cpus:1;mem:4096", false);
    check("cpus(role1):1", "cpus(role2):1", false);
    check("cpus(role1):3", "cpus(role1):1", true);
    check("cpus(role1):3", "cpus(role2):1", false);
    check("ports:[1-10]", "ports:[2-2, 4-5]", true);
    check("ports:[2-2, 4-5]", "ports:[1-10]", false);
    check("ports:[2-3]", "ports:[2-2, 4-5]", false);
    check("ports:[1-2, 4-6]", "ports:[2-2, 4-5]", true);
    check("ports:[1-4, 5-5]", "ports:[2-2, 4-5]", true);
    check("disks:{sda1,sda3,sda4,sda2}", "disks:{sda1,sda2}", true);
    check("disks:{sda1,sda2}", "disks:{sda1,sda3,sda4,sda2}", false);
    check("", "", true);
}

#[test]
fn addition() {
    let check = |left: &str, right: &str, expected: &str| {
        let sum = resources(left) + &resources(right);
        assert_eq!(sum.to_string(), expected);
    };
    check("cpus:1;mem:5", "cpus:2;mem:10", "cpus(*):3; mem(*):15");
    check("cpus(role1):1;cpus(role2):3", "cpus(role1):5", "cpus(role1):6; cpus(role2):3");
    check("ports:[20000-40000]", "ports:[30000-50000, 10000-20000]", "ports(*):[10000-50000]");
    check("ports:[1-10, 5-30, 50-60]", "ports:[1-65, 70-80]", "ports(*):[1-65, 70-80]");
    check("ports:[1-2]", "ports:[3-4]", "ports(*):[1-4]");
    check("ports:[1-4, 9-10, 20-22, 26-30]", "ports:[5-8, 23-25]", "ports(*):[1-10, 20-30]");
    check("disks:{sda1,sda2}", "disks:{sda1,sda4}", "disks(*):{sda1, sda2, sda4}");
}

#[test]
fn subtraction() {
    let check = |left: &str, right: &str, expected: &str| {
        let rest = resources(left) - &resources(right);
        assert_eq!(rest.to_string(), expected);
    };
    check("cpus:50;mem:4096", "cpus:0.5;mem:1024", "cpus(*):49.5; mem(*):3072");
    check("cpus:50;mem:4096", "cpus:50;mem:4096", "");
    check("cpus(role1):5;cpus(role2):3", "cpus(role1):1", "cpus(role1):4; cpus(role2):3");
    check("cpus:1", "cpus:2", "");
    check("cpus:1", "cpus(role):1", "cpus(*):1");
    check("ports:[20000-40000]", "ports:[10000-20000, 30000-50000]", "ports(*):[20001-29999]");
    check("ports:[50000-60000]", "ports:[50000-50001]", "ports(*):[50002-60000]");
    check(
        "ports:[1-10, 20-30, 40-50]",
        "ports:[2-9, 15-45, 48-50]",
        "ports(*):[1-1, 10-10, 46-47]",
    );
    check("ports:[1-10]", "ports:[11-20]", "ports(*):[1-10]");
    check("disks:{sda1,sda2,sda3,sda4}", "disks:{sda2,sda3,sda4}", "disks(*):{sda1}");
    // The last one takes the place of the one that is gone.
    check("cpus:1;mem:2;disk:3", "cpus:1", "disk(*):3; mem(*):2");
}

#[test]
fn precision_many_consecutive_ops() {
    let start = resources("cpus:1.001");
    let mut current = start.clone();
    (0..100_000).for_each(|_| current += &start);
    (0..100_000).for_each(|_| current -= &start);
    assert_eq!(current, start);
    assert_eq!(current.cpus().map(Scalar::to_f64), Some(1.001));
}

#[test]
fn precision_rounding() {
    assert_eq!(resources("cpus:1.5015").cpus().map(Scalar::to_f64), Some(1.502));
    assert_eq!(resources("cpus:1.5011").cpus().map(Scalar::to_f64), Some(1.501));
}

#[test]
fn sums_saturate() {
    let huge = resources("cpus:1e18");
    assert_eq!((&huge + &huge).cpus(), Some(Scalar::from_milli(i64::MAX)));
}

#[test]
fn find() {
    let check = |all: &str, targets: &str, expected: Option<&str>| {
        assert_eq!(resources(all).find(&resources(targets)), expected.map(resources));
    };
    check(
        "cpus(role1):2;mem(role1):10;cpus:4;mem:20",
        "cpus(role1):3;mem(role1):15",
        Some("cpus(role1):2;mem(role1):10;cpus:1;mem:5"),
    );
    check(
        "cpus(role1):1;mem(role1):5;cpus(role2):2;mem(role2):8;cpus:1;mem:7",
        "cpus(role1):3;mem(role1):15",
        Some("cpus(role1):1;mem(role1):5;cpus:1;mem:7;cpus(role2):1;mem(role2):3"),
    );
    check(
        "cpus(role1):5;mem(role1):5;cpus:5;mem:5",
        "cpus:6;mem:6",
        Some("cpus:5;mem:5;cpus(role1):1;mem(role1):1"),
    );
    check("cpus(role1):1;mem(role1):1", "cpus(role1):2;mem(role1):2", None);
}

#[test]
fn get_names_types() {
    let all = resources("cpus(role1):2;cpus:4;mem(role1):10;mem:10;ports:[1-10]");
    assert_eq!(all.named("cpus"), resources("cpus(role1):2;cpus:4"));
    assert_eq!(all.scalars(), resources("cpus(role1):2;cpus:4;mem(role1):10;mem:10"));
    assert_eq!(all.names(), BTreeSet::from(["cpus", "mem", "ports"]));
    let types = BTreeMap::from([
        ("cpus", value::Type::Scalar),
        ("mem", value::Type::Scalar),
        ("ports", value::Type::Ranges),
    ]);
    assert_eq!(all.types(), types);
}

#[test]
fn revocable_resources_stay_apart() {
    let (once, twice) = (of(&revocable("cpus:1")), of(&revocable("cpus:2")));
    let kept = resources("cpus:1");
    assert_ne!(once, kept);
    assert_eq!(&once + &once, twice);
    let sum = &once + &kept;
    assert!(sum.contains(&once) && sum.contains(&kept) && !sum.contains(&twice));
    assert_eq!(&once - &kept, once);
    assert!((&once - &once).is_empty());
    assert_eq!(sum.revocable(), once);
    assert_eq!(sum.non_revocable(), kept);
}

#[test]
fn fields_of_later_versions_pass_through() {
    let mut message = super::message("cpus:1");
    let role = mesos::resource::AllocationInfo { role: Some("ops".into()) };
    message.allocation_info = Some(role);
    message.reservations.push(super::reservation("p"));
    assert_eq!(of(&message).to_messages(), vec![message.clone()]);
    assert_eq!(of(&message), resources("cpus:1"));
}
