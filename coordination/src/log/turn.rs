//! What a proposer's state machine is told and what it wants done: the vocabulary between the pure
//! machines (`round` to `recovery`) and `drive`, which does it. Pure.

use proto::mesos::internal::log::metadata::Status;
use proto::mesos::internal::log::{
    Action, PromiseRequest, PromiseResponse, RecoverResponse, WriteRequest, WriteResponse,
};

use crate::log::positions::Positions;

/// A question to all replicas.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ask {
    Promise(PromiseRequest),
    Write(WriteRequest),
    Recover,
}

/// How long to do nothing; how exactly is left to chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pause {
    /// 100 to 200 ms, between two attempts to fill a position.
    Short,
    /// 500 to 1,000 ms, between two rounds of recovery.
    Long,
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    /// Ask all replicas; answers to earlier questions count no longer.
    Ask(Ask),
    /// Ask those who have not answered the last question once more.
    AskAgain,
    /// Tell all replicas what was agreed on.
    Learn(Action),
    /// Look whether the own replica misses this position.
    Check(u64),
    /// Look which positions up to this one the own replica misses.
    List(u64),
    /// Change the own replica's status.
    SetStatus(Status),
    Pause(Pause),
}

/// Something that has happened.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Input {
    Promise(PromiseResponse),
    Write(WriteResponse),
    Recover(RecoverResponse),
    /// All who were asked have answered.
    AllAnswered,
    /// The last question is ten seconds old.
    Timeout,
    /// The answer to [`Effect::Check`].
    Missing(bool),
    /// The answer to [`Effect::List`].
    Listed(Positions),
    /// The answer to [`Effect::SetStatus`].
    StatusSet(bool),
    /// A pause is over.
    Resumed,
}

/// What follows from an input: things to be done in this order, and the outcome if that was all.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Turn<T> {
    pub(crate) effects: Vec<Effect>,
    pub(crate) outcome: Option<T>,
}

impl<T> Turn<T> {
    /// Nothing, for now.
    pub(crate) fn idle() -> Self {
        Self { effects: Vec::new(), outcome: None }
    }

    pub(crate) fn todo(effect: Effect) -> Self {
        Self { effects: vec![effect], outcome: None }
    }

    pub(crate) fn done(outcome: T) -> Self {
        Self { effects: Vec::new(), outcome: Some(outcome) }
    }

    /// Does this, and then what `next` makes of the outcome.
    pub(crate) fn then<U>(self, next: impl FnOnce(T) -> Turn<U>) -> Turn<U> {
        let mut effects = self.effects;
        let outcome = self.outcome.and_then(|outcome| {
            let turn = next(outcome);
            effects.extend(turn.effects);
            turn.outcome
        });
        Turn { effects, outcome }
    }
}

/// A proposer at work.
pub(crate) trait Machine: Send {
    type Outcome: Send;

    /// The first turn; called once.
    fn start(&mut self) -> Turn<Self::Outcome>;

    /// What follows from an input. Whatever does not fit is ignored.
    fn step(&mut self, input: Input) -> Turn<Self::Outcome>;
}
