//! Finding the master and being registered with it, with back-off, for as long as it takes.
//! Called by the table of messages and by the detector. Never touches frameworks: a change of
//! master is nothing to them.
//! Upstream: `Slave::detected`, `doReliableRegistration`, `registered`, `reregistered`.

use std::time::Duration;

use common::ids::{FrameworkId, SlaveId, TaskId};
use common::status::create_task;
use coordination::election::DetectError;
use libprocess::{Ctx, Upid, vlog};
use proto::mesos::internal::{
    MasterSlaveConnection, ReconcileTasksMessage, RegisterSlaveMessage, ReregisterSlaveMessage,
    SlaveRegisteredMessage, SlaveReregisteredMessage, archive,
};
use proto::mesos::{MasterInfo, TaskState};
use tracing::{error, info, warn};

use crate::checkpoint::write;
use crate::constants::{MASTER_PING_TIMEOUT, REGISTER_RETRY_INTERVAL_MAX};
use crate::phase::Phase;
use crate::refusal::Verdict;
use crate::slave::{Fatal, Slave};
use crate::state::executor::{Executor, ExecutorKind, ExecutorPhase};
use crate::state::framework::Framework;

impl Slave {
    /// Waits for another master than `previous`.
    pub(crate) fn detect(&mut self, ctx: &mut Ctx<Self>, previous: Option<MasterInfo>) {
        info!("Detecting new master");
        self.detection += 1;
        let detection = self.detection;
        ctx.then(self.parts.detector.detect(previous), move |slave, ctx, detected| {
            if slave.detection == detection {
                slave.on_detected(ctx, detected);
            }
        });
    }

    /// Forgets the master and looks for it again, so that we register again.
    pub(crate) fn redetect(&mut self, ctx: &mut Ctx<Self>) {
        self.disconnect();
        info!("Re-detecting master");
        self.master = None;
        self.master_hostname = None;
        self.detect(ctx, None);
    }

    fn disconnect(&mut self) {
        if self.phase != Phase::Terminating {
            self.phase = Phase::Disconnected;
        }
        self.authentication = None;
        self.updates.pause();
    }

    fn on_detected(
        &mut self,
        ctx: &mut Ctx<Self>,
        detected: Result<Option<MasterInfo>, DetectError>,
    ) {
        self.disconnect();
        let leader = match detected {
            Ok(leader) => leader,
            Err(error) => return self.die(ctx, Fatal::Detection(error)),
        };
        self.master = leader.as_ref().and_then(address_of);
        self.master_hostname = leader.as_ref().and_then(|leader| leader.hostname.clone());
        let Some(master) = &self.master else {
            info!("Lost leading master");
            return self.detect(ctx, leader);
        };
        info!("New master detected at {master}");
        if self.phase == Phase::Terminating {
            info!("Skipping registration because slave is terminating");
            return;
        }
        if let Some(credential) = self.config.credential.clone() {
            self.detect(ctx, leader);
            return self.authenticate(ctx, credential);
        }
        info!("No credentials provided. Attempting to register without authentication");
        self.detect(ctx, leader);
        let detection = self.detection;
        let longest = self.config.registration_backoff_factor;
        let wait = self.random_part_of(longest);
        ctx.after(wait, move |slave, ctx| slave.register(ctx, detection, longest * 2));
    }

    /// Registers, and does so again within `longest` and ever longer waits, until the master has
    /// answered or another one is looked for.
    pub(crate) fn register(&mut self, ctx: &mut Ctx<Self>, detection: u64, longest: Duration) {
        if detection != self.detection || self.phase == Phase::Running {
            return;
        }
        let Some(master) = self.master.clone() else {
            info!("Skipping registration because no master present");
            return;
        };
        if self.phase == Phase::Terminating {
            info!("Skipping registration because slave is terminating");
            return;
        }
        ctx.link(&master);
        match self.info.id {
            None => ctx.send(&master, &self.registration()),
            Some(_) => ctx.send(&master, &self.reregistration()),
        }
        let longest = longest.min(REGISTER_RETRY_INTERVAL_MAX);
        let wait = self.random_part_of(longest);
        vlog!(1, "Will retry registration in {} if necessary", stout::duration::display(wait));
        ctx.after(wait, move |slave, ctx| slave.register(ctx, detection, longest * 2));
    }

    fn registration(&self) -> RegisterSlaveMessage {
        RegisterSlaveMessage {
            slave: self.info.clone(),
            checkpointed_resources: self.checkpointed_resources.to_messages(),
            version: Some(common::VERSION.to_owned()),
        }
    }

    fn reregistration(&self) -> ReregisterSlaveMessage {
        let mut message = ReregisterSlaveMessage {
            slave: self.info.clone(),
            checkpointed_resources: self.checkpointed_resources.to_messages(),
            version: Some(common::VERSION.to_owned()),
            ..ReregisterSlaveMessage::default()
        };
        for framework in self.frameworks.iter() {
            let pending = framework.pending.values().flat_map(|tasks| tasks.values());
            let staging = |task| create_task(task, TaskState::TaskStaging, &framework.id);
            message.tasks.extend(pending.map(staging));
            for executor in framework.executors.values() {
                message.tasks.extend(executor.launched.values().cloned());
                message.tasks.extend(executor.terminated.values().cloned());
                message.tasks.extend(executor.queued.values().map(staging));
                if is_reported(executor) {
                    message.executor_infos.push(executor.info.clone());
                }
            }
        }
        message.completed_frameworks = self.frameworks.completed().map(archived).collect();
        message
    }

    pub(crate) fn slave_registered(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: SlaveRegisteredMessage,
    ) {
        if !self.is_from_master(&from, "registration") {
            return;
        }
        let given = SlaveId::from(&message.slave_id);
        if let Err(why) = given.validate() {
            error!("Ignoring registration by master {from}: {why}");
            return;
        }
        self.ping_timeout = ping_timeout(message.connection.as_ref());
        match (self.phase, self.id()) {
            (Phase::Disconnected, _) => {
                info!("Registered with master {from}; given slave ID {given}");
                self.phase = Phase::Running;
                self.info.id = Some(message.slave_id);
                let meta = self.config.work_dir.meta();
                let steps = write::slave(&meta, &meta.slave(&given), &self.info);
                self.checkpoint_or_die(ctx, steps);
                self.updates.resume();
                self.await_ping(ctx);
            }
            (Phase::Running, Some(expected)) if expected != given => {
                return self.die(ctx, Fatal::RegisteredWithWrongId { given, expected });
            }
            (Phase::Running, _) => warn!("Already registered with master {from}"),
            (Phase::Terminating | Phase::Recovering, _) => {
                warn!("Ignoring registration because slave is terminating");
                return;
            }
        }
        self.send_oversubscribed(ctx);
    }

    pub(crate) fn slave_reregistered(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: SlaveReregisteredMessage,
    ) {
        if !self.is_from_master(&from, "re-registration") {
            return;
        }
        let given = SlaveId::from(&message.slave_id);
        let expected = self.id();
        if expected.as_ref() != Some(&given) {
            let expected = expected.map(|id| id.to_string()).unwrap_or_default();
            return self.die(ctx, Fatal::ReregisteredWithWrongId { given, expected });
        }
        self.ping_timeout = ping_timeout(message.connection.as_ref());
        match self.phase {
            Phase::Disconnected => {
                info!("Re-registered with master {from}");
                self.phase = Phase::Running;
                self.updates.resume();
                self.await_ping(ctx);
            }
            Phase::Running => warn!("Already re-registered with master {from}"),
            Phase::Terminating | Phase::Recovering => {
                warn!("Ignoring re-registration because slave is terminating");
                return;
            }
        }
        self.send_oversubscribed(ctx);
        message.reconciliations.iter().for_each(|asked| self.reconcile(ctx, asked));
    }

    /// Reports the tasks as lost that the master has and we do not know, unless they are known to
    /// have ended: a message of ours that was long under way made the master believe in them. The
    /// others will be heard of by their updates.
    fn reconcile(&mut self, ctx: &mut Ctx<Self>, asked: &ReconcileTasksMessage) {
        let framework_id = FrameworkId::from(&asked.framework_id);
        for status in &asked.statuses {
            let task_id = TaskId::from(&status.task_id);
            let framework = self.frameworks.get(&framework_id);
            if framework.is_some_and(|framework| framework.has_task(&task_id)) {
                continue;
            }
            let end = self.frameworks.end_of(&framework_id, &task_id);
            let verdict = end.map_or(Verdict::UnknownToSlave, Verdict::EndedBefore);
            warn!(
                "Slave reconciling task {task_id} of framework {framework_id} in state {}: task \
                 unknown to the slave",
                verdict.state().as_str_name()
            );
            self.report_unknown(ctx, &framework_id, &task_id, &verdict);
        }
    }
}

/// Whether the master is to hear of an executor: not of ours, and not of one that uses nothing.
fn is_reported(executor: &Executor) -> bool {
    executor.kind == ExecutorKind::Custom && executor.phase != ExecutorPhase::Terminated
}

fn archived(framework: &Framework) -> archive::Framework {
    let tasks = framework.completed_executors.iter().flat_map(|executor| {
        executor.terminated.values().chain(executor.completed.iter()).cloned()
    });
    archive::Framework {
        framework_info: framework.info.clone(),
        pid: framework.pid.as_ref().map(Upid::to_string),
        tasks: tasks.collect(),
    }
}

fn address_of(leader: &MasterInfo) -> Option<Upid> {
    let text = leader.pid();
    let pid = text.parse::<Upid>().ok().filter(Upid::is_valid);
    if pid.is_none() {
        error!("Ignoring the leading master '{}' because its pid '{text}' is none", leader.id);
    }
    pid
}

fn ping_timeout(connection: Option<&MasterSlaveConnection>) -> Duration {
    let secs = connection.and_then(|connection| connection.total_ping_timeout_seconds);
    let timeout = secs.and_then(|secs| Duration::try_from_secs_f64(secs).ok());
    timeout.filter(|timeout| !timeout.is_zero()).unwrap_or(MASTER_PING_TIMEOUT)
}
