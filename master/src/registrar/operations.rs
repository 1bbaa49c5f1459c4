//! The changes of a registry as functions. Called by registrars; pure.
//! Upstream: `Operation`, `AdmitSlave`, `ReadmitSlave`, `RemoveSlave`.

use std::collections::BTreeMap;

use common::ids::SlaveId;
use proto::mesos::internal::{Registry, registry};
use proto::mesos::{MasterInfo, SlaveInfo};

/// A change. The slave's info bears its id.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// A new slave is admitted.
    AdmitSlave(SlaveInfo),
    /// A slave that was admitted by an earlier master comes back.
    ReadmitSlave(SlaveInfo),
    /// A slave is gone.
    RemoveSlave(SlaveInfo),
}

/// Whether the registry takes a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// What was asked for holds now, or held already.
    Accepted,
    /// It contradicts what is there; only a strict registry says so.
    Refused,
}

/// Whether contradictions are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// They are not; this is the default.
    Lenient,
    /// They are. `--registry_strict`.
    Strict,
}

/// A registry that finds its slaves.
#[derive(Clone, Debug)]
pub struct RegistryState {
    registry: Registry,
    /// Where each slave is in the registry's list.
    positions: BTreeMap<SlaveId, usize>,
    strictness: Strictness,
}

impl RegistryState {
    /// A registry that was read.
    pub fn new(registry: Registry, strictness: Strictness) -> RegistryState {
        let slaves = registry.slaves.iter().flat_map(|slaves| &slaves.slaves).enumerate();
        let positions = slaves.filter_map(|(at, slave)| Some((slave_id(&slave.info)?, at)));
        RegistryState { positions: positions.collect(), registry, strictness }
    }

    /// The registry as it stands.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Writes down who leads.
    pub fn set_master(&mut self, info: MasterInfo) {
        self.registry.master = Some(registry::Master { info });
    }

    /// Makes a change.
    pub fn apply(&mut self, operation: Operation) -> Admission {
        match operation {
            Operation::AdmitSlave(info) if self.contains(&info) => self.contradiction(),
            Operation::AdmitSlave(info) => self.add(info),
            Operation::ReadmitSlave(info) if self.contains(&info) => Admission::Accepted,
            Operation::ReadmitSlave(_) if self.strictness == Strictness::Strict => {
                Admission::Refused
            }
            Operation::ReadmitSlave(info) => self.add(info),
            Operation::RemoveSlave(info) if self.contains(&info) => self.remove(&info),
            Operation::RemoveSlave(_) => self.contradiction(),
        }
    }

    fn contains(&self, info: &SlaveInfo) -> bool {
        slave_id(info).is_some_and(|id| self.positions.contains_key(&id))
    }

    fn contradiction(&self) -> Admission {
        match self.strictness {
            Strictness::Lenient => Admission::Accepted,
            Strictness::Strict => Admission::Refused,
        }
    }

    fn add(&mut self, info: SlaveInfo) -> Admission {
        let slaves = &mut self.registry.slaves.get_or_insert_default().slaves;
        self.positions.extend(slave_id(&info).map(|id| (id, slaves.len())));
        slaves.push(registry::Slave { info });
        Admission::Accepted
    }

    fn remove(&mut self, info: &SlaveInfo) -> Admission {
        let slaves = &mut self.registry.slaves.get_or_insert_default().slaves;
        if let Some(at) = slave_id(info).and_then(|id| self.positions.remove(&id)) {
            // The last takes its place: the order means nothing, and a long list stays cheap.
            slaves.swap_remove(at);
            let moved = slaves.get(at).and_then(|slave| slave_id(&slave.info));
            self.positions.extend(moved.map(|id| (id, at)));
        }
        Admission::Accepted
    }
}

fn slave_id(info: &SlaveInfo) -> Option<SlaveId> {
    info.id.as_ref().map(SlaveId::from)
}

#[cfg(test)]
mod tests {
    use proto::mesos::internal::Registry;
    use proto::mesos::{SlaveId, SlaveInfo};

    use super::{Admission, Operation, RegistryState, Strictness};

    fn slave(id: &str) -> SlaveInfo {
        SlaveInfo { id: Some(SlaveId { value: id.to_owned() }), ..SlaveInfo::default() }
    }

    fn ids(state: &RegistryState) -> Vec<&str> {
        let slaves = state.registry().slaves.iter().flat_map(|slaves| &slaves.slaves);
        slaves.filter_map(|slave| slave.info.id.as_ref()).map(|id| id.value.as_str()).collect()
    }

    #[test]
    fn who_is_removed_is_found_wherever_others_went() {
        let mut state = RegistryState::new(Registry::default(), Strictness::Strict);
        for id in ["1", "2", "3", "4"] {
            state.apply(Operation::AdmitSlave(slave(id)));
        }
        for (id, left) in [("1", "423"), ("4", "32"), ("2", "3"), ("3", "")] {
            assert_eq!(state.apply(Operation::RemoveSlave(slave(id))), Admission::Accepted);
            assert_eq!(ids(&state).concat(), left);
        }
    }

    #[test]
    fn registrar_test_admit_readmit_remove() {
        let check = |strictness, expected: [Admission; 6]| {
            let mut state = RegistryState::new(Registry::default(), strictness);
            let outcomes = [
                state.apply(Operation::AdmitSlave(slave("1"))),
                state.apply(Operation::AdmitSlave(slave("1"))),
                state.apply(Operation::ReadmitSlave(slave("1"))),
                state.apply(Operation::ReadmitSlave(slave("2"))),
                state.apply(Operation::RemoveSlave(slave("1"))),
                state.apply(Operation::RemoveSlave(slave("1"))),
            ];
            assert_eq!(outcomes, expected);
            state
        };
        use Admission::{Accepted, Refused};
        let lenient = check(Strictness::Lenient, [Accepted; 6]);
        assert_eq!(ids(&lenient), ["2"]);
        let strict =
            check(Strictness::Strict, [Accepted, Refused, Accepted, Refused, Accepted, Refused]);
        assert_eq!(ids(&strict), [""; 0]);
    }
}
