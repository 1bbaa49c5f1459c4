//! Which frameworks are registered in which role.
//! Upstream: `Master::activeRoles`, `Role`.

use std::collections::{BTreeMap, BTreeSet};

use common::ids::FrameworkId;

/// The roles that have frameworks.
#[derive(Clone, Debug, Default)]
pub struct Roles(BTreeMap<String, BTreeSet<FrameworkId>>);

impl Roles {
    /// The frameworks of each role.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &BTreeSet<FrameworkId>)> {
        self.0.iter().map(|(role, frameworks)| (role.as_str(), frameworks))
    }

    /// The frameworks of a role, if it has any.
    pub fn get(&self, role: &str) -> Option<&BTreeSet<FrameworkId>> {
        self.0.get(role)
    }

    pub(super) fn add(&mut self, role: &str, framework_id: &FrameworkId) {
        self.0.entry(role.to_owned()).or_default().insert(framework_id.clone());
    }

    pub(super) fn remove(&mut self, role: &str, framework_id: &FrameworkId) {
        let Some(frameworks) = self.0.get_mut(role) else { return };
        frameworks.remove(framework_id);
        if frameworks.is_empty() {
            self.0.remove(role);
        }
    }
}
