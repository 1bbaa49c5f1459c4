//! What peers are told when the master does not do as they ask: every refusal and its wording,
//! which is upstream's. Used by handlers; validation has the refusals of its own questions.
//! Upstream: the error texts of `master.cpp`.

use common::ids::SlaveId;
use common::resources::CheckpointedError;
use libprocess::Upid;

/// Why a framework may not subscribe. Sent as FrameworkErrorMessage, at which drivers abort.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeRefusal {
    /// RegisterFrameworkMessage is for those without an id.
    #[error("Registering with 'id' already set")]
    IdAlreadySet,
    /// ReregisterFrameworkMessage is for those with one.
    #[error("Re-registering without an 'id'")]
    NoId,
    /// `--roles` does not list it.
    #[error("Role '{0}' is not present in the master's --roles")]
    Role(String),
    /// `--no-root_submissions`.
    #[error("User 'root' is not allowed to run frameworks without --root_submissions set")]
    Root,
    /// It has ended.
    #[error("Framework has been removed")]
    Removed,
    /// The authorizer said so.
    #[error("Not authorized to use role '{0}'")]
    Unauthorized(String),
    /// The authorizer could not say.
    #[error("Authorization failure: {0}")]
    AuthorizationFailed(String),
    /// Another scheduler has taken over.
    #[error("Framework failed over")]
    FailedOver,
    /// A driver is one framework. Upstream aborts instead.
    #[error("Another framework is subscribed from {0}")]
    PidInUse(Upid),
    /// The id would name another directory on slaves. Upstream takes any.
    #[error(transparent)]
    Id(#[from] common::ids::InvalidId),
    /// Too many messages wait. `--rate_limits`.
    #[error("Message {message} dropped: capacity({capacity}) exceeded")]
    Capacity {
        /// The message's name.
        message: String,
        /// How many may wait.
        capacity: u64,
    },
}

/// Why a slave has to end. Sent as ShutdownMessage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlaveRefusal {
    /// It was removed, and its tasks are lost.
    #[error("Slave attempted to re-register after removal")]
    Removed,
    /// It moved.
    #[error("Slave attempted to re-register with different IP / hostname")]
    Moved,
    /// The registry has that id already.
    #[error("Slave attempted to register but got duplicate slave id {0}")]
    DuplicateId(SlaveId),
    /// The registry does not have that id.
    #[error("Slave attempted to re-register with unknown slave id {0}")]
    UnknownId(SlaveId),
    /// An update came from a removed slave.
    #[error("Status update from unknown slave")]
    StatusUpdate,
    /// An executor of a removed slave speaks.
    #[error("Executor message from unknown slave")]
    ExecutorMessage,
    /// An executor of a removed slave ended.
    #[error("Executor exited message from unknown slave")]
    ExitedExecutor,
    /// A removed slave has more to offer.
    #[error("Update slave message from unknown slave")]
    UpdateSlave,
    /// What it remembers does not fit what it has. Upstream aborts instead.
    #[error("Slave has invalid checkpointed resources: {0}")]
    Checkpointed(#[from] CheckpointedError),
    /// An operator maintains its machine.
    #[error("Machine is `DOWN`")]
    MachineDown,
    /// It forgot who it is. Upstream aborts instead.
    #[error("Slave attempted to re-register without an id")]
    NoId,
}

/// Why a slave is removed; told in the TASK_LOST of its tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemovalCause {
    /// It did not answer pings.
    #[error("health check timed out")]
    Unhealthy,
    /// It said so.
    #[error("the slave unregistered")]
    Unregistered,
    /// Another one is where it was.
    #[error("a new slave registered at the same address")]
    Replaced,
    /// An earlier master knew it, this one never saw it.
    #[error("did not re-register after master failover")]
    NotReregistered,
}

/// A message of what a task's TASK_LOST or TASK_ERROR says when the master makes it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaskRefusal {
    /// The offers cannot be used.
    #[error("Task launched with invalid offers: {0}")]
    InvalidOffers(crate::validation::offer::OfferRefusal),
    /// The slave is gone.
    #[error("Slave removed")]
    SlaveRemoved,
    /// The slave is away.
    #[error("Slave disconnected")]
    SlaveDisconnected,
    /// The authorizer said so.
    #[error("Not authorized to launch as user '{0}'")]
    Unauthorized(String),
    /// The authorizer could not say.
    #[error("Authorization failure: {0}")]
    AuthorizationFailed(String),
    /// The task itself is wrong.
    #[error(transparent)]
    Invalid(#[from] crate::validation::task::TaskError),
}
