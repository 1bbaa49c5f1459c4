//! The actor that sends updates until they are acknowledged.
//! Told by the slave of updates, acknowledgements and masters; hands updates back to the slave,
//! which forwards them. Never talks to a master itself.
//! Upstream: `StatusUpdateManagerProcess`.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use common::ids::{FrameworkId, TaskId};
use common::status::print_update;
use libprocess::clock::Timer;
use libprocess::{Ctx, Inject, Pid, Process, Runtime, vlog};
use proto::mesos::internal::StatusUpdate;
use stout::Uuid;
use tracing::{info, warn};

use crate::constants::{STATUS_UPDATE_RETRY_INTERVAL_MAX, STATUS_UPDATE_RETRY_INTERVAL_MIN};
use crate::status_updates::stream::{AckError, Acknowledged, Received, Stream, UpdateError};

type Forward = Box<dyn Fn(StatusUpdate) + Send>;
type Key = (FrameworkId, TaskId);

/// The updates of one task, and when the one that is out is sent again.
#[derive(Default)]
struct Sending {
    stream: Stream,
    retry: Option<Timer>,
}

/// The actor; see the module.
pub(crate) struct StatusUpdateManager {
    forward: Forward,
    is_paused: bool,
    sending: BTreeMap<Key, Sending>,
}

impl Process for StatusUpdateManager {}

impl StatusUpdateManager {
    fn update(&mut self, ctx: &mut Ctx<Self>, update: &StatusUpdate) -> Result<(), UpdateError> {
        info!("Received status update {}", print_update(update));
        let framework_id = FrameworkId::from(&update.framework_id);
        let key = (framework_id, TaskId::from(&update.status.task_id));
        let received = match self.sending.get_mut(&key) {
            Some(sending) => sending.stream.receive(update)?,
            None => {
                let mut sending = Sending::default();
                let received = sending.stream.receive(update)?;
                vlog!(1, "Creating StatusUpdate stream for task {} of framework {}", key.1, key.0);
                self.sending.insert(key.clone(), sending);
                received
            }
        };
        match received {
            Received::New => {}
            Received::Duplicate => {
                warn!("Ignoring duplicate status update {}", print_update(update));
            }
            Received::AlreadyAcknowledged => warn!(
                "Ignoring status update {} that has already been acknowledged by the framework!",
                print_update(update)
            ),
        }
        let is_first = self.sending.get(&key).is_some_and(|sending| sending.stream.len() == 1);
        if received == Received::New && is_first && !self.is_paused {
            self.send_front(ctx, &key, STATUS_UPDATE_RETRY_INTERVAL_MIN);
        }
        Ok(())
    }

    fn acknowledge(
        &mut self,
        ctx: &mut Ctx<Self>,
        key: &Key,
        uuid: Uuid,
    ) -> Result<Acknowledged, AckError> {
        let (framework_id, task_id) = key;
        info!(
            "Received status update acknowledgement (UUID: {uuid}) for task {task_id} \
             of framework {framework_id}"
        );
        let ids = || (framework_id.to_string(), task_id.to_string());
        let Some(sending) = self.sending.get_mut(key) else {
            let (framework_id, task_id) = ids();
            return Err(AckError::UnknownStream { framework_id, task_id });
        };
        let Some(expected) = sending.stream.front_uuid() else {
            let (framework_id, task_id) = ids();
            return Err(AckError::Unexpected { uuid, framework_id, task_id });
        };
        let Some((update, outcome)) = sending.stream.acknowledge(uuid) else {
            warn!(
                "Unexpected status update acknowledgement (received {uuid}, expecting {expected}) \
                 for update {}",
                sending.stream.front().map(print_update).unwrap_or_default()
            );
            return Err(AckError::Duplicate);
        };
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
        Ok(outcome)
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

/// How the slave speaks to the manager.
#[derive(Clone)]
pub(crate) struct StatusUpdates(Pid<StatusUpdateManager>);

impl StatusUpdates {
    /// Starts a manager that keeps updates until it is told where to forward them to.
    pub(crate) fn start(runtime: &Runtime) -> StatusUpdates {
        StatusUpdates(runtime.spawn_numbered("status-update-manager", || StatusUpdateManager {
            forward: Box::new(|_| {}),
            is_paused: true,
            sending: BTreeMap::new(),
        }))
    }

    /// Says how updates are handed to the slave.
    pub(crate) fn forward_to(&self, forward: impl Fn(StatusUpdate) + Send + 'static) {
        self.0.tell(move |manager, _| manager.forward = Box::new(forward));
    }

    /// Sends the update until it is acknowledged. Completes when it has been taken.
    pub(crate) fn update(
        &self,
        update: StatusUpdate,
    ) -> impl Future<Output = Result<(), UpdateError>> + Send + 'static {
        let taken = self.0.dispatch(move |manager, ctx| manager.update(ctx, &update));
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
        let taken = self.0.dispatch(move |manager, ctx| manager.acknowledge(ctx, &key, uuid));
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
