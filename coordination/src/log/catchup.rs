//! Fills positions one after the other, until the own replica misses none of them. Called by
//! `coordinator` and `recovery`. Pure.
//!
//! Upstream: `CatchUpProcess`, `BulkCatchUpProcess`.

use tracing::info;

use crate::log::fill::Fill;
use crate::log::positions::Positions;
use crate::log::turn::{Effect, Input, Pause, Turn};

#[derive(Clone, Debug)]
enum State {
    Checking,
    Filling(Box<Fill>),
    /// Filled, as far as a majority is concerned.
    CheckingAgain,
    /// The notice has not reached the own disk.
    Pausing,
}

/// A catch-up on its way.
#[derive(Clone, Debug)]
pub(crate) struct CatchUp {
    quorum: usize,
    /// The proposal that worked last: the next position takes it, too.
    proposal: u64,
    left: Positions,
    current: u64,
    state: State,
}

impl CatchUp {
    pub(crate) fn new(quorum: usize, proposal: u64, positions: Positions) -> Self {
        Self { quorum, proposal, left: positions, current: 0, state: State::Checking }
    }

    pub(crate) fn start(&mut self) -> Turn<()> {
        let Some(next) = self.left.pop_first() else { return Turn::done(()) };
        self.current = next;
        self.state = State::Checking;
        Turn::todo(Effect::Check(next))
    }

    pub(crate) fn step(&mut self, input: Input) -> Turn<()> {
        match (&mut self.state, input) {
            (State::Checking | State::CheckingAgain, Input::Missing(false)) => self.start(),
            (State::Checking, Input::Missing(true)) => self.fill(),
            (State::CheckingAgain, Input::Missing(true)) => {
                self.state = State::Pausing;
                Turn::todo(Effect::Pause(Pause::Short))
            }
            (State::Pausing, Input::Resumed) => self.fill(),
            (State::Filling(_), Input::Timeout) => {
                info!("Unable to catch-up position {} in 10secs, retrying", self.current);
                self.fill()
            }
            (State::Filling(fill), input) => {
                let turn = fill.step(input);
                turn.then(|proposal| {
                    self.proposal = proposal;
                    self.state = State::CheckingAgain;
                    Turn::todo(Effect::Check(self.current))
                })
            }
            _ => Turn::idle(),
        }
    }

    fn fill(&mut self) -> Turn<()> {
        let mut fill = Fill::new(self.quorum, self.proposal, self.current);
        let turn = fill.start();
        self.state = State::Filling(Box::new(fill));
        turn.then(|_| Turn::idle())
    }
}
