//! What the processes of a container consume. Called by the posix isolators. Blocking.
//! Upstream: `usage/usage.cpp`. Processes that were orphaned away are missed, as upstream does.

use libprocess::os::processes::{ProcessTable, ReadError};

/// Sums over a process and its living descendants.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Usage {
    /// Seconds spent in user mode.
    pub(crate) user_secs: f64,
    /// Seconds spent in the kernel.
    pub(crate) system_secs: f64,
    /// Bytes resident in memory.
    pub(crate) rss_bytes: u64,
}

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// The process table cannot be read.
    #[error("Failed to get usage: {0}")]
    Table(#[from] ReadError),
    /// The process has ended.
    #[error("Failed to get usage: No process found at {0}")]
    Gone(i32),
}

/// Reads the usage of the tree below `pid`, itself included.
pub(crate) fn usage(pid: i32) -> Result<Usage, UsageError> {
    let table = ProcessTable::read()?;
    let tree = table.tree(pid);
    if tree.is_empty() {
        return Err(UsageError::Gone(pid));
    }
    let add = |sum: Usage, pid: &i32| {
        let process = &table.0[pid];
        Usage {
            user_secs: sum.user_secs + process.user_secs,
            system_secs: sum.system_secs + process.system_secs,
            rss_bytes: sum.rss_bytes + process.rss_bytes,
        }
    };
    Ok(tree.iter().fold(Usage::default(), add))
}
