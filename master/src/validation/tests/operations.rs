//! RESERVE, UNRESERVE, CREATE and DESTROY.

use common::resources::Resources;
use proto::mesos;
use proto::mesos::offer::operation::{Create, Destroy, Reserve, Unreserve};

use super::{reserved, resource, volume};
use crate::validation::operation::{
    OperationError, validate_create, validate_destroy, validate_reserve, validate_unreserve,
};

fn text(outcome: Result<(), OperationError>) -> String {
    outcome.map_err(|error| error.to_string()).err().unwrap_or_default()
}

fn reserve(resource: mesos::Resource, principal: Option<&str>, role: Option<&str>, expected: &str) {
    let reserve = Reserve { resources: vec![resource] };
    assert_eq!(text(validate_reserve(&reserve, principal, role)), expected);
}

#[test]
fn reserve_operation_validation_test_matching_role() {
    let (ours, p) = (reserved("cpus:8", "role", Some("p")), Some("p"));
    reserve(ours.clone(), p, Some("role"), "");
    reserve(ours.clone(), p, None, "");
    reserve(
        ours,
        p,
        Some("other"),
        "A reserve operation was attempted for a resource with role 'role', but the framework can \
         only reserve resources with role 'other'",
    );
}

#[test]
fn reserve_operation_validation_test_disallow_star_role_frameworks() {
    reserve(
        reserved("cpus:8", "role", Some("p")),
        Some("p"),
        Some("*"),
        "A reserve operation was attempted by a framework with role '*', but frameworks with that \
         role cannot reserve resources",
    );
}

#[test]
fn reserve_operation_validation_test_disallow_reserve_for_star_role() {
    reserve(
        reserved("cpus:8", "*", Some("p")),
        Some("p"),
        Some("role"),
        "Invalid resources: Invalid resources: Resource 'cpus(*, p):8' is invalid: Invalid \
         reservation: role \"*\" cannot be dynamically reserved",
    );
}

#[test]
fn reserve_operation_validation_test_non_matching_principal() {
    reserve(
        reserved("cpus:8", "role", Some("p2")),
        Some("p1"),
        Some("role"),
        "A reserve operation was attempted by principal 'p1', but there is a reserved resource in \
         the request with principal 'p2' set in `ReservationInfo`",
    );
}

#[test]
fn reserve_operation_validation_test_reservation_info_missing_principal() {
    reserve(
        reserved("cpus:8", "role", None),
        Some("p"),
        Some("role"),
        "A reserve operation was attempted by principal 'p', but there is a reserved resource in \
         the request with no principal set in `ReservationInfo`",
    );
}

#[test]
fn reserve_operation_validation_test_framework_missing_principal() {
    reserve(reserved("cpus:8", "role", None), None, Some("role"), "");
    reserve(
        reserved("cpus:8", "role", Some("p")),
        None,
        Some("role"),
        "A reserve operation was attempted with no principal, but there is a reserved resource in \
         the request with principal 'p' set in `ReservationInfo`",
    );
}

#[test]
fn reserve_operation_validation_test_static_reservation() {
    reserve(
        resource("cpus:8", "role"),
        Some("p"),
        Some("role"),
        "Resource cpus(role):8 is not dynamically reserved",
    );
}

#[test]
fn reserve_operation_validation_test_persistent_volumes() {
    let volume = mesos::Resource {
        reservation: reserved("disk:1", "role", Some("p")).reservation,
        ..volume("id1", "role")
    };
    reserve(
        volume,
        Some("p"),
        Some("role"),
        "A persistent volume disk(role, p)[id1:path]:128 must already be reserved",
    );
}

fn unreserve(resource: mesos::Resource, expected: &str) {
    let unreserve = Unreserve { resources: vec![resource] };
    assert_eq!(text(validate_unreserve(&unreserve)), expected);
}

#[test]
fn unreserve_operation_validation_test_without_acl() {
    unreserve(reserved("cpus:8", "role", Some("p")), "");
    unreserve(reserved("cpus:8", "role", None), "");
}

#[test]
fn unreserve_operation_validation_test_static_reservation() {
    unreserve(resource("cpus:8", "role"), "Resource cpus(role):8 is not dynamically reserved");
}

#[test]
fn unreserve_operation_validation_test_persistent_volumes() {
    let volume = mesos::Resource {
        reservation: reserved("disk:1", "role", Some("p")).reservation,
        ..volume("id1", "role")
    };
    unreserve(
        volume,
        "A dynamically reserved persistent volume disk(role, p)[id1:path]:128 cannot be \
         unreserved directly. Please destroy the persistent volume first then unreserve the \
         resource",
    );
}

#[test]
fn create_operation_validation_test_persistent_volumes() {
    let check = |resource: mesos::Resource, expected: &str| {
        let create = Create { volumes: vec![resource] };
        assert_eq!(text(validate_create(&create, &Resources::new())), expected);
    };
    check(volume("id1", "role"), "");
    check(
        resource("cpus:2", "*"),
        "Not a persistent volume: Resource cpus(*):2 does not have DiskInfo",
    );
}

#[test]
fn create_operation_validation_test_duplicated_persistence_id() {
    let create = Create { volumes: vec![volume("id1", "role")] };
    let elsewhere = Resources::from(&vec![volume("id1", "other")]);
    assert_eq!(text(validate_create(&create, &elsewhere)), "");
    let here = Resources::from(&vec![volume("id1", "role")]);
    let expected = "Persistence ID 'id1' is not unique";
    assert_eq!(text(validate_create(&create, &here)), expected);
    let twice = Create { volumes: vec![volume("id1", "role"), volume("id1", "role")] };
    assert_eq!(text(validate_create(&twice, &Resources::new())), expected);
}

#[test]
fn destroy_operation_validation_test_unknown_persistent_volume() {
    let known = Resources::from(&vec![volume("id1", "role"), volume("id2", "role")]);
    let check = |resource: mesos::Resource, expected: &str| {
        let destroy = Destroy { volumes: vec![resource] };
        assert_eq!(text(validate_destroy(&destroy, &known)), expected);
    };
    check(volume("id1", "role"), "");
    check(volume("id3", "role"), "Persistent volumes not found");
    check(
        resource("cpus:2", "*"),
        "Not a persistent volume: Resource cpus(*):2 does not have DiskInfo",
    );
}
