//! Who the replicas are: the own one, always, and those that something else knows of. Called by all
//! parts of the log. Sends nothing.
//!
//! Upstream: `Network`, `ZooKeeperNetwork`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use libprocess::{Address, Upid};
use tokio::sync::watch;

use crate::group::Group;

/// Where the other replicas are.
#[derive(Clone)]
pub enum Network {
    /// There is no other one: a log of one replica.
    Alone,
    /// These, for ever.
    Fixed(BTreeSet<Upid>),
    /// Those that have joined this group of ZooKeeper's, as the own one does.
    Group(Group),
}

/// The replicas as they are now, the own one among them. Clones see the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Members {
    now: Arc<watch::Sender<BTreeSet<Upid>>>,
    /// The hosts of all replicas that have ever been there: a peer that the group has lost, or we
    /// have, may still be answered.
    known: Arc<Mutex<BTreeSet<Address>>>,
}

impl Members {
    pub(crate) fn set(&self, members: BTreeSet<Upid>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.extend(members.iter().map(|member| member.address));
        drop(known);
        self.now.send_replace(members);
    }

    pub(crate) fn now(&self) -> BTreeSet<Upid> {
        self.now.borrow().clone()
    }

    /// Whether a replica has ever been at `address`.
    pub(crate) fn has_known(&self, address: Address) -> bool {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(&address)
    }

    /// Waits until there are at least `count`. Upstream: `Network::watch`.
    pub(crate) async fn at_least(&self, count: usize) -> BTreeSet<Upid> {
        let mut members = self.now.subscribe();
        match members.wait_for(|members| members.len() >= count).await {
            Ok(enough) => enough.clone(),
            // We hold the sender ourselves.
            Err(_) => self.now(),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use libprocess::testing::wait;

    use super::*;

    fn replica(port: u16) -> Upid {
        format!("log-replica(1)@127.0.0.1:{port}").parse().expect("a pid")
    }

    #[test]
    fn network_test_watch() {
        let members = Members::default();
        members.set(BTreeSet::from([replica(1)]));
        assert!(wait(members.at_least(1)).len() == 1);
        assert!(members.at_least(2).now_or_never().is_none());
        let enough = members.at_least(2);
        members.set(BTreeSet::from([replica(1), replica(2)]));
        assert_eq!(wait(enough).len(), 2);
    }

    #[test]
    fn who_has_left_is_known_still() {
        let members = Members::default();
        members.set(BTreeSet::from([replica(1), replica(2)]));
        members.set(BTreeSet::from([replica(1)]));
        assert!(members.has_known(replica(2).address));
        assert!(!members.has_known(replica(3).address));
    }
}
