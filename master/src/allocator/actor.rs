//! The allocator as an actor: logs what happens, decides when to allocate, and lets filters run
//! out. The master holds the handle; the actor answers through the sinks it was given.
//! Decides nothing about who gets what: `hierarchical` does.
//! Upstream: `MesosAllocator`, and of `HierarchicalAllocatorProcess` what is about time.

mod handle;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use common::ids::{FrameworkId, SlaveId};
use common::resources::Resources;
use libprocess::{Ctx, Process, vlog};
use proto::mesos::framework_info::capability;
use proto::mesos::offer::Operation;
use proto::mesos::quota::QuotaInfo;
use proto::mesos::{Filters, FrameworkInfo, Unavailability, WeightInfo};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use tracing::{error, info, warn};

use crate::allocator::filters::{FilterId, refusal_time};
use crate::allocator::hierarchical::{Allocation, Hierarchical, Scope};
use crate::allocator::{InverseOfferUpdate, Options, UpdateAvailableError};

pub use handle::HierarchicalAllocator;

/// After a failover with quotas, how long to wait for slaves before allocating to those there are.
const HOLD_OFF_RECOVERY_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// After a failover with quotas, how many of the slaves to wait for.
const SLAVE_RECOVERY_FACTOR: f64 = 0.8;

/// The actor. Upstream: `HierarchicalAllocatorProcess`.
pub(super) struct AllocatorProcess {
    core: Hierarchical,
    options: Options,
    /// Decides which slave comes first.
    random: SmallRng,
    /// What the next allocation is about, if something happened since the last one.
    due: Option<Scope>,
    /// While nothing is allocated: how many slaves are waited for.
    awaited_slaves: Option<usize>,
}

impl Process for AllocatorProcess {
    fn initialize(&mut self, ctx: &mut Ctx<Self>) {
        vlog!(1, "Initialized hierarchical allocator process");
        ctx.after(self.options.allocation_interval, Self::batch);
    }
}

impl AllocatorProcess {
    fn new(mut options: Options, seed: u64) -> AllocatorProcess {
        let mut core = Hierarchical::default();
        core.set_weights(std::mem::take(&mut options.weights));
        let random = SmallRng::seed_from_u64(seed);
        AllocatorProcess { core, options, random, due: None, awaited_slaves: None }
    }

    /// Allocates everything, now and again.
    fn batch(&mut self, ctx: &mut Ctx<Self>) {
        self.due = Some(Scope::All);
        self.allocate_due(ctx);
        ctx.after(self.options.allocation_interval, Self::batch);
    }

    /// Allocates behind whatever waits already, so that a burst of events costs one allocation.
    fn allocate_soon(&mut self, ctx: &mut Ctx<Self>, scope: Scope) {
        match (&mut self.due, scope) {
            (Some(Scope::All), _) => {}
            (Some(Scope::Slaves(due)), Scope::Slaves(more)) => due.extend(more),
            (due @ Some(Scope::Slaves(_)), Scope::All) => *due = Some(Scope::All),
            (due @ None, scope) => {
                *due = Some(scope);
                ctx.pid().tell(Self::allocate_due);
            }
        }
    }

    fn allocate_slave_soon(&mut self, ctx: &mut Ctx<Self>, id: SlaveId) {
        self.allocate_soon(ctx, Scope::Slaves(vec![id]));
    }

    fn allocate_due(&mut self, ctx: &mut Ctx<Self>) {
        let Some(scope) = self.due.take() else { return };
        if self.awaited_slaves.is_some() {
            vlog!(1, "Skipped allocation because the allocator is paused");
            return;
        }
        let start = ctx.now();
        let random = &mut self.random;
        let allocation = self.core.allocate(&scope, |slaves| slaves.shuffle(random));
        let slaves = match &scope {
            Scope::All => self.core.slave_count(),
            Scope::Slaves(ids) => ids.len(),
        };
        let elapsed = stout::duration::display(ctx.now().since(start));
        vlog!(1, "Performed allocation for {slaves} slaves in {elapsed}");
        self.publish(allocation);
    }

    fn publish(&self, allocation: Allocation) {
        if allocation.offers.is_empty() {
            vlog!(1, "No resources available to allocate!");
        }
        for (framework_id, slaves) in allocation.offers {
            for (slave_id, resources) in &slaves {
                vlog!(2, "Allocating {resources} on slave {slave_id} to framework {framework_id}");
            }
            (self.options.offers)(framework_id, slaves);
        }
        if allocation.inverse_offers.is_empty() {
            vlog!(1, "No inverse offers to send out!");
        }
        for (framework_id, slaves) in allocation.inverse_offers {
            (self.options.inverse_offers)(framework_id, slaves);
        }
    }

    fn recover(
        &mut self,
        ctx: &mut Ctx<Self>,
        expected_slaves: usize,
        quotas: BTreeMap<String, QuotaInfo>,
    ) {
        if quotas.is_empty() {
            vlog!(1, "Skipping recovery of hierarchical allocator: nothing to recover");
            return;
        }
        for (role, quota) in quotas {
            self.set_quota(ctx, &role, &quota);
        }
        let awaited = (expected_slaves as f64 * SLAVE_RECOVERY_FACTOR) as usize;
        if awaited == 0 {
            vlog!(
                1,
                "Skipping recovery of hierarchical allocator: no reconnecting slaves to wait for"
            );
            return;
        }
        self.awaited_slaves = Some(awaited);
        ctx.after(HOLD_OFF_RECOVERY_TIMEOUT, |this, _| this.resume());
        info!(
            "Triggered allocator recovery: waiting for {awaited} slaves to reconnect or {} to pass",
            stout::duration::display(HOLD_OFF_RECOVERY_TIMEOUT)
        );
    }

    fn resume(&mut self) {
        if self.awaited_slaves.take().is_some() {
            vlog!(1, "Allocation resumed");
        }
    }

    fn add_framework(
        &mut self,
        ctx: &mut Ctx<Self>,
        id: &FrameworkId,
        info: &FrameworkInfo,
        used: &BTreeMap<SlaveId, Resources>,
    ) {
        if self.core.add_framework(id, info.role(), takes_revocable(info), used) {
            info!("Added framework {id}");
            self.allocate_soon(ctx, Scope::All);
        }
    }

    fn remove_framework(&mut self, id: &FrameworkId) {
        if self.core.remove_framework(id) {
            info!("Removed framework {id}");
        }
    }

    fn activate_framework(&mut self, ctx: &mut Ctx<Self>, id: &FrameworkId) {
        if self.core.activate_framework(id) {
            info!("Activated framework {id}");
            self.allocate_soon(ctx, Scope::All);
        }
    }

    fn deactivate_framework(&mut self, id: &FrameworkId) {
        if self.core.deactivate_framework(id) {
            info!("Deactivated framework {id}");
        }
    }

    fn update_framework(&mut self, id: &FrameworkId, info: &FrameworkInfo) {
        self.core.update_framework(id, takes_revocable(info));
    }

    fn add_slave(&mut self, ctx: &mut Ctx<Self>, id: SlaveId, slave: AddedSlave) {
        if !self.core.add_slave(&id, &slave.hostname, slave.total, &slave.used) {
            return;
        }
        self.core.update_unavailability(&id, slave.unavailability);
        if self.awaited_slaves.is_some_and(|awaited| self.core.slave_count() >= awaited) {
            vlog!(
                1,
                "Recovery complete: sufficient amount of slaves added; {} slaves known to the \
                 allocator",
                self.core.slave_count()
            );
            self.resume();
        }
        if let Some(slave) = self.core.slave(&id) {
            let (total, allocated) = (slave.total(), slave.allocated());
            info!("Added slave {id} ({}) with {total} (allocated: {allocated})", slave.hostname);
        }
        self.allocate_slave_soon(ctx, id);
    }

    fn remove_slave(&mut self, id: &SlaveId) {
        if self.core.remove_slave(id) {
            info!("Removed slave {id}");
        }
    }

    fn update_slave(&mut self, ctx: &mut Ctx<Self>, id: SlaveId, oversubscribed: &Resources) {
        if !self.core.update_slave(&id, oversubscribed) {
            return;
        }
        if let Some(slave) = self.core.slave(&id) {
            info!(
                "Slave {id} ({}) updated with oversubscribed resources {oversubscribed} (total: \
                 {}, allocated: {})",
                slave.hostname,
                slave.total(),
                slave.allocated()
            );
        }
        self.allocate_slave_soon(ctx, id);
    }

    fn activate_slave(&mut self, id: &SlaveId) {
        if self.core.activate_slave(id) {
            info!("Slave {id} reactivated");
        }
    }

    fn deactivate_slave(&mut self, id: &SlaveId) {
        if self.core.deactivate_slave(id) {
            info!("Slave {id} deactivated");
        }
    }

    fn update_whitelist(&mut self, hosts: Option<BTreeSet<String>>) {
        match &hosts {
            None => info!("Advertising offers for all slaves"),
            Some(hosts) => {
                let listed: Vec<&str> = hosts.iter().map(String::as_str).collect();
                info!("Updated slave whitelist: {{ {} }}", listed.join(", "));
                if hosts.is_empty() {
                    warn!("Whitelist is empty, no offers will be made!");
                }
            }
        }
        self.core.update_whitelist(hosts);
    }

    fn update_allocation(
        &mut self,
        framework_id: &FrameworkId,
        slave_id: &SlaveId,
        operations: &[Operation],
    ) {
        match self.core.update_allocation(framework_id, slave_id, operations) {
            Ok(None) => {}
            Ok(Some((from, to))) => info!(
                "Updated allocation of framework {framework_id} on slave {slave_id} from {from} \
                 to {to}"
            ),
            Err(cause) => error!(
                "Failed to update allocation of framework {framework_id} on slave {slave_id}: \
                 {cause}"
            ),
        }
    }

    fn update_available(
        &mut self,
        id: &SlaveId,
        operations: &[Operation],
    ) -> Result<(), UpdateAvailableError> {
        self.core.update_available(id, operations)
    }

    fn update_unavailability(
        &mut self,
        ctx: &mut Ctx<Self>,
        id: SlaveId,
        unavailability: Option<Unavailability>,
    ) {
        if self.core.update_unavailability(&id, unavailability) {
            self.allocate_slave_soon(ctx, id);
        }
    }

    fn update_inverse_offer(&mut self, ctx: &mut Ctx<Self>, update: InverseOfferUpdate) {
        let InverseOfferUpdate { slave_id, framework_id, status, filters, .. } = update;
        self.core.close_inverse_offer(&slave_id, &framework_id, status);
        let refusal = filters.and_then(|filters| usable_time(&filters, "inverse offer"));
        let Some(refusal) = refusal else { return };
        if let Some(filter) = self.core.refuse_inverse_offers(&slave_id, &framework_id) {
            vlog!(
                1,
                "Framework {framework_id} filtered inverse offers from slave {slave_id} for {}",
                stout::duration::display(refusal)
            );
            self.expire_later(ctx, filter, refusal);
        }
    }

    fn recover_resources(
        &mut self,
        ctx: &mut Ctx<Self>,
        framework_id: &FrameworkId,
        slave_id: &SlaveId,
        freed: (Resources, Option<Filters>),
    ) {
        let (resources, filters) = freed;
        if resources.is_empty() {
            return;
        }
        if self.core.recover_resources(framework_id, slave_id, &resources) {
            vlog!(1, "Recovered {resources} on slave {slave_id} from framework {framework_id}");
        }
        let Some(refusal) = filters.and_then(|filters| usable_time(&filters, "resources")) else {
            return;
        };
        if let Some(filter) = self.core.refuse_resources(framework_id, slave_id, resources) {
            vlog!(
                1,
                "Framework {framework_id} filtered slave {slave_id} for {}",
                stout::duration::display(refusal)
            );
            // Not before the next allocation, or a short filter would have no effect at all.
            self.expire_later(ctx, filter, refusal.max(self.options.allocation_interval));
        }
    }

    fn expire_later(&self, ctx: &mut Ctx<Self>, filter: FilterId, delay: Duration) {
        ctx.after(delay, move |this, _| this.core.expire(filter));
    }

    fn suppress_offers(&mut self, id: &FrameworkId) {
        if self.core.suppress_offers(id) {
            info!("Suppressed offers for framework {id}");
        }
    }

    fn revive_offers(&mut self, ctx: &mut Ctx<Self>, id: &FrameworkId) {
        if self.core.revive_offers(id) {
            info!("Removed offer filters for framework {id}");
            self.allocate_soon(ctx, Scope::All);
        }
    }

    fn set_quota(&mut self, ctx: &mut Ctx<Self>, role: &str, quota: &QuotaInfo) {
        let guarantee = Resources::from(&quota.guarantee);
        info!("Set quota {guarantee} for role '{role}'");
        self.core.set_quota(role, guarantee);
        self.allocate_soon(ctx, Scope::All);
    }

    fn remove_quota(&mut self, ctx: &mut Ctx<Self>, role: &str) {
        if let Some(guarantee) = self.core.remove_quota(role) {
            info!("Removed quota {guarantee} for role '{role}'");
            self.allocate_soon(ctx, Scope::All);
        }
    }

    fn update_weights(&mut self, ctx: &mut Ctx<Self>, weights: &[WeightInfo]) {
        let mut concerns_frameworks = false;
        for info in weights {
            concerns_frameworks |= self.core.update_weight(info.role(), info.weight);
        }
        if concerns_frameworks {
            self.allocate_soon(ctx, Scope::All);
        }
    }
}

/// What the actor needs to know of a slave.
struct AddedSlave {
    hostname: String,
    unavailability: Option<Unavailability>,
    total: Resources,
    used: BTreeMap<FrameworkId, Resources>,
}

fn takes_revocable(info: &FrameworkInfo) -> bool {
    info.capabilities
        .iter()
        .any(|capability| capability.r#type() == capability::Type::RevocableResources)
}

/// How long a filter lasts, if at all. What makes no sense becomes the default, with a warning.
fn usable_time(filters: &Filters, refused: &str) -> Option<Duration> {
    let time = refusal_time(filters).unwrap_or_else(|cause| {
        warn!(
            "Using the default value of 'refuse_seconds' to create the refused {refused} filter \
             because {cause}"
        );
        Duration::from_secs_f64(Filters::default().refuse_seconds())
    });
    (!time.is_zero()).then_some(time)
}
