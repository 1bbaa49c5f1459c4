//! `ResourcesOperationTest`, the texts of refused operations, and checkpointed resources.

use proto::mesos::offer::{Operation, operation};
use proto::mesos::{self, value};

use super::{disk, disk_on, mount_source, of, path_source, reservation, reserved, resources};
use crate::resources::{Resources, validate, validate_all};

fn reserve(resource: mesos::Resource) -> Operation {
    let reserve = operation::Reserve { resources: vec![resource] };
    let r#type = operation::Type::Reserve.into();
    Operation { r#type, reserve: Some(reserve), ..Operation::default() }
}

fn unreserve(resource: mesos::Resource) -> Operation {
    let unreserve = operation::Unreserve { resources: vec![resource] };
    let r#type = operation::Type::Unreserve.into();
    Operation { r#type, unreserve: Some(unreserve), ..Operation::default() }
}

fn create(volume: mesos::Resource) -> Operation {
    let create = operation::Create { volumes: vec![volume] };
    let r#type = operation::Type::Create.into();
    Operation { r#type, create: Some(create), ..Operation::default() }
}

fn destroy(volume: mesos::Resource) -> Operation {
    let destroy = operation::Destroy { volumes: vec![volume] };
    let r#type = operation::Type::Destroy.into();
    Operation { r#type, destroy: Some(destroy), ..Operation::default() }
}

fn check_refused(all: &Resources, operation: &Operation, expected: &str) {
    assert_eq!(all.apply(operation).expect_err(expected).to_string(), expected);
}

#[test]
fn reserve_resources() {
    let unreserved = resources("cpus:1;mem:512");
    let cpus = reserved("cpus(role):1", &reservation("principal"));
    let result = unreserved.apply(&reserve(cpus.clone())).expect("enough");
    assert_eq!(result, resources("mem:512") + &of(&cpus));
    check_refused(
        &unreserved,
        &reserve(reserved("cpus(role):2", &reservation("principal"))),
        "Invalid RESERVE Operation: cpus(*):1; mem(*):512 does not contain cpus(*):2",
    );
    let plain = super::message("cpus:1");
    check_refused(
        &unreserved,
        &reserve(plain),
        "Invalid RESERVE Operation: Resource must be reserved",
    );
    let fixed = super::message("cpus(role):1");
    check_refused(&unreserved, &reserve(fixed), "Invalid RESERVE Operation: Missing 'reservation'");
}

#[test]
fn unreserve_resources() {
    let (cpus, mem) = (
        reserved("cpus(role):1", &reservation("principal")),
        reserved("mem(role):512", &reservation("principal")),
    );
    let all = of(&cpus) + &of(&mem);
    let result = all.apply(&unreserve(cpus)).expect("reserved");
    assert_eq!(result, resources("cpus:1") + &of(&mem));
    check_refused(
        &all,
        &unreserve(reserved("cpus(role):2", &reservation("principal"))),
        "Invalid UNRESERVE Operation: cpus(role, principal):1; mem(role, principal):512 \
         does not contain cpus(role, principal):2",
    );
    check_refused(
        &all,
        &unreserve(super::message("cpus:1")),
        "Invalid UNRESERVE Operation: Resource is not reserved",
    );
}

#[test]
fn create_and_destroy_persistent_volume() {
    let total = resources("cpus:1;mem:512;disk(role):1000");
    let volume = disk("disk(role):200", "1", "path");
    let created = total.apply(&create(volume.clone())).expect("enough");
    assert_eq!(created, resources("cpus:1;mem:512;disk(role):800") + &of(&volume));
    assert_eq!(created.apply(&destroy(volume.clone())), Ok(total.clone()));
    check_refused(
        &total,
        &create(disk("disk(role):2000", "1", "path")),
        "Invalid CREATE Operation: Insufficient disk resources",
    );
    check_refused(
        &total,
        &create(super::message("disk(role):1")),
        "Invalid CREATE Operation: Missing 'disk'",
    );
    check_refused(
        &total,
        &create(disk("disk(role):1", "", "path")),
        "Invalid CREATE Operation: Missing 'persistence'",
    );
    check_refused(
        &total,
        &destroy(volume),
        "Invalid DESTROY Operation: Persistent volume does not exist",
    );
}

#[test]
fn volumes_keep_the_source_of_their_disk() {
    let (path, mount) = (path_source("/a"), mount_source("/b"));
    let total = of(&disk_on(Some(&path), "disk(role):10", "", ""))
        + &of(&disk_on(Some(&mount), "disk(role):10", "", ""));
    let volume = disk_on(Some(&path), "disk(role):4", "1", "path");
    let created = total.apply(&create(volume.clone())).expect("enough");
    assert_eq!(created.apply(&destroy(volume)), Ok(total.clone()));
    check_refused(
        &total,
        &create(disk_on(Some(&mount), "disk(role):4", "1", "path")),
        "Invalid CREATE Operation: Insufficient disk resources",
    );
}

#[test]
fn operations_without_data_are_refused() {
    let check = |kind: operation::Type, expected: &str| {
        let operation = Operation { r#type: kind.into(), ..Operation::default() };
        check_refused(&resources("cpus:1"), &operation, expected);
    };
    check(operation::Type::Reserve, "Invalid RESERVE Operation: Missing 'reserve'");
    check(operation::Type::Unreserve, "Invalid UNRESERVE Operation: Missing 'unreserve'");
    check(operation::Type::Create, "Invalid CREATE Operation: Missing 'create'");
    check(operation::Type::Destroy, "Invalid DESTROY Operation: Missing 'destroy'");
    let later = Operation { r#type: 6, ..Operation::default() };
    check_refused(&resources("cpus:1"), &later, "Unknown offer operation 6");
    let launch = Operation { r#type: operation::Type::Launch.into(), ..Operation::default() };
    assert_eq!(resources("cpus:1").apply(&launch), Ok(resources("cpus:1")));
}

#[test]
fn invalid_resources_are_named() {
    let check = |change: fn(&mut mesos::Resource), expected: &str| {
        let mut resource = super::message("ports:[1-2]");
        change(&mut resource);
        let error = validate_all(&[resource]).expect_err(expected);
        assert_eq!(error.to_string(), expected);
    };
    check(
        |r| r.ranges = Some(value::Ranges { range: vec![value::Range { begin: 2, end: 1 }] }),
        "Resource 'ports(*):[2-1]' is invalid: Invalid ranges resource: begin > end",
    );
    check(
        |r| {
            let range = |begin, end| value::Range { begin, end };
            r.ranges = Some(value::Ranges { range: vec![range(5, 6), range(1, 5)] });
        },
        "Resource 'ports(*):[5-6, 1-5]' is invalid: Invalid ranges resource: overlapping ranges",
    );
    check(
        |r| r.scalar = Some(value::Scalar { value: 1.0 }),
        "Resource 'ports(*):[1-2]' is invalid: Invalid ranges resource",
    );
    check(
        |r| {
            r.set_type(value::Type::Set);
            r.ranges = None;
            r.set = Some(value::Set { item: vec!["a".into(), "a".into()] });
        },
        "Resource 'ports(*):{a, a}' is invalid: Invalid set resource: duplicated elements",
    );
    check(
        |r| {
            r.set_type(value::Type::Scalar);
            r.ranges = None;
            r.scalar = Some(value::Scalar { value: -1.0 });
        },
        "Resource 'ports(*):-1' is invalid: Invalid scalar resource: value < 0",
    );
    check(
        |r| {
            r.set_type(value::Type::Scalar);
            r.ranges = None;
            r.scalar = Some(value::Scalar { value: f64::NAN });
        },
        "Resource 'ports(*):0' is invalid: Invalid scalar resource: value is not finite",
    );
    check(
        |r| r.set_type(value::Type::Text),
        "Resource 'ports(*):TEXT' is invalid: Unsupported resource type",
    );
    check(|r| r.r#type = 9, "Resource 'ports(*):0' is invalid: Invalid resource type");
    let refused = resources("cpus:1").apply(&reserve(mesos::Resource::default()));
    let expected = "Invalid RESERVE Operation: Resource '(*):0' is invalid: Empty resource name";
    assert_eq!(refused.expect_err(expected).to_string(), expected);
    assert_eq!(validate(&super::message("cpus:1")), Ok(()));
}

#[test]
fn stripped_resources() {
    let volume = of(&disk("disk(role):200", "1", "path"));
    assert_eq!(volume.create_stripped_scalar_quantity(), resources("disk(role):200"));
    let dynamic = resources("cpus:1;mem:512").flatten_to_reservation("role", &reservation("p"));
    let stripped = dynamic.create_stripped_scalar_quantity();
    assert_eq!(stripped, resources("cpus(role):1;mem(role):512"));
    let others = resources("ports:[10000-20000];names:{foo,bar}");
    assert!(others.create_stripped_scalar_quantity().is_empty());
}

#[test]
fn checkpointed_resources() {
    let volume = mesos::Resource {
        reservation: Some(reservation("p")),
        ..disk("disk(role):200", "1", "path")
    };
    let cpus = of(&reserved("cpus(role):1", &reservation("p")));
    let checkpointed = &of(&volume) + &cpus;
    let total = resources("cpus:4;disk:1000").apply_checkpointed(&checkpointed);
    assert_eq!(total, Ok(resources("cpus:3;disk:800") + &checkpointed));
    let check = |total: &str, checkpointed: &Resources, expected: &str| {
        let error = resources(total).apply_checkpointed(checkpointed).expect_err(expected);
        assert_eq!(error.to_string(), expected);
    };
    check(
        "cpus:0.5",
        &cpus,
        "Incompatible slave resources: cpus(*):0.5 does not contain cpus(*):1",
    );
    check("cpus:4", &resources("cpus:1"), "Unexpected checkpointed resources cpus(*):1");
}
