//! Which path is to be removed when. Used by the actor. Pure: time is handed in.
//! Upstream: `GarbageCollectorProcess::paths`, `timeouts`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use libprocess::clock::Time;

/// Paths by the time of their removal; a path is there once.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    by_time: BTreeSet<(Time, PathBuf)>,
    times: BTreeMap<PathBuf, Time>,
}

impl Schedule {
    /// Says when a path is to be removed; what was said before no longer counts.
    pub(crate) fn add(&mut self, path: PathBuf, removal: Time) {
        self.remove(&path);
        self.by_time.insert((removal, path.clone()));
        self.times.insert(path, removal);
    }

    /// Keeps a path; false if it was not to be removed.
    pub(crate) fn remove(&mut self, path: &Path) -> bool {
        let Some((path, removal)) = self.times.remove_entry(path) else { return false };
        self.by_time.remove(&(removal, path));
        true
    }

    /// When the next path is to be removed.
    pub(crate) fn next(&self) -> Option<Time> {
        self.by_time.first().map(|(removal, _)| *removal)
    }

    /// Takes out what is to be removed up to `within` from `now`, the earliest first.
    pub(crate) fn take_due(&mut self, now: Time, within: Duration) -> Vec<PathBuf> {
        let mut due = Vec::new();
        while self.next().is_some_and(|removal| removal <= now + within) {
            let Some((_, path)) = self.by_time.pop_first() else { break };
            self.times.remove(&path);
            due.push(path);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(secs: u64) -> Time {
        Time::from_epoch(Duration::from_secs(secs))
    }

    #[test]
    fn paths_come_due_in_the_order_of_their_times() {
        let mut schedule = Schedule::default();
        for (path, secs) in [("/late", 30), ("/a", 10), ("/b", 10), ("/moved", 5)] {
            schedule.add(path.into(), at(secs));
        }
        schedule.add("/moved".into(), at(40));
        assert_eq!(schedule.next(), Some(at(10)));
        assert_eq!(schedule.take_due(at(9), Duration::ZERO), Vec::<PathBuf>::new());
        assert_eq!(schedule.take_due(at(10), Duration::ZERO), ["/a", "/b"].map(PathBuf::from));
        assert!(schedule.remove(Path::new("/moved")));
        assert!(!schedule.remove(Path::new("/a")));
        assert_eq!(schedule.take_due(at(10), Duration::from_secs(20)), [PathBuf::from("/late")]);
        assert_eq!(schedule.next(), None);
    }
}
