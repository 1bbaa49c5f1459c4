//! The unions of the scheduler and executor APIs as Rust enums: what a type asks for is there,
//! or the message is refused, once, in upstream's words. Called where such messages come in and
//! go out; whether the sender may say it is asked elsewhere.
//! Upstream: `scheduler::call::validate`, `executor::call::validate`.

pub mod executor;
pub mod scheduler;

#[cfg(test)]
mod tests;

/// Why a call or event makes no sense in itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCall {
    /// The part that the type asks for is absent.
    #[error("Expecting '{0}' to be present")]
    Missing(&'static str),
    /// SUBSCRIBE says two ids.
    #[error("'framework_id' differs from 'subscribe.framework_info.id'")]
    FrameworkIdDiffers,
    /// A type that 0.28 does not know.
    #[error("Unknown call type")]
    UnknownType,
    /// An update without a UUID's 16 bytes, or an acknowledgement of such.
    #[error("Expecting 'uuid' to have 16 bytes, not {0}")]
    Uuid(usize),
    /// An update of another executor's task.
    #[error("ExecutorID in Call: {call} does not match ExecutorID in TaskStatus: {status}")]
    ExecutorIdDiffers {
        /// As the call says.
        call: String,
        /// As its status says.
        status: String,
    },
    /// An update that is not the executor's own.
    #[error(
        "Received Call from executor {executor_id} of framework {framework_id} \
         with invalid source, expecting 'SOURCE_EXECUTOR'"
    )]
    Source {
        /// Who sent it.
        executor_id: String,
        /// Of which framework.
        framework_id: String,
    },
    /// Executors cannot stage tasks.
    #[error(
        "Received TASK_STAGING from executor {executor_id} of framework {framework_id} \
         which is not allowed"
    )]
    Staging {
        /// Who sent it.
        executor_id: String,
        /// Of which framework.
        framework_id: String,
    },
}

fn required<T>(part: Option<T>, name: &'static str) -> Result<T, InvalidCall> {
    part.ok_or(InvalidCall::Missing(name))
}

/// The bytes of a UUID, of which there are 16.
pub fn uuid_bytes(uuid: &[u8]) -> Result<[u8; 16], InvalidCall> {
    uuid.try_into().map_err(|_| InvalidCall::Uuid(uuid.len()))
}
