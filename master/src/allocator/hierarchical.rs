//! The allocator without its actor: events change who has what, `allocate` gives away what is
//! free. Slave by slave in the order that is handed in, first to roles that lack some of their
//! quota, then by fair shares; within a role by fair shares again. Whoever gets something of a
//! slave gets all that is free there for its role.
//! Called by the shell in `actor` only. Never reads a clock, rolls dice or logs.
//! Upstream: `HierarchicalAllocatorProcess`, `allocate`, `deallocate`.

mod events;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use common::ids::{FrameworkId, SlaveId};
use common::resources::Resources;

use crate::allocator::UnavailableResources;
use crate::allocator::filters::Hidden;
use crate::allocator::inventory::{Inventory, Slave, SlaveKey, is_allocatable};
use crate::allocator::quantities::{Amounts, Kinds};
use crate::allocator::quota::Headroom;
use crate::allocator::shares::{FrameworkKey, RoleKey, Shares};

/// Who has what, and who wants what. Upstream: `HierarchicalAllocatorProcess`.
#[derive(Default)]
pub(super) struct Hierarchical {
    pub(super) kinds: Kinds,
    pub(super) inventory: Inventory,
    pub(super) shares: Shares,
    whitelist: Option<BTreeSet<String>>,
    filters_made: u64,
}

/// Which slaves an allocation is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// All of them.
    All,
    /// Those that something happened to, once or more often.
    Slaves(Vec<SlaveId>),
}

/// What came out of an allocation. What is offered counts as held already.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Allocation {
    /// By framework and slave, never nothing.
    pub(super) offers: BTreeMap<FrameworkId, BTreeMap<SlaveId, Resources>>,
    /// By framework and slave.
    pub(super) inverse_offers: BTreeMap<FrameworkId, BTreeMap<SlaveId, UnavailableResources>>,
}

/// Whether quotas or fair shares are being served.
pub(super) enum Stage<'a> {
    Quota,
    FairShare(&'a mut Headroom),
}

/// What a framework could be given of a slave, and the refusals that speak against it.
struct Pool {
    resources: Resources,
    amounts: Amounts,
    hidden: Hidden,
}

/// What the frameworks of one role could be given of a slave; `None` where it is not enough for
/// an offer, or too much for the others' quotas.
struct Pools {
    lasting: Option<Pool>,
    /// For those who take revocable resources; absent if there are none.
    with_revocable: Option<Option<Pool>>,
}

impl Pools {
    fn for_framework(&self, takes_revocable: bool) -> Option<&Pool> {
        match &self.with_revocable {
            Some(pool) if takes_revocable => pool.as_ref(),
            _ => self.lasting.as_ref(),
        }
    }

    fn are_empty(&self) -> bool {
        self.lasting.is_none() && self.with_revocable.as_ref().is_none_or(Option::is_none)
    }
}

impl Hierarchical {
    /// Gives away what is free on the slaves of the scope, and asks for what will be unavailable
    /// there. `shuffle` decides which slave comes first.
    pub(super) fn allocate(
        &mut self,
        scope: &Scope,
        shuffle: impl FnOnce(&mut [SlaveKey]),
    ) -> Allocation {
        let mut allocation = Allocation::default();
        if self.shares.is_empty() {
            return allocation;
        }
        let slaves = self.slaves_of(scope);
        let candidates = slaves.iter().filter(|key| self.is_candidate(&self.inventory[**key]));
        let mut candidates: Vec<SlaveKey> = candidates.copied().collect();
        shuffle(&mut candidates);
        self.allocate_quotas(&candidates, &mut allocation);
        self.allocate_shares(&candidates, &mut allocation);
        self.deallocate(&slaves, &mut allocation);
        allocation
    }

    fn slaves_of(&self, scope: &Scope) -> Vec<SlaveKey> {
        match scope {
            Scope::All => self.inventory.iter().map(|(key, _)| key).collect(),
            Scope::Slaves(ids) => {
                let keys = ids.iter().filter_map(|id| self.inventory.key(id));
                keys.collect::<BTreeSet<SlaveKey>>().into_iter().collect()
            }
        }
    }

    fn is_candidate(&self, slave: &Slave) -> bool {
        let is_whitelisted = |hosts: &BTreeSet<String>| hosts.contains(&slave.hostname);
        slave.is_active
            && is_allocatable(slave.free())
            && self.whitelist.as_ref().is_none_or(is_whitelisted)
    }

    fn allocate_shares(&mut self, slaves: &[SlaveKey], allocation: &mut Allocation) {
        let mut headroom = Headroom::of(&self.shares);
        for &slave in slaves {
            if !headroom.is_allocatable() {
                return;
            }
            self.shares.sort_roles();
            for position in 0.. {
                let Some(role) = self.shares.role_at(position) else { break };
                self.offer_to_role(&mut Stage::FairShare(&mut headroom), slave, role, allocation);
            }
        }
    }

    /// Gives the frameworks of a role what they can have of a slave, in the order of their shares.
    pub(super) fn offer_to_role(
        &mut self,
        stage: &mut Stage<'_>,
        slave: SlaveKey,
        role: RoleKey,
        allocation: &mut Allocation,
    ) {
        let mut position = 0;
        while is_allocatable(self.inventory[slave].free()) {
            let pools = self.pools(stage, slave, role);
            if pools.are_empty() {
                return;
            }
            if position == 0 {
                self.shares[role].frameworks.sort();
            }
            let Some((taken, framework)) = self.find_taker(&pools, slave, role, position) else {
                return;
            };
            position = taken + 1;
            let takes_revocable = self.shares[framework].takes_revocable;
            let pool = pools.for_framework(takes_revocable).expect("the taker takes from it");
            if let Stage::FairShare(headroom) = stage {
                headroom.take(&pool.amounts);
            }
            self.give(framework, slave, pool, allocation);
        }
    }

    /// What is free for a role. The order of the resources is the one that offers show.
    fn pools(&mut self, stage: &Stage<'_>, slave: SlaveKey, role: RoleKey) -> Pools {
        let role = &self.shares[role];
        let free = self.inventory[slave].free();
        let reserved = free.filter(|resource| resource.is_reserved_for(&role.name));
        let all = match stage {
            Stage::Quota => (free.unreserved() + &reserved).non_revocable(),
            // Beyond its quota a role gets nothing but what is reserved for it.
            Stage::FairShare(_) if role.quota.is_some() => reserved,
            Stage::FairShare(_) => reserved + &free.unreserved(),
        };
        if !all.iter().any(|resource| resource.is_revocable()) {
            return Pools { lasting: self.pool(stage, slave, all), with_revocable: None };
        }
        let lasting = all.non_revocable();
        Pools {
            lasting: self.pool(stage, slave, lasting),
            with_revocable: Some(self.pool(stage, slave, all)),
        }
    }

    fn pool(&mut self, stage: &Stage<'_>, slave: SlaveKey, resources: Resources) -> Option<Pool> {
        if !is_allocatable(&resources) {
            return None;
        }
        let amounts = self.kinds.measure(&resources);
        if let Stage::FairShare(headroom) = stage
            && !headroom.fits(&amounts)
        {
            return None;
        }
        let hidden = self.inventory[slave].refusals.hiding(&resources);
        Some(Pool { resources, amounts, hidden })
    }

    /// Finds the first framework from a position of its role's order on that takes what there is
    /// for it.
    fn find_taker(
        &self,
        pools: &Pools,
        slave: SlaveKey,
        role: RoleKey,
        from: usize,
    ) -> Option<(usize, FrameworkKey)> {
        let frameworks = &self.shares[role].frameworks;
        let refusals = &self.inventory[slave].refusals;
        let takes = |key: FrameworkKey| {
            let framework = &self.shares[key];
            !framework.is_suppressed
                && pools
                    .for_framework(framework.takes_revocable)
                    .is_some_and(|pool| !refusals.is_hidden(&pool.hidden, key))
        };
        (from..)
            .map_while(|position| Some((position, frameworks.at(position)?)))
            .find(|(_, key)| takes(*key))
    }

    fn give(
        &mut self,
        framework: FrameworkKey,
        slave: SlaveKey,
        pool: &Pool,
        allocation: &mut Allocation,
    ) {
        self.shares.charge(framework, &pool.amounts);
        let slave = &mut self.inventory[slave];
        slave.allocate(framework, &pool.resources);
        let offers = allocation.offers.entry(self.shares[framework].id.clone()).or_default();
        *offers.entry(slave.id.clone()).or_default() += &pool.resources;
    }

    /// Asks the frameworks that hold something of a slave to leave it, if it is to be maintained.
    fn deallocate(&mut self, slaves: &[SlaveKey], allocation: &mut Allocation) {
        for &key in slaves {
            let slave = &mut self.inventory[key];
            let Some(mut maintenance) = slave.maintenance.take() else { continue };
            for &framework in slave.held().keys() {
                // An inactive one could not be asked, and would count as asked for ever.
                if !self.shares.is_active(framework) {
                    continue;
                }
                let Some(unavailability) = maintenance.ask(framework) else { continue };
                let resources = Resources::new();
                let asked = UnavailableResources { resources, unavailability };
                let offers = allocation.inverse_offers.entry(self.shares[framework].id.clone());
                offers.or_default().insert(slave.id.clone(), asked);
            }
            slave.maintenance = Some(maintenance);
        }
    }
}
