//! Makes sure that one position is agreed on, by agreeing on what may have been agreed on before,
//! or on nothing. Called by `catchup`. Pure.
//!
//! Upstream: `FillProcess`.

use proto::mesos::internal::log::action::Nop;
use proto::mesos::internal::log::{Action, PromiseResponse, WriteResponse};

use crate::log::message::{Payload, is_learned, performed, write_request};
use crate::log::round::{ExplicitRound, Verdict, WriteRound};
use crate::log::turn::{Ask, Effect, Input, Pause, Turn};

#[derive(Clone, Debug)]
enum State {
    Promising(ExplicitRound),
    Writing(WriteRound, Action),
    Pausing,
}

/// One position being filled. Its outcome is the proposal that did it.
#[derive(Clone, Debug)]
pub(crate) struct Fill {
    quorum: usize,
    position: u64,
    proposal: u64,
    state: State,
}

impl Fill {
    pub(crate) fn new(quorum: usize, proposal: u64, position: u64) -> Self {
        let state = State::Promising(ExplicitRound::new(quorum, proposal, position));
        Self { quorum, position, proposal, state }
    }

    pub(crate) fn start(&mut self) -> Turn<u64> {
        let round = ExplicitRound::new(self.quorum, self.proposal, self.position);
        let request = round.request();
        self.state = State::Promising(round);
        Turn::todo(Effect::Ask(Ask::Promise(request)))
    }

    pub(crate) fn step(&mut self, input: Input) -> Turn<u64> {
        match input {
            Input::Promise(response) => self.promised(response),
            Input::Write(response) => self.written(&response),
            Input::Resumed if matches!(self.state, State::Pausing) => self.start(),
            _ => Turn::idle(),
        }
    }

    fn promised(&mut self, response: PromiseResponse) -> Turn<u64> {
        let State::Promising(round) = &mut self.state else { return Turn::idle() };
        let action = match round.count(response) {
            None => return Turn::idle(),
            Some(Verdict::Rejected(promised)) => return self.retry_above(promised),
            Some(Verdict::Ignored) => return self.retry_above(self.proposal),
            Some(Verdict::Accepted(action)) => action,
        };
        let payload = match action {
            Some(action) if is_learned(&action) => return self.learn(action),
            // The round lets only performed actions through, and those have a payload.
            Some(action) => Payload::of(&action).unwrap_or(Payload::Nop(Nop::default())),
            None => Payload::Nop(Nop::default()),
        };
        let action = performed(self.position, self.proposal, payload.clone());
        let request = write_request(self.position, self.proposal, payload);
        self.state = State::Writing(WriteRound::new(self.quorum, request.clone()), action);
        Turn::todo(Effect::Ask(Ask::Write(request)))
    }

    fn written(&mut self, response: &WriteResponse) -> Turn<u64> {
        let State::Writing(round, action) = &mut self.state else { return Turn::idle() };
        match round.count(response) {
            None => Turn::idle(),
            Some(Verdict::Rejected(promised)) => self.retry_above(promised),
            Some(Verdict::Ignored) => self.retry_above(self.proposal),
            Some(Verdict::Accepted(())) => {
                let action = action.clone();
                self.learn(action)
            }
        }
    }

    fn learn(&mut self, action: Action) -> Turn<u64> {
        let learned = Action {
            promised: self.proposal,
            performed: Some(self.proposal),
            learned: Some(true),
            ..action
        };
        let effects = vec![Effect::Learn(learned)];
        Turn { effects, outcome: Some(self.proposal) }
    }

    fn retry_above(&mut self, promised: u64) -> Turn<u64> {
        self.proposal = self.proposal.max(promised).saturating_add(1);
        self.state = State::Pausing;
        Turn::todo(Effect::Pause(Pause::Short))
    }
}
