//! The leading master: detected by slaves, schedulers and masters, contended for by masters.
//! Called by all daemons and drivers through two narrow traits. Never knows what a leader does.
//!
//! Upstream: `MasterDetector`, `MasterContender`.

pub mod contender;
pub mod detector;
mod mechanism;
mod node;
pub mod standalone;

use futures_util::future::BoxFuture;
use proto::mesos::MasterInfo;

pub use mechanism::{Mechanism, MechanismError, SESSION_TIMEOUT, meeting_place};

/// The leader cannot be detected, and will not be by trying again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DetectError(pub String);

/// Becoming the leader failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ContendError(pub String);

/// Finds the leading master. Upstream: `MasterDetector`.
pub trait MasterDetector: Send + Sync {
    /// Completes when the leader is another than `previous`, with `None` when there is none.
    fn detect(
        &self,
        previous: Option<MasterInfo>,
    ) -> BoxFuture<'static, Result<Option<MasterInfo>, DetectError>>;
}

/// A candidacy that has been entered; completes when it is lost.
pub type Candidacy = BoxFuture<'static, Result<(), ContendError>>;

/// Stands for leadership. Upstream: `MasterContender`.
pub trait MasterContender: Send + Sync {
    /// Says who stands; once, before [`MasterContender::contend`].
    fn initialize(&self, master: MasterInfo);

    /// Enters the candidacy, giving up an earlier one.
    fn contend(&self) -> BoxFuture<'static, Result<Candidacy, ContendError>>;

    /// Whether a candidacy that was entered, and not reported lost, cannot have been lost yet:
    /// whoever leads must not act otherwise.
    fn is_certain(&self) -> bool {
        true
    }

    /// Gives up for good, so that somebody else can lead at once.
    fn withdraw(&self) -> BoxFuture<'static, ()> {
        futures_util::FutureExt::boxed(std::future::ready(()))
    }
}
