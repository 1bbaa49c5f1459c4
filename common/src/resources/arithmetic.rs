//! Plus, minus, contains and equality.
//! What is of one kind is kept as one resource, except for exclusive disks, which never merge
//! and are only ever taken whole. Upstream: `addable`, `subtractable`, `contains` and the
//! operators in `common/resources.cpp`.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub, SubAssign};

use super::Resources;
use super::resource::{Resource, ResourceValue};
use crate::values::Scalar;

impl Resources {
    /// Whether all of `other` is here.
    pub fn contains(&self, other: &Resources) -> bool {
        other.iter().all(|wanted| {
            if wanted.is_exclusive() {
                other.count_equal(wanted) <= self.count_equal(wanted)
            } else {
                self.contains_resource(wanted)
            }
        })
    }

    /// Whether one resource here holds all of `wanted`.
    pub fn contains_resource(&self, wanted: &Resource) -> bool {
        self.iter().any(|resource| resource.contains(wanted))
    }

    fn count_equal(&self, wanted: &Resource) -> usize {
        self.iter().filter(|resource| *resource == wanted).count()
    }

    fn find_addable(&mut self, other: &Resource) -> Option<&mut Resource> {
        if other.is_exclusive() {
            return None;
        }
        self.0.iter_mut().find(|resource| resource.is_same_kind(other))
    }
}

impl Resource {
    fn is_subtractable(&self, other: &Resource) -> bool {
        self.is_same_kind(other) && (!self.is_exclusive() || self.value == other.value)
    }

    fn contains(&self, other: &Resource) -> bool {
        self.is_subtractable(other)
            && match (&self.value, &other.value) {
                (ResourceValue::Scalar(left), ResourceValue::Scalar(right)) => right <= left,
                (ResourceValue::Ranges(left), ResourceValue::Ranges(right)) => left.contains(right),
                (ResourceValue::Set(left), ResourceValue::Set(right)) => left.contains(right),
                _ => false,
            }
    }
}

impl AddAssign<&ResourceValue> for ResourceValue {
    /// Both must be of one type; others change nothing.
    fn add_assign(&mut self, other: &ResourceValue) {
        match (self, other) {
            (ResourceValue::Scalar(left), ResourceValue::Scalar(right)) => *left += *right,
            (ResourceValue::Ranges(left), ResourceValue::Ranges(right)) => *left += right,
            (ResourceValue::Set(left), ResourceValue::Set(right)) => *left += right,
            _ => {}
        }
    }
}

impl SubAssign<&ResourceValue> for ResourceValue {
    /// Both must be of one type; others change nothing. Never goes below nothing.
    fn sub_assign(&mut self, other: &ResourceValue) {
        match (self, other) {
            (ResourceValue::Scalar(left), ResourceValue::Scalar(right)) => {
                *left = (*left - *right).max(Scalar::ZERO);
            }
            (ResourceValue::Ranges(left), ResourceValue::Ranges(right)) => *left -= right,
            (ResourceValue::Set(left), ResourceValue::Set(right)) => *left -= right,
            _ => {}
        }
    }
}

impl AddAssign<&Resource> for Resources {
    /// Empty resources change nothing.
    fn add_assign(&mut self, other: &Resource) {
        if other.is_empty() {
            return;
        }
        match self.find_addable(other) {
            Some(resource) => resource.value += &other.value,
            None => self.0.push(other.clone()),
        }
    }
}

impl AddAssign<Resource> for Resources {
    fn add_assign(&mut self, other: Resource) {
        if other.is_empty() {
            return;
        }
        match self.find_addable(&other) {
            Some(resource) => resource.value += &other.value,
            None => self.0.push(other),
        }
    }
}

impl SubAssign<&Resource> for Resources {
    /// Takes what is there of `other`; what is not there changes nothing.
    fn sub_assign(&mut self, other: &Resource) {
        let Some(index) = self.0.iter().position(|resource| resource.is_subtractable(other)) else {
            return;
        };
        self.0[index].value -= &other.value;
        if self.0[index].is_empty() {
            self.0.swap_remove(index);
        }
    }
}

impl AddAssign<&Resources> for Resources {
    fn add_assign(&mut self, other: &Resources) {
        if self.is_empty() {
            self.0.clone_from(&other.0);
            return;
        }
        for resource in other {
            *self += resource;
        }
    }
}

impl AddAssign<Resources> for Resources {
    fn add_assign(&mut self, other: Resources) {
        if self.is_empty() {
            *self = other;
            return;
        }
        for resource in other {
            *self += resource;
        }
    }
}

impl SubAssign<&Resources> for Resources {
    fn sub_assign(&mut self, other: &Resources) {
        for resource in other {
            *self -= resource;
        }
    }
}

impl Add<&Resources> for Resources {
    type Output = Resources;
    fn add(mut self, other: &Resources) -> Resources {
        self += other;
        self
    }
}

impl Add<&Resources> for &Resources {
    type Output = Resources;
    fn add(self, other: &Resources) -> Resources {
        self.clone() + other
    }
}

impl Sub<&Resources> for Resources {
    type Output = Resources;
    fn sub(mut self, other: &Resources) -> Resources {
        self -= other;
        self
    }
}

impl Sub<&Resources> for &Resources {
    type Output = Resources;
    fn sub(self, other: &Resources) -> Resources {
        self.clone() - other
    }
}

impl<'a> Sum<&'a Resources> for Resources {
    fn sum<I: Iterator<Item = &'a Resources>>(all: I) -> Resources {
        all.fold(Resources::new(), |sum, resources| sum + resources)
    }
}

impl PartialEq for Resources {
    fn eq(&self, other: &Resources) -> bool {
        self.len() == other.len() && self.contains(other) && other.contains(self)
    }
}

impl Eq for Resources {}
