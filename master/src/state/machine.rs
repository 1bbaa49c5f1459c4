//! Machines that operators maintain, as the registry has them. Read when slaves come and offers
//! go; changed by `recovery` alone. Upstream: `Machine`, `Master::Maintenance`, and `MachineID`'s
//! `==` and `<<`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use libprocess::Upid;
use proto::mesos::internal::registry;
use proto::mesos::machine_info::Mode;
use proto::mesos::maintenance::Schedule;
use proto::mesos::{MachineId, MachineInfo, Unavailability};

/// What makes two machines the same: names of hosts are compared without case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Machine {
    hostname: Option<String>,
    ip: Option<String>,
}

impl Machine {
    /// Where a slave runs that names its host and speaks from `pid`.
    pub fn of_slave(hostname: &str, pid: &Upid) -> Machine {
        let (hostname, ip) = (hostname.to_ascii_lowercase(), pid.address.ip.to_string());
        Machine { hostname: Some(hostname), ip: Some(ip) }
    }
}

impl From<&MachineId> for Machine {
    fn from(id: &MachineId) -> Machine {
        let hostname = id.hostname.as_ref().map(|name| name.to_ascii_lowercase());
        Machine { hostname, ip: id.ip.clone() }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.hostname, &self.ip) {
            (Some(hostname), Some(ip)) => write!(f, "{hostname} ({ip})"),
            (Some(hostname), None) => f.write_str(hostname),
            (None, ip) => write!(f, "({})", ip.as_deref().unwrap_or_default()),
        }
    }
}

/// Machines in maintenance, or soon; all others are up.
#[derive(Clone, Debug, Default)]
pub struct Machines {
    infos: Arc<BTreeMap<Machine, MachineInfo>>,
    /// When machines are down, as operators said it.
    pub schedules: Arc<Vec<Schedule>>,
}

impl Machines {
    /// What an earlier master left.
    pub fn recovered(machines: Vec<registry::Machine>, schedules: Vec<Schedule>) -> Machines {
        let infos = machines.into_iter().map(|machine| ((&machine.info.id).into(), machine.info));
        Machines { infos: Arc::new(infos.collect()), schedules: Arc::new(schedules) }
    }

    /// Whether no slave may run there.
    pub fn is_down(&self, machine: &Machine) -> bool {
        self.infos.get(machine).is_some_and(|info| info.mode() == Mode::Down)
    }

    /// When it will not be there.
    pub fn unavailability(&self, machine: &Machine) -> Option<Unavailability> {
        self.infos.get(machine)?.unavailability
    }
}
