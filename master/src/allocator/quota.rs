//! The first stage of an allocation: what roles are guaranteed comes before fair shares. And what
//! the second stage must leave alone so that guarantees can be met later.
//! Called by `hierarchical` only. A guarantee is never cut out of a slave: a role that lacks
//! anything gets all that is free there.
//! Upstream: the quota stage of `HierarchicalAllocatorProcess::allocate`,
//! `remainingClusterResources`.

use common::resources::Resources;

use crate::allocator::hierarchical::{Allocation, Hierarchical, Stage};
use crate::allocator::inventory::{CPUS_MIN_MILLI, MEM_MIN_MILLI, SlaveKey};
use crate::allocator::quantities::{Amounts, Kind, Name, Sums};
use crate::allocator::shares::Shares;
use crate::allocator::sorter::ClientKey;

/// What a role is guaranteed.
pub(super) struct Quota {
    pub(super) guarantee: Resources,
    /// The guarantee again.
    pub(super) amounts: Amounts,
    /// In the sorter of roles with quotas.
    pub(super) client: ClientKey,
}

impl Hierarchical {
    /// Gives roles that lack some of their quota what is free on the slaves, one after another.
    pub(super) fn allocate_quotas(&mut self, slaves: &[SlaveKey], allocation: &mut Allocation) {
        if self.shares.quotas().next().is_none() {
            return;
        }
        for &slave in slaves {
            self.shares.sort_quotas();
            for position in 0.. {
                let Some(role) = self.shares.quota_at(position) else { break };
                if self.shares.is_lacking(role) {
                    self.offer_to_role(&mut Stage::Quota, slave, role, allocation);
                }
            }
        }
    }
}

/// What may be given away in the second stage.
pub(super) struct Headroom {
    left: Sums<Kind>,
    cpus: i128,
    mem: i128,
}

impl Headroom {
    /// All that nobody holds in the whole cluster, without what quotas still lack.
    pub(super) fn of(shares: &Shares) -> Headroom {
        let mut rest = shares.unheld();
        for quota in shares.quotas() {
            rest.subtract(shares.lacking(quota));
        }
        let mut headroom = Headroom { left: Sums::default(), cpus: 0, mem: 0 };
        headroom.change(rest.iter().filter(|(_, amount)| *amount > 0));
        headroom
    }

    /// Whether anything is left that is worth an offer.
    pub(super) fn is_allocatable(&self) -> bool {
        self.cpus >= CPUS_MIN_MILLI || self.mem >= MEM_MIN_MILLI
    }

    /// Whether so much can be given.
    pub(super) fn fits(&self, amounts: &Amounts) -> bool {
        amounts.iter().all(|(kind, amount)| amount <= self.left.get(kind))
    }

    /// So much is given.
    pub(super) fn take(&mut self, amounts: &Amounts) {
        self.change(amounts.iter().map(|(kind, amount)| (kind, -amount)));
    }

    fn change(&mut self, amounts: impl Iterator<Item = (Kind, i128)>) {
        let counted = amounts.inspect(|(kind, amount)| match kind.name {
            Name::CPUS => self.cpus += amount,
            Name::MEM => self.mem += amount,
            _ => {}
        });
        self.left.add(counted);
    }
}
