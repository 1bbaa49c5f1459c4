//! How a replica that may not vote comes to: by catching up with those who may or, if nobody has
//! ever voted, together with all the others. Called by `process`. Pure.
//!
//! A new log begins in two steps, so that nobody votes before everybody is there: all EMPTY ones
//! become STARTING, and only when none is EMPTY any more they become VOTING.
//!
//! Upstream: `RecoverProtocolProcess`, `RecoverProcess`.

use std::collections::BTreeMap;

use proto::mesos::internal::log::RecoverResponse;
use proto::mesos::internal::log::metadata::Status;
use tracing::{info, warn};

use crate::log::catchup::CatchUp;
use crate::log::positions::Positions;
use crate::log::turn::{Ask, Effect, Input, Machine, Pause, Turn};

/// Whether a log that nobody has ever used may be begun without an operator's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutoInitialize {
    /// It may. Upstream: `--log_auto_initialize`.
    Yes,
    /// `mesos-log initialize` has to be run for each replica.
    No,
}

/// The replica's own status could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Failed to update replica status")]
pub struct StatusNotWritten;

#[derive(Clone, Debug)]
enum State {
    Asking,
    Pausing,
    /// Writing a status; what a recovering replica has to catch up with.
    Updating(Option<(u64, u64)>),
    CatchingUp(Box<CatchUp>),
}

/// One replica's recovery.
#[derive(Clone, Debug)]
pub(crate) struct Recovery {
    quorum: usize,
    status: Status,
    auto_initialize: AutoInitialize,
    answers: BTreeMap<&'static str, usize>,
    /// From the lowest beginning to the highest end of those who vote.
    range: Option<(u64, u64)>,
    state: State,
}

impl Recovery {
    pub(crate) fn new(quorum: usize, status: Status, auto_initialize: AutoInitialize) -> Self {
        let (answers, range, state) = (BTreeMap::new(), None, State::Asking);
        Self { quorum, status, auto_initialize, answers, range, state }
    }

    fn ask(&mut self) -> Turn<Result<(), StatusNotWritten>> {
        self.answers.clear();
        self.range = None;
        self.state = State::Asking;
        Turn::todo(Effect::Ask(Ask::Recover))
    }

    fn count(&self, statuses: &[Status]) -> usize {
        let count = |status: &Status| self.answers.get(status.as_str_name());
        statuses.iter().filter_map(count).sum()
    }

    fn answered(&mut self, response: &RecoverResponse) -> Turn<Result<(), StatusNotWritten>> {
        let status = response.status();
        let name = status.as_str_name();
        info!("Received a recover response from a replica in {name} status");
        if status == Status::Voting {
            let (Some(begin), Some(end)) = (response.begin, response.end) else {
                warn!("Dropping a recover response that lacks the positions");
                return Turn::idle();
            };
            let (lowest, highest) = self.range.unwrap_or((begin, end));
            self.range = Some((lowest.min(begin), highest.max(end)));
        }
        *self.answers.entry(name).or_default() += 1;
        self.decide()
    }

    fn decide(&mut self) -> Turn<Result<(), StatusNotWritten>> {
        let all = 2 * self.quorum - 1;
        if self.count(&[Status::Voting]) >= self.quorum {
            return self.update(Status::Recovering);
        }
        let (next, ready) = match self.status {
            Status::Empty => (Status::Starting, [Status::Empty, Status::Starting]),
            Status::Starting => (Status::Voting, [Status::Starting, Status::Voting]),
            Status::Recovering | Status::Voting => return Turn::idle(),
        };
        match self.auto_initialize {
            AutoInitialize::Yes if self.count(&ready) >= all => return self.update(next),
            AutoInitialize::No if self.count(&[Status::Empty]) >= all => {
                warn!("{NOT_INITIALIZED}");
            }
            AutoInitialize::Yes | AutoInitialize::No => {}
        }
        Turn::idle()
    }

    fn update(&mut self, status: Status) -> Turn<Result<(), StatusNotWritten>> {
        info!("Updating replica status to {}", status.as_str_name());
        let range = self.range.filter(|_| status == Status::Recovering);
        self.status = status;
        self.state = State::Updating(range);
        Turn::todo(Effect::SetStatus(status))
    }

    fn updated(&mut self, range: Option<(u64, u64)>) -> Turn<Result<(), StatusNotWritten>> {
        if let Some((begin, end)) = range {
            return self.catch_up(begin, end);
        }
        match self.status {
            Status::Voting => {
                info!("Successfully joined the Paxos group");
                Turn::done(Ok(()))
            }
            Status::Empty | Status::Starting | Status::Recovering => self.ask(),
        }
    }

    /// What those who vote know is enough: beyond their highest end nothing has been agreed on,
    /// and what is before their lowest beginning is truncated.
    fn catch_up(&mut self, begin: u64, end: u64) -> Turn<Result<(), StatusNotWritten>> {
        info!("Starting catch-up from position {begin} to {end}");
        let mut positions = Positions::default();
        positions.insert(begin, end);
        let mut catch_up = CatchUp::new(self.quorum, 0, positions);
        let turn = catch_up.start();
        self.state = State::CatchingUp(Box::new(catch_up));
        turn.then(|()| self.update(Status::Voting))
    }
}

impl Machine for Recovery {
    type Outcome = Result<(), StatusNotWritten>;

    fn start(&mut self) -> Turn<Self::Outcome> {
        info!("Replica is in {} status", self.status.as_str_name());
        match self.status {
            Status::Voting => Turn::done(Ok(())),
            Status::Empty | Status::Starting | Status::Recovering => self.ask(),
        }
    }

    fn step(&mut self, input: Input) -> Turn<Self::Outcome> {
        match (&mut self.state, input) {
            (State::Asking, Input::Recover(response)) => self.answered(&response),
            (State::Asking, Input::AllAnswered) => {
                self.state = State::Pausing;
                Turn::todo(Effect::Pause(Pause::Long))
            }
            (State::Asking, Input::Timeout) => {
                info!("Unable to finish the recover protocol in 10secs, retrying");
                self.ask()
            }
            (State::Pausing, Input::Resumed) => self.ask(),
            (State::Updating(range), Input::StatusSet(true)) => {
                let range = range.take();
                self.updated(range)
            }
            (State::Updating(_), Input::StatusSet(false)) => Turn::done(Err(StatusNotWritten)),
            (State::CatchingUp(catch_up), input) => {
                let turn = catch_up.step(input);
                turn.then(|()| self.update(Status::Voting))
            }
            _ => Turn::idle(),
        }
    }
}

const NOT_INITIALIZED: &str = "
----------------------------------------------------
Replicated log has not been initialized. Did you
forget to manually initialize the log (i.e.,
mesos-log initialize --path=<PATH>)? Note that all
replicas are not initialized and the above command
needs to be run on each host!
----------------------------------------------------";
