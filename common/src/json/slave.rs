//! What a slave has, as both daemons print it: resources, attributes.
//! Upstream: `model` and `json` of Resources and Attributes in `common/http.cpp`.

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

/// Sums by name; revocable ones apart. A name with several types has several sums.
fn sums(resources: &Resources) -> BTreeMap<(&'static str, String), ResourceValue> {
    let mut sums = BTreeMap::new();
    for resource in resources {
        let suffix = if resource.is_revocable() { "_revocable" } else { "" };
        let kind = resource.value().value_type().as_str_name();
        let name = format!("{}{suffix}", resource.name());
        sums.entry((kind, name))
            .and_modify(|sum| *sum += resource.value())
            .or_insert_with(|| resource.value().clone());
    }
    sums
}

fn write_streamed(object: &mut Object<'_>, sums: &BTreeMap<(&str, String), ResourceValue>) {
    for name in ALWAYS {
        match sums.get(&("SCALAR", name.to_owned())) {
            Some(sum) => write_value(object, name, sum),
            None => object.field(name, 0.0),
        }
    }
    for kind in ["SCALAR", "RANGES", "SET"] {
        let others = sums.iter().filter(|((other, name), _)| {
            *other == kind && !(kind == "SCALAR" && ALWAYS.contains(&name.as_str()))
        });
        others.for_each(|((_, name), sum)| write_value(object, name, sum));
    }
}

fn write_sorted(object: &mut Object<'_>, sums: &BTreeMap<(&str, String), ResourceValue>) {
    ALWAYS.iter().for_each(|name| object.field(name, 0));
    sums.iter().for_each(|((_, name), sum)| write_value(object, name, sum));
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
