//! The actor `group(N)`: keeps a session alive or begins another one, and does what the group is
//! asked for, one call to ZooKeeper at a time, again and again where that may help.
//! Called through [`Group`](crate::group::Group). Never joins again for anybody.
//!
//! Upstream: `GroupProcess`.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::{AbortHandle, Abortable, BoxFuture};
use libprocess::clock::Timer;
use libprocess::{Ctx, Process};
use tracing::{error, info, warn};

use crate::group::members::{Roll, prefix};
use crate::group::{Candidate, GroupError, Members, Membership, Reply};
use crate::zookeeper::session::{State, States};
use crate::zookeeper::{Lease, Session, Url, ZooKeeperError};

/// How long after a failure the same is tried again, at first. Upstream: `RETRY_INTERVAL`.
const RETRY_INTERVAL: Duration = Duration::from_secs(2);

/// And at most.
const RETRY_INTERVAL_MAX: Duration = Duration::from_secs(60);

pub(super) struct Join {
    pub(super) candidates: Vec<Candidate>,
    pub(super) answer: Reply<Vec<Membership>>,
}

pub(super) struct Cancel {
    pub(super) memberships: Vec<Membership>,
    /// Also those of others.
    pub(super) any: bool,
    pub(super) answer: Reply<bool>,
}

pub(super) struct Data {
    pub(super) membership: Membership,
    pub(super) answer: Reply<Option<Vec<u8>>>,
}

pub(super) struct Watch {
    pub(super) expected: Members,
    pub(super) answer: Reply<Members>,
}

/// How far a session has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    Connected,
    Authenticated,
    Ready,
}

pub(super) struct GroupActor {
    url: Url,
    requested_timeout: Duration,
    lease: Arc<Lease>,
    /// Why nothing works any more.
    failure: Option<GroupError>,

    stage: Stage,
    session: Option<Session>,
    is_connected: bool,
    /// Counts sessions; what belongs to an older one is of no interest.
    epoch: u64,
    /// Runs while there is no connection.
    connect_timer: Option<Timer>,
    /// Ends what goes on in the name of the session.
    keeper: Option<AbortHandle>,
    busy: Option<AbortHandle>,
    retry: Option<Timer>,
    retry_interval: Duration,

    joins: VecDeque<Join>,
    cancels: VecDeque<Cancel>,
    datas: VecDeque<Data>,
    watches: Vec<Watch>,
    roll: Roll,
    /// Whether ZooKeeper is going to tell when the members change.
    is_watching: bool,
}

impl Process for GroupActor {
    fn initialize(&mut self, ctx: &mut Ctx<Self>) {
        self.connect(ctx);
    }

    fn finalize(&mut self, ctx: &mut Ctx<Self>) {
        self.drop_session(ctx);
    }
}

/// The calls of the group.
impl GroupActor {
    pub(super) fn new(url: Url, requested_timeout: Duration, lease: Arc<Lease>) -> GroupActor {
        GroupActor {
            url,
            requested_timeout,
            lease,
            failure: None,
            stage: Stage::Connecting,
            session: None,
            is_connected: false,
            epoch: 0,
            connect_timer: None,
            keeper: None,
            busy: None,
            retry: None,
            retry_interval: RETRY_INTERVAL,
            joins: VecDeque::new(),
            cancels: VecDeque::new(),
            datas: VecDeque::new(),
            watches: Vec::new(),
            roll: Roll::default(),
            is_watching: false,
        }
    }

    pub(super) fn join(&mut self, ctx: &mut Ctx<Self>, join: Join) {
        let Some(answer) = self.unless_failed(join.answer) else { return };
        self.joins.push_back(Join { answer, ..join });
        self.step(ctx);
    }

    pub(super) fn cancel(&mut self, ctx: &mut Ctx<Self>, cancel: Cancel) {
        let Some(answer) = self.unless_failed(cancel.answer) else { return };
        self.cancels.push_back(Cancel { answer, ..cancel });
        self.step(ctx);
    }

    pub(super) fn data(&mut self, ctx: &mut Ctx<Self>, data: Data) {
        let Some(answer) = self.unless_failed(data.answer) else { return };
        self.datas.push_back(Data { answer, ..data });
        self.step(ctx);
    }

    pub(super) fn watch(&mut self, ctx: &mut Ctx<Self>, watch: Watch) {
        let Some(answer) = self.unless_failed(watch.answer) else { return };
        match self.roll.current() {
            Some(current) if *current != watch.expected => tell(answer, Ok(current.clone())),
            _ => {
                self.watches.retain(|watch| !watch.answer.is_closed());
                self.watches.push(Watch { answer, ..watch });
                self.step(ctx);
            }
        }
    }

    pub(super) fn session(&self) -> Result<Option<i64>, GroupError> {
        match &self.failure {
            Some(failure) => Err(failure.clone()),
            None => Ok(self.session.as_ref().map(Session::id)),
        }
    }

    pub(super) fn close(&mut self, ctx: &mut Ctx<Self>) -> BoxFuture<'static, ()> {
        let session = self.session.clone();
        self.give_up(ctx, &GroupError::Closed);
        async move {
            if let Some(session) = session {
                session.close().await;
            }
        }
        .boxed()
    }

    fn unless_failed<T>(&self, answer: Reply<T>) -> Option<Reply<T>> {
        let Some(failure) = &self.failure else { return Some(answer) };
        tell(answer, Err(failure.clone()));
        None
    }
}

/// The session.
impl GroupActor {
    fn connect(&mut self, ctx: &mut Ctx<Self>) {
        self.epoch += 1;
        self.stage = Stage::Connecting;
        let epoch = self.epoch;
        let session = Session::connect(self.url.clone(), self.requested_timeout);
        let (abort, registration) = AbortHandle::new_pair();
        self.keeper = Some(abort);
        self.start_connect_timer(ctx, self.requested_timeout);
        ctx.then(Abortable::new(session, registration), move |group, ctx, session| match session {
            Ok(Ok(session)) if epoch == group.epoch => group.on_connected(ctx, session),
            Ok(Err(error)) if epoch == group.epoch => group.on_refused(ctx, error),
            _ => {}
        });
    }

    fn on_connected(&mut self, ctx: &mut Ctx<Self>, session: Session) {
        self.stage = Stage::Connected;
        let (abort, registration) = AbortHandle::new_pair();
        self.keeper = Some(abort);
        let (lease, kept) = (self.lease.clone(), session.clone());
        let keeper = Abortable::new(async move { kept.keep(&lease).await }, registration);
        ctx.runtime().run(keeper.map(drop));
        self.follow(ctx, session.states());
        self.session = Some(session);
        self.on_connection(ctx, "connected");
    }

    fn on_refused(&mut self, ctx: &mut Ctx<Self>, error: ZooKeeperError) {
        if error.is_retryable() {
            return self.on_connect_timeout(ctx);
        }
        let servers = self.url.servers.clone();
        self.abort(ctx, &GroupError::Servers { servers, error });
    }

    /// Hears what the session comes to.
    fn follow(&self, ctx: &Ctx<Self>, mut states: States) {
        let epoch = self.epoch;
        let next = async move { (states.next().await, states) };
        ctx.then(next, move |group, ctx, (state, states)| {
            if group.epoch != epoch || group.failure.is_some() {
                return;
            }
            match state {
                State::Connected => group.on_connection(ctx, "reconnected"),
                State::Disconnected => group.on_disconnected(ctx),
                State::Expired => return group.on_expired(ctx),
                State::AuthFailed => return group.on_auth_failed(ctx),
            }
            group.follow(ctx, states);
        });
    }

    fn on_connection(&mut self, ctx: &mut Ctx<Self>, how: &str) {
        info!("Group process ({}) {how} to ZooKeeper", ctx.upid());
        self.is_connected = true;
        cancel(ctx, &mut self.connect_timer);
        self.sync(ctx);
    }

    fn on_disconnected(&mut self, ctx: &mut Ctx<Self>) {
        info!("Lost connection to ZooKeeper, attempting to reconnect ...");
        self.is_connected = false;
        self.stop_retrying(ctx);
        // From the last sign of life on, not from now on: the server counts so, too.
        self.start_connect_timer(ctx, self.lease.remaining());
    }

    fn start_connect_timer(&mut self, ctx: &Ctx<Self>, wait: Duration) {
        cancel(ctx, &mut self.connect_timer);
        let epoch = self.epoch;
        self.connect_timer = Some(ctx.after(wait, move |group, ctx| {
            if group.epoch == epoch && group.failure.is_none() && !group.is_connected {
                group.on_connect_timeout(ctx);
            }
        }));
    }

    fn on_connect_timeout(&mut self, ctx: &mut Ctx<Self>) {
        warn!(
            "Timed out waiting to connect to ZooKeeper. Forcing ZooKeeper session \
             (sessionId={:x}) expiration",
            self.session.as_ref().map_or(0, Session::id)
        );
        self.on_expired(ctx);
    }

    /// The session is over: nobody is a member for all we know. What was not done yet is done in
    /// the next one.
    fn on_expired(&mut self, ctx: &mut Ctx<Self>) {
        info!("ZooKeeper session expired");
        self.drop_session(ctx);
        self.publish(&Members::new());
        self.roll.lose();
        self.connect(ctx);
    }

    fn on_auth_failed(&mut self, ctx: &mut Ctx<Self>) {
        let error = ZooKeeperError::from(zookeeper_client::Error::AuthFailed);
        self.abort(ctx, &GroupError::Authenticate(error));
    }

    /// Nothing works any more, and nothing will.
    fn abort(&mut self, ctx: &mut Ctx<Self>, failure: &GroupError) {
        error!("Group aborting: {failure}");
        self.give_up(ctx, failure);
    }

    fn give_up(&mut self, ctx: &mut Ctx<Self>, failure: &GroupError) {
        self.failure = Some(failure.clone());
        self.drop_session(ctx);
        self.joins.drain(..).for_each(|join| tell(join.answer, Err(failure.clone())));
        self.cancels.drain(..).for_each(|cancel| tell(cancel.answer, Err(failure.clone())));
        self.datas.drain(..).for_each(|data| tell(data.answer, Err(failure.clone())));
        self.watches.drain(..).for_each(|watch| tell(watch.answer, Err(failure.clone())));
        self.roll.lose();
    }

    fn drop_session(&mut self, ctx: &Ctx<Self>) {
        self.lease.end();
        self.session = None;
        self.is_connected = false;
        self.is_watching = false;
        for work in [&mut self.keeper, &mut self.busy] {
            if let Some(work) = work.take() {
                work.abort();
            }
        }
        self.stop_retrying(ctx);
        cancel(ctx, &mut self.connect_timer);
    }
}

/// What there is to do.
impl GroupActor {
    fn sync(&mut self, ctx: &mut Ctx<Self>) {
        info!(
            "Syncing group operations: queue size (joins, cancels, datas) = ({}, {}, {})",
            self.joins.len(),
            self.cancels.len(),
            self.datas.len()
        );
        self.step(ctx);
    }

    /// Begins what is next, if nothing goes on.
    fn step(&mut self, ctx: &mut Ctx<Self>) {
        if self.busy.is_some() || self.retry.is_some() || !self.is_connected {
            return;
        }
        let Some(session) = self.session.clone() else { return };
        match self.stage {
            Stage::Connecting => {}
            Stage::Connected => self.authenticate(ctx, session),
            Stage::Authenticated => self.make_path(ctx, session),
            Stage::Ready => self.serve(ctx, session),
        }
    }

    fn authenticate(&mut self, ctx: &mut Ctx<Self>, session: Session) {
        let Some(credentials) = self.url.credentials.clone() else {
            self.stage = Stage::Authenticated;
            return self.step(ctx);
        };
        info!("Authenticating with ZooKeeper using digest");
        let call = async move { session.authenticate(&credentials).await };
        self.perform(ctx, call, |group, ctx, outcome| match outcome {
            Ok(()) => group.stage = Stage::Authenticated,
            Err(error) => group.abort(ctx, &GroupError::Authenticate(error)),
        });
    }

    fn make_path(&mut self, ctx: &mut Ctx<Self>, session: Session) {
        let path = self.url.node().to_owned();
        info!("Trying to create path '{path}' in ZooKeeper");
        let call = async move { session.make_path(&path).await };
        self.perform(ctx, call, |group, ctx, outcome| match outcome {
            Ok(()) => group.stage = Stage::Ready,
            Err(error) => {
                let path = group.url.node().to_owned();
                group.abort(ctx, &GroupError::Path { path, error });
            }
        });
    }

    fn serve(&mut self, ctx: &mut Ctx<Self>, session: Session) {
        self.joins.retain(|join| !join.answer.is_closed());
        self.datas.retain(|data| !data.answer.is_closed());
        if let Some(join) = self.joins.front() {
            let member = |candidate: &Candidate| {
                (prefix(candidate.label.as_deref()), candidate.data.clone())
            };
            let members = join.candidates.iter().map(member).collect();
            self.make_members(ctx, session, members);
        } else if let Some(cancel) = self.cancels.front() {
            let may = cancel.any || cancel.memberships.iter().all(|member| self.roll.owns(member));
            let paths = cancel.memberships.iter().map(|member| self.path_of(member)).collect();
            match may {
                true => self.remove_members(ctx, session, paths),
                false => self.cancelled(ctx, Ok(false)),
            }
        } else if let Some(data) = self.datas.front() {
            let path = self.path_of(&data.membership);
            self.read_member(ctx, session, path);
        } else if self.roll.current().is_none() && !(self.is_watching && self.watches.is_empty()) {
            self.list(ctx, session);
        } else {
            // All is done, also what had failed.
            self.retry_interval = RETRY_INTERVAL;
        }
    }

    fn path_of(&self, membership: &Membership) -> String {
        format!("{}/{}", self.url.node(), membership.node)
    }

    fn make_members(
        &mut self,
        ctx: &mut Ctx<Self>,
        session: Session,
        members: Vec<(String, Bytes)>,
    ) {
        let path = self.url.node().to_owned();
        let call = async move { session.make_members(&path, &members).await };
        self.perform(ctx, call, |group, _, outcome| {
            let Some(join) = group.joins.pop_front() else { return };
            let joined = outcome.map_err(|error| {
                let path = group.url.node().to_owned();
                GroupError::Join { path, error }
            });
            let nodes = joined
                .map(|nodes| nodes.iter().filter_map(|node| group.roll.joined(node)).collect());
            tell(join.answer, nodes);
        });
    }

    fn remove_members(&mut self, ctx: &mut Ctx<Self>, session: Session, paths: Vec<String>) {
        paths.iter().for_each(|path| info!("Trying to remove '{path}' in ZooKeeper"));
        let call = async move { session.remove(&paths).await };
        self.perform(ctx, call, |group, ctx, outcome| match outcome {
            Ok(()) => group.cancelled(ctx, Ok(true)),
            Err(error) if error.is_no_node() => group.cancelled(ctx, Ok(false)),
            Err(error) => {
                let first = group.cancels.front().and_then(|cancel| cancel.memberships.first());
                let path = first.map(|member| group.path_of(member)).unwrap_or_default();
                group.cancelled(ctx, Err(GroupError::Cancel { path, error }));
            }
        });
    }

    fn cancelled(&mut self, ctx: &mut Ctx<Self>, outcome: Result<bool, GroupError>) {
        let Some(cancel) = self.cancels.pop_front() else { return };
        if outcome == Ok(true) {
            cancel.memberships.iter().for_each(|membership| self.roll.left(membership));
        }
        tell(cancel.answer, outcome);
        self.step(ctx);
    }

    fn read_member(&mut self, ctx: &mut Ctx<Self>, session: Session, path: String) {
        info!("Trying to get '{path}' in ZooKeeper");
        let call = async move { session.read(&path).await };
        self.perform(ctx, call, |group, _, outcome| {
            let Some(data) = group.datas.pop_front() else { return };
            let path = group.path_of(&data.membership);
            let outcome = outcome.map(|found| found.map(|(data, _version)| data));
            tell(data.answer, outcome.map_err(|error| GroupError::Data { path, error }));
        });
    }

    fn list(&mut self, ctx: &mut Ctx<Self>, session: Session) {
        let path = self.url.node().to_owned();
        let call = async move { session.watch_children(&path).await };
        self.perform(ctx, call, |group, ctx, outcome| match outcome {
            Ok((nodes, changed)) => {
                group.is_watching = true;
                let epoch = group.epoch;
                ctx.then(changed, move |group, ctx, is_alive| {
                    if group.epoch == epoch && is_alive {
                        group.is_watching = false;
                        group.roll.invalidate();
                        group.step(ctx);
                    }
                });
                let members = group.roll.read(&nodes).clone();
                group.publish(&members);
            }
            Err(error) => {
                let path = group.url.node().to_owned();
                group.abort(ctx, &GroupError::Members { path, error });
            }
        });
    }

    /// Answers those who expect others.
    fn publish(&mut self, members: &Members) {
        for watch in self.watches.extract_if(.., |watch| watch.expected != *members) {
            tell(watch.answer, Ok(members.clone()));
        }
    }

    /// Runs a call to ZooKeeper and then `settle` with what came of it, unless that is to try
    /// again; and then what is next.
    fn perform<T: Send + 'static>(
        &mut self,
        ctx: &mut Ctx<Self>,
        call: impl Future<Output = Result<T, ZooKeeperError>> + Send + 'static,
        settle: impl FnOnce(&mut Self, &mut Ctx<Self>, Result<T, ZooKeeperError>) + Send + 'static,
    ) {
        let (abort, registration) = AbortHandle::new_pair();
        self.busy = Some(abort);
        let epoch = self.epoch;
        ctx.then(Abortable::new(call, registration), move |group, ctx, outcome| {
            let Ok(outcome) = outcome else { return };
            if group.epoch != epoch || group.failure.is_some() {
                return;
            }
            group.busy = None;
            match outcome {
                Err(error) if error.is_retryable() => group.retry_later(ctx),
                outcome => {
                    settle(group, ctx, outcome);
                    group.step(ctx);
                }
            }
        });
    }

    fn retry_later(&mut self, ctx: &Ctx<Self>) {
        // Without a connection, the next one is waited for.
        if self.retry.is_none() && self.is_connected {
            let wait = self.retry_interval;
            self.retry_interval = (wait * 2).min(RETRY_INTERVAL_MAX);
            self.retry = Some(ctx.after(wait, |group, ctx| {
                group.retry = None;
                group.sync(ctx);
            }));
        }
    }

    fn stop_retrying(&mut self, ctx: &Ctx<Self>) {
        cancel(ctx, &mut self.retry);
        self.retry_interval = RETRY_INTERVAL;
    }
}

fn cancel(ctx: &Ctx<GroupActor>, timer: &mut Option<Timer>) {
    if let Some(timer) = timer.take() {
        ctx.cancel(timer);
    }
}

fn tell<T>(answer: Reply<T>, outcome: Result<T, GroupError>) {
    // Nobody may be waiting any more.
    let _ = answer.send(outcome);
}
