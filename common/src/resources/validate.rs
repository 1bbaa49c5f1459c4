//! Whether a resource of a message is well-formed. Called before resources become `Resource`,
//! and by those who must tell a peer what is wrong; never looks at what is available.
//! Upstream: `Resources::validate`.

use proto::mesos;
use proto::mesos::resource::DiskInfo;
use proto::mesos::resource::disk_info::source;
use proto::mesos::value::{self, Ranges, Scalar, Set};

use super::display::print_message;
use crate::roles::{self, DEFAULT_ROLE, InvalidRole};

/// Why a resource is not well-formed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidResource {
    /// No name.
    #[error("Empty resource name")]
    EmptyName,
    /// A type that the schema does not know.
    #[error("Invalid resource type")]
    Type,
    /// Texts are no amounts.
    #[error("Unsupported resource type")]
    UnsupportedType,
    /// Not the value, or not only the value, that the type asks for.
    #[error("Invalid {0} resource")]
    Value(&'static str),
    /// Less than nothing.
    #[error("Invalid scalar resource: value < 0")]
    Negative,
    /// Infinity or NaN.
    #[error("Invalid scalar resource: value is not finite")]
    NotFinite,
    /// A range with its bounds the wrong way round.
    #[error("Invalid ranges resource: begin > end")]
    InvertedRange,
    /// A number in two ranges.
    #[error("Invalid ranges resource: overlapping ranges")]
    OverlappingRanges,
    /// An item that comes twice.
    #[error("Invalid set resource: duplicated elements")]
    DuplicatedElements,
    /// `disk` on something else than a disk.
    #[error("DiskInfo should not be set for {0} resource")]
    DiskInfo(String),
    /// A disk source of a type without that type's data.
    #[error("DiskInfo::Source 'type' set to '{0}' but missing '{1}' data")]
    DiskSource(&'static str, &'static str),
    /// A reservation for nobody.
    #[error("Invalid reservation: role \"*\" cannot be dynamically reserved")]
    Reservation,
    /// A role that cannot be one.
    #[error(transparent)]
    Role(#[from] InvalidRole),
}

/// The first resource of a list that is not well-formed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Resource '{resource}' is invalid: {cause}")]
pub struct InvalidResources {
    /// The resource, printed.
    pub resource: String,
    /// What is wrong with it.
    pub cause: InvalidResource,
}

/// Whether a resource is well-formed. Zero is.
pub fn validate(resource: &mesos::Resource) -> Result<(), InvalidResource> {
    if resource.name.is_empty() {
        return Err(InvalidResource::EmptyName);
    }
    let value_type = value::Type::try_from(resource.r#type).map_err(|_| InvalidResource::Type)?;
    match (value_type, &resource.scalar, &resource.ranges, &resource.set) {
        (value::Type::Scalar, Some(scalar), None, None) => validate_scalar(scalar)?,
        (value::Type::Scalar, ..) => return Err(InvalidResource::Value("scalar")),
        (value::Type::Ranges, None, Some(ranges), None) => validate_ranges(ranges)?,
        (value::Type::Ranges, ..) => return Err(InvalidResource::Value("ranges")),
        (value::Type::Set, None, None, Some(set)) => validate_set(set)?,
        (value::Type::Set, ..) => return Err(InvalidResource::Value("set")),
        (value::Type::Text, ..) => return Err(InvalidResource::UnsupportedType),
    }
    if let Some(disk) = &resource.disk {
        validate_disk(&resource.name, disk)?;
    }
    if resource.role() == DEFAULT_ROLE && resource.reservation.is_some() {
        return Err(InvalidResource::Reservation);
    }
    Ok(roles::validate(resource.role())?)
}

/// Whether all are well-formed; the error names the first that is not.
pub fn validate_all(resources: &[mesos::Resource]) -> Result<(), InvalidResources> {
    resources.iter().try_for_each(|resource| {
        validate(resource)
            .map_err(|cause| InvalidResources { resource: print_message(resource), cause })
    })
}

fn validate_scalar(scalar: &Scalar) -> Result<(), InvalidResource> {
    if !scalar.value.is_finite() {
        return Err(InvalidResource::NotFinite);
    }
    if scalar.value < 0.0 {
        return Err(InvalidResource::Negative);
    }
    Ok(())
}

fn validate_ranges(ranges: &Ranges) -> Result<(), InvalidResource> {
    if ranges.range.iter().any(|range| range.begin > range.end) {
        return Err(InvalidResource::InvertedRange);
    }
    let mut bounds: Vec<_> = ranges.range.iter().map(|range| (range.begin, range.end)).collect();
    bounds.sort_unstable();
    if bounds.windows(2).any(|pair| pair[1].0 <= pair[0].1) {
        return Err(InvalidResource::OverlappingRanges);
    }
    Ok(())
}

fn validate_set(set: &Set) -> Result<(), InvalidResource> {
    let mut items: Vec<&str> = set.item.iter().map(String::as_str).collect();
    items.sort_unstable();
    if items.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(InvalidResource::DuplicatedElements);
    }
    Ok(())
}

fn validate_disk(name: &str, disk: &DiskInfo) -> Result<(), InvalidResource> {
    if name != "disk" {
        return Err(InvalidResource::DiskInfo(name.to_owned()));
    }
    let Some(source) = &disk.source else { return Ok(()) };
    match source::Type::try_from(source.r#type) {
        Ok(source::Type::Path) if source.path.is_none() => {
            Err(InvalidResource::DiskSource("PATH", "path"))
        }
        Ok(source::Type::Mount) if source.mount.is_none() => {
            Err(InvalidResource::DiskSource("MOUNT", "mount"))
        }
        _ => Ok(()),
    }
}
