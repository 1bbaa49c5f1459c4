//! A framework that launches a task on each offer, acknowledges what it hears, comes back to each
//! new leader, and reconciles: what the scheduler driver and a careful scheduler do together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use coordination::election::{DetectError, MasterDetector};
use libprocess::{Ctx, Process, Router, Upid};
use parking_lot::Mutex;
use proto::mesos::internal::{
    FrameworkErrorMessage, FrameworkRegisteredMessage, FrameworkReregisteredMessage,
    LaunchTasksMessage, LostSlaveMessage, ReconcileTasksMessage, RegisterFrameworkMessage,
    ReregisterFrameworkMessage, ResourceOffersMessage, StatusUpdateAcknowledgementMessage,
    StatusUpdateMessage,
};
use proto::mesos::{
    CommandInfo, Filters, FrameworkId, FrameworkInfo, MasterInfo, Offer, SlaveId, TaskId, TaskInfo,
    TaskState, TaskStatus,
};

/// How often it says again what has not been answered.
const AGAIN: Duration = Duration::from_secs(2);
const RECONCILE_EVERY: Duration = Duration::from_secs(15);

/// What frameworks know, for the test.
#[derive(Clone, Default)]
pub(crate) struct Beliefs(Arc<Mutex<Known>>);

#[derive(Default)]
pub(crate) struct Known {
    /// All that was launched, in its last state.
    pub(crate) tasks: BTreeMap<String, (String, TaskState)>,
    /// Slaves that are lost, as masters say.
    pub(crate) lost: BTreeSet<String>,
    /// The ids of frameworks, which they keep where it outlives them.
    ids: BTreeMap<String, FrameworkId>,
    /// No more tasks, please.
    pub(crate) quiet: bool,
}

impl Beliefs {
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut Known) -> T) -> T {
        look(&mut self.0.lock())
    }
}

pub(crate) fn is_terminal(state: TaskState) -> bool {
    use TaskState::{TaskError, TaskFailed, TaskFinished, TaskKilled, TaskLost};
    matches!(state, TaskFinished | TaskFailed | TaskKilled | TaskLost | TaskError)
}

/// Whether a framework wants its executors to outlive a slave: by its name, or that of a task.
pub(crate) fn checkpoints(name: &str) -> bool {
    name.starts_with("node9")
}

/// The actor.
pub(crate) struct Framework {
    name: String,
    detector: Arc<dyn MasterDetector>,
    beliefs: Beliefs,
    leader: Option<MasterInfo>,
    master: Option<Upid>,
    id: Option<FrameworkId>,
    registered: bool,
    /// Whether this process has been registered.
    is_known: bool,
}

impl Framework {
    pub(crate) fn new(name: String, detector: Arc<dyn MasterDetector>, beliefs: Beliefs) -> Self {
        let id = beliefs.with(|known| known.ids.get(&name).cloned());
        let (leader, master, registered, is_known) = Default::default();
        Self { name, detector, beliefs, leader, master, id, registered, is_known }
    }

    fn detect(&self, ctx: &Ctx<Self>) {
        ctx.then(self.detector.detect(self.leader.clone()), Self::on_detected);
    }

    fn on_detected(
        &mut self,
        ctx: &mut Ctx<Self>,
        leader: Result<Option<MasterInfo>, DetectError>,
    ) {
        self.leader = leader.expect("an election that goes on");
        let pid = self.leader.as_ref().and_then(|leader| leader.pid.as_ref());
        self.master = pid.map(|pid| pid.parse().expect("a pid"));
        self.registered = false;
        self.link(ctx);
        self.detect(ctx);
    }

    fn link(&self, ctx: &Ctx<Self>) {
        if let Some(master) = &self.master {
            ctx.link(master);
        }
    }

    fn say<M: prost::Message + prost::Name>(&self, ctx: &Ctx<Self>, message: &M) {
        if let Some(master) = &self.master {
            ctx.send(master, message);
        }
    }

    fn register(&mut self, ctx: &mut Ctx<Self>) {
        if !self.registered {
            let framework = FrameworkInfo {
                user: "nobody".to_owned(),
                name: self.name.clone(),
                failover_timeout: Some(1e6),
                checkpoint: Some(checkpoints(&self.name)),
                id: self.id.clone(),
                ..FrameworkInfo::default()
            };
            match self.id {
                None => self.say(ctx, &RegisterFrameworkMessage { framework }),
                Some(_) => {
                    let failover = !self.is_known;
                    self.say(ctx, &ReregisterFrameworkMessage { framework, failover });
                }
            }
        }
        ctx.after(AGAIN, Self::register);
    }

    fn reconcile(&mut self, ctx: &mut Ctx<Self>) {
        if let (true, Some(id)) = (self.registered, &self.id) {
            let status = |(task, (slave, state)): (&String, &(String, TaskState))| TaskStatus {
                task_id: TaskId { value: task.clone() },
                state: (*state).into(),
                slave_id: Some(SlaveId { value: slave.clone() }),
                ..TaskStatus::default()
            };
            let statuses: Vec<TaskStatus> = self.beliefs.with(|known| {
                let open = known.tasks.iter().filter(|(_, (_, state))| !is_terminal(*state));
                open.filter(|(task, _)| task.starts_with(&self.name)).map(status).collect()
            });
            if !statuses.is_empty() {
                self.say(ctx, &ReconcileTasksMessage { framework_id: id.clone(), statuses });
            }
        }
        ctx.after(RECONCILE_EVERY, Self::reconcile);
    }

    fn offers(&mut self, ctx: &mut Ctx<Self>, from: Upid, message: ResourceOffersMessage) {
        let is_leader = self.master.as_ref() == Some(&from);
        let (Some(framework_id), true) = (self.id.clone(), is_leader) else { return };
        for offer in message.offers {
            let tasks = match self.beliefs.with(|known| known.quiet) {
                true => Vec::new(),
                false => self.tasks_for(&offer),
            };
            self.beliefs.with(|known| {
                for task in &tasks {
                    let staging = (task.slave_id.value.clone(), TaskState::TaskStaging);
                    known.tasks.insert(task.task_id.value.clone(), staging);
                }
            });
            self.say(
                ctx,
                &LaunchTasksMessage {
                    framework_id: framework_id.clone(),
                    tasks,
                    filters: Filters { refuse_seconds: Some(1.0) },
                    offer_ids: vec![offer.id],
                },
            );
        }
    }

    fn tasks_for(&mut self, offer: &Offer) -> Vec<TaskInfo> {
        let scalar = |name: &str| -> f64 {
            let named = offer.resources.iter().filter(|resource| resource.name == name);
            named.filter_map(|resource| resource.scalar.as_ref()).map(|scalar| scalar.value).sum()
        };
        if scalar("cpus") < 1.0 || scalar("mem") < 64.0 {
            return Vec::new();
        }
        let launched = self.beliefs.with(|known| known.tasks.len());
        let task = format!("{}-{launched}", self.name);
        let resources = "cpus:1;mem:64".parse::<common::resources::Resources>();
        let command = CommandInfo { value: Some("true".to_owned()), ..CommandInfo::default() };
        vec![TaskInfo {
            name: task.clone(),
            task_id: TaskId { value: task },
            slave_id: offer.slave_id.clone(),
            resources: resources.expect("a good text").to_messages(),
            command: Some(command),
            ..TaskInfo::default()
        }]
    }

    fn update(&mut self, ctx: &mut Ctx<Self>, from: Upid, message: StatusUpdateMessage) {
        if self.master.as_ref() != Some(&from) {
            return;
        }
        let update = message.update;
        let (task, state) = (update.status.task_id.value.clone(), update.status.state());
        self.beliefs.with(|known| {
            let (_, last) = known.tasks.get_mut(&task).expect("a task that was launched");
            let contradicts = *last == TaskState::TaskFinished && state != *last;
            assert!(!contradicts, "{task} is {state:?} after it was finished");
            *last = state;
        });
        let uuid = update.uuid.filter(|uuid| !uuid.is_empty());
        if let (Some(uuid), Some(slave_id), Some(_)) = (uuid, update.slave_id, message.pid) {
            let acknowledgement = StatusUpdateAcknowledgementMessage {
                slave_id,
                framework_id: update.framework_id,
                task_id: update.status.task_id,
                uuid,
            };
            self.say(ctx, &acknowledgement);
        }
    }

    fn on_registered(&mut self, from: &Upid, id: FrameworkId) {
        if self.master.as_ref() == Some(from) {
            assert!(self.id.as_ref().is_none_or(|known| *known == id), "two ids");
            self.beliefs.with(|known| known.ids.insert(self.name.clone(), id.clone()));
            (self.id, self.registered, self.is_known) = (Some(id), true, true);
        }
    }
}

impl Process for Framework {
    fn install(&self, router: &mut Router<Self>) {
        router.on(|this: &mut Self, _, from, message: FrameworkRegisteredMessage| {
            this.on_registered(&from, message.framework_id);
        });
        router.on(|this: &mut Self, _, from, message: FrameworkReregisteredMessage| {
            this.on_registered(&from, message.framework_id);
        });
        router.on(Self::offers);
        router.on(Self::update);
        router.on(|this: &mut Self, _, _, message: LostSlaveMessage| {
            this.beliefs.with(|known| known.lost.insert(message.slave_id.value));
        });
        router.on(|_: &mut Self, _, _, message: FrameworkErrorMessage| {
            panic!("a master refuses the framework: {}", message.message);
        });
    }

    fn initialize(&mut self, ctx: &mut Ctx<Self>) {
        self.detect(ctx);
        self.register(ctx);
        self.reconcile(ctx);
    }

    fn exited(&mut self, ctx: &mut Ctx<Self>, pid: Upid) {
        if self.master.as_ref() == Some(&pid) {
            self.registered = false;
            self.link(ctx);
        }
    }
}
