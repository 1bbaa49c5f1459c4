//! What the log's messages and records must hold beyond protobuf's rules, and the few forms in
//! which we make them. Called by all other parts of the log. Pure.
//! Upstream: the `CHECK`s on them all over `src/log`, which end the process there.

use proto::mesos::internal::log::action::{Append, Nop, Truncate, Type};
use proto::mesos::internal::log::{
    Action, PromiseResponse, WriteRequest, WriteResponse, promise_response, write_response,
};

/// The last position there is. Its key is the last one of 32 bits; behind it upstream's keys
/// become negative numbers, whose order is wrong.
pub const LAST_POSITION: u64 = (1 << 31) - 2;

/// What may stand at a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    Nop(Nop),
    Append(Append),
    Truncate(Truncate),
}

/// Why a message is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("it has no type that we know")]
    NoType,
    #[error("what its type names is absent")]
    NoPayload,
    #[error("it is not marked as learned")]
    NotLearned,
    #[error("it does not say by which proposal it was performed")]
    NotPerformed,
    #[error("it is beyond the last position, {LAST_POSITION}")]
    BeyondLast,
    #[error("it truncates what comes after itself")]
    TruncatesFuture,
    #[error("it is an answer about another position")]
    OtherPosition,
    #[error("it is an answer to another proposal")]
    OtherProposal,
    #[error("it lacks the position")]
    NoPosition,
}

impl Payload {
    /// The payload of an action that has been performed.
    pub(crate) fn of(action: &Action) -> Result<Payload, Malformed> {
        let nop = action.nop.unwrap_or_default();
        let payload = Self::new(action.r#type, Some(nop), &action.append, action.truncate)?;
        payload.fits(action.position)
    }

    /// The payload that a write asks for.
    pub(crate) fn asked(request: &WriteRequest) -> Result<Payload, Malformed> {
        let payload =
            Self::new(Some(request.r#type), request.nop, &request.append, request.truncate)?;
        payload.fits(request.position)
    }

    fn new(
        number: Option<i32>,
        nop: Option<Nop>,
        append: &Option<Append>,
        truncate: Option<Truncate>,
    ) -> Result<Payload, Malformed> {
        let known = number.and_then(|number| Type::try_from(number).ok());
        let payload = match known.ok_or(Malformed::NoType)? {
            Type::Nop => nop.map(Payload::Nop),
            Type::Append => append.clone().map(Payload::Append),
            Type::Truncate => truncate.map(Payload::Truncate),
        };
        payload.ok_or(Malformed::NoPayload)
    }

    fn fits(self, position: u64) -> Result<Payload, Malformed> {
        match &self {
            _ if position > LAST_POSITION => Err(Malformed::BeyondLast),
            Payload::Truncate(truncate) if truncate.to > position => {
                Err(Malformed::TruncatesFuture)
            }
            _ => Ok(self),
        }
    }

    /// How logs and the `type` fields call it.
    pub(crate) fn kind(&self) -> Type {
        match self {
            Payload::Nop(_) => Type::Nop,
            Payload::Append(_) => Type::Append,
            Payload::Truncate(_) => Type::Truncate,
        }
    }

    /// The same bytes in an action.
    pub(crate) fn put_into(self, action: &mut Action) {
        action.r#type = Some(self.kind().into());
        (action.nop, action.append, action.truncate) = self.fields();
    }

    fn fields(self) -> (Option<Nop>, Option<Append>, Option<Truncate>) {
        match self {
            Payload::Nop(nop) => (Some(nop), None, None),
            Payload::Append(append) => (None, Some(append), None),
            Payload::Truncate(truncate) => (None, None, Some(truncate)),
        }
    }
}

/// The action that `proposal` performs at `position`.
pub(crate) fn performed(position: u64, proposal: u64, payload: Payload) -> Action {
    let mut action =
        Action { position, promised: proposal, performed: Some(proposal), ..Action::default() };
    payload.put_into(&mut action);
    action
}

/// The request to write `payload`.
pub(crate) fn write_request(position: u64, proposal: u64, payload: Payload) -> WriteRequest {
    let r#type = payload.kind().into();
    let (nop, append, truncate) = payload.fields();
    WriteRequest { proposal, position, learned: None, r#type, nop, append, truncate }
}

/// Whether the action is known to be agreed on.
pub(crate) fn is_learned(action: &Action) -> bool {
    action.learned == Some(true)
}

/// A learned action with all that it must have.
pub(crate) fn checked_learned(action: &Action) -> Result<Payload, Malformed> {
    if !is_learned(action) {
        return Err(Malformed::NotLearned);
    }
    if action.performed.is_none() {
        return Err(Malformed::NotPerformed);
    }
    Payload::of(action)
}

/// Where the log begins once this learned action is known; 0 if it says nothing about that.
///
/// Upstream 1.x answers for truncated positions with a NOP that is a tombstone.
pub(crate) fn beginning_after(action: &Action) -> u64 {
    match Payload::of(action) {
        Ok(Payload::Truncate(truncate)) => truncate.to,
        Ok(Payload::Nop(nop)) if nop.tombstone() => action.position + 1,
        _ => 0,
    }
}

/// How a replica voted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vote {
    Accept,
    Reject,
    /// It may not vote.
    Ignore,
}

/// Peers of 0.20 to 0.25 send no type, only `okay`.
pub(crate) fn vote_on_promise(response: &PromiseResponse) -> Vote {
    let number = response.r#type;
    match number.and_then(|number| promise_response::Type::try_from(number).ok()) {
        Some(promise_response::Type::Accept) => Vote::Accept,
        Some(promise_response::Type::Reject) => Vote::Reject,
        Some(promise_response::Type::Ignore) => Vote::Ignore,
        None => by_okay(response.okay),
    }
}

/// As [`vote_on_promise`].
pub(crate) fn vote_on_write(response: &WriteResponse) -> Vote {
    let number = response.r#type;
    match number.and_then(|number| write_response::Type::try_from(number).ok()) {
        Some(write_response::Type::Accept) => Vote::Accept,
        Some(write_response::Type::Reject) => Vote::Reject,
        Some(write_response::Type::Ignore) => Vote::Ignore,
        None => by_okay(response.okay),
    }
}

fn by_okay(okay: bool) -> Vote {
    if okay { Vote::Accept } else { Vote::Reject }
}
