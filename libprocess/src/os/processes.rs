//! The table of running processes, read from procfs in one go. Called by those who end a process
//! with all that it started, and by those who count what it consumes. Blocking; signals nobody.
//! Upstream: `os::processes`, `os::pstree`, `os::children`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use procfs::ProcError;
use procfs::process::all_processes;

/// The process table cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ReadError(#[from] ProcError);

/// What the kernel tells about one process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Process {
    /// Who started it, or has adopted it.
    pub parent: i32,
    /// Its process group; zero if this process namespace cannot name it.
    pub group: i32,
    /// Its session; zero if this process namespace cannot name it.
    pub session: i32,
    /// The name of its program, or of its main thread; at most 15 bytes.
    pub name: String,
    /// When it started, in ticks since the host did; tells it from others of the same number.
    pub started: u64,
    /// It has ended and waits to be reaped: nothing can be done to it any more.
    pub zombie: bool,
    /// Seconds spent in user mode.
    pub user_secs: f64,
    /// Seconds spent in the kernel.
    pub system_secs: f64,
    /// Bytes resident in memory.
    pub rss_bytes: u64,
}

/// All processes at about one moment, by their number.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProcessTable(pub BTreeMap<i32, Process>);

impl ProcessTable {
    /// Reads `/proc`. Processes that end meanwhile are left out.
    ///
    /// # Errors
    /// There is no procfs, or what it says makes no sense.
    pub fn read() -> Result<ProcessTable, ReadError> {
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
                Err(error) => return Err(error.into()),
            };
            let process = Process {
                parent: stat.ppid,
                group: stat.pgrp,
                session: stat.session,
                name: stat.comm,
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
    pub fn tree(&self, root: i32) -> BTreeSet<i32> {
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
    pub fn children(&self, parent: i32) -> impl Iterator<Item = i32> {
        self.matching(move |process| process.parent == parent)
    }

    /// The processes that were started with `name=value` in their environment and may be asked.
    pub fn carrying<'a>(&'a self, name: &'a str, value: &'a str) -> impl Iterator<Item = i32> + 'a {
        self.0.keys().copied().filter(move |pid| carries(*pid, name, value))
    }

    /// All processes of which `wanted` is true.
    pub fn matching(&self, wanted: impl Fn(&Process) -> bool) -> impl Iterator<Item = i32> {
        self.0.iter().filter(move |(_, process)| wanted(process)).map(|(pid, _)| *pid)
    }
}

/// Whether a process was started with `name=value` in its environment and may be asked.
pub fn carries(pid: i32, name: &str, value: &str) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let variable = format!("{name}={value}");
    environment.split(|byte| *byte == 0).any(|found| found == variable.as_bytes())
}

/// When a process started, in ticks since the host did.
///
/// # Errors
/// It has ended, or may not be looked at.
pub fn started(pid: i32) -> Result<u64, ReadError> {
    Ok(procfs::process::Process::new(pid)?.stat()?.starttime)
}

/// The words that a process was started with; none if it has ended or may not be looked at.
pub fn command_line(pid: i32) -> Vec<String> {
    let process = procfs::process::Process::new(pid);
    process.and_then(|process| process.cmdline()).unwrap_or_default()
}
