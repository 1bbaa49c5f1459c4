//! The table of running processes, read from procfs in one go. Called by the launcher (whom to
//! kill) and by `usage` (what they consumed). Blocking; callers run it beside the event loop.
//! Upstream: `os::processes`, `os::pstree`, `os::children`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use procfs::process::all_processes;
use procfs::{ProcError, ProcResult};

/// What the kernel tells about one process.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Process {
    pub(crate) parent: i32,
    pub(crate) group: i32,
    pub(crate) session: i32,
    /// When it started, in ticks since the host did; tells it from others of the same number.
    pub(crate) started: u64,
    /// It has ended and waits to be reaped: nothing can be done to it any more.
    pub(crate) zombie: bool,
    pub(crate) user_secs: f64,
    pub(crate) system_secs: f64,
    pub(crate) rss_bytes: u64,
}

/// All processes at about one moment, by their number.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ProcessTable(pub(crate) BTreeMap<i32, Process>);

impl ProcessTable {
    /// Reads `/proc`. Processes that end meanwhile are left out.
    pub(crate) fn read() -> ProcResult<ProcessTable> {
        let ticks = procfs::ticks_per_second() as f64;
        let page_bytes = procfs::page_size();
        let mut table = BTreeMap::new();
        for process in all_processes()? {
            let stat = match process.and_then(|process| process.stat()) {
                Ok(stat) => stat,
                Err(ProcError::PermissionDenied(_)) => continue,
                // It ended before, between, or after open and read.
                Err(ProcError::NotFound(_) | ProcError::Io(..) | ProcError::Incomplete(_)) => {
                    continue;
                }
                Err(error) => return Err(error),
            };
            let process = Process {
                parent: stat.ppid,
                group: stat.pgrp,
                session: stat.session,
                started: stat.starttime,
                zombie: matches!(stat.state, 'Z' | 'X'),
                user_secs: stat.utime as f64 / ticks,
                system_secs: stat.stime as f64 / ticks,
                rss_bytes: stat.rss * page_bytes,
            };
            table.insert(stat.pid, process);
        }
        Ok(ProcessTable(table))
    }

    /// `root` and its living descendants; empty if there is no such process.
    pub(crate) fn tree(&self, root: i32) -> BTreeSet<i32> {
        let mut found = BTreeSet::new();
        let mut queue: Vec<i32> = self.0.contains_key(&root).then_some(root).into_iter().collect();
        while let Some(pid) = queue.pop() {
            if found.insert(pid) {
                queue.extend(self.children(pid));
            }
        }
        found
    }

    /// The direct children of `parent`.
    pub(crate) fn children(&self, parent: i32) -> impl Iterator<Item = i32> {
        self.matching(move |process| process.parent == parent)
    }

    /// The processes that were started with `name=value` in their environment and may be asked.
    pub(crate) fn carrying(&self, name: &str, value: &str) -> impl Iterator<Item = i32> {
        let variable = format!("{name}={value}");
        let carries = move |pid: &i32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|found| found == variable.as_bytes())
        };
        self.0.keys().copied().filter(carries)
    }

    /// All processes of which `wanted` is true.
    pub(crate) fn matching(&self, wanted: impl Fn(&Process) -> bool) -> impl Iterator<Item = i32> {
        self.0.iter().filter(move |(_, process)| wanted(process)).map(|(pid, _)| *pid)
    }
}

/// When a process started, in ticks since the host did.
pub(crate) fn started(pid: i32) -> ProcResult<u64> {
    procfs::process::Process::new(pid)?.stat().map(|stat| stat.starttime)
}
