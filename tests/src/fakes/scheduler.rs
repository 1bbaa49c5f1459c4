//! A scheduler that does what a test says and tells it what arrives, on the messages of the wire.
//! Called by cluster tests. Never answers by itself: no acknowledgement, no decline.

use std::time::Duration;

use libprocess::testing::{start, wait};
use libprocess::{Config, Ctx, Pid, Process, Router, Runtime, Upid};
use nix::unistd::{User, geteuid};
use proto::mesos::internal::{
    ExitedExecutorMessage, FrameworkErrorMessage, FrameworkRegisteredMessage,
    FrameworkReregisteredMessage, LostSlaveMessage, RegisterFrameworkMessage,
    ReregisterFrameworkMessage, RescindResourceOfferMessage, ResourceOffersMessage,
    StatusUpdateMessage,
};
use proto::mesos::internal::{
    KillTaskMessage, LaunchTasksMessage, ReconcileTasksMessage, StatusUpdateAcknowledgementMessage,
};
use proto::mesos::{
    FrameworkId, FrameworkInfo, MasterInfo, Offer, OfferId, SlaveId, TaskInfo, TaskState,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::daemon::PATIENCE;

/// What a scheduler is told.
#[derive(Debug)]
pub enum Event {
    /// It is registered under this id.
    Registered(FrameworkId, MasterInfo),
    /// It is registered again.
    Reregistered(FrameworkId),
    /// It is offered this.
    Offers(Vec<Offer>),
    /// An offer is taken back.
    Rescinded(OfferId),
    /// Something happened to a task.
    Update(Box<StatusUpdateMessage>),
    /// A slave is gone.
    LostSlave(SlaveId),
    /// An executor has ended.
    ExitedExecutor(Box<ExitedExecutorMessage>),
    /// The master refuses it.
    Error(String),
}

struct Teller(UnboundedSender<Event>);

impl Teller {
    fn tell(&self, event: Event) {
        // The test may have heard enough.
        let _ = self.0.send(event);
    }
}

impl Process for Teller {
    fn install(&self, router: &mut Router<Self>) {
        router.on(|this: &mut Self, _: &mut Ctx<Self>, _, message: FrameworkRegisteredMessage| {
            this.tell(Event::Registered(message.framework_id, message.master_info));
        });
        router.on(
            |this: &mut Self, _: &mut Ctx<Self>, _, message: FrameworkReregisteredMessage| {
                this.tell(Event::Reregistered(message.framework_id));
            },
        );
        router.on(|this: &mut Self, _: &mut Ctx<Self>, _, message: ResourceOffersMessage| {
            this.tell(Event::Offers(message.offers));
        });
        router.on(|this: &mut Self, _: &mut Ctx<Self>, _, message: RescindResourceOfferMessage| {
            this.tell(Event::Rescinded(message.offer_id));
        });
        router.on(|this: &mut Self, _: &mut Ctx<Self>, _, message: StatusUpdateMessage| {
            this.tell(Event::Update(Box::new(message)));
        });
        router.on(|this: &mut Self, _: &mut Ctx<Self>, _, message: LostSlaveMessage| {
            this.tell(Event::LostSlave(message.slave_id));
        });
        router.on(|this: &mut Self, _: &mut Ctx<Self>, _, message: ExitedExecutorMessage| {
            this.tell(Event::ExitedExecutor(Box::new(message)));
        });
        router.on(|this: &mut Self, _: &mut Ctx<Self>, _, message: FrameworkErrorMessage| {
            this.tell(Event::Error(message.message));
        });
    }
}

/// A scheduler; its libprocess ends with it, as if it had been killed.
pub struct FakeScheduler {
    runtime: Runtime,
    pid: Pid<Teller>,
    master: Upid,
    events: UnboundedReceiver<Event>,
    /// The id that the master gave, once it has.
    pub id: FrameworkId,
}

impl Drop for FakeScheduler {
    fn drop(&mut self) {
        wait(self.runtime.shutdown());
    }
}

/// A framework that keeps its tasks for `failover_timeout`.
pub fn framework(failover_timeout: Duration) -> FrameworkInfo {
    let me = User::from_uid(geteuid()).expect("the table of users").expect("a user of this name");
    FrameworkInfo {
        user: me.name,
        name: "fake".to_owned(),
        failover_timeout: Some(failover_timeout.as_secs_f64()),
        ..FrameworkInfo::default()
    }
}

impl FakeScheduler {
    /// A scheduler that knows the master at `address` and has said nothing yet.
    pub fn new(address: &str) -> Self {
        let schema = Some(proto::initialized::schema as libprocess::router::Schema);
        let runtime = start(Config { schema, ..Config::default() });
        let (tell, events) = unbounded_channel();
        let pid = runtime.spawn("scheduler-fake", Teller(tell)).expect("the id is free");
        let master = format!("master@{address}").parse().expect("an address");
        Self { runtime, pid, master, events, id: FrameworkId::default() }
    }

    /// A scheduler that is registered.
    pub fn registered(address: &str, info: FrameworkInfo) -> Self {
        let mut scheduler = Self::new(address);
        scheduler.send(&RegisterFrameworkMessage { framework: info });
        scheduler.expect_registered();
        scheduler
    }

    /// A scheduler that has taken over the framework `id`.
    pub fn failed_over(address: &str, info: FrameworkInfo, id: &FrameworkId) -> Self {
        let mut scheduler = Self::new(address);
        let framework = FrameworkInfo { id: Some(id.clone()), ..info };
        scheduler.send(&ReregisterFrameworkMessage { framework, failover: true });
        scheduler.expect_registered();
        scheduler
    }

    /// Sends the master a message.
    pub fn send<M: prost::Message + prost::Name>(&self, message: &M) {
        let body = message.encode_to_vec().into();
        self.runtime.post(self.pid.upid(), &self.master, M::full_name(), body);
    }

    /// The next thing that `pick` takes; others are passed over.
    pub fn expect<T>(&mut self, what: &str, mut pick: impl FnMut(Event) -> Option<T>) -> T {
        let events = &mut self.events;
        let found = async {
            loop {
                let event = events.recv().await.expect("the scheduler lives");
                if let Some(found) = pick(event) {
                    return found;
                }
            }
        };
        wait(async { tokio::time::timeout(PATIENCE, found).await })
            .unwrap_or_else(|_| panic!("no {what} arrived"))
    }

    /// Waits to be registered.
    pub fn expect_registered(&mut self) {
        self.id = self.expect("registration", |event| match event {
            Event::Registered(id, _) => Some(id),
            _ => None,
        });
    }

    /// Waits for one offer.
    pub fn expect_offer(&mut self) -> Offer {
        self.expect("offer", |event| match event {
            Event::Offers(offers) => offers.into_iter().next(),
            _ => None,
        })
    }

    /// Waits for an update of the task to `state`, acknowledging all on the way.
    pub fn expect_state(&mut self, task: &TaskInfo, state: TaskState) -> StatusUpdateMessage {
        loop {
            let message = self.expect(state.as_str_name(), |event| match event {
                Event::Update(message) => Some(message),
                _ => None,
            });
            self.acknowledge(&message);
            let status = &message.update.status;
            if status.task_id == task.task_id && status.state() == state {
                return *message;
            }
        }
    }

    /// Acknowledges an update that wants it.
    pub fn acknowledge(&self, message: &StatusUpdateMessage) {
        let (update, sender) = (&message.update, message.pid.as_deref().unwrap_or_default());
        let (Some(slave_id), Some(uuid)) = (&update.slave_id, &update.uuid) else { return };
        if sender.starts_with("slave") {
            self.send(&StatusUpdateAcknowledgementMessage {
                slave_id: slave_id.clone(),
                framework_id: self.id.clone(),
                task_id: update.status.task_id.clone(),
                uuid: uuid.clone(),
            });
        }
    }

    /// Launches `tasks` on an offer.
    pub fn launch(&self, offer: &Offer, tasks: &[TaskInfo]) {
        self.launch_on(&offer.id, tasks);
    }

    /// Launches `tasks` on an offer of which only the id is known.
    pub fn launch_on(&self, offer: &OfferId, tasks: &[TaskInfo]) {
        self.send(&LaunchTasksMessage {
            framework_id: self.id.clone(),
            tasks: tasks.to_vec(),
            offer_ids: vec![offer.clone()],
            ..LaunchTasksMessage::default()
        });
    }

    /// Asks for the end of a task.
    pub fn kill(&self, task: &TaskInfo) {
        let (framework_id, task_id) = (self.id.clone(), task.task_id.clone());
        self.send(&KillTaskMessage { framework_id, task_id });
    }

    /// Asks how all tasks are.
    pub fn reconcile(&self) {
        let framework_id = self.id.clone();
        self.send(&ReconcileTasksMessage { framework_id, statuses: Vec::new() });
    }
}
