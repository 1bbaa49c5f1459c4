//! RESERVE, UNRESERVE, CREATE and DESTROY as functions from resources to resources, and what a
//! slave's checkpoint makes of its resources. Called by master, allocator and slave. Whether a
//! framework may do it is not asked here. Upstream: `Resources::apply`,
//! `applyCheckpointedResources`.

use proto::mesos;
use proto::mesos::offer::{Operation, operation};

use super::Resources;
use super::resource::Resource;
use super::validate::{InvalidResource, InvalidResources, validate_all};

/// Why an operation cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// A resource of the operation is not well-formed.
    #[error("Invalid {0} Operation: {1}")]
    Invalid(&'static str, InvalidResources),
    /// The operation's data are absent.
    #[error("Invalid {0} Operation: Missing '{1}'")]
    Missing(&'static str, &'static str),
    /// RESERVE of an unreserved resource.
    #[error("Invalid RESERVE Operation: Resource must be reserved")]
    MustBeReserved,
    /// UNRESERVE of an unreserved resource.
    #[error("Invalid UNRESERVE Operation: Resource is not reserved")]
    NotReserved,
    /// Not enough of what is to be reserved or unreserved.
    #[error("Invalid {operation} Operation: {available} does not contain {needed}")]
    NotContained {
        /// `RESERVE` or `UNRESERVE`.
        operation: &'static str,
        /// What there is.
        available: Resources,
        /// What there should be.
        needed: Resources,
    },
    /// Not enough disk for a volume.
    #[error("Invalid CREATE Operation: Insufficient disk resources")]
    InsufficientDisk,
    /// No such volume.
    #[error("Invalid DESTROY Operation: Persistent volume does not exist")]
    NoSuchVolume,
    /// A type of operation that 0.28 does not know.
    #[error("Unknown offer operation {0}")]
    Unknown(i32),
}

/// Why a slave's checkpointed resources and its flags contradict one another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointedError {
    /// Neither reserved nor a volume.
    #[error("Unexpected checkpointed resources {0}")]
    Unexpected(String),
    /// More was checkpointed than there is now.
    #[error("Incompatible slave resources: {total} does not contain {stripped}")]
    Incompatible {
        /// What there is.
        total: Resources,
        /// What there should be.
        stripped: String,
    },
}

impl Resources {
    /// The resources after the operation; LAUNCH changes nothing. The amounts stay the same.
    pub fn apply(&self, operation: &Operation) -> Result<Resources, ApplyError> {
        let kind = operation::Type::try_from(operation.r#type)
            .map_err(|_| ApplyError::Unknown(operation.r#type))?;
        let result = match kind {
            operation::Type::Launch => self.clone(),
            operation::Type::Reserve => {
                let reserve = operation.reserve.as_ref();
                self.reserve(&reserve.ok_or(ApplyError::Missing("RESERVE", "reserve"))?.resources)?
            }
            operation::Type::Unreserve => {
                let unreserve = operation.unreserve.as_ref();
                let missing = ApplyError::Missing("UNRESERVE", "unreserve");
                self.unreserve(&unreserve.ok_or(missing)?.resources)?
            }
            operation::Type::Create => {
                let create = operation.create.as_ref();
                self.create(&create.ok_or(ApplyError::Missing("CREATE", "create"))?.volumes)?
            }
            operation::Type::Destroy => {
                let destroy = operation.destroy.as_ref();
                self.destroy(&destroy.ok_or(ApplyError::Missing("DESTROY", "destroy"))?.volumes)?
            }
        };
        debug_assert_eq!(result.cpus(), self.cpus());
        debug_assert_eq!(result.mem(), self.mem());
        debug_assert_eq!(result.disk(), self.disk());
        debug_assert_eq!(result.ports(), self.ports());
        Ok(result)
    }

    /// A slave's resources with those replaced that were reserved or made volumes of before.
    pub fn apply_checkpointed(
        &self,
        checkpointed: &Resources,
    ) -> Result<Resources, CheckpointedError> {
        let mut total = self.clone();
        for resource in checkpointed {
            if !resource.needs_checkpointing() {
                return Err(CheckpointedError::Unexpected(resource.to_string()));
            }
            let mut stripped = resource.clone();
            if resource.is_dynamically_reserved() {
                stripped = stripped.without_reservation();
            }
            if resource.is_persistent_volume() {
                stripped = stripped.without_volume();
            }
            if !total.contains_resource(&stripped) {
                let stripped = stripped.to_string();
                return Err(CheckpointedError::Incompatible { total, stripped });
            }
            total -= &stripped;
            total += resource;
        }
        Ok(total)
    }

    fn reserve(&self, messages: &[mesos::Resource]) -> Result<Resources, ApplyError> {
        let mut result = self.clone();
        for reserved in checked("RESERVE", messages)? {
            if !reserved.is_reserved() {
                return Err(ApplyError::MustBeReserved);
            }
            if !reserved.is_dynamically_reserved() {
                return Err(ApplyError::Missing("RESERVE", "reservation"));
            }
            let unreserved = Resources::from(&reserved).flatten();
            if !result.contains(&unreserved) {
                return Err(not_contained("RESERVE", result, unreserved));
            }
            result -= &unreserved;
            result += reserved;
        }
        Ok(result)
    }

    fn unreserve(&self, messages: &[mesos::Resource]) -> Result<Resources, ApplyError> {
        let mut result = self.clone();
        for reserved in checked("UNRESERVE", messages)? {
            if !reserved.is_reserved() {
                return Err(ApplyError::NotReserved);
            }
            if !reserved.is_dynamically_reserved() {
                return Err(ApplyError::Missing("UNRESERVE", "reservation"));
            }
            if !result.contains_resource(&reserved) {
                return Err(not_contained("UNRESERVE", result, Resources::from(&reserved)));
            }
            result -= &reserved;
            result += &Resources::from(&reserved).flatten();
        }
        Ok(result)
    }

    fn create(&self, messages: &[mesos::Resource]) -> Result<Resources, ApplyError> {
        let mut result = self.clone();
        for volume in checked_volumes("CREATE", messages)? {
            let stripped = volume.without_volume();
            if !result.contains_resource(&stripped) {
                return Err(ApplyError::InsufficientDisk);
            }
            result -= &stripped;
            result += volume;
        }
        Ok(result)
    }

    fn destroy(&self, messages: &[mesos::Resource]) -> Result<Resources, ApplyError> {
        let mut result = self.clone();
        for volume in checked_volumes("DESTROY", messages)? {
            if !result.contains_resource(&volume) {
                return Err(ApplyError::NoSuchVolume);
            }
            result -= &volume;
            result += volume.without_volume();
        }
        Ok(result)
    }
}

fn checked(
    operation: &'static str,
    messages: &[mesos::Resource],
) -> Result<Vec<Resource>, ApplyError> {
    validate_all(messages).map_err(|cause| ApplyError::Invalid(operation, cause))?;
    let resources: Result<Vec<Resource>, InvalidResource> =
        messages.iter().map(Resource::try_from).collect();
    Ok(resources.expect("all were validated just now"))
}

fn checked_volumes(
    operation: &'static str,
    messages: &[mesos::Resource],
) -> Result<Vec<Resource>, ApplyError> {
    let volumes = checked(operation, messages)?;
    for volume in &volumes {
        if volume.disk().is_none() {
            return Err(ApplyError::Missing(operation, "disk"));
        }
        if !volume.is_persistent_volume() {
            return Err(ApplyError::Missing(operation, "persistence"));
        }
    }
    Ok(volumes)
}

fn not_contained(operation: &'static str, available: Resources, needed: Resources) -> ApplyError {
    ApplyError::NotContained { operation, available, needed }
}
