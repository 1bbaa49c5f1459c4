//! A group of processes that ZooKeeper knows of: each member is a node that lasts as long as its
//! maker's session; whoever wants to know is told when the members change.
//! Called by contenders and detectors, and by the network of the replicated log. Never joins again
//! by itself: a membership that is lost is lost.
//!
//! Upstream: `zookeeper::Group`.

mod actor;
mod members;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use libprocess::{Inject, Pid, Runtime};
use tokio::sync::{oneshot, watch};

use crate::group::actor::{Cancel, Data, GroupActor, Join, Watch};
use crate::zookeeper::{Lease, Url, ZooKeeperError};

/// Why a group did not do what it was asked for; trying again does not help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// The path of the group cannot be made.
    #[error("Failed to create '{path}' in ZooKeeper: {error}")]
    Path {
        /// The path.
        path: String,
        /// What the server says.
        error: ZooKeeperError,
    },
    /// A member cannot be made.
    #[error("Failed to create ephemeral node at '{path}' in ZooKeeper: {error}")]
    Join {
        /// The group's path.
        path: String,
        /// What the server says.
        error: ZooKeeperError,
    },
    /// A member cannot be removed.
    #[error("Failed to remove ephemeral node '{path}' in ZooKeeper: {error}")]
    Cancel {
        /// The member's path.
        path: String,
        /// What the server says.
        error: ZooKeeperError,
    },
    /// What a member says of itself cannot be read.
    #[error("Failed to get data for ephemeral node '{path}' in ZooKeeper: {error}")]
    Data {
        /// The member's path.
        path: String,
        /// What the server says.
        error: ZooKeeperError,
    },
    /// The members cannot be read.
    #[error("Non-retryable error attempting to get children of '{path}' in ZooKeeper: {error}")]
    Members {
        /// The group's path.
        path: String,
        /// What the server says.
        error: ZooKeeperError,
    },
    /// The servers do not believe who we are.
    #[error("Failed to authenticate with ZooKeeper: {0}")]
    Authenticate(ZooKeeperError),
    /// There can be no session with such servers.
    #[error("Failed to connect to ZooKeeper at '{servers}': {error}")]
    Servers {
        /// As they were typed.
        servers: String,
        /// What is wrong.
        error: ZooKeeperError,
    },
    /// The group was given up meanwhile.
    #[error("The group is closed")]
    Closed,
}

/// A member of a group. Two are the same if they have the same number.
/// Upstream: `Group::Membership`.
#[derive(Clone)]
pub struct Membership {
    id: i32,
    label: Option<String>,
    node: String,
    cancelled: watch::Receiver<Option<bool>>,
}

impl Membership {
    /// Its number, higher than those of all that were there before.
    pub fn id(&self) -> i32 {
        self.id
    }

    /// What kind of member it is.
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// Completes when it is a member no more; with true if it asked for that through the group
    /// that it joined.
    pub fn cancelled(&self) -> impl Future<Output = bool> + Send + 'static {
        let mut cancelled = self.cancelled.clone();
        async move {
            let fate = cancelled.wait_for(Option::is_some).await;
            // A group that is gone leaves no other word behind.
            fate.ok().and_then(|fate| *fate).unwrap_or(false)
        }
    }
}

impl PartialEq for Membership {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Membership {}

impl fmt::Debug for Membership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.node)
    }
}

/// Somebody who joins.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// What kind of member it will be.
    pub label: Option<String>,
    /// What it has to say, for [`Group::data`].
    pub data: Bytes,
}

/// The members of a group by number, which is the order in which they joined.
pub type Members = BTreeMap<i32, Membership>;

/// What comes of a call to a group. What nobody waits for any more is not begun.
pub type Answer<T> = BoxFuture<'static, Result<T, GroupError>>;

/// A group, with a session of its own. Clones are the same one; the last one that goes ends the
/// session, and what was asked for and not answered yet fails. Calls made while there is no
/// connection wait for one.
#[derive(Clone)]
pub struct Group {
    inner: Arc<Inner>,
}

struct Inner {
    actor: Pid<GroupActor>,
    lease: Arc<Lease>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.actor.terminate(Inject::Back);
    }
}

impl Group {
    /// The group at the path of `url`, which is made if it is not there. `timeout` is what the
    /// session asks for. Starts to connect at once.
    pub fn new(runtime: &Runtime, url: &Url, timeout: Duration) -> Group {
        let lease = Arc::new(Lease::default());
        let make = || GroupActor::new(url.clone(), timeout, lease.clone());
        Group { inner: Arc::new(Inner { actor: runtime.spawn_numbered("group", make), lease }) }
    }

    /// Joins, with something to say that others can read by [`Group::data`]. Upstream: `join`.
    pub fn join(&self, data: impl Into<Bytes>, label: Option<&str>) -> Answer<Membership> {
        let joined =
            self.join_as(vec![Candidate { label: label.map(str::to_owned), data: data.into() }]);
        async move { joined.await?.pop().ok_or(GroupError::Closed) }.boxed()
    }

    /// Joins once for each candidate, all at once or not at all, with numbers that follow each
    /// other.
    pub fn join_as(&self, candidates: Vec<Candidate>) -> Answer<Vec<Membership>> {
        self.ask(|answer| Join { candidates, answer }, GroupActor::join)
    }

    /// Leaves. False if that is not a membership of ours, or not any more. Upstream: `cancel`.
    pub fn cancel(&self, membership: &Membership) -> Answer<bool> {
        self.cancel_all(std::slice::from_ref(membership))
    }

    /// As [`Group::cancel`], of all of these at once or of none.
    pub fn cancel_all(&self, memberships: &[Membership]) -> Answer<bool> {
        self.remove(memberships, false)
    }

    /// Removes a member, whoever joined. False if it has left.
    pub fn evict(&self, membership: &Membership) -> Answer<bool> {
        self.remove(std::slice::from_ref(membership), true)
    }

    fn remove(&self, memberships: &[Membership], any: bool) -> Answer<bool> {
        let memberships = memberships.to_vec();
        self.ask(|answer| Cancel { memberships, any, answer }, GroupActor::cancel)
    }

    /// What a member says of itself; `None` if it has left. Upstream: `data`.
    pub fn data(&self, membership: &Membership) -> Answer<Option<Vec<u8>>> {
        let membership = membership.clone();
        self.ask(|answer| Data { membership, answer }, GroupActor::data)
    }

    /// The members, as soon as they are others than `expected`. None at all while there is no
    /// session. Upstream: `watch`.
    pub fn watch(&self, expected: Members) -> Answer<Members> {
        self.ask(|answer| Watch { expected, answer }, GroupActor::watch)
    }

    /// The number of the session, if there is one. Upstream: `session`.
    pub fn session(&self) -> Answer<Option<i64>> {
        let session = self.inner.actor.dispatch(|group, _| group.session());
        async move { session.await.unwrap_or(Err(GroupError::Closed)) }.boxed()
    }

    /// For how long the memberships of this group are certain not to be taken away.
    pub fn lease(&self) -> &Arc<Lease> {
        &self.inner.lease
    }

    /// Ends the session and thereby all memberships of it, which are gone when this completes, if
    /// there is a connection. Nothing works afterwards.
    pub fn close(&self) -> BoxFuture<'static, ()> {
        let closed = self.inner.actor.dispatch_then(GroupActor::close);
        async move { closed.await.unwrap_or(()) }.boxed()
    }

    fn ask<T: Send + 'static, R: Send + 'static>(
        &self,
        request: impl FnOnce(Reply<T>) -> R,
        take: fn(&mut GroupActor, &mut libprocess::Ctx<GroupActor>, R),
    ) -> Answer<T> {
        let (answer, answered) = oneshot::channel();
        let request = request(answer);
        self.inner.actor.tell(move |group, ctx| take(group, ctx, request));
        async move { answered.await.unwrap_or(Err(GroupError::Closed)) }.boxed()
    }
}

/// Where an answer goes.
type Reply<T> = oneshot::Sender<Result<T, GroupError>>;
