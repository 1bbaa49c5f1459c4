//! Roles: weight, frameworks, and what these hold. Called by `/roles`.
//! Upstream: `Master::Http::roles` and `model` of a role.

use std::collections::BTreeSet;

use common::json::Form;
use common::resources::Resources;
use common::roles::DEFAULT_ROLE;
use stout::json::{self, Object};

use super::View;

/// `/roles`: those of the whitelist; without one, all that have a framework or a weight, and `*`.
pub fn roles(view: &View<'_>) -> Vec<u8> {
    json::object(|object| {
        object.array("roles", |array| {
            for role in names(view) {
                array.object(|object| write(object, view, role));
            }
        });
    })
}

fn names<'a>(view: &View<'a>) -> BTreeSet<&'a str> {
    if let Some(whitelist) = view.role_whitelist {
        return whitelist.iter().map(String::as_str).collect();
    }
    let active = view.cluster.roles().iter().map(|(role, _)| role);
    let weighted = view.weights.keys().map(String::as_str);
    active.chain(weighted).chain([DEFAULT_ROLE]).collect()
}

/// The keys are sorted: upstream's `model` of a role is an ordered map.
fn write(object: &mut Object<'_>, view: &View<'_>, role: &str) {
    let ids = view.cluster.roles().get(role);
    object.array("frameworks", |array| {
        for id in ids.into_iter().flatten() {
            array.element(id.as_str());
        }
    });
    let mut held = Resources::new();
    for framework in ids.into_iter().flatten().filter_map(|id| view.cluster.frameworks.get(id)) {
        held += &framework.total_used;
        held += &framework.total_offered;
    }
    object.field("name", role);
    object.field("resources", Form::Sorted.show(&held));
    object.field("weight", view.weights.get(role).copied().unwrap_or(DEFAULT_WEIGHT));
}

/// The weight of a role that was given none.
const DEFAULT_WEIGHT: f64 = 1.0;
