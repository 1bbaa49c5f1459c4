//! The one who writes: is elected, catches the own replica up so that it can be read, and then
//! writes one action after the other. Called by `writer`. Pure.
//!
//! Upstream: `CoordinatorProcess`.

use proto::mesos::internal::log::Action;
use tracing::info;

use crate::log::catchup::CatchUp;
use crate::log::message::{LAST_POSITION, Payload, performed, write_request};
use crate::log::positions::Positions;
use crate::log::round::{ImplicitRound, Verdict, WriteRound};
use crate::log::turn::{Ask, Effect, Input, Machine, Turn};

/// The log cannot grow any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The log is full: its last position, {LAST_POSITION}, is used")]
pub struct Full;

#[derive(Clone, Debug)]
enum State {
    /// Neither elected nor about to be.
    Initial,
    Electing(ImplicitRound),
    Listing,
    CatchingUp(Box<CatchUp>),
    Elected,
    Writing(Box<(WriteRound, Action)>),
    /// Whether the own replica has taken what was agreed on.
    Learning,
}

/// A coordinator. It keeps its proposal over any number of elections.
#[derive(Clone, Debug)]
pub(crate) struct Coordinator {
    quorum: usize,
    proposal: u64,
    /// Where the next action is written; while electing, where the log ends.
    index: u64,
    state: State,
}

impl Coordinator {
    pub(crate) fn new(quorum: usize) -> Self {
        Self { quorum, proposal: 0, index: 0, state: State::Initial }
    }

    pub(crate) fn is_elected(&self) -> bool {
        matches!(self.state, State::Elected)
    }

    /// Prepares an election above all that is known: what the own replica has promised, and what
    /// has defeated an earlier one.
    pub(crate) fn elect(&mut self, promised: u64) {
        self.proposal = self.proposal.max(promised).saturating_add(1);
        self.state = State::Electing(ImplicitRound::new(self.quorum, self.proposal));
    }

    /// Prepares a write, which an elected coordinator alone may.
    pub(crate) fn write(&mut self, payload: Payload) -> Result<(), Full> {
        assert!(self.is_elected(), "only an elected coordinator writes");
        if self.index > LAST_POSITION {
            return Err(Full);
        }
        let kind = payload.kind().as_str_name();
        info!("Coordinator attempting to write {kind} action at position {}", self.index);
        let action = performed(self.index, self.proposal, payload.clone());
        let request = write_request(self.index, self.proposal, payload);
        let round = WriteRound::new(self.quorum, request);
        self.state = State::Writing(Box::new((round, action)));
        Ok(())
    }

    fn demoted(&mut self) -> Turn<Option<u64>> {
        self.state = State::Initial;
        Turn::done(None)
    }

    fn promised(&mut self, verdict: Verdict<u64>) -> Turn<Option<u64>> {
        match verdict {
            Verdict::Ignored => self.demoted(),
            Verdict::Rejected(promised) => {
                self.proposal = self.proposal.max(promised);
                self.demoted()
            }
            Verdict::Accepted(end) => {
                self.index = end;
                self.state = State::Listing;
                Turn::todo(Effect::List(end))
            }
        }
    }

    /// All that is missing must be known before anything can be read, since what is known may
    /// have been truncated.
    fn listed(&mut self, missing: Positions) -> Turn<Option<u64>> {
        info!("Coordinator attempting to fill missing positions");
        // These were just promised to our proposal, so that only a higher one is taken.
        let mut catch_up = CatchUp::new(self.quorum, self.proposal.saturating_add(1), missing);
        let turn = catch_up.start();
        self.state = State::CatchingUp(Box::new(catch_up));
        turn.then(|()| self.elected())
    }

    fn elected(&mut self) -> Turn<Option<u64>> {
        self.state = State::Elected;
        self.index += 1;
        Turn::done(Some(self.index - 1))
    }

    fn written(&mut self, verdict: Verdict<()>, action: Action) -> Turn<Option<u64>> {
        match verdict {
            Verdict::Ignored => self.demoted(),
            Verdict::Rejected(promised) => {
                self.proposal = self.proposal.max(promised);
                self.demoted()
            }
            Verdict::Accepted(()) => {
                let position = action.position;
                let learned = Action { learned: Some(true), ..action };
                self.state = State::Learning;
                let effects = vec![Effect::Learn(learned), Effect::Check(position)];
                Turn { effects, outcome: None }
            }
        }
    }

    /// An own replica that cannot keep what was agreed on must be caught up before it can be read.
    fn learned(&mut self, is_missing: bool) -> Turn<Option<u64>> {
        if is_missing { self.demoted() } else { self.elected() }
    }
}

impl Machine for Coordinator {
    /// The position that was reached, if it was.
    type Outcome = Option<u64>;

    fn start(&mut self) -> Turn<Option<u64>> {
        match &self.state {
            State::Electing(round) => Turn::todo(Effect::Ask(Ask::Promise(round.request()))),
            State::Writing(write) => Turn::todo(Effect::Ask(Ask::Write(write.0.request()))),
            _ => Turn::done(None),
        }
    }

    fn step(&mut self, input: Input) -> Turn<Option<u64>> {
        match (&mut self.state, input) {
            (State::Electing(round), Input::Promise(response)) => match round.count(&response) {
                Some(verdict) => self.promised(verdict),
                None => Turn::idle(),
            },
            (State::Writing(write), Input::Write(response)) => {
                let (round, action) = &mut **write;
                match round.count(&response) {
                    Some(verdict) => {
                        let action = action.clone();
                        self.written(verdict, action)
                    }
                    None => Turn::idle(),
                }
            }
            (State::Electing(_) | State::Writing(..), Input::Timeout) => {
                Turn::todo(Effect::AskAgain)
            }
            (State::Listing, Input::Listed(missing)) => self.listed(missing),
            (State::CatchingUp(catch_up), input) => {
                let turn = catch_up.step(input);
                turn.then(|()| self.elected())
            }
            (State::Learning, Input::Missing(is_missing)) => self.learned(is_missing),
            _ => Turn::idle(),
        }
    }
}
