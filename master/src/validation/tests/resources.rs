//! Resources, disks and reservations.

use proto::mesos;
use proto::mesos::volume::Mode;

use super::{disk, reserved, resource, revocable, volume, with_disk};
use crate::validation::resources::validate;

fn check(resource: mesos::Resource, expected: &str) {
    let outcome = validate(&[resource]).map_err(|error| error.to_string());
    assert_eq!(outcome.err().unwrap_or_default(), expected);
}

#[test]
fn resource_validation_test_static_reservation() {
    check(resource("cpus:8", "role"), "");
}

#[test]
fn resource_validation_test_dynamic_reservation() {
    check(reserved("cpus:8", "role", Some("p")), "");
}

#[test]
fn resource_validation_test_revocable_dynamic_reservation() {
    check(
        revocable(reserved("cpus:8", "role", Some("p"))),
        "Invalid ReservationInfo: Dynamically reserved resource cpus(role, p){REV}:8 cannot be \
         created from revocable resources",
    );
}

#[test]
fn resource_validation_test_invalid_role_reservation_pair() {
    check(
        reserved("cpus:8", "*", Some("p")),
        "Invalid resources: Resource 'cpus(*, p):8' is invalid: Invalid reservation: role \"*\" \
         cannot be dynamically reserved",
    );
}

#[test]
fn resource_validation_test_persistent_volume() {
    check(volume("id1", "role"), "");
}

#[test]
fn resource_validation_test_unreserved_disk_info() {
    check(
        volume("id1", "*"),
        "Invalid DiskInfo: Persistent volumes cannot be created from unreserved resources",
    );
}

#[test]
fn resource_validation_test_invalid_persistence_id() {
    for id in ["id1/", "a\\b", "a\0b", ".", ".."] {
        let expected =
            format!("Invalid DiskInfo: Persistence ID '{id}' contains invalid characters");
        check(volume(id, "role"), &expected);
    }
}

#[test]
fn resource_validation_test_persistent_volume_without_volume_info() {
    check(
        with_disk(resource("disk:128", "role"), disk(Some("id1"), None)),
        "Invalid DiskInfo: Expecting 'volume' to be set for persistent volume",
    );
}

#[test]
fn resource_validation_test_read_only_persistent_volume() {
    check(
        with_disk(resource("disk:128", "role"), disk(Some("id1"), Some(Mode::Ro))),
        "Invalid DiskInfo: Read-only persistent volume not supported",
    );
}

#[test]
fn resource_validation_test_persistent_volume_with_host_path() {
    let mut info = disk(Some("id1"), Some(Mode::Rw));
    if let Some(volume) = &mut info.volume {
        volume.host_path = Some("/host".to_owned());
    }
    check(
        with_disk(resource("disk:128", "role"), info),
        "Invalid DiskInfo: Expecting 'host_path' to be unset for persistent volume",
    );
}

#[test]
fn resource_validation_test_non_persistent_volume() {
    check(
        with_disk(resource("disk:128", "role"), disk(None, Some(Mode::Rw))),
        "Invalid DiskInfo: Non-persistent volume not supported",
    );
    check(
        with_disk(resource("disk:128", "role"), disk(None, None)),
        "Invalid DiskInfo: DiskInfo is set but empty",
    );
}

#[test]
fn resource_validation_test_revocable_persistent_volume() {
    check(
        revocable(volume("id1", "role")),
        "Invalid DiskInfo: Persistent volumes cannot be created from revocable resources",
    );
}
