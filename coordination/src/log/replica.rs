//! The actor `log-replica(1)`: takes what peers ask and answers them when the disk has it. All that
//! comes while the disk is busy is written at once when it is free again.
//! Called by peers over the network and by `process`, `writer` and `reader` here. Decides nothing
//! itself: `acceptor` does.
//!
//! Upstream: `ReplicaProcess`, `Replica`.

use std::convert::Infallible;
use std::sync::Arc;

use libprocess::process::Gone;
use libprocess::{Ctx, Pid, Process, Router, Upid};
use proto::mesos::internal::log::metadata::Status;
use proto::mesos::internal::log::{
    Action, LearnedMessage, PromiseRequest, RecoverRequest, WriteRequest,
};
use tokio::sync::oneshot;
use tracing::error;

use crate::log::acceptor::Reply;
use crate::log::network::Members;
use crate::log::positions::Positions;
use crate::log::store::{ReadError, Request, Store};

/// What waits for the disk.
enum Job {
    Request(Upid, Request),
    /// Something of our own, which sees all that was asked before as written.
    Look(Box<dyn FnOnce(&mut Store) + Send>),
}

/// A store whose files are open until `_closed` is dropped, after it.
pub(crate) struct Opened {
    pub(crate) store: Store,
    pub(crate) _closed: oneshot::Sender<Infallible>,
}

/// The actor.
pub(crate) struct Replica {
    /// Absent at first, and while it is at the disk.
    opened: Option<Opened>,
    jobs: Vec<Job>,
    strangers: Strangers,
}

impl Replica {
    /// A replica that answers once it is opened.
    pub(crate) fn new(members: Members) -> Self {
        Self { opened: None, jobs: Vec::new(), strangers: Strangers::new(members) }
    }

    pub(crate) fn open(&mut self, ctx: &mut Ctx<Self>, opened: Opened) {
        self.opened = Some(opened);
        self.work(ctx);
    }

    fn ask(&mut self, ctx: &mut Ctx<Self>, from: Upid, request: Request) {
        if let Some(request) = self.strangers.admit(&from, request) {
            self.push(ctx, Job::Request(from, request));
        }
    }

    /// The members have changed: who was a stranger may be one of them now.
    pub(crate) fn members_changed(&mut self, ctx: &mut Ctx<Self>) {
        for (from, request) in self.strangers.introduce() {
            self.push(ctx, Job::Request(from, request));
        }
    }

    fn push(&mut self, ctx: &mut Ctx<Self>, job: Job) {
        self.jobs.push(job);
        self.work(ctx);
    }

    fn work(&mut self, ctx: &mut Ctx<Self>) {
        if self.jobs.is_empty() {
            return;
        }
        let Some(mut opened) = self.opened.take() else { return };
        let jobs = std::mem::take(&mut self.jobs);
        let work = ctx.runtime().blocking(move || {
            let replies = serve(&mut opened.store, jobs);
            (opened, replies)
        });
        ctx.then(work, Self::on_served);
    }

    fn on_served(&mut self, ctx: &mut Ctx<Self>, served: Option<(Opened, Vec<(Upid, Reply)>)>) {
        let Some((opened, replies)) = served else {
            error!("The files of the log cannot be used any more: reading them has failed badly");
            return ctx.terminate();
        };
        self.opened = Some(opened);
        for (to, reply) in &replies {
            match reply {
                Reply::Promise(response) => ctx.send(to, response),
                Reply::Write(response) => ctx.send(to, response),
                Reply::Recover(response) => ctx.send(to, response),
            }
        }
        self.work(ctx);
    }
}

fn serve(store: &mut Store, jobs: Vec<Job>) -> Vec<(Upid, Reply)> {
    let mut replies = Vec::new();
    for job in jobs {
        match job {
            Job::Request(from, request) => store.serve(from, &request),
            Job::Look(look) => {
                replies.extend(store.commit());
                look(store);
            }
        }
    }
    replies.extend(store.commit());
    replies
}

impl Process for Replica {
    fn install(&self, router: &mut Router<Self>) {
        router.on(|replica: &mut Self, ctx, from, request: PromiseRequest| {
            replica.ask(ctx, from, Request::Promise(request));
        });
        router.on(|replica: &mut Self, ctx, from, request: WriteRequest| {
            replica.ask(ctx, from, Request::Write(request));
        });
        router.on(|replica: &mut Self, ctx, from, _: RecoverRequest| {
            replica.ask(ctx, from, Request::Recover);
        });
        router.on(|replica: &mut Self, ctx, from, message: LearnedMessage| {
            replica.ask(ctx, from, Request::Learned(message.action));
        });
    }
}

/// Requests that change something, from hosts that have never been in the group: they may be in it
/// before we hear of that. They wait, and if their host never comes, nothing is lost.
///
/// Only the host is looked at, since each request comes from an actor of its own. Notices of what
/// was agreed on have no sender at all, and have to be believed.
struct Strangers {
    members: Members,
    waiting: Vec<(Upid, Request)>,
}

/// More than a group's members can have under way.
const STRANGERS_MAX: usize = 64;

impl Strangers {
    fn new(members: Members) -> Self {
        Self { members, waiting: Vec::new() }
    }

    fn admit(&mut self, from: &Upid, request: Request) -> Option<Request> {
        let changes = matches!(request, Request::Promise(_) | Request::Write(_));
        if !changes || self.members.has_known(from.address) {
            return Some(request);
        }
        tracing::warn!("Holding back a request of {from}, whose host is not in the log's group");
        if self.waiting.len() == STRANGERS_MAX {
            self.waiting.remove(0);
        }
        self.waiting.push((from.clone(), request));
        None
    }

    fn introduce(&mut self) -> Vec<(Upid, Request)> {
        let waiting = std::mem::take(&mut self.waiting);
        let (known, strange) =
            waiting.into_iter().partition(|(from, _)| self.members.has_known(from.address));
        self.waiting = strange;
        known
    }
}

/// The own replica, for those beside it in this process.
#[derive(Clone)]
pub(crate) struct OwnReplica {
    pid: Arc<Pid<Replica>>,
}

impl OwnReplica {
    pub(crate) fn new(pid: Pid<Replica>) -> Self {
        Self { pid: Arc::new(pid) }
    }

    pub(crate) fn pid(&self) -> &Pid<Replica> {
        &self.pid
    }

    /// Asks the store, behind everything that the replica has been sent so far.
    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&mut Store) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        let (seen, answer) = oneshot::channel();
        let job = Job::Look(Box::new(move |store| {
            // Nobody may be waiting any more.
            let _ = seen.send(look(store));
        }));
        self.pid.tell(move |replica, ctx| replica.push(ctx, job));
        answer.await.map_err(|_| Gone)
    }

    pub(crate) async fn status(&self) -> Result<Status, Gone> {
        self.look(|store| store.acceptor().status()).await
    }

    pub(crate) async fn promised(&self) -> Result<u64, Gone> {
        self.look(|store| store.acceptor().promised()).await
    }

    pub(crate) async fn beginning(&self) -> Result<u64, Gone> {
        self.look(|store| store.acceptor().begin()).await
    }

    pub(crate) async fn ending(&self) -> Result<u64, Gone> {
        self.look(|store| store.acceptor().end()).await
    }

    pub(crate) async fn is_missing(&self, position: u64) -> Result<bool, Gone> {
        self.look(move |store| store.acceptor().is_missing(position)).await
    }

    pub(crate) async fn missing_up_to(&self, last: u64) -> Result<Positions, Gone> {
        self.look(move |store| store.acceptor().missing_up_to(last)).await
    }

    pub(crate) async fn set_status(&self, status: Status) -> Result<bool, Gone> {
        self.look(move |store| store.set_status(status)).await
    }

    pub(crate) async fn read(
        &self,
        from: u64,
        to: u64,
    ) -> Result<Result<Vec<Action>, ReadError>, Gone> {
        self.look(move |store| store.read(from, to)).await
    }
}
