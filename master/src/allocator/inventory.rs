//! What each slave has, what is used of it and by whom. Called by the core only.
//! What is used may be more than there is: then nothing is free.
//! Never knows roles or shares. Upstream: `HierarchicalAllocatorProcess::Slave`, and what the
//! sorters keep by slave.

use std::collections::{BTreeMap, HashMap};
use std::ops::{Index, IndexMut};

use common::ids::SlaveId;
use common::resources::{ApplyError, Resources};
use proto::mesos::offer::Operation;
use slab::Slab;

use crate::allocator::filters::Refusals;
use crate::allocator::maintenance::Maintenance;
use crate::allocator::shares::FrameworkKey;

/// Fewer cpus, in thousandths, are not worth an offer. Upstream: `MIN_CPUS`.
pub(super) const CPUS_MIN_MILLI: i128 = 10;
/// Less memory, in thousandths of a megabyte, is not worth an offer. Upstream: `MIN_MEM`.
pub(super) const MEM_MIN_MILLI: i128 = 32_000;

/// Names a slave while it takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SlaveKey(usize);

/// A slave that takes part in allocation.
pub(super) struct Slave {
    pub(super) id: SlaveId,
    pub(super) hostname: String,
    pub(super) is_active: bool,
    pub(super) refusals: Refusals,
    pub(super) maintenance: Option<Maintenance>,
    total: Resources,
    /// By anyone, also by frameworks that do not take part.
    allocated: Resources,
    /// Always `total` without `allocated`.
    free: Resources,
    held: BTreeMap<FrameworkKey, Resources>,
}

impl Slave {
    pub(super) fn new(id: SlaveId, hostname: &str, total: Resources) -> Slave {
        Slave {
            id,
            hostname: hostname.to_owned(),
            is_active: true,
            refusals: Refusals::default(),
            maintenance: None,
            free: total.clone(),
            total,
            allocated: Resources::new(),
            held: BTreeMap::new(),
        }
    }

    /// All that the slave has.
    pub(super) fn total(&self) -> &Resources {
        &self.total
    }

    /// All that is used or offered.
    pub(super) fn allocated(&self) -> &Resources {
        &self.allocated
    }

    /// What can be offered.
    pub(super) fn free(&self) -> &Resources {
        &self.free
    }

    /// What each framework has or is offered, never nothing.
    pub(super) fn held(&self) -> &BTreeMap<FrameworkKey, Resources> {
        &self.held
    }

    /// The slave has something else from now on.
    pub(super) fn set_total(&mut self, total: Resources) {
        self.total = total;
        self.refresh();
    }

    /// A framework gets something of what is free.
    pub(super) fn allocate(&mut self, framework: FrameworkKey, resources: &Resources) {
        self.hold(framework, resources);
        self.occupy(resources);
    }

    /// Something is used by whomever.
    pub(super) fn occupy(&mut self, resources: &Resources) {
        self.allocated += resources;
        self.refresh();
    }

    /// A framework turns out to be the user of something that is used.
    pub(super) fn hold(&mut self, framework: FrameworkKey, resources: &Resources) {
        if !resources.is_empty() {
            *self.held.entry(framework).or_default() += resources;
        }
    }

    /// Something is free again.
    pub(super) fn vacate(&mut self, resources: &Resources) {
        self.allocated -= resources;
        self.refresh();
    }

    /// A framework is not the user of something any more. Gives what it was the user of.
    pub(super) fn release(&mut self, framework: FrameworkKey, resources: &Resources) -> Resources {
        let Some(held) = self.held.get_mut(&framework) else { return Resources::new() };
        let rest = &*held - resources;
        let released = &*held - &rest;
        match rest.is_empty() {
            true => drop(self.held.remove(&framework)),
            false => *held = rest,
        }
        released
    }

    /// A framework is not the user of anything any more. Gives what it was the user of.
    pub(super) fn release_all(&mut self, framework: FrameworkKey) -> Resources {
        self.held.remove(&framework).unwrap_or_default()
    }

    /// A framework makes something else of what it holds. Gives what it had and what it has; in
    /// case of an error all is as before.
    pub(super) fn transform(
        &mut self,
        framework: FrameworkKey,
        operations: &[Operation],
    ) -> Result<(Resources, Resources), ApplyError> {
        let held = self.held.get(&framework).cloned().unwrap_or_default();
        let changed = apply(&held, operations)?;
        let allocated = apply(&self.allocated, operations)?;
        self.total = apply(&self.total, operations)?;
        self.allocated = allocated;
        if !changed.is_empty() {
            self.held.insert(framework, changed.clone());
        }
        self.refresh();
        Ok((held, changed))
    }

    /// An operator makes something else of what is free. Gives the former total; in case of an
    /// error all is as before.
    pub(super) fn transform_free(
        &mut self,
        operations: &[Operation],
    ) -> Result<Resources, ApplyError> {
        apply(&self.free, operations)?;
        let total = apply(&self.total, operations)?;
        let former = std::mem::replace(&mut self.total, total);
        self.refresh();
        Ok(former)
    }

    fn refresh(&mut self) {
        self.free = &self.total - &self.allocated;
    }
}

fn apply(resources: &Resources, operations: &[Operation]) -> Result<Resources, ApplyError> {
    operations.iter().try_fold(resources.clone(), |resources, next| resources.apply(next))
}

/// Whether resources are worth an offer. Upstream: `allocatable`.
pub(super) fn is_allocatable(resources: &Resources) -> bool {
    let (mut cpus, mut mem) = (0, 0);
    for resource in resources {
        let Some(scalar) = resource.scalar() else { continue };
        match resource.name() {
            "cpus" => cpus += i128::from(scalar.milli()),
            "mem" => mem += i128::from(scalar.milli()),
            _ => {}
        }
    }
    cpus >= CPUS_MIN_MILLI || mem >= MEM_MIN_MILLI
}

/// All slaves.
#[derive(Default)]
pub(super) struct Inventory {
    slaves: Slab<Slave>,
    keys: HashMap<SlaveId, SlaveKey>,
}

impl Inventory {
    /// Takes a slave in; `None` if one of that id is there.
    pub(super) fn add(&mut self, slave: Slave) -> Option<SlaveKey> {
        if self.keys.contains_key(&slave.id) {
            return None;
        }
        let id = slave.id.clone();
        let key = SlaveKey(self.slaves.insert(slave));
        self.keys.insert(id, key);
        Some(key)
    }

    /// Forgets a slave.
    pub(super) fn remove(&mut self, id: &SlaveId) -> Option<Slave> {
        let key = self.keys.remove(id)?;
        Some(self.slaves.remove(key.0))
    }

    /// The key of a slave.
    pub(super) fn key(&self, id: &SlaveId) -> Option<SlaveKey> {
        self.keys.get(id).copied()
    }

    /// How many slaves there are.
    pub(super) fn len(&self) -> usize {
        self.slaves.len()
    }

    /// All slaves, in the order of their keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = (SlaveKey, &Slave)> {
        self.slaves.iter().map(|(key, slave)| (SlaveKey(key), slave))
    }

    /// All slaves, in the order of their keys.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (SlaveKey, &mut Slave)> {
        self.slaves.iter_mut().map(|(key, slave)| (SlaveKey(key), slave))
    }

    /// A slave that may be gone.
    pub(super) fn get_mut(&mut self, key: SlaveKey) -> Option<&mut Slave> {
        self.slaves.get_mut(key.0)
    }
}

impl Index<SlaveKey> for Inventory {
    type Output = Slave;
    fn index(&self, key: SlaveKey) -> &Slave {
        &self.slaves[key.0]
    }
}

impl IndexMut<SlaveKey> for Inventory {
    fn index_mut(&mut self, key: SlaveKey) -> &mut Slave {
        &mut self.slaves[key.0]
    }
}

#[cfg(test)]
mod tests {
    use proto::mesos::offer::operation;
    use proto::mesos::resource::DiskInfo;
    use proto::mesos::resource::disk_info::Persistence;

    use super::*;

    const TOTAL: &str = "cpus:2;mem:512;disk:10;ports:[31000-32000]";

    fn resources(text: &str) -> Resources {
        text.parse().expect("resources")
    }

    fn create_volume() -> Operation {
        let mut volumes = resources("disk:5").to_messages();
        let persistence = Persistence { id: "ID".to_owned(), ..Persistence::default() };
        volumes[0].disk = Some(DiskInfo { persistence: Some(persistence), ..DiskInfo::default() });
        Operation {
            r#type: operation::Type::Create.into(),
            create: Some(operation::Create { volumes }),
            ..Operation::default()
        }
    }

    /// Two slaves, both used up by one framework.
    fn used_up() -> (Inventory, FrameworkKey, [SlaveKey; 2]) {
        let (mut inventory, framework) = (Inventory::default(), FrameworkKey::nth(0));
        let slaves = ["slaveA", "slaveB"].map(|id| {
            let slave = Slave::new(id.into(), id, resources(TOTAL));
            let key = inventory.add(slave).expect("a new id");
            inventory[key].allocate(framework, &resources(TOTAL));
            key
        });
        (inventory, framework, slaves)
    }

    #[test]
    fn sorter_test_multiple_slaves() {
        let (mut inventory, framework, slaves) = used_up();
        for slave in slaves {
            assert_eq!(inventory[slave].held()[&framework], resources(TOTAL));
            assert!(inventory[slave].free().is_empty());
        }
        let again = Slave::new("slaveA".into(), "other", Resources::new());
        assert!(inventory.add(again).is_none());
        assert!(inventory.remove(&"slaveA".into()).is_some());
        assert_eq!((inventory.len(), inventory.key(&"slaveA".into())), (1, None));
    }

    #[test]
    fn sorter_test_update_allocation() {
        let (mut inventory, framework, [slave, _]) = used_up();
        let changed = resources(TOTAL).apply(&create_volume()).expect("enough disk");
        let outcome = inventory[slave].transform(framework, &[create_volume()]);
        assert_eq!(outcome, Ok((resources(TOTAL), changed.clone())));
        assert_eq!(inventory[slave].held()[&framework], changed);
        assert_eq!(inventory[slave].total(), &changed);
    }

    #[test]
    fn sorter_test_multiple_slaves_update_allocation() {
        let (mut inventory, framework, slaves) = used_up();
        let changed = resources(TOTAL).apply(&create_volume()).expect("enough disk");
        for slave in slaves {
            inventory[slave].transform(framework, &[create_volume()]).expect("enough disk");
            assert_eq!(inventory[slave].held()[&framework], changed);
        }
    }

    #[test]
    fn what_cannot_be_transformed_stays() {
        let (mut inventory, framework, [slave, _]) = used_up();
        let twice = [create_volume(), create_volume(), create_volume()];
        assert_eq!(
            inventory[slave].transform(framework, &twice),
            Err(ApplyError::InsufficientDisk)
        );
        assert_eq!(
            inventory[slave].transform_free(&[create_volume()]),
            Err(ApplyError::InsufficientDisk)
        );
        assert_eq!(inventory[slave].total(), &resources(TOTAL));
        assert_eq!(inventory[slave].allocated(), &resources(TOTAL));
    }

    #[test]
    fn more_may_be_used_than_there_is() {
        let (mut inventory, framework, [slave, _]) = used_up();
        inventory[slave].set_total(resources("cpus:1;mem:1024"));
        assert_eq!(inventory[slave].free(), &resources("mem:512"));
        let released = inventory[slave].release(framework, &resources("cpus:2;gpus:7"));
        assert_eq!(released, resources("cpus:2"));
        inventory[slave].vacate(&released);
        assert_eq!(inventory[slave].free(), &resources("cpus:1;mem:512"));
    }
}
