//! Standing for leadership in ZooKeeper: a node in the group of masters, for as long as the
//! session lasts.
//! Called by masters that are told of a ZooKeeper. Never tells who leads.
//!
//! Upstream: `ZooKeeperMasterContender`, `zookeeper::LeaderContender`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, select_all};
use proto::mesos::MasterInfo;
use tracing::{info, warn};

use crate::election::node::{self, Told};
use crate::election::{Candidacy, ContendError, MasterContender};
use crate::group::{Group, GroupError, Members, Membership};

/// Joins a group. Upstream: `ZooKeeperMasterContender`.
pub struct ZooKeeperMasterContender {
    group: Group,
    is_legacy: bool,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    master: Option<MasterInfo>,
    /// The nodes of the last candidacy.
    memberships: Vec<Membership>,
}

impl ZooKeeperMasterContender {
    /// A contender for the first place in `group`; with `is_legacy` in a way that detectors before
    /// 0.23 understand, too.
    pub fn new(group: Group, is_legacy: bool) -> Self {
        Self { group, is_legacy, state: Arc::default() }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MasterContender for ZooKeeperMasterContender {
    fn initialize(&self, master: MasterInfo) {
        lock(&self.state).master = Some(master);
    }

    fn contend(&self) -> BoxFuture<'static, Result<Candidacy, ContendError>> {
        let (group, is_legacy, state) = (self.group.clone(), self.is_legacy, self.state.clone());
        async move {
            let previous = std::mem::take(&mut lock(&state).memberships);
            let master = lock(&state).master.clone();
            let master = master.ok_or_else(|| refusal("Initialize the contender first"))?;
            withdraw(&group, &previous).await;
            info!("Joining the ZK group");
            let joined = group.join_as(node::write(&master, is_legacy)).await;
            let memberships = joined.map_err(refusal)?;
            for membership in &memberships {
                info!(
                    "New candidate (id='{}') has entered the contest for leadership",
                    membership.id()
                );
            }
            if let Err(error) = evict_former_self(&group, &master, &memberships).await {
                warn!("Failed to look for what an earlier master here left behind: {error}");
            }
            lock(&state).memberships = memberships.clone();
            Ok(lost(memberships))
        }
        .boxed()
    }

    fn is_certain(&self) -> bool {
        self.group.lease().is_held()
    }

    fn withdraw(&self) -> BoxFuture<'static, ()> {
        self.group.close()
    }
}

fn refusal(why: impl ToString) -> ContendError {
    ContendError(why.to_string())
}

/// Takes back what is left of an earlier candidacy.
async fn withdraw(group: &Group, memberships: &[Membership]) {
    if memberships.is_empty() {
        return;
    }
    info!("Withdrawing the previous membership before recontending");
    for membership in memberships {
        info!("Now cancelling the membership: {}", membership.id());
        // It is lost if it cannot be removed.
        let _ = group.cancel(membership).await;
    }
}

/// Completes when one of them is gone.
fn lost(memberships: Vec<Membership>) -> Candidacy {
    async move {
        let cancelled = memberships.iter().map(|membership| {
            let (cancelled, id) = (membership.cancelled(), membership.id());
            async move {
                cancelled.await;
                info!("Membership cancelled: {id}");
            }
            .boxed()
        });
        select_all(cancelled).await;
        Ok(())
    }
    .boxed()
}

/// A master that was killed here is still the leader for as long as its session lasts, and cannot
/// be: nobody else has its address. Removes its nodes.
async fn evict_former_self(
    group: &Group,
    master: &MasterInfo,
    own: &[Membership],
) -> Result<(), GroupError> {
    let members = group.watch(Members::new()).await?;
    for member in members.values().filter(|member| !own.contains(member)) {
        let Some(data) = group.data(member).await? else { continue };
        let (Ok(Told::Info(other)) | Ok(Told::OldInfo(other))) = node::read(member.label(), data)
        else {
            continue;
        };
        if other.pid() == master.pid() && other.id != master.id {
            info!("Removing what an earlier master here left behind: {}", member.id());
            group.evict(member).await?;
        }
    }
    Ok(())
}
