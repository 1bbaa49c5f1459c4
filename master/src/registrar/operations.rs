//! The changes of a registry as functions. Called by the registrar's actor; pure.
//! Upstream: `Operation`, `AdmitSlave`, `ReadmitSlave`, `RemoveSlave`, and those of
//! `master/maintenance.cpp` and `master/quota.cpp`.

use std::collections::{BTreeMap, BTreeSet};

use proto::mesos::internal::registry;
use proto::mesos::machine_info::Mode;
use proto::mesos::maintenance::Schedule;
use proto::mesos::quota::QuotaInfo;
use proto::mesos::{MachineId, MachineInfo, SlaveInfo, Unavailability};

use super::document::{Document, Kept, Strictness};
use crate::state::Machine;

/// A change. A slave's info bears its id.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// A new slave is admitted.
    AdmitSlave(SlaveInfo),
    /// A slave that was admitted by an earlier master comes back.
    ReadmitSlave(SlaveInfo),
    /// A slave is gone.
    RemoveSlave(SlaveInfo),
    /// This is when machines are down for maintenance, instead of what was said before. A machine
    /// that is new to it begins to drain.
    UpdateSchedule(Schedule),
    /// These machines are down now.
    StartMaintenance(Vec<MachineId>),
    /// These machines are up again, and in no schedule any more.
    StopMaintenance(Vec<MachineId>),
    /// A role has this quota.
    UpdateQuota(QuotaInfo),
    /// A role has none.
    RemoveQuota(String),
}

/// Whether the registry takes a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// What was asked for holds now, or held already.
    Accepted,
    /// It contradicts what is there; only a strict registry says so.
    Refused,
}

impl Operation {
    /// Makes the change.
    pub fn perform(self, registry: &mut Document, strictness: Strictness) -> Admission {
        let contradiction = match strictness {
            Strictness::Lenient => Admission::Accepted,
            Strictness::Strict => Admission::Refused,
        };
        match self {
            Operation::AdmitSlave(info) => {
                if registry.contains_slave(&info) {
                    return contradiction;
                }
                registry.add_slave(info);
            }
            Operation::ReadmitSlave(info) => {
                if !registry.contains_slave(&info) {
                    if strictness == Strictness::Strict {
                        return Admission::Refused;
                    }
                    registry.add_slave(info);
                }
            }
            Operation::RemoveSlave(info) => {
                if !registry.contains_slave(&info) {
                    return contradiction;
                }
                registry.remove_slave(&info);
            }
            Operation::UpdateSchedule(schedule) => update_schedule(registry, schedule),
            Operation::StartMaintenance(ids) => start_maintenance(registry, &ids),
            Operation::StopMaintenance(ids) => stop_maintenance(registry, &ids),
            Operation::UpdateQuota(info) => update_quota(registry, info),
            Operation::RemoveQuota(role) => {
                registry.quotas.retain(|quota| quota.message.info.role() != role);
            }
        }
        Admission::Accepted
    }
}

fn update_schedule(registry: &mut Document, schedule: Schedule) {
    let windows = registry.schedules.iter().flat_map(|schedule| &schedule.message.windows);
    let known: BTreeSet<Machine> =
        windows.flat_map(|window| &window.machine_ids).map(Machine::from).collect();
    let mut scheduled = Vec::new();
    for window in &schedule.windows {
        scheduled.extend(window.machine_ids.iter().map(|id| (id, &window.unavailability)));
    }
    let times: BTreeMap<Machine, &Unavailability> =
        scheduled.iter().map(|(id, time)| (Machine::from(*id), *time)).collect();
    registry.machines.elements.retain_mut(|kept| {
        let Some(time) = times.get(&Machine::from(&kept.message.info.id)) else { return false };
        let mut info = kept.message.info.clone();
        info.unavailability = Some(**time);
        *kept = Kept::new(registry::Machine { info });
        true
    });
    for (id, time) in scheduled.iter().filter(|(id, _)| !known.contains(&Machine::from(*id))) {
        let (id, unavailability) = ((*id).clone(), Some(**time));
        let mut info = MachineInfo { id, unavailability, ..MachineInfo::default() };
        info.set_mode(Mode::Draining);
        registry.machines.push(Kept::new(registry::Machine { info }));
    }
    registry.schedules = vec![Kept::new(schedule)];
}

fn start_maintenance(registry: &mut Document, ids: &[MachineId]) {
    let ids: BTreeSet<Machine> = ids.iter().map(Machine::from).collect();
    for kept in &mut registry.machines.elements {
        if ids.contains(&Machine::from(&kept.message.info.id)) {
            let mut info = kept.message.info.clone();
            info.set_mode(Mode::Down);
            *kept = Kept::new(registry::Machine { info });
        }
    }
}

fn stop_maintenance(registry: &mut Document, ids: &[MachineId]) {
    let ids: BTreeSet<Machine> = ids.iter().map(Machine::from).collect();
    registry.machines.elements.retain(|kept| !ids.contains(&Machine::from(&kept.message.info.id)));
    for kept in &mut registry.schedules {
        let mut schedule = kept.message.clone();
        for window in &mut schedule.windows {
            window.machine_ids.retain(|id| !ids.contains(&Machine::from(id)));
        }
        schedule.windows.retain(|window| !window.machine_ids.is_empty());
        if schedule != kept.message {
            *kept = Kept::new(schedule);
        }
    }
    registry.schedules.retain(|kept| !kept.message.windows.is_empty());
}

fn update_quota(registry: &mut Document, info: QuotaInfo) {
    let role = info.role().to_owned();
    let updated = Kept::new(registry::Quota { info });
    let mut quotas = registry.quotas.iter_mut();
    match quotas.find(|quota| quota.message.info.role() == role) {
        Some(quota) => *quota = updated,
        None => registry.quotas.push(updated),
    }
}
