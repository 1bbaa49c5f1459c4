//! The rounds of Paxos, as the proposer counts them: a promise for all unused positions, a promise
//! for one, a write. A round is decided by a quorum of votes, or by a quorum that may not vote.
//! Called by `coordinator` and `fill`. Pure.
//!
//! Upstream: `ImplicitPromiseProcess`, `ExplicitPromiseProcess`, `WriteProcess`.

use proto::mesos::internal::log::{
    Action, PromiseRequest, PromiseResponse, WriteRequest, WriteResponse,
};
use tracing::{info, warn};

use crate::log::message::{Malformed, Payload, Vote, is_learned, vote_on_promise, vote_on_write};

/// How a round ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict<T> {
    Accepted(T),
    /// By somebody who has promised this, the highest such proposal.
    Rejected(u64),
    /// Too few may vote.
    Ignored,
}

/// The votes of one round.
#[derive(Clone, Debug)]
struct Tally {
    what: &'static str,
    quorum: usize,
    votes: usize,
    ignores: usize,
    rejected: Option<u64>,
}

impl Tally {
    fn new(what: &'static str, quorum: usize) -> Self {
        Self { what, quorum, votes: 0, ignores: 0, rejected: None }
    }

    fn count(&mut self, vote: Vote, proposal: u64) {
        match vote {
            Vote::Ignore => self.ignores += 1,
            Vote::Accept => self.votes += 1,
            Vote::Reject => {
                self.votes += 1;
                self.rejected = self.rejected.max(Some(proposal));
            }
        }
    }

    fn verdict<T>(&self, accepted: impl FnOnce() -> T) -> Option<Verdict<T>> {
        if self.ignores >= self.quorum {
            let (what, ignores) = (self.what, self.ignores);
            info!("Aborting {what} request because {ignores} ignores received");
            return Some(Verdict::Ignored);
        }
        (self.votes >= self.quorum).then(|| match self.rejected {
            Some(proposal) => Verdict::Rejected(proposal),
            None => Verdict::Accepted(accepted()),
        })
    }

    fn drop(&self, why: Malformed) {
        warn!("Dropping an answer to the {} request: {why}", self.what);
    }
}

/// Asks for a promise on all unused positions; learns where the log ends.
#[derive(Clone, Debug)]
pub(crate) struct ImplicitRound {
    tally: Tally,
    proposal: u64,
    end: u64,
}

impl ImplicitRound {
    pub(crate) fn new(quorum: usize, proposal: u64) -> Self {
        Self { tally: Tally::new("implicit promise", quorum), proposal, end: 0 }
    }

    pub(crate) fn request(&self) -> PromiseRequest {
        PromiseRequest { proposal: self.proposal, position: None }
    }

    pub(crate) fn count(&mut self, response: &PromiseResponse) -> Option<Verdict<u64>> {
        let vote = vote_on_promise(response);
        match (vote, response.position) {
            (Vote::Accept, None) => {
                self.tally.drop(Malformed::NoPosition);
                return None;
            }
            (Vote::Accept, Some(end)) => self.end = self.end.max(end),
            (Vote::Reject | Vote::Ignore, _) => {}
        }
        self.tally.count(vote, response.proposal);
        self.tally.verdict(|| self.end)
    }
}

/// Asks for a promise on one position; learns what may have been agreed on there.
#[derive(Clone, Debug)]
pub(crate) struct ExplicitRound {
    tally: Tally,
    proposal: u64,
    position: u64,
    /// The action performed by the highest proposal.
    performed: Option<Action>,
}

impl ExplicitRound {
    pub(crate) fn new(quorum: usize, proposal: u64, position: u64) -> Self {
        let tally = Tally::new("explicit promise", quorum);
        Self { tally, proposal, position, performed: None }
    }

    pub(crate) fn request(&self) -> PromiseRequest {
        PromiseRequest { proposal: self.proposal, position: Some(self.position) }
    }

    pub(crate) fn count(
        &mut self,
        mut response: PromiseResponse,
    ) -> Option<Verdict<Option<Action>>> {
        let vote = vote_on_promise(&response);
        if vote == Vote::Accept {
            if let Err(why) = self.check(&response) {
                self.tally.drop(why);
                return None;
            }
            match response.action.take() {
                // What one has learned, all may. A replica that has truncated the position tells
                // of a NOP, another one of what stood there: either is right.
                Some(action) if is_learned(&action) => {
                    return Some(Verdict::Accepted(Some(action)));
                }
                Some(action) => self.keep_highest(action),
                None => {}
            }
        }
        self.tally.count(vote, response.proposal);
        self.tally.verdict(|| self.performed.clone())
    }

    fn check(&self, response: &PromiseResponse) -> Result<(), Malformed> {
        if response.proposal != self.proposal {
            return Err(Malformed::OtherProposal);
        }
        let about = match &response.action {
            None => response.position.ok_or(Malformed::NoPosition)?,
            Some(action) => {
                if action.performed.is_some() {
                    Payload::of(action)?;
                } else if is_learned(action) {
                    return Err(Malformed::NotPerformed);
                }
                action.position
            }
        };
        if about == self.position { Ok(()) } else { Err(Malformed::OtherPosition) }
    }

    fn keep_highest(&mut self, action: Action) {
        // Promised only, it says nothing; and `None` is below every proposal.
        let highest = self.performed.as_ref().and_then(|action| action.performed);
        if action.performed > highest {
            self.performed = Some(action);
        }
    }
}

/// Asks for an action to be accepted.
#[derive(Clone, Debug)]
pub(crate) struct WriteRound {
    tally: Tally,
    request: WriteRequest,
}

impl WriteRound {
    pub(crate) fn new(quorum: usize, request: WriteRequest) -> Self {
        Self { tally: Tally::new("write", quorum), request }
    }

    pub(crate) fn request(&self) -> WriteRequest {
        self.request.clone()
    }

    pub(crate) fn count(&mut self, response: &WriteResponse) -> Option<Verdict<()>> {
        if response.position != self.request.position {
            self.tally.drop(Malformed::OtherPosition);
            return None;
        }
        self.tally.count(vote_on_write(response), response.proposal);
        self.tally.verdict(|| ())
    }
}
