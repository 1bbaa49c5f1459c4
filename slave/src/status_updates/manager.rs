//! The actor that sends updates until they are acknowledged.
//! Told by the slave of updates, acknowledgements and masters; hands updates back to the slave,
//! which forwards them. Never talks to a master itself. What belongs to a framework that
//! checkpoints counts for nothing until it is on the disk: an update is neither taken nor sent
//! before, and the next one is not sent before the acknowledgement of the last is there.
//! Upstream: `StatusUpdateManagerProcess`.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use common::ids::{FrameworkId, TaskId};
use common::status::print_update;
use libprocess::clock::Timer;
use libprocess::{Ctx, Inject, Pid, Process, Runtime, vlog};
use proto::mesos::internal::StatusUpdate;
use stout::Uuid;
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use crate::checkpoint::write;
use crate::constants::{
    CHECKPOINT_RETRY_INTERVAL, STATUS_UPDATE_RETRY_INTERVAL_MAX, STATUS_UPDATE_RETRY_INTERVAL_MIN,
};
use crate::disk::{Disk, Written};
use crate::status_updates::stream::{AckError, Acknowledged, Received, Stream, UpdateError};

type Forward = Box<dyn Fn(StatusUpdate) + Send>;
type Key = (FrameworkId, TaskId);
type Answer<T, E> = oneshot::Sender<Result<T, E>>;

/// A change of a stream, and who waits for it.
enum Change {
    /// An update has come, maybe more than once.
    Update(Uuid, Box<StatusUpdate>, Vec<Answer<(), UpdateError>>),
    /// The update that is out is acknowledged.
    Acknowledgement(Uuid, Answer<Acknowledged, AckError>),
}

/// The updates of one task, and when the one that is out is sent again.
struct Sending {
    /// Tells this stream from earlier ones of the same task.
    number: u64,
    stream: Stream,
    retry: Option<Timer>,
    /// Where they are kept, below `meta`; `None` if they are not.
    directory: Option<PathBuf>,
    /// What has to be on the disk before it counts, in order; the first is being written.
    unwritten: VecDeque<Change>,
}

/// The updates of one task as an earlier run of the slave has left them.
#[derive(Debug)]
pub(crate) struct RecoveredStream {
    pub(crate) framework_id: FrameworkId,
    pub(crate) task_id: TaskId,
    pub(crate) directory: PathBuf,
    pub(crate) stream: Stream,
}

/// The actor; see the module.
pub(crate) struct StatusUpdateManager {
    disk: Disk,
    forward: Forward,
    is_paused: bool,
    sending: BTreeMap<Key, Sending>,
    next_number: u64,
}

impl Process for StatusUpdateManager {}

impl StatusUpdateManager {
    fn recover(&mut self, streams: Vec<RecoveredStream>) {
        info!("Recovering status update manager");
        for RecoveredStream { framework_id, task_id, directory, stream } in streams {
            let sending = self.open((framework_id, task_id), Some(directory));
            sending.stream = stream;
        }
    }

    fn open(&mut self, key: Key, directory: Option<PathBuf>) -> &mut Sending {
        vlog!(1, "Creating StatusUpdate stream for task {} of framework {}", key.1, key.0);
        self.next_number += 1;
        self.sending.entry(key).or_insert(Sending {
            number: self.next_number,
            stream: Stream::default(),
            retry: None,
            directory,
            unwritten: VecDeque::new(),
        })
    }

    fn update(
        &mut self,
        ctx: &mut Ctx<Self>,
        update: StatusUpdate,
        directory: Option<PathBuf>,
        answer: Answer<(), UpdateError>,
    ) {
        info!("Received status update {}", print_update(&update));
        let framework_id = FrameworkId::from(&update.framework_id);
        let key = (framework_id, TaskId::from(&update.status.task_id));
        let uuid = match Stream::uuid_of(&update) {
            Ok(uuid) => uuid,
            Err(why) => return drop(answer.send(Err(why))),
        };
        let sending = match self.sending.contains_key(&key) {
            true => self.sending.get_mut(&key).expect("it is there"),
            false => self.open(key.clone(), directory),
        };
        match sending.stream.receive(uuid) {
            Received::New => {
                return self.change(
                    ctx,
                    &key,
                    Change::Update(uuid, Box::new(update), vec![answer]),
                );
            }
            Received::Duplicate => {
                warn!("Ignoring duplicate status update {}", print_update(&update));
            }
            Received::AlreadyAcknowledged => warn!(
                "Ignoring status update {} that has already been acknowledged by the framework!",
                print_update(&update)
            ),
        }
        match sending.unwritten.iter_mut().find_map(|change| change.waiting_for(uuid)) {
            Some(waiting) => waiting.push(answer),
            // Whoever asked may have gone.
            None => drop(answer.send(Ok(()))),
        }
    }

    fn acknowledge(
        &mut self,
        ctx: &mut Ctx<Self>,
        key: &Key,
        uuid: Uuid,
        answer: Answer<Acknowledged, AckError>,
    ) {
        let (framework_id, task_id) = key;
        info!(
            "Received status update acknowledgement (UUID: {uuid}) for task {task_id} \
             of framework {framework_id}"
        );
        match self.why_not_acknowledge(key, uuid) {
            // Whoever asked may have gone.
            Some(why) => drop(answer.send(Err(why))),
            None => self.change(ctx, key, Change::Acknowledgement(uuid, answer)),
        }
    }

    /// Why an acknowledgement counts for nothing; `None` if it is for the update that is out.
    fn why_not_acknowledge(&self, key: &Key, uuid: Uuid) -> Option<AckError> {
        let (framework_id, task_id) = (key.0.to_string(), key.1.to_string());
        let Some(sending) = self.sending.get(key) else {
            return Some(AckError::UnknownStream { framework_id, task_id });
        };
        let Some(expected) = sending.stream.front_uuid() else {
            return Some(AckError::Unexpected { uuid, framework_id, task_id });
        };
        if expected != uuid {
            warn!(
                "Unexpected status update acknowledgement (received {uuid}, expecting {expected}) \
                 for update {}",
                sending.stream.front().map(print_update).unwrap_or_default()
            );
            return Some(AckError::Duplicate);
        }
        let is_first = !sending.unwritten.iter().any(Change::is_acknowledgement);
        (!is_first).then_some(AckError::Duplicate)
    }

    /// Lets a change take its turn.
    fn change(&mut self, ctx: &mut Ctx<Self>, key: &Key, change: Change) {
        let Some(sending) = self.sending.get_mut(key) else { return };
        if sending.directory.is_none() {
            return self.apply(ctx, key, change);
        }
        sending.unwritten.push_back(change);
        if sending.unwritten.len() == 1 {
            self.write(ctx, key);
        }
    }

    /// Writes the first change of a stream that is not written yet.
    fn write(&mut self, ctx: &mut Ctx<Self>, key: &Key) {
        let Some(sending) = self.sending.get(key) else { return };
        let (Some(directory), Some(change)) = (&sending.directory, sending.unwritten.front())
        else {
            return;
        };
        let steps = match change {
            Change::Update(_, update, _) => {
                vlog!(1, "Checkpointing UPDATE for status update {}", print_update(update));
                write::update(directory, update)
            }
            Change::Acknowledgement(uuid, _) => {
                let update = sending.stream.front().map(print_update).unwrap_or_default();
                vlog!(1, "Checkpointing ACK for status update {update}");
                write::acknowledgement(directory, *uuid)
            }
        };
        let (pid, key, number) = (ctx.pid().clone(), key.clone(), sending.number);
        self.disk.write(steps, move |written| {
            pid.tell(move |manager, ctx| manager.on_written(ctx, &key, number, written));
        });
    }

    fn on_written(&mut self, ctx: &mut Ctx<Self>, key: &Key, number: u64, written: Written) {
        let sending = self.sending.get_mut(key);
        let Some(sending) = sending.filter(|sending| sending.number == number) else { return };
        if let Err(why) = written {
            error!(
                "Failed to checkpoint a status update of task {} of framework {}, trying again in \
                 {}: {why}",
                key.1,
                key.0,
                stout::duration::display(CHECKPOINT_RETRY_INTERVAL)
            );
            let key = key.clone();
            ctx.after(CHECKPOINT_RETRY_INTERVAL, move |manager, ctx| {
                let sending = manager.sending.get(&key);
                if sending.is_some_and(|sending| sending.number == number) {
                    manager.write(ctx, &key);
                }
            });
            return;
        }
        if let Some(change) = sending.unwritten.pop_front() {
            self.apply(ctx, key, change);
        }
        self.write(ctx, key);
    }

    /// Lets a change count.
    fn apply(&mut self, ctx: &mut Ctx<Self>, key: &Key, change: Change) {
        let Some(sending) = self.sending.get_mut(key) else { return };
        match change {
            Change::Update(uuid, update, answers) => {
                sending.stream.accept(uuid, *update);
                // Whoever asked may have gone.
                answers.into_iter().for_each(|answer| drop(answer.send(Ok(()))));
                if sending.stream.len() == 1 && !self.is_paused {
                    self.send_front(ctx, key, STATUS_UPDATE_RETRY_INTERVAL_MIN);
                }
            }
            Change::Acknowledgement(uuid, answer) => {
                let outcome = self.on_acknowledged(ctx, key, uuid);
                drop(answer.send(outcome.ok_or(AckError::Duplicate)));
            }
        }
    }

    fn on_acknowledged(
        &mut self,
        ctx: &mut Ctx<Self>,
        key: &Key,
        uuid: Uuid,
    ) -> Option<Acknowledged> {
        let sending = self.sending.get_mut(key)?;
        let (update, outcome) = sending.stream.acknowledge(uuid)?;
        sending.retry.take().map(|timer| ctx.cancel(timer));
        let has_more = sending.stream.len() > 0;
        match outcome {
            Acknowledged::Open if has_more && !self.is_paused => {
                self.send_front(ctx, key, STATUS_UPDATE_RETRY_INTERVAL_MIN);
            }
            Acknowledged::Open => {}
            Acknowledged::Terminal => {
                if has_more {
                    warn!(
                        "Acknowledged a terminal status update {} but updates are still pending",
                        print_update(&update)
                    );
                }
                self.close(ctx, key);
            }
        }
        Some(outcome)
    }

    fn pause(&mut self) {
        info!("Pausing sending status updates");
        self.is_paused = true;
    }

    /// COMPAT: every update that is out is sent at once, whenever it was sent last
    /// (`StatusUpdateManagerProcess::resume`); held by
    /// `status_update_manager::resuming_sends_what_is_out_at_once`.
    fn resume(&mut self, ctx: &mut Ctx<Self>) {
        info!("Resuming sending status updates");
        self.is_paused = false;
        let has_front = |sending: &Sending| sending.stream.front().is_some();
        let streams = self.sending.iter().filter(|(_, sending)| has_front(sending));
        let keys: Vec<Key> = streams.map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.resend_front(ctx, &key, STATUS_UPDATE_RETRY_INTERVAL_MIN);
        }
    }

    fn cleanup(&mut self, ctx: &mut Ctx<Self>, framework_id: &FrameworkId) {
        info!("Closing status update streams for framework {framework_id}");
        let keys = self.sending.keys().filter(|(owner, _)| owner == framework_id);
        let keys: Vec<Key> = keys.cloned().collect();
        keys.iter().for_each(|key| self.close(ctx, key));
    }

    fn close(&mut self, ctx: &mut Ctx<Self>, key: &Key) {
        let (framework_id, task_id) = key;
        vlog!(1, "Cleaning up status update stream for task {task_id} of framework {framework_id}");
        let sending = self.sending.remove(key);
        sending.and_then(|sending| sending.retry).map(|timer| ctx.cancel(timer));
    }

    fn resend_front(&mut self, ctx: &mut Ctx<Self>, key: &Key, retry_in: Duration) {
        if let Some(update) = self.sending.get(key).and_then(|sending| sending.stream.front()) {
            warn!("Resending status update {}", print_update(update));
        }
        self.send_front(ctx, key, retry_in);
    }

    /// Hands the update that is out to the slave, and does so again after `retry_in` and ever
    /// longer waits, until it is acknowledged.
    fn send_front(&mut self, ctx: &mut Ctx<Self>, key: &Key, retry_in: Duration) {
        let Some(sending) = self.sending.get_mut(key) else { return };
        let Some(update) = sending.stream.front() else { return };
        vlog!(1, "Forwarding update {} to the slave", print_update(update));
        (self.forward)(update.clone());
        sending.retry.take().map(|timer| ctx.cancel(timer));
        let key = key.clone();
        sending.retry = Some(ctx.after(retry_in, move |manager, ctx| {
            if !manager.is_paused {
                let longer = (retry_in * 2).min(STATUS_UPDATE_RETRY_INTERVAL_MAX);
                manager.resend_front(ctx, &key, longer);
            }
        }));
    }
}

impl Change {
    fn waiting_for(&mut self, wanted: Uuid) -> Option<&mut Vec<Answer<(), UpdateError>>> {
        match self {
            Change::Update(uuid, _, waiting) if *uuid == wanted => Some(waiting),
            Change::Update(..) | Change::Acknowledgement(..) => None,
        }
    }

    fn is_acknowledgement(&self) -> bool {
        matches!(self, Change::Acknowledgement(..))
    }
}

/// How the slave speaks to the manager.
#[derive(Clone)]
pub(crate) struct StatusUpdates(Pid<StatusUpdateManager>);

impl StatusUpdates {
    /// Starts a manager that keeps updates until it is told where to forward them to.
    pub(crate) fn start(runtime: &Runtime, disk: &Disk) -> StatusUpdates {
        StatusUpdates(runtime.spawn_numbered("status-update-manager", || StatusUpdateManager {
            disk: disk.clone(),
            forward: Box::new(|_| {}),
            is_paused: true,
            sending: BTreeMap::new(),
            next_number: 0,
        }))
    }

    /// Says how updates are handed to the slave.
    pub(crate) fn forward_to(&self, forward: impl Fn(StatusUpdate) + Send + 'static) {
        self.0.tell(move |manager, _| manager.forward = Box::new(forward));
    }

    /// Goes on with what an earlier run of the slave has left. Nothing is sent before
    /// [`StatusUpdates::resume`].
    pub(crate) fn recover(&self, streams: Vec<RecoveredStream>) {
        self.0.tell(move |manager, _| manager.recover(streams));
    }

    /// Sends the update until it is acknowledged, and keeps it in `directory` until then, if there
    /// is one; that of the task's first update is that of all. Completes when it has been taken.
    pub(crate) fn update(
        &self,
        update: StatusUpdate,
        directory: Option<PathBuf>,
    ) -> impl Future<Output = Result<(), UpdateError>> + Send + 'static {
        let (answer, taken) = oneshot::channel();
        self.0.tell(move |manager, ctx| manager.update(ctx, update, directory, answer));
        async move { taken.await.unwrap_or(Err(UpdateError::Gone)) }
    }

    /// The framework knows of the update.
    pub(crate) fn acknowledge(
        &self,
        framework_id: FrameworkId,
        task_id: TaskId,
        uuid: Uuid,
    ) -> impl Future<Output = Result<Acknowledged, AckError>> + Send + 'static {
        let key = (framework_id, task_id);
        let (answer, taken) = oneshot::channel();
        self.0.tell(move |manager, ctx| manager.acknowledge(ctx, &key, uuid, answer));
        async move { taken.await.unwrap_or(Err(AckError::Gone)) }
    }

    /// There is no master: nothing is sent until [`StatusUpdates::resume`].
    pub(crate) fn pause(&self) {
        self.0.tell(|manager, _| manager.pause());
    }

    /// There is a master: everything that is out is sent again.
    pub(crate) fn resume(&self) {
        self.0.tell(StatusUpdateManager::resume);
    }

    /// The framework has gone, and nobody will acknowledge its updates.
    pub(crate) fn cleanup(&self, framework_id: FrameworkId) {
        self.0.tell(move |manager, ctx| manager.cleanup(ctx, &framework_id));
    }

    /// Ends the manager.
    pub(crate) fn stop(&self) {
        self.0.terminate(Inject::Front);
    }
}
