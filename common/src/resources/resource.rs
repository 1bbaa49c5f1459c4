//! One resource: a named amount with its role, reservation, disk and revocability.
//! Made from a valid protobuf message at the edge and turned back there; what 1.x peers add
//! travels along untouched and takes no part in any comparison.
//! Upstream: `mesos::Resource` and `operator==` in `common/resources.cpp`.

use std::sync::Arc;

use proto::mesos::resource::disk_info::{Source, source};
use proto::mesos::resource::{DiskInfo, ReservationInfo, RevocableInfo};
use proto::mesos::{self, value};

use super::symbol::Symbol;
use super::validate::{InvalidResource, validate};
use crate::labels;
use crate::roles::DEFAULT_ROLE;
use crate::values::{Range, Ranges, Scalar, Set};

/// An amount of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceValue {
    /// `cpus:4`.
    Scalar(Scalar),
    /// `ports:[31000-32000]`.
    Ranges(Ranges),
    /// `disks:{sda1, sda2}`.
    Set(Set),
}

impl ResourceValue {
    /// Whether this is zero, no range or no item.
    pub fn is_empty(&self) -> bool {
        match self {
            ResourceValue::Scalar(scalar) => scalar.is_zero(),
            ResourceValue::Ranges(ranges) => ranges.is_empty(),
            ResourceValue::Set(set) => set.is_empty(),
        }
    }

    /// The type in the protobuf schema.
    pub fn value_type(&self) -> value::Type {
        match self {
            ResourceValue::Scalar(_) => value::Type::Scalar,
            ResourceValue::Ranges(_) => value::Type::Ranges,
            ResourceValue::Set(_) => value::Type::Set,
        }
    }
}

/// A well-formed resource. Equality ignores the `volume` of a disk, which says how the disk is
/// used and not what it is.
#[derive(Clone, Debug)]
pub struct Resource {
    pub(super) name: Symbol,
    pub(super) role: Symbol,
    pub(super) value: ResourceValue,
    pub(super) reservation: Option<Arc<ReservationInfo>>,
    pub(super) disk: Option<Arc<DiskInfo>>,
    pub(super) is_revocable: bool,
    /// Fields of 1.x only, the others default.
    rest: Option<Arc<mesos::Resource>>,
}

impl Resource {
    /// A plain resource of a role; `*` is the role of what is not reserved. The caller vouches
    /// for the name, the role and an amount of at least zero; other input is for `parse` and
    /// `try_from`.
    pub fn new(name: &str, role: &str, value: ResourceValue) -> Resource {
        Resource {
            name: Symbol::new(name),
            role: Symbol::new(role),
            value,
            reservation: None,
            disk: None,
            is_revocable: false,
            rest: None,
        }
    }

    /// `cpus`, `mem`, …
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// The role, `*` when unreserved.
    pub fn role(&self) -> &str {
        self.role.as_str()
    }

    /// The amount.
    pub fn value(&self) -> &ResourceValue {
        &self.value
    }

    /// The amount of a scalar resource.
    pub fn scalar(&self) -> Option<Scalar> {
        match self.value {
            ResourceValue::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// Present when dynamically reserved.
    pub fn reservation(&self) -> Option<&ReservationInfo> {
        self.reservation.as_deref()
    }

    /// Present on persistent volumes and on disks with a source.
    pub fn disk(&self) -> Option<&DiskInfo> {
        self.disk.as_deref()
    }

    /// Whether both differ in their amounts at most.
    pub(super) fn is_same_kind(&self, other: &Resource) -> bool {
        self.name == other.name
            && self.role == other.role
            && self.is_revocable == other.is_revocable
            && std::mem::discriminant(&self.value) == std::mem::discriminant(&other.value)
            && are_equal(&self.reservation, &other.reservation, are_reservations_equal)
            && are_equal(&self.disk, &other.disk, are_disks_equal)
    }

    pub(super) fn set_role(&mut self, role: &Symbol, reservation: Option<&Arc<ReservationInfo>>) {
        self.role = role.clone();
        self.reservation = reservation.cloned();
    }

    /// The disk as it was before a volume was made of it.
    pub(super) fn without_volume(&self) -> Resource {
        let mut stripped = self.clone();
        stripped.disk = self.disk.as_ref().and_then(|disk| {
            let source = disk.source.clone();
            source.map(|source| Arc::new(DiskInfo { source: Some(source), ..DiskInfo::default() }))
        });
        stripped
    }

    pub(super) fn without_reservation(&self) -> Resource {
        let mut stripped = self.clone();
        stripped.set_role(&Symbol::new(DEFAULT_ROLE), None);
        stripped
    }
}

impl PartialEq for Resource {
    fn eq(&self, other: &Resource) -> bool {
        self.is_same_kind(other) && self.value == other.value
    }
}

impl Eq for Resource {}

impl TryFrom<&mesos::Resource> for Resource {
    type Error = InvalidResource;

    fn try_from(message: &mesos::Resource) -> Result<Resource, InvalidResource> {
        validate(message)?;
        let value = match (&message.scalar, &message.ranges, &message.set) {
            (Some(scalar), _, _) => ResourceValue::Scalar(Scalar::from_f64(scalar.value)),
            (_, Some(ranges), _) => ResourceValue::Ranges(ranges_from(ranges)),
            (_, _, set) => {
                ResourceValue::Set(set.iter().flat_map(|set| set.item.iter().cloned()).collect())
            }
        };
        Ok(Resource {
            name: Symbol::new(&message.name),
            role: Symbol::new(message.role()),
            value,
            reservation: message.reservation.clone().map(Arc::new),
            disk: message.disk.clone().map(Arc::new),
            is_revocable: message.revocable.is_some(),
            rest: rest_of(message),
        })
    }
}

impl From<&Resource> for mesos::Resource {
    fn from(resource: &Resource) -> mesos::Resource {
        let mut message = resource.rest.as_deref().cloned().unwrap_or_default();
        message.name = resource.name().to_owned();
        message.role = Some(resource.role().to_owned());
        message.reservation = resource.reservation.as_deref().cloned();
        message.disk = resource.disk.as_deref().cloned();
        message.revocable = resource.is_revocable.then(RevocableInfo::default);
        message.set_type(resource.value.value_type());
        match &resource.value {
            ResourceValue::Scalar(scalar) => {
                message.scalar = Some(value::Scalar { value: scalar.to_f64() });
            }
            ResourceValue::Ranges(ranges) => message.ranges = Some(ranges_to(ranges)),
            ResourceValue::Set(set) => {
                message.set = Some(value::Set { item: set.iter().map(str::to_owned).collect() });
            }
        }
        message
    }
}

/// Ranges from their message.
pub fn ranges_from(message: &value::Ranges) -> Ranges {
    message.range.iter().map(|range| Range { begin: range.begin, end: range.end }).collect()
}

/// Ranges as a message.
pub fn ranges_to(ranges: &Ranges) -> value::Ranges {
    let range = ranges.iter().map(|range| value::Range { begin: range.begin, end: range.end });
    value::Ranges { range: range.collect() }
}

fn rest_of(message: &mesos::Resource) -> Option<Arc<mesos::Resource>> {
    let is_plain = message.shared.is_none()
        && message.allocation_info.is_none()
        && message.provider_id.is_none()
        && message.reservations.is_empty();
    if is_plain {
        return None;
    }
    let rest = mesos::Resource {
        name: String::new(),
        r#type: 0,
        scalar: None,
        ranges: None,
        set: None,
        role: None,
        disk: None,
        reservation: None,
        revocable: None,
        ..message.clone()
    };
    Some(Arc::new(rest))
}

fn are_equal<T>(
    left: &Option<Arc<T>>,
    right: &Option<Arc<T>>,
    are_values_equal: fn(&T, &T) -> bool,
) -> bool {
    match (left, right) {
        (None, None) => true,
        (Some(left), Some(right)) => Arc::ptr_eq(left, right) || are_values_equal(left, right),
        _ => false,
    }
}

fn are_reservations_equal(left: &ReservationInfo, right: &ReservationInfo) -> bool {
    left.principal == right.principal
        && match (&left.labels, &right.labels) {
            (None, None) => true,
            (Some(left), Some(right)) => labels::are_equal(left, right),
            _ => false,
        }
}

fn are_disks_equal(left: &DiskInfo, right: &DiskInfo) -> bool {
    fn persistence_id(disk: &DiskInfo) -> Option<&str> {
        disk.persistence.as_ref().map(|persistence| persistence.id.as_str())
    }
    let are_sources_equal = match (&left.source, &right.source) {
        (None, None) => true,
        (Some(left), Some(right)) => are_disk_sources_equal(left, right),
        _ => false,
    };
    are_sources_equal && persistence_id(left) == persistence_id(right)
}

fn are_disk_sources_equal(left: &Source, right: &Source) -> bool {
    left.r#type == right.r#type
        && left.path.as_ref().map(source::Path::root) == right.path.as_ref().map(source::Path::root)
        && left.mount.as_ref().map(source::Mount::root)
            == right.mount.as_ref().map(source::Mount::root)
}
