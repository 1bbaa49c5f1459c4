//! The updates of one task: which came, which are acknowledged, which is out.
//! Called by the manager. Pure: knows no timer and sends nothing.
//! Upstream: `StatusUpdateStream`.

use std::collections::{BTreeSet, HashSet, VecDeque};

use common::task_state;
use proto::mesos::internal::StatusUpdate;
use stout::Uuid;
use stout::uuid::{self, UuidError};

/// What an update is to its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// New; it waits for its turn, or is the one whose turn it is.
    New,
    /// Here already.
    Duplicate,
    /// Acknowledged already.
    AlreadyAcknowledged,
}

/// Why an update cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UpdateError {
    /// Nobody could acknowledge it.
    #[error("Status update is missing 'uuid'")]
    WithoutUuid,
    /// Its uuid is none.
    #[error(transparent)]
    Uuid(#[from] UuidError),
    /// The manager has ended.
    #[error("the status update manager is gone")]
    Gone,
}

/// What an acknowledgement has led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acknowledged {
    /// More may come of the task.
    Open,
    /// The task has ended and the framework knows.
    Terminal,
}

/// Why an acknowledgement counts for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AckError {
    /// The task has no updates.
    #[error("Cannot find the status update stream for task {task_id} of framework {framework_id}")]
    UnknownStream { framework_id: String, task_id: String },
    /// All updates of the task are acknowledged.
    #[error(
        "Unexpected status update acknowledgment (UUID: {uuid}) for task {task_id} \
         of framework {framework_id}"
    )]
    Unexpected { uuid: Uuid, framework_id: String, task_id: String },
    /// It is for an update that is not out, or was acknowledged before.
    #[error("Duplicate acknowledgement")]
    Duplicate,
    /// The manager has ended.
    #[error("the status update manager is gone")]
    Gone,
}

/// The updates of one task.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// Those that are not acknowledged; the first one is out.
    pending: VecDeque<(Uuid, StatusUpdate)>,
    received: HashSet<Uuid>,
    acknowledged: HashSet<Uuid>,
}

impl Stream {
    /// The update that is to be sent, and again until it is acknowledged.
    pub(crate) fn front(&self) -> Option<&StatusUpdate> {
        self.pending.front().map(|(_, update)| update)
    }

    /// The uuid of that update.
    pub(crate) fn front_uuid(&self) -> Option<Uuid> {
        self.pending.front().map(|(uuid, _)| *uuid)
    }

    /// How many updates are not acknowledged.
    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    /// What names an update.
    pub(crate) fn uuid_of(update: &StatusUpdate) -> Result<Uuid, UpdateError> {
        let bytes = update.uuid.as_ref().ok_or(UpdateError::WithoutUuid)?;
        Ok(uuid::from_bytes(bytes)?)
    }

    /// Notes that an update has come; one that is new is to be accepted later.
    pub(crate) fn receive(&mut self, uuid: Uuid) -> Received {
        if self.acknowledged.contains(&uuid) {
            Received::AlreadyAcknowledged
        } else if self.received.insert(uuid) {
            Received::New
        } else {
            Received::Duplicate
        }
    }

    /// Puts a new update behind the others.
    pub(crate) fn accept(&mut self, uuid: Uuid, update: StatusUpdate) {
        self.pending.push_back((uuid, update));
    }

    /// The stream that these updates have led to, of which some are acknowledged. `None` if the
    /// task has ended and the framework knows. Upstream: `StatusUpdateStream::replay`.
    pub(crate) fn replay(
        updates: &[StatusUpdate],
        acknowledged: &BTreeSet<Uuid>,
    ) -> Result<Option<Stream>, UpdateError> {
        let mut stream = Stream::default();
        for update in updates {
            let uuid = Stream::uuid_of(update)?;
            if stream.receive(uuid) == Received::New {
                stream.accept(uuid, update.clone());
            }
            if acknowledged.contains(&uuid)
                && let Some((_, Acknowledged::Terminal)) = stream.acknowledge(uuid)
            {
                return Ok(None);
            }
        }
        Ok(Some(stream))
    }

    /// Takes an acknowledgement of the update that is out, and says what the update was.
    /// `None` if it is for another.
    pub(crate) fn acknowledge(&mut self, uuid: Uuid) -> Option<(StatusUpdate, Acknowledged)> {
        if self.front_uuid() != Some(uuid) {
            return None;
        }
        let (_, update) = self.pending.pop_front()?;
        self.acknowledged.insert(uuid);
        let outcome = match task_state::is_terminal(update.status.state()) {
            true => Acknowledged::Terminal,
            false => Acknowledged::Open,
        };
        Some((update, outcome))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::mesos::{TaskState, TaskStatus};

    fn update(uuid: u8, state: TaskState) -> StatusUpdate {
        StatusUpdate {
            uuid: Some(vec![uuid; 16].into()),
            status: TaskStatus { state: state.into(), ..TaskStatus::default() },
            ..StatusUpdate::default()
        }
    }

    fn uuid_of(byte: u8) -> Uuid {
        uuid::from_bytes(&[byte; 16]).unwrap()
    }

    fn receive(stream: &mut Stream, update: &StatusUpdate) -> Received {
        let uuid = Stream::uuid_of(update).unwrap();
        let received = stream.receive(uuid);
        if received == Received::New {
            stream.accept(uuid, update.clone());
        }
        received
    }

    #[test]
    fn one_update_is_out_at_a_time() {
        let mut stream = Stream::default();
        let (first, second) =
            (update(1, TaskState::TaskRunning), update(2, TaskState::TaskFinished));
        assert_eq!(receive(&mut stream, &first), Received::New);
        assert_eq!(receive(&mut stream, &second), Received::New);
        assert_eq!(receive(&mut stream, &first), Received::Duplicate);
        assert_eq!(stream.front(), Some(&first));
        assert_eq!(stream.acknowledge(uuid_of(2)), None);
        assert_eq!(stream.acknowledge(uuid_of(1)), Some((first.clone(), Acknowledged::Open)));
        assert_eq!(receive(&mut stream, &first), Received::AlreadyAcknowledged);
        assert_eq!(stream.acknowledge(uuid_of(1)), None);
        assert_eq!(stream.acknowledge(uuid_of(2)), Some((second, Acknowledged::Terminal)));
        assert_eq!(stream.front(), None);
    }

    #[test]
    fn a_stream_is_replayed_up_to_its_last_record() {
        let running = update(1, TaskState::TaskRunning);
        let finished = update(2, TaskState::TaskFinished);
        let check = |updates: &[&StatusUpdate], acknowledged: &[u8], expected: Option<Vec<u8>>| {
            let updates: Vec<_> = updates.iter().map(|&update| update.clone()).collect();
            let acknowledged = acknowledged.iter().map(|byte| uuid_of(*byte)).collect();
            let replayed = Stream::replay(&updates, &acknowledged).unwrap();
            let pending = |stream: Stream| -> Vec<u8> {
                stream.pending.iter().map(|(uuid, _)| uuid.as_bytes()[0]).collect()
            };
            assert_eq!(replayed.map(pending), expected);
        };
        check(&[], &[], Some(vec![]));
        check(&[&running], &[], Some(vec![1]));
        check(&[&running, &running], &[], Some(vec![1]));
        check(&[&running], &[1], Some(vec![]));
        check(&[&running, &finished], &[], Some(vec![1, 2]));
        check(&[&running, &finished], &[1], Some(vec![2]));
        check(&[&running, &finished], &[1, 2], None);
    }

    #[test]
    fn uuids_of_any_other_length_are_refused() {
        for length in [0, 15, 17, 400] {
            let mut update = update(1, TaskState::TaskRunning);
            update.uuid = Some(vec![1; length].into());
            let expected = UpdateError::Uuid(UuidError::Length(length));
            assert_eq!(Stream::uuid_of(&update), Err(expected));
        }
        let without = StatusUpdate { uuid: None, ..update(1, TaskState::TaskRunning) };
        assert_eq!(Stream::uuid_of(&without), Err(UpdateError::WithoutUuid));
    }
}
