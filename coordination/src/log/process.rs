//! The actor `log(1)`: keeps the replicas in sight and recovers the own one, once. Called by `Log`
//! alone. Reads and writes no log.
//!
//! Upstream: `LogProcess`, `RecoverProcess`, `ZooKeeperNetwork`.

use std::collections::BTreeSet;
use std::sync::Arc;

use libprocess::process::Gone;
use libprocess::{Ctx, Process, Upid};
use tokio::sync::watch;
use tracing::{info, warn};

use crate::log::drive::{Peers, drive};
use crate::log::network::Network;
use crate::log::recovery::{AutoInitialize, Recovery, StatusNotWritten};

/// The own replica did not come to vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecoverError {
    /// Its status could not be written.
    #[error(transparent)]
    Status(#[from] StatusNotWritten),
    /// The log was closed before.
    #[error("Log is being deleted")]
    Closed,
}

impl From<Gone> for RecoverError {
    fn from(_: Gone) -> Self {
        RecoverError::Closed
    }
}

/// How the recovery ended, once it has.
pub(crate) type Recovered = Option<Result<(), RecoverError>>;

/// The actor.
pub(crate) struct LogProcess {
    pub(crate) peers: Peers,
    pub(crate) network: Network,
    pub(crate) auto_initialize: AutoInitialize,
    pub(crate) recovered: Arc<watch::Sender<Recovered>>,
}

impl LogProcess {
    fn watch(&self, ctx: &Ctx<Self>) {
        let Network::Watched(members) = &self.network else { return };
        let mut members = members.clone();
        let changed = async move {
            let changed = members.changed().await;
            changed.ok().map(|()| members.borrow_and_update().clone())
        };
        ctx.then(changed, Self::on_members);
    }

    fn on_members(&mut self, ctx: &mut Ctx<Self>, members: Option<BTreeSet<Upid>>) {
        // Whoever knew them is gone: so they stay as they are.
        let Some(members) = members else { return };
        let pids: Vec<String> = members.iter().map(Upid::to_string).collect();
        info!("ZooKeeper group PIDs: {{ {} }}", pids.join(", "));
        self.set_members(ctx, members);
        self.watch(ctx);
    }

    fn set_members(&self, ctx: &mut Ctx<Self>, mut members: BTreeSet<Upid>) {
        let own = self.peers.replica.pid();
        members.insert(own.upid().clone());
        let (count, quorum) = (members.len(), self.peers.quorum);
        if count > 2 * quorum - 1 {
            warn!(
                "There are {count} replicas, but a quorum of {quorum} is meant for {} at most: two \
                 quorums without a common replica may disagree",
                2 * quorum - 1
            );
        }
        let before = self.peers.members.now();
        for member in members.difference(&before) {
            // Whatever connection there was may be one to a process that is gone.
            ctx.link_reconnect(member);
        }
        self.peers.members.set(members);
        own.tell(|replica, ctx| replica.members_changed(ctx));
    }

    fn recover(&self, ctx: &Ctx<Self>) {
        info!("Starting replica recovery");
        let (peers, auto_initialize) = (self.peers.clone(), self.auto_initialize);
        let recovery = async move {
            let status = peers.replica.status().await?;
            let mut recovery = Recovery::new(peers.quorum, status, auto_initialize);
            drive(&peers, &mut recovery).await?.map_err(RecoverError::from)
        };
        ctx.then(recovery, |log, _, recovered| {
            info!("Recover process terminated");
            log.recovered.send_replace(Some(recovered));
        });
    }
}

impl Process for LogProcess {
    fn initialize(&mut self, ctx: &mut Ctx<Self>) {
        self.set_members(ctx, self.network.now());
        self.watch(ctx);
        self.recover(ctx);
    }

    fn finalize(&mut self, _: &mut Ctx<Self>) {
        self.recovered.send_if_modified(|recovered| {
            let was_open = recovered.is_none();
            recovered.get_or_insert(Err(RecoverError::Closed));
            was_open
        });
    }
}
