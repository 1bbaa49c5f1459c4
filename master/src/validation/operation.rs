//! May a framework, or an operator, reserve, unreserve, create or destroy this? Whether there is
//! enough of it is `Resources::apply`'s question. Upstream: `validation::operation`.

use common::resources::{Resources, print_message};
use common::roles::DEFAULT_ROLE;
use proto::mesos;
use proto::mesos::offer::operation::{Create, Destroy, Reserve, Unreserve};

use super::resources::{
    DuplicatePersistenceId, ResourcesError, is_dynamically_reserved, is_persistent_volume,
    validate, validate_unique_persistence_ids,
};

/// Why an operation makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperationError {
    /// Frameworks of `*` have nothing to reserve for.
    #[error(
        "A reserve operation was attempted by a framework with role '*', but frameworks with \
         that role cannot reserve resources"
    )]
    DefaultRole,
    /// The resources themselves are wrong.
    #[error("Invalid resources: {0}")]
    Resources(#[from] ResourcesError),
    /// A reservation without one.
    #[error("Resource {0} is not dynamically reserved")]
    NotReserved(String),
    /// Who reserves signs.
    #[error(
        "A reserve operation was attempted by principal '{0}', but there is a reserved resource \
         in the request with no principal set in `ReservationInfo`"
    )]
    NoPrincipal(String),
    /// Nobody signs for another.
    #[error(
        "A reserve operation was attempted by principal '{principal}', but there is a reserved \
         resource in the request with principal '{actual}' set in `ReservationInfo`"
    )]
    OtherPrincipal {
        /// Who reserves.
        principal: String,
        /// Who signed.
        actual: String,
    },
    /// Nobody signs for somebody.
    #[error(
        "A reserve operation was attempted with no principal, but there is a reserved resource \
         in the request with principal '{0}' set in `ReservationInfo`"
    )]
    UnexpectedPrincipal(String),
    /// A framework reserves for its own role only.
    #[error(
        "A reserve operation was attempted for a resource with role '{role}', but the framework \
         can only reserve resources with role '{expected}'"
    )]
    OtherRole {
        /// For whom it wants to reserve.
        role: String,
        /// The role that it has.
        expected: String,
    },
    /// Volumes are made of reserved disks.
    #[error("A persistent volume {0} must already be reserved")]
    ReserveVolume(String),
    /// Data would be left.
    #[error(
        "A dynamically reserved persistent volume {0} cannot be unreserved directly. Please \
         destroy the persistent volume first then unreserve the resource"
    )]
    UnreserveVolume(String),
    /// No disk.
    #[error("Not a persistent volume: Resource {0} does not have DiskInfo")]
    NoDisk(String),
    /// No id.
    #[error("Not a persistent volume: 'persistence' is not set in DiskInfo")]
    NoPersistence,
    /// The role has such a volume on the slave.
    #[error(transparent)]
    Duplicate(#[from] DuplicatePersistenceId),
    /// The slave has no such volume.
    #[error("Persistent volumes not found")]
    NoSuchVolume,
}

/// Whether a principal may reserve so; `role` is the framework's, if it is a framework that asks.
pub fn validate_reserve(
    reserve: &Reserve,
    principal: Option<&str>,
    role: Option<&str>,
) -> Result<(), OperationError> {
    if role == Some(DEFAULT_ROLE) {
        return Err(OperationError::DefaultRole);
    }
    validate(&reserve.resources)?;
    for resource in &reserve.resources {
        validate_principal(resource, principal)?;
        if let Some(expected) = role.filter(|role| *role != resource.role()) {
            let (role, expected) = (resource.role().to_owned(), expected.to_owned());
            return Err(OperationError::OtherRole { role, expected });
        }
        if is_persistent_volume(resource) {
            return Err(OperationError::ReserveVolume(print_message(resource)));
        }
    }
    Ok(())
}

fn validate_principal(
    resource: &mesos::Resource,
    principal: Option<&str>,
) -> Result<(), OperationError> {
    let Some(reservation) = &resource.reservation else {
        return Err(OperationError::NotReserved(print_message(resource)));
    };
    match (principal, &reservation.principal) {
        (None, None) => Ok(()),
        (Some(principal), Some(actual)) if principal == actual => Ok(()),
        (Some(principal), None) => Err(OperationError::NoPrincipal(principal.to_owned())),
        (Some(principal), Some(actual)) => Err(OperationError::OtherPrincipal {
            principal: principal.to_owned(),
            actual: actual.clone(),
        }),
        (None, Some(actual)) => Err(OperationError::UnexpectedPrincipal(actual.clone())),
    }
}

/// Whether these reservations may be given up.
pub fn validate_unreserve(unreserve: &Unreserve) -> Result<(), OperationError> {
    validate(&unreserve.resources)?;
    for resource in &unreserve.resources {
        if !is_dynamically_reserved(resource) {
            return Err(OperationError::NotReserved(print_message(resource)));
        }
        if is_persistent_volume(resource) {
            return Err(OperationError::UnreserveVolume(print_message(resource)));
        }
    }
    Ok(())
}

/// Whether these volumes may be made on a slave that remembers `checkpointed`.
pub fn validate_create(create: &Create, checkpointed: &Resources) -> Result<(), OperationError> {
    validate(&create.volumes)?;
    validate_volumes(&create.volumes)?;
    validate_unique_persistence_ids(&(checkpointed + &Resources::from(&create.volumes)))?;
    Ok(())
}

/// Whether these volumes may be destroyed on a slave that remembers `checkpointed`.
pub fn validate_destroy(destroy: &Destroy, checkpointed: &Resources) -> Result<(), OperationError> {
    validate(&destroy.volumes)?;
    validate_volumes(&destroy.volumes)?;
    if !checkpointed.contains(&Resources::from(&destroy.volumes)) {
        return Err(OperationError::NoSuchVolume);
    }
    Ok(())
}

fn validate_volumes(volumes: &[mesos::Resource]) -> Result<(), OperationError> {
    for volume in volumes {
        if volume.disk.is_none() {
            return Err(OperationError::NoDisk(print_message(volume)));
        }
        if !is_persistent_volume(volume) {
            return Err(OperationError::NoPersistence);
        }
    }
    Ok(())
}
