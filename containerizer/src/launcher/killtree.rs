//! Ends everything that a container started. Called by launchers and the fetcher; never reaps.
//! Upstream: `os::killtree` with groups and sessions, and its guard against killing up the tree.
//!
//! Beyond upstream, a process that was orphaned into a session of its own is still found by the
//! variable of the container in its environment, and the work is repeated until nothing is left.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use libprocess::os::processes::{ProcessTable, ReadError};
use tracing::warn;

use crate::linux::pidfd::ProcessHandle;

/// Why a container's processes could not be ended.
#[derive(Debug, thiserror::Error)]
pub enum KillError {
    /// The process table cannot be read.
    #[error("Failed to read the process table: {0}")]
    Table(#[from] ReadError),
    /// A process cannot be watched until its end.
    #[error("Failed to watch process {pid}: {source}")]
    Watch {
        /// The process.
        pid: i32,
        /// What the kernel said.
        source: io::Error,
    },
}

/// The process that a family descends from, told from later ones of the same number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leader {
    /// Its number; that of its session and group, too, unless it was ended too early.
    pub(crate) pid: i32,
    /// When it started, as the process table says.
    pub(crate) started: u64,
}

/// How to recognise the processes that belong together.
#[derive(Debug)]
pub(crate) struct Family {
    /// Where they come from; it need not be there any more.
    pub(crate) leader: Leader,
    /// A variable and value that only they were started with.
    pub(crate) marker: Option<(String, String)>,
}

/// Kills the whole family and returns when none of it runs any more. Blocking.
pub(crate) fn killtree(family: &Family) -> Result<(), KillError> {
    let mut immune = BTreeSet::new();
    loop {
        let frozen = freeze(family, &mut immune)?;
        if frozen.is_empty() {
            return Ok(());
        }
        for (pid, process) in &frozen {
            if let Err(error) = process.kill() {
                warn!("Failed to kill process {pid}: {error}");
                immune.insert(*pid);
            }
        }
        for (pid, process) in frozen {
            if !immune.contains(&pid) {
                process.wait().map_err(|source| KillError::Watch { pid, source })?;
            }
        }
    }
}

/// Stops members until a look at the table shows no new one: what is stopped does not fork.
/// Those that we may not stop are left out, and remembered as immune.
fn freeze(
    family: &Family,
    immune: &mut BTreeSet<i32>,
) -> Result<BTreeMap<i32, ProcessHandle>, KillError> {
    let own_pid = i32::try_from(std::process::id()).expect("process numbers are small");
    let mut frozen = BTreeMap::new();
    let mut table = ProcessTable::read()?;
    let mut seeds = BTreeSet::new();
    if let Some((name, value)) = &family.marker {
        seeds.extend(table.carrying(name, value));
    }
    loop {
        let mut found = members(&table, family, seeds, own_pid);
        found.retain(|pid| !frozen.contains_key(pid) && !immune.contains(pid));
        if found.is_empty() {
            return Ok(frozen);
        }
        for pid in found {
            let watch_failed = |source| KillError::Watch { pid, source };
            let Some(process) = ProcessHandle::open(pid).map_err(watch_failed)? else { continue };
            match process.stop() {
                Ok(()) => drop(frozen.insert(pid, process)),
                Err(error) => {
                    warn!("Failed to stop process {pid}: {error}");
                    immune.insert(pid);
                }
            }
        }
        table = ProcessTable::read()?;
        seeds = frozen.keys().copied().collect();
    }
}

/// Who belongs to the family: the seeds, the leader, and all that descend from them or share a
/// group or session with them, except what shares one with us or with the leader's parent.
fn members(
    table: &ProcessTable,
    family: &Family,
    seeds: BTreeSet<i32>,
    own_pid: i32,
) -> BTreeSet<i32> {
    let Leader { pid: number, started } = family.leader;
    let bearer = table.0.get(&number);
    let leader = bearer.filter(|process| process.started == started);
    let outside: Vec<_> = [Some(own_pid), leader.map(|leader| leader.parent)]
        .into_iter()
        .flatten()
        .filter_map(|pid| table.0.get(&pid))
        .collect();
    let mut queue: Vec<i32> = seeds.into_iter().collect();
    if leader.is_some() {
        queue.push(number);
    } else if bearer.is_none() {
        // The kernel reuses a number only when no group or session bears it any more; so if the
        // number is free, those that bear it are still the leader's.
        queue
            .extend(table.matching(|process| process.group == number || process.session == number));
    }
    let mut visited = BTreeSet::new();
    while let Some(pid) = queue.pop() {
        let Some(process) = table.0.get(&pid) else { continue };
        if pid == own_pid || !visited.insert(pid) {
            continue;
        }
        queue.extend(table.children(pid));
        // Zero stands for a group or session that this process namespace cannot name.
        if process.group != 0 && outside.iter().all(|other| other.group != process.group) {
            queue.extend(table.matching(|other| other.group == process.group));
        }
        if process.session != 0 && outside.iter().all(|other| other.session != process.session) {
            queue.extend(table.matching(|other| other.session == process.session));
        }
    }
    visited.retain(|pid| !table.0[pid].zombie);
    visited
}

#[cfg(test)]
mod tests {
    use libprocess::os::processes::{Process, ProcessTable};

    use super::{Family, Leader, members};

    /// Rows of pid, parent, group, session; we are process 10 in group and session 10.
    fn table(rows: &[(i32, i32, i32, i32)]) -> ProcessTable {
        let process = |&(pid, parent, group, session): &(i32, i32, i32, i32)| {
            let process = Process { parent, group, session, started: 1, ..Process::default() };
            (pid, process)
        };
        ProcessTable(rows.iter().map(process).collect())
    }

    fn check(rows: &[(i32, i32, i32, i32)], started: u64, seeds: &[i32], expected: &[i32]) {
        let family = Family { leader: Leader { pid: 20, started }, marker: None };
        let found = members(&table(rows), &family, seeds.iter().copied().collect(), 10);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), expected, "{rows:?}");
    }

    const INIT: (i32, i32, i32, i32) = (1, 0, 1, 1);
    const SLAVE: (i32, i32, i32, i32) = (10, 1, 10, 10);
    const LEADER: (i32, i32, i32, i32) = (20, 10, 20, 20);

    #[test]
    fn children_groups_and_sessions_are_followed() {
        let child = (21, 20, 20, 20);
        let grandchild_elsewhere = (22, 21, 22, 22);
        let orphan_of_group = (23, 1, 20, 20);
        let orphan_of_grandchild_session = (24, 1, 24, 22);
        let stranger = (30, 1, 30, 30);
        let rows = [
            INIT,
            SLAVE,
            LEADER,
            child,
            grandchild_elsewhere,
            orphan_of_group,
            orphan_of_grandchild_session,
            stranger,
        ];
        check(&rows, 1, &[], &[20, 21, 22, 23, 24]);
    }

    #[test]
    fn a_leader_that_still_shares_our_session_does_not_take_us_along() {
        check(&[INIT, SLAVE, (20, 10, 10, 10), (21, 20, 10, 10)], 1, &[], &[20, 21]);
    }

    #[test]
    fn the_session_of_a_reaped_leader_is_found() {
        check(&[INIT, SLAVE, (21, 1, 20, 20), (22, 1, 22, 20)], 1, &[], &[21, 22]);
    }

    #[test]
    fn a_reused_number_is_left_alone() {
        check(&[INIT, SLAVE, LEADER, (21, 20, 20, 20)], 2, &[], &[]);
    }

    #[test]
    fn marked_orphans_are_found_with_what_they_started() {
        check(&[INIT, SLAVE, (40, 1, 40, 40), (41, 40, 41, 41)], 1, &[40], &[40, 41]);
    }

    #[test]
    fn we_are_never_a_member() {
        check(&[INIT, SLAVE], 1, &[10], &[]);
    }
}
