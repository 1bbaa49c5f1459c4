//! What this machine has and how busy it is.
//! Called by `/system/stats.json`, its gauges, and by a slave that looks for resources to offer.
//! Never guesses: what cannot be told is an error.
//!
//! Upstream: `os::loadavg`, `os::cpus`, `os::memory`.

use std::io;

use nix::unistd::SysconfVar;

/// Runnable processes on average over the last minutes. Upstream: `os::Load`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Over one minute.
    pub one: f64,
    /// Over five minutes.
    pub five: f64,
    /// Over fifteen minutes.
    pub fifteen: f64,
}

/// Main memory in bytes. Upstream: `os::Memory`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// All of it.
    pub total: u64,
    /// What nothing uses, not even a cache.
    pub free: u64,
}

/// The load averages.
///
/// # Errors
/// When `/proc/loadavg` cannot be read.
pub fn load() -> io::Result<Load> {
    parse_load(&std::fs::read_to_string("/proc/loadavg")?)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "/proc/loadavg has no numbers"))
}

fn parse_load(text: &str) -> Option<Load> {
    let mut numbers = text.split_ascii_whitespace().map(|word| word.parse().ok());
    let mut next = || numbers.next().flatten();
    Some(Load { one: next()?, five: next()?, fifteen: next()? })
}

/// How many processors are online.
///
/// # Errors
/// What the system says.
pub fn cpus() -> io::Result<u64> {
    let online = nix::unistd::sysconf(SysconfVar::_NPROCESSORS_ONLN)?;
    online
        .and_then(|online| u64::try_from(online).ok())
        .ok_or_else(|| io::ErrorKind::Unsupported.into())
}

/// The main memory.
///
/// # Errors
/// What the system says.
pub fn memory() -> io::Result<Memory> {
    let info = nix::sys::sysinfo::sysinfo()?;
    Ok(Memory { total: info.ram_total(), free: info.ram_unused() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_processors_and_memory() {
        assert!(cpus().unwrap() > 0);
        let memory = memory().unwrap();
        assert!(memory.total > memory.free);
        assert!(load().unwrap().one >= 0.0);
    }

    #[test]
    fn load_is_the_first_three_numbers() {
        let load = parse_load("0.50 1.25 2.00 3/456 7890\n");
        assert_eq!(load, Some(Load { one: 0.5, five: 1.25, fifteen: 2.0 }));
        assert_eq!(parse_load("0.50 x"), None);
    }
}
