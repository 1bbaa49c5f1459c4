//! Are the resources of a task, an executor or an operation well-formed, and disks and
//! reservations what the master supports? Upstream: `validation::resource`.

use std::collections::BTreeSet;

use common::ids::is_invalid_character;
use common::resources::{InvalidResources, Resource, Resources, print_message, validate_all};
use common::roles::DEFAULT_ROLE;
use proto::mesos;
use proto::mesos::volume::Mode;

/// What is wrong with a list of resources.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResourcesError {
    /// One is not well-formed.
    #[error("Invalid resources: {0}")]
    Invalid(#[from] InvalidResources),
    /// One is no disk that the master supports.
    #[error("Invalid DiskInfo: {0}")]
    Disk(#[from] DiskError),
    /// Reserved and revocable at once.
    #[error(
        "Invalid ReservationInfo: Dynamically reserved resource {0} cannot be created from \
         revocable resources"
    )]
    RevocableReservation(String),
}

/// What is wrong with a disk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiskError {
    /// Data that outlive tasks on a disk that may be taken away.
    #[error("Persistent volumes cannot be created from revocable resources")]
    Revocable,
    /// Data that outlive tasks on anybody's disk.
    #[error("Persistent volumes cannot be created from unreserved resources")]
    Unreserved,
    /// Nobody says where it is mounted.
    #[error("Expecting 'volume' to be set for persistent volume")]
    NoVolume,
    /// Nobody could write it.
    #[error("Read-only persistent volume not supported")]
    ReadOnly,
    /// The slave decides where it is.
    #[error("Expecting 'host_path' to be unset for persistent volume")]
    HostPath,
    /// The id would name another directory.
    #[error("Persistence ID '{0}' contains invalid characters")]
    PersistenceId(String),
    /// A mount of a disk without an id.
    #[error("Non-persistent volume not supported")]
    NonPersistent,
    /// A disk with nothing said about it.
    #[error("DiskInfo is set but empty")]
    Empty,
}

/// Two volumes of one role have the same id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Persistence ID '{0}' is not unique")]
pub struct DuplicatePersistenceId(pub String);

/// Whether resources are well-formed and their disks and reservations supported.
pub fn validate(resources: &[mesos::Resource]) -> Result<(), ResourcesError> {
    validate_all(resources)?;
    for resource in resources {
        validate_disk(resource)?;
    }
    match resources.iter().find(|r| is_dynamically_reserved(r) && r.revocable.is_some()) {
        Some(resource) => Err(ResourcesError::RevocableReservation(print_message(resource))),
        None => Ok(()),
    }
}

fn validate_disk(resource: &mesos::Resource) -> Result<(), DiskError> {
    let Some(disk) = &resource.disk else { return Ok(()) };
    let Some(persistence) = &disk.persistence else {
        return match (&disk.volume, &disk.source) {
            (Some(_), _) => Err(DiskError::NonPersistent),
            (None, None) => Err(DiskError::Empty),
            (None, Some(_)) => Ok(()),
        };
    };
    if resource.revocable.is_some() {
        return Err(DiskError::Revocable);
    }
    if resource.role() == DEFAULT_ROLE && resource.reservation.is_none() {
        return Err(DiskError::Unreserved);
    }
    let volume = disk.volume.as_ref().ok_or(DiskError::NoVolume)?;
    if volume.mode() == Mode::Ro {
        return Err(DiskError::ReadOnly);
    }
    if volume.host_path.is_some() {
        return Err(DiskError::HostPath);
    }
    // `.` and `..` would leave the role's directory; upstream lets them pass.
    let id = persistence.id.as_str();
    if id.contains(is_invalid_character) || id == "." || id == ".." {
        return Err(DiskError::PersistenceId(id.to_owned()));
    }
    Ok(())
}

/// Whether a resource is reserved for a role by somebody's request.
pub(super) fn is_dynamically_reserved(resource: &mesos::Resource) -> bool {
    resource.reservation.is_some()
}

/// Whether a resource is a volume whose data outlive tasks.
pub(super) fn is_persistent_volume(resource: &mesos::Resource) -> bool {
    resource.disk.as_ref().is_some_and(|disk| disk.persistence.is_some())
}

/// Whether every volume's id is unique in its role.
pub fn validate_unique_persistence_ids(
    resources: &Resources,
) -> Result<(), DuplicatePersistenceId> {
    let mut seen: BTreeSet<(&str, &str)> = BTreeSet::new();
    for volume in resources.iter().filter(|resource| resource.is_persistent_volume()) {
        let id = persistence_id(volume);
        if !seen.insert((volume.role(), id)) {
            return Err(DuplicatePersistenceId(id.to_owned()));
        }
    }
    Ok(())
}

fn persistence_id(volume: &Resource) -> &str {
    let persistence = volume.disk().and_then(|disk| disk.persistence.as_ref());
    persistence.map_or("", |persistence| persistence.id.as_str())
}
