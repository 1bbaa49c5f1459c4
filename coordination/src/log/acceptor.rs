//! What a replica answers and what it must have written before it does: Paxos' acceptor, for
//! every position of the log at once. Called by `store`, which reads and writes the disk.
//! Pure: nothing here waits, sends or writes. A step is computed from what is known, its change is
//! applied, and its reply is spoken only once the change is on disk.
//!
//! Upstream: `ReplicaProcess` without its storage.

use libprocess::Upid;
use proto::mesos::internal::log::action::Nop;
use proto::mesos::internal::log::metadata::Status;
use proto::mesos::internal::log::{
    Action, Metadata, PromiseRequest, PromiseResponse, RecoverResponse, WriteRequest,
    WriteResponse, promise_response, write_response,
};
use tracing::{info, warn};

use crate::log::message::{Payload, beginning_after, checked_learned, is_learned};
use crate::log::positions::Positions;
use crate::log::storage::{Change, Restored};

/// What a replica says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    Promise(PromiseResponse),
    Write(WriteResponse),
    Recover(RecoverResponse),
}

/// What follows from one request. Nothing at all, if both are absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Step {
    /// To be on disk before the reply is given.
    pub(crate) change: Option<Change>,
    pub(crate) reply: Option<Reply>,
}

impl Step {
    fn reply(reply: Reply) -> Self {
        Self { change: None, reply: Some(reply) }
    }
}

/// What one replica knows, but for the actions themselves.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Acceptor {
    status: Status,
    promised: u64,
    /// Everything before is truncated, and agreed to be.
    begin: u64,
    /// The highest position ever seen.
    end: u64,
    /// Positions from `begin` to `end` of which nothing is known.
    holes: Positions,
    /// Positions of which something is known, but not that it was agreed on.
    unlearned: Positions,
}

impl Acceptor {
    /// The replica as its disk has it.
    pub(crate) fn restore(restored: Restored) -> Self {
        let Restored { metadata, begin, end, learned, mut unlearned } = restored;
        let mut holes = Positions::default();
        // Of a new log position 0 is a hole: whoever is elected first fills it.
        holes.insert(begin, end);
        unlearned.remove_before(begin);
        for range in learned.ranges().chain(unlearned.ranges()) {
            holes.remove(*range.start(), *range.end());
        }
        info!(
            "Replica recovered with log positions {begin} -> {end} with {} holes and {} unlearned",
            holes.count(),
            unlearned.count()
        );
        let promised = metadata.promised;
        Self { status: metadata.status(), promised, begin, end, holes, unlearned }
    }

    pub(crate) fn status(&self) -> Status {
        self.status
    }

    pub(crate) fn promised(&self) -> u64 {
        self.promised
    }

    pub(crate) fn begin(&self) -> u64 {
        self.begin
    }

    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Whether it is not known what was agreed on at `position`.
    pub(crate) fn is_missing(&self, position: u64) -> bool {
        position >= self.begin
            && (position > self.end
                || self.unlearned.contains(position)
                || self.holes.contains(position))
    }

    /// The positions up to `last` that are missing.
    pub(crate) fn missing_up_to(&self, last: u64) -> Positions {
        let mut missing = self.holes.clone();
        for range in self.unlearned.ranges() {
            missing.insert(*range.start(), *range.end());
        }
        missing.insert(self.end.saturating_add(1), last);
        missing.within(self.begin, last)
    }

    /// Whether the disk has an action for `position`.
    pub(crate) fn has(&self, position: u64) -> bool {
        (self.begin..=self.end).contains(&position) && !self.holes.contains(position)
    }

    /// The change of the replica's own status.
    pub(crate) fn set_status(&self, status: Status) -> Change {
        Change::Metadata(Metadata { status: status.into(), promised: self.promised })
    }

    /// Takes a change for done.
    pub(crate) fn apply(&mut self, change: &Change) {
        match change {
            Change::Metadata(metadata) => {
                self.status = metadata.status();
                self.promised = metadata.promised;
            }
            Change::Action(action) => self.apply_action(action),
        }
    }

    fn apply_action(&mut self, action: &Action) {
        let position = action.position;
        self.holes.remove(position, position);
        if is_learned(action) {
            self.unlearned.remove(position, position);
            self.begin = self.begin.max(beginning_after(action));
        } else {
            self.unlearned.insert(position, position);
        }
        self.holes.insert(self.end.saturating_add(1), position.saturating_sub(1));
        self.end = self.end.max(position);
        // What is truncated needs not be filled.
        self.holes.remove_before(self.begin);
        self.unlearned.remove_before(self.begin);
    }

    /// A proposer asks that no lower proposal be listened to any more, at one position or at all
    /// that are still unused. `stored` is the action at that position, if there is one.
    pub(crate) fn promise(
        &self,
        from: &Upid,
        request: &PromiseRequest,
        stored: Option<Action>,
    ) -> Step {
        let proposal = request.proposal;
        if self.status != Status::Voting {
            let status = self.status.as_str_name();
            info!("Replica ignoring promise request from {from} as it is in {status} status");
            return promise_reply(promise_response::Type::Ignore, proposal);
        }
        let Some(position) = request.position else {
            info!("Replica received implicit promise request from {from} with proposal {proposal}");
            return self.promise_all(proposal);
        };
        info!(
            "Replica received explicit promise request from {from} for position {position} with \
             proposal {proposal}"
        );
        self.promise_one(proposal, position, stored)
    }

    fn promise_all(&self, proposal: u64) -> Step {
        if proposal <= self.promised {
            info!("Replica denying promise request with proposal {proposal}");
            return promise_reply(promise_response::Type::Reject, self.promised);
        }
        let status = self.status.into();
        Step {
            change: Some(Change::Metadata(Metadata { status, promised: proposal })),
            reply: Some(Reply::Promise(PromiseResponse {
                position: Some(self.end),
                ..promise_response(promise_response::Type::Accept, proposal)
            })),
        }
    }

    fn promise_one(&self, proposal: u64, position: u64, stored: Option<Action>) -> Step {
        let accepted = promise_response(promise_response::Type::Accept, proposal);
        if position < self.begin {
            // Truncated, which is agreed on: whatever stood there may be taken for a NOP.
            let action = Some(Action {
                position,
                promised: self.promised,
                performed: Some(self.promised),
                learned: Some(true),
                r#type: Some(proto::mesos::internal::log::action::Type::Nop.into()),
                nop: Some(Nop::default()),
                ..Action::default()
            });
            return Step::reply(Reply::Promise(PromiseResponse { action, ..accepted }));
        }
        // What is unused was promised with all the unused positions.
        let promised = stored.as_ref().map_or(self.promised, |action| action.promised);
        if proposal <= promised {
            return promise_reply(promise_response::Type::Reject, promised);
        }
        let promising = Action { position, ..stored.clone().unwrap_or_default() };
        let reply = match stored {
            // Told as it was before this promise.
            Some(action) => PromiseResponse { action: Some(action), ..accepted },
            None => PromiseResponse { position: Some(position), ..accepted },
        };
        Step {
            change: Some(Change::Action(Action { promised: proposal, ..promising })),
            reply: Some(Reply::Promise(reply)),
        }
    }

    /// A proposer asks that an action be accepted. `stored` is what is at that position now.
    pub(crate) fn write(
        &self,
        from: &Upid,
        request: &WriteRequest,
        stored: Option<Action>,
    ) -> Step {
        let (position, proposal) = (request.position, request.proposal);
        if self.status != Status::Voting {
            let status = self.status.as_str_name();
            info!("Replica ignoring write request from {from} as it is in {status} status");
            return write_reply(write_response::Type::Ignore, proposal, position);
        }
        info!("Replica received write request for position {position} from {from}");
        let payload = match Payload::asked(request) {
            Ok(payload) => payload,
            Err(why) => {
                warn!("Dropping write request for position {position} from {from}: {why}");
                return Step::default();
            }
        };
        if position < self.begin {
            info!("Ignoring write request for position {position}, which is truncated");
            return Step::default();
        }
        let promised = stored.as_ref().map_or(self.promised, |action| action.promised);
        if proposal < promised {
            return write_reply(write_response::Type::Reject, promised, position);
        }
        if stored.as_ref().is_some_and(is_learned) {
            // As upstream: it may be the same action, whose notice has overtaken this request.
            return Step::default();
        }
        let mut action = Action {
            position,
            // To accept is to promise: a lower proposal that is late must not replace it.
            promised: proposal,
            performed: Some(proposal),
            learned: request.learned,
            ..Action::default()
        };
        payload.put_into(&mut action);
        Step {
            change: Some(Change::Action(action)),
            ..write_reply(write_response::Type::Accept, proposal, position)
        }
    }

    /// A proposer tells what was agreed on. True in whatever status the replica is.
    pub(crate) fn learned(&self, from: &Upid, action: &Action) -> Step {
        let position = action.position;
        info!("Replica received learned notice for position {position} from {from}");
        if let Err(why) = checked_learned(action) {
            warn!("Dropping learned notice for position {position} from {from}: {why}");
            return Step::default();
        }
        if !self.is_missing(position) {
            // What is known needs not be written again; and where others have truncated, a notice
            // may tell of a NOP, which must not replace a truncation that we begin with.
            return Step::default();
        }
        Step { change: Some(Change::Action(action.clone())), reply: None }
    }

    /// Somebody who recovers asks what there is.
    pub(crate) fn recover(&self, from: &Upid) -> Step {
        let name = self.status.as_str_name();
        info!("Replica in {name} status received a broadcasted recover request from {from}");
        let votes = self.status == Status::Voting;
        Step::reply(Reply::Recover(RecoverResponse {
            status: self.status.into(),
            // A tombstone may have put the beginning behind the end, which nobody expects.
            begin: votes.then_some(self.begin.min(self.end)),
            end: votes.then_some(self.end),
        }))
    }
}

fn promise_response(kind: promise_response::Type, proposal: u64) -> PromiseResponse {
    PromiseResponse {
        // Peers of 0.20 to 0.25 read this one alone.
        okay: kind == promise_response::Type::Accept,
        r#type: Some(kind.into()),
        proposal,
        position: None,
        action: None,
    }
}

fn promise_reply(kind: promise_response::Type, proposal: u64) -> Step {
    Step::reply(Reply::Promise(promise_response(kind, proposal)))
}

fn write_reply(kind: write_response::Type, proposal: u64, position: u64) -> Step {
    let okay = kind == write_response::Type::Accept;
    let r#type = Some(kind.into());
    Step::reply(Reply::Write(WriteResponse { okay, r#type, proposal, position }))
}
