//! What happens to slaves, frameworks and roles. Called by the shell, which logs what came out and
//! decides when to allocate. What is not known is ignored: messages may be late.
//! Upstream: the public methods of `HierarchicalAllocatorProcess`.

use std::collections::{BTreeMap, BTreeSet};

use common::ids::{FrameworkId, SlaveId};
use common::resources::{ApplyError, Resources};
use proto::mesos::Unavailability;
use proto::mesos::master::InverseOfferStatus;
use proto::mesos::offer::Operation;

use crate::allocator::filters::FilterId;
use crate::allocator::hierarchical::Hierarchical;
use crate::allocator::inventory::{Slave, SlaveKey};
use crate::allocator::maintenance::Maintenance;
use crate::allocator::quantities::Amounts;
use crate::allocator::shares::FrameworkKey;
use crate::allocator::{InverseOfferStatuses, UpdateAvailableError};

impl Hierarchical {
    /// Replaces the weights of all roles. Called before there are any.
    pub(in crate::allocator) fn set_weights(&mut self, weights: BTreeMap<String, f64>) {
        self.shares.set_weights(weights);
    }

    /// How many slaves there are.
    pub(in crate::allocator) fn slave_count(&self) -> usize {
        self.inventory.len()
    }

    /// A slave, for the log.
    pub(in crate::allocator) fn slave(&self, id: &SlaveId) -> Option<&Slave> {
        self.inventory.key(id).map(|key| &self.inventory[key])
    }

    /// Takes in an active framework, which uses so much already. False if it is there.
    pub(in crate::allocator) fn add_framework(
        &mut self,
        id: &FrameworkId,
        role: &str,
        takes_revocable: bool,
        used: &BTreeMap<SlaveId, Resources>,
    ) -> bool {
        let Some(framework) = self.shares.add(id, role, takes_revocable) else { return false };
        for (slave_id, resources) in used {
            if let Some(slave) = self.inventory.key(slave_id) {
                // The slave brought it along as used, whoever the user is.
                self.inventory[slave].hold(framework, resources);
                self.shares.charge(framework, &self.kinds.measure(resources));
            }
        }
        true
    }

    /// Forgets a framework. What it held stays used until it is recovered. False if unknown.
    pub(in crate::allocator) fn remove_framework(&mut self, id: &FrameworkId) -> bool {
        let Some(framework) = self.shares.key(id) else { return false };
        for (_, slave) in self.inventory.iter_mut() {
            let held = slave.release_all(framework);
            if !held.is_empty() {
                self.shares.discharge(framework, &self.kinds.measure(&held));
            }
            if let Some(maintenance) = &mut slave.maintenance {
                maintenance.forget(framework);
            }
        }
        self.forget_refusals(framework);
        self.shares.remove(framework);
        true
    }

    /// Lets a framework take part again. False if unknown.
    pub(in crate::allocator) fn activate_framework(&mut self, id: &FrameworkId) -> bool {
        let framework = self.shares.key(id);
        framework.inspect(|framework| self.shares.activate(*framework)).is_some()
    }

    /// Gives a framework nothing until it is activated, and forgets what it refused and whether it
    /// wanted offers. False if unknown.
    pub(in crate::allocator) fn deactivate_framework(&mut self, id: &FrameworkId) -> bool {
        let Some(framework) = self.shares.key(id) else { return false };
        self.shares.deactivate(framework);
        self.shares[framework].is_suppressed = false;
        self.forget_refusals(framework);
        true
    }

    /// A framework may have changed its mind about revocable resources.
    pub(in crate::allocator) fn update_framework(
        &mut self,
        id: &FrameworkId,
        takes_revocable: bool,
    ) {
        if let Some(framework) = self.shares.key(id) {
            self.shares[framework].takes_revocable = takes_revocable;
        }
    }

    /// Takes in an active slave and what frameworks use of it, known or not. False if it is there.
    pub(in crate::allocator) fn add_slave(
        &mut self,
        id: &SlaveId,
        hostname: &str,
        total: Resources,
        used: &BTreeMap<FrameworkId, Resources>,
    ) -> bool {
        let measured = self.kinds.measure(&total);
        let slave = Slave::new(id.clone(), hostname, total);
        let Some(key) = self.inventory.add(slave) else { return false };
        self.shares.grow(&measured);
        let occupied = used.values().fold(Resources::new(), |sum, resources| sum + resources);
        self.inventory[key].occupy(&occupied);
        for (framework_id, resources) in used {
            if let Some(framework) = self.shares.key(framework_id) {
                self.inventory[key].hold(framework, resources);
                self.shares.charge(framework, &self.kinds.measure(resources));
            }
        }
        true
    }

    /// Forgets a slave with all that is used of it. False if unknown.
    pub(in crate::allocator) fn remove_slave(&mut self, id: &SlaveId) -> bool {
        let Some(slave) = self.inventory.remove(id) else { return false };
        for (framework, held) in slave.held() {
            self.shares.discharge(*framework, &self.kinds.measure(held));
        }
        self.shares.shrink(&self.kinds.measure(slave.total()));
        true
    }

    /// Replaces a slave's revocable resources. What is not revocable is left out. False if unknown.
    pub(in crate::allocator) fn update_slave(
        &mut self,
        id: &SlaveId,
        oversubscribed: &Resources,
    ) -> bool {
        let Some(key) = self.inventory.key(id) else { return false };
        let slave = &mut self.inventory[key];
        let total = slave.total().non_revocable() + &oversubscribed.revocable();
        self.shares.shrink(&self.kinds.measure(slave.total()));
        self.shares.grow(&self.kinds.measure(&total));
        slave.set_total(total);
        true
    }

    /// Lets a slave take part again. False if unknown.
    pub(in crate::allocator) fn activate_slave(&mut self, id: &SlaveId) -> bool {
        let key = self.inventory.key(id);
        key.inspect(|key| self.inventory[*key].is_active = true).is_some()
    }

    /// Offers nothing of a slave until it is activated. False if unknown.
    pub(in crate::allocator) fn deactivate_slave(&mut self, id: &SlaveId) -> bool {
        let key = self.inventory.key(id);
        key.inspect(|key| self.inventory[*key].is_active = false).is_some()
    }

    /// Offers only slaves on these hosts from now on; all if `None`.
    pub(in crate::allocator) fn update_whitelist(&mut self, hosts: Option<BTreeSet<String>>) {
        self.whitelist = hosts;
    }

    /// A framework makes something else of what it holds of a slave. Gives what it had and what it
    /// has; `None` if framework or slave is unknown. In case of an error all is as before.
    pub(in crate::allocator) fn update_allocation(
        &mut self,
        framework_id: &FrameworkId,
        slave_id: &SlaveId,
        operations: &[Operation],
    ) -> Result<Option<(Resources, Resources)>, ApplyError> {
        let Some((framework, slave)) = self.keys(framework_id, slave_id) else { return Ok(None) };
        let (given, taken) = self.inventory[slave].transform(framework, operations)?;
        let measured = (self.kinds.measure(&given), self.kinds.measure(&taken));
        self.shares.exchange(framework, &measured.0, &measured.1);
        Ok(Some((given, taken)))
    }

    /// An operator makes something else of what is free on a slave.
    pub(in crate::allocator) fn update_available(
        &mut self,
        id: &SlaveId,
        operations: &[Operation],
    ) -> Result<(), UpdateAvailableError> {
        let Some(key) = self.inventory.key(id) else {
            return Err(UpdateAvailableError::UnknownSlave(id.clone()));
        };
        let former = self.inventory[key].transform_free(operations)?;
        self.shares.shrink(&self.kinds.measure(&former));
        self.shares.grow(&self.kinds.measure(self.inventory[key].total()));
        Ok(())
    }

    /// A slave will be absent for a while, or will not. All who hold something there are asked
    /// anew. False if unknown.
    pub(in crate::allocator) fn update_unavailability(
        &mut self,
        id: &SlaveId,
        unavailability: Option<Unavailability>,
    ) -> bool {
        let Some(key) = self.inventory.key(id) else { return false };
        self.inventory[key].maintenance = unavailability.map(Maintenance::new);
        true
    }

    /// A framework has answered whether it can leave a slave; without a status it was not waited
    /// for any longer.
    pub(in crate::allocator) fn close_inverse_offer(
        &mut self,
        slave_id: &SlaveId,
        framework_id: &FrameworkId,
        status: Option<InverseOfferStatus>,
    ) {
        if let Some((framework, slave)) = self.keys(framework_id, slave_id)
            && let Some(maintenance) = &mut self.inventory[slave].maintenance
        {
            maintenance.close(framework, status);
        }
    }

    /// A framework does not want to be asked about a slave until the filter expires. `None` if
    /// there is nothing to ask.
    pub(in crate::allocator) fn refuse_inverse_offers(
        &mut self,
        slave_id: &SlaveId,
        framework_id: &FrameworkId,
    ) -> Option<FilterId> {
        let (framework, slave) = self.keys(framework_id, slave_id)?;
        let filter = self.next_filter(framework, slave);
        let maintenance = self.inventory[slave].maintenance.as_mut()?;
        maintenance.refusers.add(framework, filter.serial);
        Some(filter)
    }

    /// How the frameworks answered, for each slave that will be absent.
    pub(in crate::allocator) fn inverse_offer_statuses(&self) -> InverseOfferStatuses {
        let slaves = self.inventory.iter().filter_map(|(_, slave)| {
            let maintenance = slave.maintenance.as_ref()?;
            Some((slave.id.clone(), maintenance.statuses().clone()))
        });
        slaves.collect()
    }

    /// What a framework had of a slave is free again. False if the slave is unknown.
    pub(in crate::allocator) fn recover_resources(
        &mut self,
        framework_id: &FrameworkId,
        slave_id: &SlaveId,
        resources: &Resources,
    ) -> bool {
        let Some(slave) = self.inventory.key(slave_id) else { return false };
        if let Some(framework) = self.shares.key(framework_id) {
            let released = self.inventory[slave].release(framework, resources);
            self.shares.discharge(framework, &self.kinds.measure(&released));
        }
        self.inventory[slave].vacate(resources);
        true
    }

    /// A framework refuses resources of a slave, and all that is less, until the filter expires.
    /// `None` if framework or slave is unknown.
    pub(in crate::allocator) fn refuse_resources(
        &mut self,
        framework_id: &FrameworkId,
        slave_id: &SlaveId,
        resources: Resources,
    ) -> Option<FilterId> {
        let (framework, slave) = self.keys(framework_id, slave_id)?;
        let filter = self.next_filter(framework, slave);
        self.inventory[slave].refusals.add(framework, resources, filter.serial);
        Some(filter)
    }

    /// A filter has run out.
    pub(in crate::allocator) fn expire(&mut self, filter: FilterId) {
        let Some(slave) = self.inventory.get_mut(filter.slave) else { return };
        slave.refusals.expire(filter.framework, filter.serial);
        if let Some(maintenance) = &mut slave.maintenance {
            maintenance.refusers.expire(filter.framework, filter.serial);
        }
    }

    /// A framework wants no offers until it revives. False if unknown.
    pub(in crate::allocator) fn suppress_offers(&mut self, id: &FrameworkId) -> bool {
        let framework = self.shares.key(id);
        framework.inspect(|key| self.shares[*key].is_suppressed = true).is_some()
    }

    /// A framework takes back all that it refused, and its suppression. False if unknown.
    pub(in crate::allocator) fn revive_offers(&mut self, id: &FrameworkId) -> bool {
        let Some(framework) = self.shares.key(id) else { return false };
        self.shares[framework].is_suppressed = false;
        self.forget_refusals(framework);
        true
    }

    /// Guarantees a role something.
    pub(in crate::allocator) fn set_quota(&mut self, role: &str, guarantee: Resources) {
        let mut held: Vec<Amounts> = Vec::new();
        for (_, slave) in self.inventory.iter() {
            let mut sum = Resources::new();
            for (framework, resources) in slave.held() {
                if self.shares[self.shares[*framework].role].name == role {
                    sum += resources;
                }
            }
            if !sum.is_empty() {
                held.push(self.kinds.measure(&sum));
            }
        }
        let amounts = self.kinds.measure(&guarantee);
        self.shares.set_quota(role, guarantee, amounts, &held);
    }

    /// Guarantees a role nothing any more. Gives what it was guaranteed, if anything.
    pub(in crate::allocator) fn remove_quota(&mut self, role: &str) -> Option<Resources> {
        self.shares.remove_quota(role)
    }

    /// Changes a role's weight. Tells whether frameworks are concerned.
    pub(in crate::allocator) fn update_weight(&mut self, role: &str, weight: f64) -> bool {
        self.shares.update_weight(role, weight)
    }

    fn keys(&self, framework: &FrameworkId, slave: &SlaveId) -> Option<(FrameworkKey, SlaveKey)> {
        Some((self.shares.key(framework)?, self.inventory.key(slave)?))
    }

    fn next_filter(&mut self, framework: FrameworkKey, slave: SlaveKey) -> FilterId {
        self.filters_made += 1;
        FilterId { slave, framework, serial: self.filters_made }
    }

    fn forget_refusals(&mut self, framework: FrameworkKey) {
        for (_, slave) in self.inventory.iter_mut() {
            slave.refusals.forget(framework);
            if let Some(maintenance) = &mut slave.maintenance {
                maintenance.refusers.forget(framework);
            }
        }
    }
}
