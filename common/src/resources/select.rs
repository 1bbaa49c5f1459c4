//! Parts and views of resources: filters, sums by name, other roles, and `find`.
//! Upstream: `Resources::filter`, `get`, `reserved`, `flatten`, `find` and their neighbours.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proto::mesos::resource::ReservationInfo;
use proto::mesos::value;
use stout::bytes::Bytes;

use super::Resources;
use super::resource::{Resource, ResourceValue};
use super::symbol::Symbol;
use crate::roles::DEFAULT_ROLE;
use crate::values::{Ranges, Scalar, Set};

impl Resources {
    /// The resources of which the predicate is true.
    pub fn filter(&self, predicate: impl Fn(&Resource) -> bool) -> Resources {
        // What is filtered was apart before, so nothing has to be merged.
        Resources(self.iter().filter(|resource| predicate(resource)).cloned().collect())
    }

    /// What is reserved, by role.
    pub fn reserved_by_role(&self) -> BTreeMap<String, Resources> {
        let mut result: BTreeMap<String, Resources> = BTreeMap::new();
        for resource in self.iter().filter(|resource| resource.is_reserved()) {
            *result.entry(resource.role().to_owned()).or_default() += resource;
        }
        result
    }

    /// What is reserved for a role; nothing for `*`.
    pub fn reserved(&self, role: &str) -> Resources {
        self.filter(|resource| resource.is_reserved_for(role))
    }

    /// What anyone can have.
    pub fn unreserved(&self) -> Resources {
        self.filter(Resource::is_unreserved)
    }

    /// Disks whose data outlives tasks.
    pub fn persistent_volumes(&self) -> Resources {
        self.filter(Resource::is_persistent_volume)
    }

    /// What may be taken away at any time.
    pub fn revocable(&self) -> Resources {
        self.filter(Resource::is_revocable)
    }

    /// What is kept until it is given back.
    pub fn non_revocable(&self) -> Resources {
        self.filter(|resource| !resource.is_revocable())
    }

    /// The scalar ones.
    pub fn scalars(&self) -> Resources {
        self.filter(|resource| resource.scalar().is_some())
    }

    /// The ones of a name.
    pub fn named(&self, name: &str) -> Resources {
        self.filter(|resource| resource.name() == name)
    }

    /// All in role `*`, without reservations.
    pub fn flatten(&self) -> Resources {
        self.flatten_into(&Symbol::new(DEFAULT_ROLE), None)
    }

    /// All statically reserved for a role.
    pub fn flatten_to_role(&self, role: &str) -> Resources {
        self.flatten_into(&Symbol::new(role), None)
    }

    /// All dynamically reserved for a role.
    pub fn flatten_to_reservation(&self, role: &str, reservation: &ReservationInfo) -> Resources {
        self.flatten_into(&Symbol::new(role), Some(&Arc::new(reservation.clone())))
    }

    /// The scalars without reservations and disks: the quantities that quotas compare. Roles
    /// stay.
    pub fn create_stripped_scalar_quantity(&self) -> Resources {
        let scalars = self.iter().filter(|resource| resource.scalar().is_some());
        scalars
            .map(|resource| {
                let mut stripped = resource.clone();
                stripped.reservation = None;
                stripped.disk = None;
                stripped
            })
            .collect()
    }

    /// Resources here that together are as much as `targets`, whatever their role: first of the
    /// target's role, then unreserved ones, then any. `None` if there is not enough.
    pub fn find(&self, targets: &Resources) -> Option<Resources> {
        let mut total = Resources::new();
        for target in targets {
            total += self.find_resource(target)?;
        }
        Some(total)
    }

    /// The sum of the scalars of a name, if there is any.
    pub fn scalar(&self, name: &str) -> Option<Scalar> {
        self.values(name).fold(None, |sum, value| match value {
            ResourceValue::Scalar(scalar) => Some(sum.unwrap_or_default() + *scalar),
            _ => sum,
        })
    }

    /// The union of the ranges of a name, if there are any.
    pub fn ranges(&self, name: &str) -> Option<Ranges> {
        self.values(name).fold(None, |sum, value| match value {
            ResourceValue::Ranges(ranges) => Some(sum.unwrap_or_default() + ranges),
            _ => sum,
        })
    }

    /// The union of the sets of a name, if there are any.
    pub fn set(&self, name: &str) -> Option<Set> {
        self.values(name).fold(None, |sum, value| match value {
            ResourceValue::Set(set) => Some(sum.unwrap_or_default() + set),
            _ => sum,
        })
    }

    /// The sum of `cpus`.
    pub fn cpus(&self) -> Option<Scalar> {
        self.scalar("cpus")
    }

    /// The sum of `mem`, in whole megabytes.
    pub fn mem(&self) -> Option<Bytes> {
        self.scalar("mem").map(megabytes)
    }

    /// The sum of `disk`, in whole megabytes.
    pub fn disk(&self) -> Option<Bytes> {
        self.scalar("disk").map(megabytes)
    }

    /// All `ports`.
    pub fn ports(&self) -> Option<Ranges> {
        self.ranges("ports")
    }

    /// All `ephemeral_ports`.
    pub fn ephemeral_ports(&self) -> Option<Ranges> {
        self.ranges("ephemeral_ports")
    }

    /// Every name once.
    pub fn names(&self) -> BTreeSet<&str> {
        self.iter().map(Resource::name).collect()
    }

    /// The type of each name; of names with several types the last.
    pub fn types(&self) -> BTreeMap<&str, value::Type> {
        self.iter().map(|resource| (resource.name(), resource.value().value_type())).collect()
    }

    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a ResourceValue> {
        self.iter().filter(move |resource| resource.name() == name).map(Resource::value)
    }

    fn flatten_into(&self, role: &Symbol, reservation: Option<&Arc<ReservationInfo>>) -> Resources {
        self.iter()
            .map(|resource| {
                let mut flattened = resource.clone();
                flattened.set_role(role, reservation);
                flattened
            })
            .collect()
    }

    fn find_resource(&self, target: &Resource) -> Option<Resources> {
        let mut found = Resources::new();
        let mut total = self.clone();
        let mut remaining = Resources::from(target).flatten();
        let stages: [&dyn Fn(&Resource) -> bool; 3] =
            [&|r| r.is_reserved_for(target.role()), &Resource::is_unreserved, &|_| true];
        for stage in stages {
            for resource in &total.filter(stage) {
                let flattened = Resources::from(resource).flatten();
                if flattened.contains(&remaining) {
                    let rest =
                        remaining.flatten_into(&resource.role, resource.reservation.as_ref());
                    return Some(found + &rest);
                }
                if remaining.contains(&flattened) {
                    found += resource;
                    total -= resource;
                    remaining -= &flattened;
                    // COMPAT: `Resources::find` goes on with the next stage here, so that at
                    // most one resource of each stage is used up; held by `find`.
                    break;
                }
            }
        }
        None
    }
}

fn megabytes(scalar: Scalar) -> Bytes {
    Bytes::from_megabytes(u64::try_from(scalar.trunc()).unwrap_or(0))
}
