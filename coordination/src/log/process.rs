//! The actor `log(1)`: keeps the replicas in sight and recovers the own one, once. Called by `Log`
//! alone. Reads and writes no log.
//!
//! Upstream: `LogProcess`, `RecoverProcess`, `ZooKeeperNetwork`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select, try_join_all};
use libprocess::process::Gone;
use libprocess::{Ctx, Process, Upid};
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::group::{GroupError, Members as Memberships, Membership};
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

/// All members of the group must say who they are within this time.
const DATA_TIMEOUT: Duration = Duration::from_secs(5);

/// Why it is not known who the members are.
#[derive(Debug, thiserror::Error)]
enum NoData {
    #[error(transparent)]
    Group(GroupError),
    #[error("Timed out")]
    TimedOut,
}

/// How the recovery ended, once it has.
pub(crate) type Recovered = Option<Result<(), RecoverError>>;

/// The actor.
pub(crate) struct LogProcess {
    pub(crate) peers: Peers,
    pub(crate) network: Network,
    pub(crate) auto_initialize: AutoInitialize,
    pub(crate) recovered: Arc<watch::Sender<Recovered>>,
    /// Why the own replica is in no group any more.
    pub(crate) expelled: Arc<watch::Sender<Option<GroupError>>>,
}

impl LogProcess {
    fn join(&self, ctx: &Ctx<Self>) {
        let Network::Group(group) = &self.network else { return };
        let own = self.peers.replica.pid().upid().to_string();
        ctx.then(group.join(own, None), Self::on_joined);
    }

    fn on_joined(&mut self, ctx: &mut Ctx<Self>, joined: Result<Membership, GroupError>) {
        match joined {
            Ok(membership) => ctx.then(membership.cancelled(), |log, ctx, _| {
                info!("Renewing replica group membership");
                log.join(ctx);
            }),
            Err(error) => self.expel(error),
        }
    }

    /// Waits for members other than `expected`.
    fn watch(&self, ctx: &Ctx<Self>, expected: Memberships) {
        let Network::Group(group) = &self.network else { return };
        ctx.then(group.watch(expected), Self::on_memberships);
    }

    fn on_memberships(
        &mut self,
        ctx: &mut Ctx<Self>,
        memberships: Result<Memberships, GroupError>,
    ) {
        let Network::Group(group) = &self.network else { return };
        let memberships = match memberships {
            Ok(memberships) => memberships,
            Err(error) => return self.expel(error),
        };
        info!("ZooKeeper group memberships changed");
        let pids = try_join_all(memberships.values().map(|membership| group.data(membership)));
        let timeout = ctx.runtime().clock().sleep(DATA_TIMEOUT);
        let read = async move {
            match select(pids, std::pin::pin!(timeout)).await {
                Either::Left((Ok(pids), _)) => Ok(pids),
                Either::Left((Err(error), _)) => Err(NoData::Group(error)),
                Either::Right(_) => Err(NoData::TimedOut),
            }
        };
        ctx.then(read, |log, ctx, read| log.on_pids(ctx, memberships, read));
    }

    fn on_pids(
        &mut self,
        ctx: &mut Ctx<Self>,
        memberships: Memberships,
        read: Result<Vec<Option<Vec<u8>>>, NoData>,
    ) {
        let pids = match read {
            // Who has left meanwhile says nothing any more.
            Ok(pids) => pids.into_iter().flatten().filter_map(|pid| parse(&pid)).collect(),
            Err(why) => {
                warn!("Failed to get data for ZooKeeper group members: {why}");
                return self.watch(ctx, Memberships::new());
            }
        };
        let texts: Vec<String> = BTreeSet::iter(&pids).map(Upid::to_string).collect();
        info!("ZooKeeper group PIDs: {{ {} }}", texts.join(", "));
        self.set_members(ctx, pids);
        self.watch(ctx, memberships);
    }

    fn expel(&self, error: GroupError) {
        error!("Failed to participate in ZooKeeper group: {error}");
        self.expelled.send_replace(Some(error));
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

fn parse(pid: &[u8]) -> Option<Upid> {
    let text = String::from_utf8_lossy(pid);
    let parsed = Upid::parse_literal(&text);
    if let Err(why) = &parsed {
        warn!("Ignoring member '{text}' of the ZooKeeper group: {why}");
    }
    parsed.ok()
}

impl Process for LogProcess {
    fn initialize(&mut self, ctx: &mut Ctx<Self>) {
        match &self.network {
            Network::Alone => self.set_members(ctx, BTreeSet::new()),
            Network::Fixed(members) => self.set_members(ctx, members.clone()),
            Network::Group(_) => {
                self.set_members(ctx, BTreeSet::new());
                info!("Attempting to join replica to ZooKeeper group");
                self.join(ctx);
                self.watch(ctx, Memberships::new());
            }
        }
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
