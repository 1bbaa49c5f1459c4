//! What a slave has, as both daemons print it: resources, attributes.
//! Upstream: `model` and `json` of Resources and Attributes in `common/http.cpp`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use proto::mesos::{Attribute, value};
use stout::json::{Object, Slot, ToJson};

use super::shown::{Form, Shown};
use crate::attributes::{Attributes, print_value};
use crate::resources::{ResourceValue, Resources};

/// The names that are always there, in the order in which upstream streams them.
const ALWAYS: [&str; 3] = ["mem", "disk", "cpus"];

impl ToJson for Shown<'_, Resources> {
    fn to_json(&self, slot: Slot<'_>) {
        let sums = sums(self.value);
        self.form.object(slot, |object| match self.form {
            Form::Streamed => write_streamed(object, &sums),
            Form::Sorted => write_sorted(object, &sums),
        });
    }
}

/// Resources by role: an object of objects.
impl ToJson for Shown<'_, BTreeMap<String, Resources>> {
    fn to_json(&self, slot: Slot<'_>) {
        self.form.object(slot, |object| {
            for (role, resources) in self.value {
                object.field(role, self.form.show(resources));
            }
        });
    }
}

impl ToJson for Shown<'_, Attributes> {
    fn to_json(&self, slot: Slot<'_>) {
        self.form.object(slot, |object| {
            for attribute in self.value.iter() {
                write_attribute(object, attribute);
            }
        });
    }
}

/// All that is called the same and of one type, summed up; what is revocable apart.
struct Sum<'a> {
    name: Cow<'a, str>,
    value: ResourceValue,
}

/// A name with several types has several sums.
fn sums(resources: &Resources) -> Vec<Sum<'_>> {
    let mut sums: Vec<Sum<'_>> = Vec::with_capacity(resources.len());
    for resource in resources {
        let name = match resource.is_revocable() {
            true => Cow::Owned(format!("{}_revocable", resource.name())),
            false => Cow::Borrowed(resource.name()),
        };
        let value = resource.value();
        let is_same =
            |sum: &&mut Sum<'_>| sum.name == name && sum.value.value_type() == value.value_type();
        match sums.iter_mut().find(is_same) {
            Some(sum) => sum.value += value,
            None => sums.push(Sum { name, value: value.clone() }),
        }
    }
    sums.sort_by(|left, right| order(left).cmp(&order(right)));
    sums
}

/// Scalars first, then ranges, then sets.
fn order<'a>(sum: &'a Sum<'_>) -> (u8, &'a str) {
    let kind = match sum.value {
        ResourceValue::Scalar(_) => 0,
        ResourceValue::Ranges(_) => 1,
        ResourceValue::Set(_) => 2,
    };
    (kind, &sum.name)
}

fn write_streamed(object: &mut Object<'_>, sums: &[Sum<'_>]) {
    let is_scalar = |sum: &&Sum<'_>| matches!(sum.value, ResourceValue::Scalar(_));
    for name in ALWAYS {
        match sums.iter().filter(is_scalar).find(|sum| sum.name == name) {
            Some(sum) => write_value(object, name, &sum.value),
            None => object.field(name, 0.0),
        }
    }
    let others = sums.iter().filter(|sum| !is_scalar(sum) || !ALWAYS.contains(&&*sum.name));
    others.for_each(|sum| write_value(object, &sum.name, &sum.value));
}

fn write_sorted(object: &mut Object<'_>, sums: &[Sum<'_>]) {
    ALWAYS.iter().for_each(|name| object.field(name, 0));
    sums.iter().for_each(|sum| write_value(object, &sum.name, &sum.value));
}

fn write_value(object: &mut Object<'_>, name: &str, value: &ResourceValue) {
    match value {
        ResourceValue::Scalar(scalar) => object.field(name, scalar.to_f64()),
        ResourceValue::Ranges(ranges) => object.field(name, ranges.to_string()),
        ResourceValue::Set(set) => object.field(name, set.to_string()),
    }
}

fn write_attribute(object: &mut Object<'_>, attribute: &Attribute) {
    match (attribute.r#type(), &attribute.scalar) {
        (value::Type::Scalar, Some(scalar)) => object.field(&attribute.name, scalar.value),
        _ => object.field(&attribute.name, print_value(attribute)),
    }
}
