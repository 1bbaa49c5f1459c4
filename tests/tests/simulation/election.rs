//! An election that a test sees through: sessions that end some time after their process, and a
//! leader whom each node learns of when it does. What ZooKeeper is to real masters; and, unlike it,
//! a witness of who was told of whom.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use coordination::election::{
    Candidacy, ContendError, DetectError, MasterContender, MasterDetector,
};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use libprocess::{Address, Runtime, Upid};
use parking_lot::Mutex;
use proto::mesos::MasterInfo;
use tokio::sync::{oneshot, watch};

/// How long the session of a process outlives it.
const SESSION: Duration = Duration::from_secs(10);

/// How much later than another one a node may learn of a leader.
const DELAY_MS: u64 = 200;

struct Candidate {
    info: MasterInfo,
    /// Tells the candidate when it is none any more.
    lost: oneshot::Sender<()>,
    /// When its session ends, once its process has.
    until: Option<Duration>,
}

#[derive(Default)]
struct State {
    serial: u64,
    now: Duration,
    candidates: BTreeMap<u64, Candidate>,
    /// Which candidacy the id of a master belongs to, the last one.
    leases: BTreeMap<String, u64>,
    /// Whom each node takes for the leader.
    told: BTreeMap<Address, Option<MasterInfo>>,
}

/// The election; clones are the same one.
#[derive(Clone)]
pub(crate) struct Election {
    state: Arc<Mutex<State>>,
    leader: Arc<watch::Sender<Option<MasterInfo>>>,
}

impl Election {
    pub(crate) fn new() -> Self {
        Self { state: Arc::default(), leader: Arc::new(watch::Sender::new(None)) }
    }

    /// Ends the sessions that are over at `now`.
    pub(crate) fn tick(&self, now: Duration) {
        let mut state = self.state.lock();
        state.now = now;
        state.candidates.retain(|_, candidate| candidate.until.is_none_or(|until| now < until));
        self.announce(&state);
    }

    /// The lease of the master with this id: a later leader has a higher one.
    pub(crate) fn lease(&self, id: &str) -> Option<u64> {
        self.state.lock().leases.get(id).copied()
    }

    /// The lease of the leader that a node knows of, if that is `master`.
    pub(crate) fn lease_of(&self, node: Address, master: &Upid) -> Option<u64> {
        let state = self.state.lock();
        let leader = state.told.get(&node)?.as_ref()?;
        let is_it = leader.pid.as_ref().is_some_and(|pid| *pid == master.to_string());
        is_it.then(|| state.leases[&leader.id])
    }

    /// Ends the session of the leader.
    pub(crate) fn depose(&self) {
        let mut state = self.state.lock();
        if let Some((_, leader)) = state.candidates.pop_first() {
            // It may be gone.
            let _ = leader.lost.send(());
        }
        self.announce(&state);
    }

    fn announce(&self, state: &State) {
        let leader = state.candidates.values().next().map(|leader| leader.info.clone());
        self.leader.send_if_modified(|current| {
            let is_new = *current != leader;
            *current = leader;
            is_new
        });
    }

    pub(crate) fn contender(&self) -> Arc<dyn MasterContender> {
        Arc::new(Contender { election: self.clone(), standing: Mutex::default() })
    }

    pub(crate) fn detector(&self, runtime: &Runtime) -> Arc<dyn MasterDetector> {
        self.state.lock().told.remove(&runtime.address());
        Arc::new(Detector { election: self.clone(), runtime: runtime.clone() })
    }
}

#[derive(Default)]
struct Standing {
    info: Option<MasterInfo>,
    serial: Option<u64>,
}

struct Contender {
    election: Election,
    standing: Mutex<Standing>,
}

impl MasterContender for Contender {
    fn initialize(&self, master: MasterInfo) {
        self.standing.lock().info = Some(master);
    }

    fn contend(&self) -> BoxFuture<'static, Result<Candidacy, ContendError>> {
        let mut standing = self.standing.lock();
        let info = standing.info.clone().expect("initialized");
        let mut state = self.election.state.lock();
        if let Some(earlier) = standing.serial.take() {
            state.candidates.remove(&earlier);
        }
        state.serial += 1;
        let serial = state.serial;
        let (lost, until_lost) = oneshot::channel();
        state.leases.insert(info.id.clone(), serial);
        state.candidates.insert(serial, Candidate { info, lost, until: None });
        standing.serial = Some(serial);
        self.election.announce(&state);
        let candidacy: Candidacy = async move {
            // Lost one way or the other.
            let _ = until_lost.await;
            Ok(())
        }
        .boxed();
        async move { Ok(candidacy) }.boxed()
    }
}

impl Drop for Contender {
    fn drop(&mut self) {
        let mut state = self.election.state.lock();
        let until = state.now + SESSION;
        let serial = self.standing.lock().serial;
        if let Some(candidate) = serial.and_then(|serial| state.candidates.get_mut(&serial)) {
            candidate.until = Some(until);
        }
    }
}

struct Detector {
    election: Election,
    runtime: Runtime,
}

impl MasterDetector for Detector {
    fn detect(
        &self,
        previous: Option<MasterInfo>,
    ) -> BoxFuture<'static, Result<Option<MasterInfo>, DetectError>> {
        let (state, address) = (self.election.state.clone(), self.runtime.address());
        let mut leader = self.election.leader.subscribe();
        let clock = self.runtime.clock().clone();
        let delay = Duration::from_millis(self.runtime.random() % DELAY_MS);
        async move {
            loop {
                if leader.wait_for(|leader| *leader != previous).await.is_err() {
                    return std::future::pending().await;
                }
                clock.clone().sleep(delay).await;
                let now = leader.borrow_and_update().clone();
                if now != previous {
                    state.lock().told.insert(address, now.clone());
                    return Ok(now);
                }
            }
        }
        .boxed()
    }
}
