//! Who leads, as ZooKeeper has it: the member with the lowest number, whatever its label.
//! Called where `zk://…` says how to find the master. Never contends.
//!
//! Upstream: `ZooKeeperMasterDetector`, `zookeeper::LeaderDetector`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::same::Same;
use futures_util::FutureExt;
use futures_util::future::{self, AbortHandle, Abortable, BoxFuture};
use libprocess::{Runtime, vlog};
use proto::mesos::MasterInfo;
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use crate::election::node::{self, Told};
use crate::election::{DetectError, MasterDetector, standalone};
use crate::group::{Group, Members, Membership};

type Detected = Result<Option<MasterInfo>, DetectError>;

/// What is known, and who waits for something else.
#[derive(Default)]
struct Knowledge {
    leader: Option<MasterInfo>,
    /// Why nothing more will be known.
    end: Option<DetectError>,
    waiting: Vec<(Option<MasterInfo>, oneshot::Sender<Detected>)>,
}

impl Knowledge {
    fn learn(&mut self, leader: Option<MasterInfo>) {
        self.leader = leader;
        let leader = &self.leader;
        for (_, told) in self.waiting.extract_if(.., |(previous, _)| !same(previous, leader)) {
            tell(told, Ok(leader.clone()));
        }
    }

    /// Whoever waits is told why there is no leader; whoever comes later waits.
    fn fail(&mut self, why: &DetectError) {
        self.leader = None;
        self.waiting.drain(..).for_each(|(_, told)| tell(told, Err(why.clone())));
    }
}

fn tell(told: oneshot::Sender<Detected>, detected: Detected) {
    // Nobody may be waiting any more.
    let _ = told.send(detected);
}

fn same(one: &Option<MasterInfo>, other: &Option<MasterInfo>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.is_same(other),
        (None, None) => true,
        _ => false,
    }
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Knowledge>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Knowledge> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows the members of a group. Upstream: `ZooKeeperMasterDetector`.
pub struct ZooKeeperMasterDetector {
    knowledge: Shared,
    follower: AbortHandle,
}

impl Drop for ZooKeeperMasterDetector {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

impl ZooKeeperMasterDetector {
    /// Follows `group` from now on, in `runtime`.
    pub fn new(runtime: &Runtime, group: Group) -> Self {
        let knowledge = Shared::default();
        let (follower, registration) = AbortHandle::new_pair();
        let follow = follow(runtime.clone(), group, knowledge.clone());
        runtime.run(Abortable::new(follow, registration).map(drop));
        Self { knowledge, follower }
    }
}

impl MasterDetector for ZooKeeperMasterDetector {
    fn detect(&self, previous: Option<MasterInfo>) -> BoxFuture<'static, Detected> {
        let mut known = self.knowledge.lock();
        if let Some(end) = &known.end {
            return future::ready(Err(end.clone())).boxed();
        }
        if !same(&known.leader, &previous) {
            return future::ready(Ok(known.leader.clone())).boxed();
        }
        let (told, detected) = oneshot::channel();
        known.waiting.retain(|(_, told)| !told.is_closed());
        known.waiting.push((previous, told));
        let gone = || Err(DetectError("the detector is gone".to_owned()));
        async move { detected.await.unwrap_or_else(|_| gone()) }.boxed()
    }
}

async fn follow(runtime: Runtime, group: Group, knowledge: Shared) {
    let mut members = Members::new();
    let mut leader: Option<Membership> = None;
    loop {
        members = match group.watch(members).await {
            Ok(members) => members,
            Err(error) => {
                error!("Failed to watch memberships: {error}");
                error!("Failed to detect the leader: {error}");
                let why = DetectError(error.to_string());
                let mut known = knowledge.lock();
                known.fail(&why);
                known.end = Some(why);
                return;
            }
        };
        let first = members.values().next().cloned();
        if first == leader {
            continue;
        }
        if let Some(leader) = leader {
            vlog!(1, "The current leader (id={}) is lost", leader.id());
        }
        leader = first;
        let Some(leader) = &leader else {
            info!("Detected a new leader: None");
            knowledge.lock().learn(None);
            continue;
        };
        info!("Detected a new leader: (id='{}')", leader.id());
        match read(&runtime, &group, leader).await {
            Ok(info) => knowledge.lock().learn(info),
            Err(why) => {
                // Nobody may be asking, and a master that nobody finds is hard to explain.
                error!("Failed to read who leads (id={}): {why}", leader.id());
                knowledge.lock().fail(&DetectError(why));
            }
        }
    }
}

/// What the leader says of itself; nothing if it has left.
async fn read(
    runtime: &Runtime,
    group: &Group,
    leader: &Membership,
) -> Result<Option<MasterInfo>, String> {
    let data = group.data(leader).await.map_err(|error| error.to_string())?;
    let Some(data) = data else { return Ok(None) };
    let info = match node::read(leader.label(), data).map_err(|error| error.to_string())? {
        Told::Info(info) => Some(info),
        Told::OldInfo(info) => {
            warn!(
                "Leading master {} is using a Protobuf binary format when registering with \
                 ZooKeeper (info): this will be deprecated as of Mesos 0.24 (see MESOS-2340)",
                info.pid()
            );
            Some(info)
        }
        Told::Pid(pid) => {
            warn!("Leading master {pid} has data in old format");
            // The name service may take its time.
            runtime.blocking(move || standalone::master_info(&pid)).await
        }
    };
    if let Some(info) = &info {
        info!("A new leading master (UPID={}) is detected", info.pid());
    }
    Ok(info)
}
