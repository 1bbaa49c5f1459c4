//! A scripted master and a scheduler that tells what it hears.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use bytes::Bytes;
use common::ids::{ExecutorId, FrameworkId, OfferId, SlaveId, TaskId};
use libprocess::embed::Embedded;
use libprocess::testing::{Peer, start};
use libprocess::{Config, Runtime, Upid};
use proto::mesos::internal::{
    FrameworkRegisteredMessage, ResourceOffersMessage, StatusUpdate, StatusUpdateMessage,
};
use proto::mesos::scheduler::{Call, call};
use proto::mesos::{FrameworkInfo, MasterInfo, Offer, TaskInfo, TaskState, TaskStatus};
use sched::{Leader, Options, Scheduler, SchedulerDriver, Status};

pub(crate) const FRAMEWORK: &str = "F0";

/// Attempts to register come once in a minute.
pub(crate) const SELDOM: &[(&str, &str)] = &[("MESOS_REGISTRATION_BACKOFF_FACTOR", "1mins")];

/// One call of the scheduler.
#[expect(clippy::large_enum_variant, reason = "there are few")]
#[derive(Debug, PartialEq)]
pub(crate) enum Told {
    Registered(FrameworkId),
    Reregistered,
    Disconnected,
    Offers(Vec<Offer>),
    Rescinded(OfferId),
    Update(TaskStatus),
    Message(ExecutorId, SlaveId, Bytes),
    SlaveLost(SlaveId),
    ExecutorLost(ExecutorId, SlaveId, i32),
    Error(String),
}

/// What a scheduler does at an update.
type OnUpdate = Box<dyn FnMut(&SchedulerDriver) + Send>;

/// Tells which of its methods were called.
pub(crate) struct Witness {
    told: Sender<Told>,
    on_update: OnUpdate,
}

impl Witness {
    pub(crate) fn new(
        on_update: impl FnMut(&SchedulerDriver) + Send + 'static,
    ) -> (Self, Receiver<Told>) {
        let (told, hear) = channel();
        (Self { told, on_update: Box::new(on_update) }, hear)
    }

    fn tell(&self, told: Told) {
        // The test may have heard enough.
        let _ = self.told.send(told);
    }
}

impl Scheduler for Witness {
    fn registered(&mut self, _: &SchedulerDriver, id: FrameworkId, _: MasterInfo) {
        self.tell(Told::Registered(id));
    }

    fn reregistered(&mut self, _: &SchedulerDriver, _: MasterInfo) {
        self.tell(Told::Reregistered);
    }

    fn disconnected(&mut self, _: &SchedulerDriver) {
        self.tell(Told::Disconnected);
    }

    fn resource_offers(&mut self, _: &SchedulerDriver, offers: Vec<Offer>) {
        self.tell(Told::Offers(offers));
    }

    fn offer_rescinded(&mut self, _: &SchedulerDriver, offer_id: OfferId) {
        self.tell(Told::Rescinded(offer_id));
    }

    fn status_update(&mut self, driver: &SchedulerDriver, status: TaskStatus) {
        (self.on_update)(driver);
        self.tell(Told::Update(status));
    }

    fn framework_message(
        &mut self,
        _: &SchedulerDriver,
        executor_id: ExecutorId,
        slave_id: SlaveId,
        data: Bytes,
    ) {
        self.tell(Told::Message(executor_id, slave_id, data));
    }

    fn slave_lost(&mut self, _: &SchedulerDriver, slave_id: SlaveId) {
        self.tell(Told::SlaveLost(slave_id));
    }

    fn executor_lost(
        &mut self,
        _: &SchedulerDriver,
        executor_id: ExecutorId,
        slave_id: SlaveId,
        status: i32,
    ) {
        self.tell(Told::ExecutorLost(executor_id, slave_id, status));
    }

    fn error(&mut self, _: &SchedulerDriver, message: &str) {
        self.tell(Told::Error(message.to_owned()));
    }
}

/// A running driver at a scripted master.
pub(crate) struct Scene {
    pub(crate) master: Peer,
    pub(crate) driver: SchedulerDriver,
    pub(crate) runtime: Runtime,
    told: Receiver<Told>,
    /// The driver's actor; known once it has subscribed.
    pub(crate) scheduler: Upid,
}

impl Scene {
    /// A driver that has just been started.
    pub(crate) fn start(change: impl FnOnce(&mut Options)) -> Self {
        Self::start_with(change, |_| {}, SELDOM)
    }

    pub(crate) fn start_with(
        change: impl FnOnce(&mut Options),
        on_update: impl FnMut(&SchedulerDriver) + Send + 'static,
        variables: &[(&str, &str)],
    ) -> Self {
        let master = Peer::start("master");
        let leader = Leader::At(master.upid().address.to_string());
        let mut options = Options::new(framework(), leader);
        // As long as it can be: nobody subscribes twice unless a test says so.
        options.random = || 1.0;
        change(&mut options);
        let runtime = runtime();
        let (witness, told) = Witness::new(on_update);
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let variables: Vec<_> = variables.iter().map(own).collect();
        let shared = Embedded::shared(runtime.clone());
        let driver = SchedulerDriver::with_runtime(witness, options, &variables, shared).unwrap();
        driver.start();
        Self { master, driver, runtime, told, scheduler: Upid::empty() }
    }

    /// A driver that the master knows.
    pub(crate) fn registered(change: impl FnOnce(&mut Options)) -> Self {
        Self::registered_with(change, |_| {})
    }

    pub(crate) fn registered_with(
        change: impl FnOnce(&mut Options),
        on_update: impl FnMut(&SchedulerDriver) + Send + 'static,
    ) -> Self {
        let mut scene = Self::start_with(change, on_update, SELDOM);
        scene.subscribe();
        scene.send(&registered());
        scene.expect(Told::Registered(FRAMEWORK.into()));
        scene
    }

    /// Waits for a SUBSCRIBE.
    pub(crate) fn subscribe(&mut self) -> Call {
        let call = self.master.expect::<Call>();
        assert_eq!(call.message.r#type(), call::Type::Subscribe);
        self.scheduler = call.from;
        call.message
    }

    /// Waits for another call.
    pub(crate) fn call(&self, call_type: call::Type) -> Call {
        let call = self.master.expect::<Call>();
        assert_eq!(call.message.r#type(), call_type);
        assert_eq!(call.message.framework_id.as_ref().unwrap().value, FRAMEWORK);
        assert_eq!(call.from, self.scheduler);
        call.message
    }

    pub(crate) fn send<M: prost::Message + prost::Name>(&self, message: &M) {
        self.master.send(&self.scheduler, message);
    }

    pub(crate) fn next(&self) -> Told {
        self.told.recv_timeout(Duration::from_secs(30)).expect("the scheduler is called")
    }

    pub(crate) fn expect(&self, told: Told) {
        assert_eq!(self.next(), told);
    }

    /// Waits until the driver has done what it was asked for so far, and has served what the
    /// master sent so far: a call and a message go all the way there and back.
    pub(crate) fn sync(&self) {
        assert_eq!(self.driver.revive_offers(), Status::DriverRunning);
        self.call(call::Type::Revive);
        self.send(&proto::mesos::internal::RescindResourceOfferMessage {
            offer_id: OfferId::from("sync").into(),
        });
        self.expect(Told::Rescinded("sync".into()));
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.told.try_recv().is_err()
    }
}

pub(crate) fn runtime() -> Runtime {
    let schema = Some(proto::initialized::schema as libprocess::router::Schema);
    start(Config { schema, ..Config::default() })
}

pub(crate) fn framework() -> FrameworkInfo {
    FrameworkInfo {
        user: "user".to_owned(),
        name: "framework".to_owned(),
        ..FrameworkInfo::default()
    }
}

pub(crate) fn registered() -> FrameworkRegisteredMessage {
    FrameworkRegisteredMessage {
        framework_id: FrameworkId::from(FRAMEWORK).into(),
        master_info: MasterInfo::default(),
    }
}

pub(crate) fn offer(id: &str, slave_id: &str) -> Offer {
    Offer {
        id: OfferId::from(id).into(),
        framework_id: FrameworkId::from(FRAMEWORK).into(),
        slave_id: SlaveId::from(slave_id).into(),
        ..Offer::default()
    }
}

pub(crate) fn offers(offers: Vec<Offer>, pids: &[&str]) -> ResourceOffersMessage {
    let pids = pids.iter().map(|pid| (*pid).to_owned()).collect();
    ResourceOffersMessage { offers, pids, ..ResourceOffersMessage::default() }
}

pub(crate) fn task(id: &str, slave_id: &str) -> TaskInfo {
    TaskInfo {
        name: id.to_owned(),
        task_id: TaskId::from(id).into(),
        slave_id: SlaveId::from(slave_id).into(),
        ..TaskInfo::default()
    }
}

/// An update as a slave makes it; `pid` as the master passes it on.
pub(crate) fn update(uuid: Option<Bytes>, pid: Option<&str>) -> StatusUpdateMessage {
    let slave_id = Some(SlaveId::from("S0").into());
    let status = TaskStatus {
        task_id: TaskId::from("t").into(),
        state: TaskState::TaskRunning.into(),
        slave_id: slave_id.clone(),
        uuid: uuid.clone(),
        ..TaskStatus::default()
    };
    let update = StatusUpdate {
        framework_id: FrameworkId::from(FRAMEWORK).into(),
        slave_id,
        status,
        uuid,
        ..StatusUpdate::default()
    };
    StatusUpdateMessage { update, pid: pid.map(str::to_owned) }
}
