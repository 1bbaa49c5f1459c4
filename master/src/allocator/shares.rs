//! Which frameworks and roles take part, and who holds how much of the cluster: the sorters, kept
//! in step. Called by the core; the stages ask it for the order. Knows amounts, never slaves.
//! Upstream: `roleSorter`, `quotaRoleSorter`, `frameworkSorters`, `activeRoles`, `quotas`.

#[cfg(test)]
mod checks;

use std::collections::{BTreeMap, HashMap};
use std::ops::{Index, IndexMut};

use common::ids::FrameworkId;
use common::resources::Resources;
use slab::Slab;

use crate::allocator::quantities::{Amounts, Kind, Sums};
use crate::allocator::quota::Quota;
use crate::allocator::sorter::{ClientKey, DrfSorter};

#[cfg(test)]
pub(super) use checks::Expected;

/// Of a role that nobody gave a weight.
const DEFAULT_WEIGHT: f64 = 1.0;

/// Names a framework while it takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct FrameworkKey(usize);

#[cfg(test)]
impl FrameworkKey {
    /// Any key, for tests without frameworks.
    pub(super) fn nth(n: usize) -> FrameworkKey {
        FrameworkKey(n)
    }
}

/// Names a role while it has frameworks or a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct RoleKey(usize);

/// A framework that takes part in allocation.
pub(super) struct Framework {
    pub(super) id: FrameworkId,
    pub(super) role: RoleKey,
    /// Wants no offers until it revives.
    pub(super) is_suppressed: bool,
    /// Takes resources that may be taken away at any time.
    pub(super) takes_revocable: bool,
    client: ClientKey,
}

/// A role that somebody is in, or that is guaranteed something.
pub(super) struct Role {
    pub(super) name: String,
    pub(super) quota: Option<Quota>,
    /// Their total is what the role holds: shares within a role are shares of that.
    pub(super) frameworks: DrfSorter<FrameworkKey>,
    /// In the role sorter, as long as there are frameworks.
    client: Option<ClientKey>,
}

/// Frameworks, roles, and what they hold.
#[derive(Default)]
pub(super) struct Shares {
    frameworks: Slab<Framework>,
    framework_keys: HashMap<FrameworkId, FrameworkKey>,
    roles: Slab<Role>,
    role_keys: BTreeMap<String, RoleKey>,
    weights: BTreeMap<String, f64>,
    /// The roles that have frameworks; the total is the cluster.
    by_role: DrfSorter<RoleKey>,
    /// The roles that have a quota; the total is the cluster without what is revocable.
    by_quota: DrfSorter<RoleKey>,
    /// All that the cluster has.
    total: Sums<Kind>,
    /// All that frameworks hold.
    held: Sums<Kind>,
}

impl Shares {
    /// Replaces the weights of all roles. Called before there are any.
    pub(super) fn set_weights(&mut self, weights: BTreeMap<String, f64>) {
        self.weights = weights;
    }

    /// Changes a role's weight. Tells whether frameworks are concerned.
    pub(super) fn update_weight(&mut self, name: &str, weight: f64) -> bool {
        self.weights.insert(name.to_owned(), weight);
        let Some(role) = self.role_keys.get(name).map(|key| &self.roles[key.0]) else {
            return false;
        };
        if let Some(quota) = &role.quota {
            self.by_quota.set_weight(quota.client, weight);
        }
        let client = role.client.inspect(|client| self.by_role.set_weight(*client, weight));
        client.is_some()
    }

    /// Takes in an active framework that holds nothing; `None` if it is there.
    pub(super) fn add(
        &mut self,
        id: &FrameworkId,
        role: &str,
        takes_revocable: bool,
    ) -> Option<FrameworkKey> {
        if self.framework_keys.contains_key(id) {
            return None;
        }
        let weight = self.weight(role);
        let role_key = self.obtain_role(role);
        let role = &mut self.roles[role_key.0];
        if role.client.is_none() {
            role.client = Some(self.by_role.add(role_key, &role.name, weight));
        }
        let entry = self.frameworks.vacant_entry();
        let key = FrameworkKey(entry.key());
        entry.insert(Framework {
            id: id.clone(),
            role: role_key,
            is_suppressed: false,
            takes_revocable,
            client: role.frameworks.add(key, id.as_str(), DEFAULT_WEIGHT),
        });
        self.framework_keys.insert(id.clone(), key);
        Some(key)
    }

    /// Forgets a framework that holds nothing any more, and its role if nothing is left of it.
    pub(super) fn remove(&mut self, key: FrameworkKey) {
        let framework = self.frameworks.remove(key.0);
        self.framework_keys.remove(&framework.id);
        let role = &mut self.roles[framework.role.0];
        role.frameworks.remove(framework.client);
        if role.frameworks.count() == 0 {
            role.frameworks = DrfSorter::default();
            let client = role.client.take().expect("roles with frameworks are sorted");
            self.by_role.remove(client);
            self.drop_role_if_unused(framework.role);
        }
    }

    /// The key of a framework.
    pub(super) fn key(&self, id: &FrameworkId) -> Option<FrameworkKey> {
        self.framework_keys.get(id).copied()
    }

    /// Whether no framework takes part.
    pub(super) fn is_empty(&self) -> bool {
        self.frameworks.is_empty()
    }

    /// A framework can be given something again.
    pub(super) fn activate(&mut self, key: FrameworkKey) {
        let framework = &self.frameworks[key.0];
        self.roles[framework.role.0].frameworks.activate(framework.client);
    }

    /// A framework keeps what it has and gets no more.
    pub(super) fn deactivate(&mut self, key: FrameworkKey) {
        let framework = &self.frameworks[key.0];
        self.roles[framework.role.0].frameworks.deactivate(framework.client);
    }

    /// Whether a framework can be given something.
    pub(super) fn is_active(&self, key: FrameworkKey) -> bool {
        let framework = &self.frameworks[key.0];
        self.roles[framework.role.0].frameworks.is_active(framework.client)
    }

    /// The cluster has more.
    pub(super) fn grow(&mut self, amounts: &Amounts) {
        self.total.add(amounts.iter());
        self.by_role.grow(amounts.by_name());
        self.by_quota.grow(amounts.lasting());
    }

    /// The cluster has less.
    pub(super) fn shrink(&mut self, amounts: &Amounts) {
        self.total.subtract(amounts.iter());
        self.by_role.shrink(amounts.by_name());
        self.by_quota.shrink(amounts.lasting());
    }

    /// A framework is given something of a slave.
    pub(super) fn charge(&mut self, key: FrameworkKey, amounts: &Amounts) {
        let framework = &self.frameworks[key.0];
        let role = &mut self.roles[framework.role.0];
        self.held.add(amounts.iter());
        role.frameworks.grow(amounts.by_name());
        role.frameworks.allocated(framework.client, amounts.by_name());
        if let Some(client) = role.client {
            self.by_role.allocated(client, amounts.by_name());
        }
        if let Some(quota) = &role.quota {
            self.by_quota.allocated(quota.client, amounts.lasting());
        }
    }

    /// A framework gives something back.
    pub(super) fn discharge(&mut self, key: FrameworkKey, amounts: &Amounts) {
        let framework = &self.frameworks[key.0];
        let role = &mut self.roles[framework.role.0];
        self.held.subtract(amounts.iter());
        role.frameworks.shrink(amounts.by_name());
        role.frameworks.unallocated(framework.client, amounts.by_name());
        if let Some(client) = role.client {
            self.by_role.unallocated(client, amounts.by_name());
        }
        if let Some(quota) = &role.quota {
            self.by_quota.unallocated(quota.client, amounts.lasting());
        }
    }

    /// What a framework holds, and so the cluster has, becomes something else.
    pub(super) fn exchange(&mut self, key: FrameworkKey, given: &Amounts, taken: &Amounts) {
        self.shrink(given);
        self.grow(taken);
        let framework = &self.frameworks[key.0];
        let role = &mut self.roles[framework.role.0];
        self.held.subtract(given.iter());
        self.held.add(taken.iter());
        role.frameworks.shrink(given.by_name());
        role.frameworks.grow(taken.by_name());
        role.frameworks.exchanged(framework.client, given.by_name(), taken.by_name());
        if let Some(client) = role.client {
            self.by_role.exchanged(client, given.by_name(), taken.by_name());
        }
        if let Some(quota) = &role.quota {
            self.by_quota.exchanged(quota.client, given.lasting(), taken.lasting());
        }
    }

    /// Guarantees a role something, `amounts` in numbers. `held` is what its frameworks hold, by
    /// slave.
    pub(super) fn set_quota(
        &mut self,
        name: &str,
        guarantee: Resources,
        amounts: Amounts,
        held: &[Amounts],
    ) {
        self.remove_quota(name);
        let weight = self.weight(name);
        let key = self.obtain_role(name);
        let client = self.by_quota.add(key, name, weight);
        for amounts in held {
            self.by_quota.allocated(client, amounts.lasting());
        }
        self.roles[key.0].quota = Some(Quota { guarantee, amounts, client });
    }

    /// Guarantees a role nothing any more. Gives what it was guaranteed, if anything.
    pub(super) fn remove_quota(&mut self, name: &str) -> Option<Resources> {
        let key = *self.role_keys.get(name)?;
        let quota = self.roles[key.0].quota.take()?;
        self.by_quota.remove(quota.client);
        self.drop_role_if_unused(key);
        Some(quota.guarantee)
    }

    /// All quotas.
    pub(super) fn quotas(&self) -> impl Iterator<Item = &Quota> {
        self.roles.iter().filter_map(|(_, role)| role.quota.as_ref())
    }

    /// What a quota still lacks, by kind.
    pub(super) fn lacking<'a>(&'a self, quota: &'a Quota) -> impl Iterator<Item = (Kind, i128)> {
        let held = self.by_quota.held(quota.client);
        let missing =
            quota.amounts.iter().map(|(kind, amount)| (kind, amount - held.get(kind.name)));
        missing.filter(|(_, amount)| *amount > 0)
    }

    /// What nobody holds, by kind; may be less than nothing.
    pub(super) fn unheld(&self) -> Sums<Kind> {
        let mut unheld = self.total.clone();
        unheld.subtract(self.held.iter());
        unheld
    }

    /// Whether a role has less of something than it is guaranteed.
    pub(super) fn is_lacking(&self, role: RoleKey) -> bool {
        let quota = self.roles[role.0].quota.as_ref();
        quota.is_some_and(|quota| self.lacking(quota).next().is_some())
    }

    /// Brings the order of roles up to date; it stays until the next call.
    pub(super) fn sort_roles(&mut self) {
        self.by_role.sort();
    }

    /// The role at a position of the order of those with frameworks.
    pub(super) fn role_at(&self, position: usize) -> Option<RoleKey> {
        self.by_role.at(position)
    }

    /// Brings the order of roles with quotas up to date; it stays until the next call.
    pub(super) fn sort_quotas(&mut self) {
        self.by_quota.sort();
    }

    /// The role at a position of the order of those with quotas.
    pub(super) fn quota_at(&self, position: usize) -> Option<RoleKey> {
        self.by_quota.at(position)
    }

    fn weight(&self, role: &str) -> f64 {
        self.weights.get(role).copied().unwrap_or(DEFAULT_WEIGHT)
    }

    fn obtain_role(&mut self, name: &str) -> RoleKey {
        if let Some(&key) = self.role_keys.get(name) {
            return key;
        }
        let key = RoleKey(self.roles.insert(Role {
            name: name.to_owned(),
            quota: None,
            frameworks: DrfSorter::default(),
            client: None,
        }));
        self.role_keys.insert(name.to_owned(), key);
        key
    }

    fn drop_role_if_unused(&mut self, key: RoleKey) {
        let role = &self.roles[key.0];
        if role.client.is_none() && role.quota.is_none() {
            let role = self.roles.remove(key.0);
            self.role_keys.remove(&role.name);
        }
    }
}

impl Index<FrameworkKey> for Shares {
    type Output = Framework;
    fn index(&self, key: FrameworkKey) -> &Framework {
        &self.frameworks[key.0]
    }
}

impl IndexMut<FrameworkKey> for Shares {
    fn index_mut(&mut self, key: FrameworkKey) -> &mut Framework {
        &mut self.frameworks[key.0]
    }
}

impl Index<RoleKey> for Shares {
    type Output = Role;
    fn index(&self, key: RoleKey) -> &Role {
        &self.roles[key.0]
    }
}

impl IndexMut<RoleKey> for Shares {
    fn index_mut(&mut self, key: RoleKey) -> &mut Role {
        &mut self.roles[key.0]
    }
}
