//! A master among scripted peers: an allocator that offers what it is told to, slaves and
//! schedulers that keep what they hear. All in one runtime, over real messages, on a clock that
//! stands still.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::ids::{FrameworkId, OfferId, SlaveId, TaskId};
use common::resources::Resources;
use coordination::election::standalone::StandaloneMasterDetector;
use coordination::store::State;
use coordination::store::in_memory::InMemoryStorage;
use libprocess::testing::{start, wait};
use libprocess::{Config as RuntimeConfig, Inject, Pid, Process, Router, Runtime, Upid};
use master::allocator::{
    self, Allocator, Answer, InverseOfferStatuses, InverseOfferUpdate, NewSlave,
    UpdateAvailableError,
};
use master::authorizer::Authorizer;
use master::fatal::Fatal;
use master::master::master_info;
use master::registrar::{self, Options, Registrar, VARIABLE};
use master::{Config, Master, Parts};
use parking_lot::Mutex;
use prost::{Message, Name};
use proto::mesos::internal::{
    FrameworkRegisteredMessage, RegisterFrameworkMessage, RegisterSlaveMessage, Registry,
    ResourceOffersMessage, RunTaskMessage, SlaveRegisteredMessage, StatusUpdate,
    StatusUpdateMessage,
};
use proto::mesos::offer::{Operation, operation};
use proto::mesos::quota::QuotaInfo;
use proto::mesos::scheduler::{Call, call};
use proto::mesos::{
    self, CommandInfo, Filters, FrameworkInfo, MasterInfo, Request, SlaveInfo, TaskInfo, TaskState,
    TaskStatus, Unavailability, WeightInfo,
};

use crate::lease::Lease;

/// What peers of a master may hear.
const HEARD: [&str; 22] = [
    "FrameworkRegisteredMessage",
    "FrameworkReregisteredMessage",
    "FrameworkErrorMessage",
    "ResourceOffersMessage",
    "RescindResourceOfferMessage",
    "StatusUpdateMessage",
    "LostSlaveMessage",
    "ExitedExecutorMessage",
    "ExecutorToFrameworkMessage",
    "RunTaskMessage",
    "KillTaskMessage",
    "ShutdownFrameworkMessage",
    "ShutdownExecutorMessage",
    "UpdateFrameworkMessage",
    "StatusUpdateAcknowledgementMessage",
    "FrameworkToExecutorMessage",
    "CheckpointResourcesMessage",
    "SlaveRegisteredMessage",
    "SlaveReregisteredMessage",
    "ShutdownMessage",
    "SubmitSchedulerResponse",
    "AuthenticationErrorMessage",
];

/// A master and its world.
pub(crate) struct World {
    pub(crate) runtime: Runtime,
    pub(crate) master: Pid<Master>,
    pub(crate) info: MasterInfo,
    pub(crate) allocator: Script,
    pub(crate) detector: Arc<StandaloneMasterDetector>,
    pub(crate) lease: Arc<Lease>,
    pub(crate) fatal: Arc<Mutex<Vec<Fatal>>>,
}

impl World {
    /// A master that leads.
    pub(crate) fn new() -> World {
        World::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> World {
        World::start(config, Registry::default(), None)
    }

    pub(crate) fn start(
        config: Config,
        registry: Registry,
        authorizer: Option<Arc<dyn Authorizer>>,
    ) -> World {
        let world = World::standby(config, registry, authorizer);
        world.detector.appoint(Some(world.info.clone()));
        world.settle();
        world
    }

    /// A master that does not lead yet.
    pub(crate) fn standby(
        config: Config,
        registry: Registry,
        authorizer: Option<Arc<dyn Authorizer>>,
    ) -> World {
        let options = Options { strictness: config.registry_strictness, ..Options::default() };
        let registrar = move |runtime: &Runtime| -> Box<dyn Registrar> {
            Box::new(registrar::start(runtime, state(&registry), options))
        };
        World::standby_with(config, registrar, authorizer)
    }

    /// The same, with a registrar of the test's own.
    pub(crate) fn standby_with(
        config: Config,
        registrar: impl FnOnce(&Runtime) -> Box<dyn Registrar>,
        authorizer: Option<Arc<dyn Authorizer>>,
    ) -> World {
        let schema = Some(proto::initialized::schema as libprocess::router::Schema);
        let runtime = start(RuntimeConfig { schema, ..RuntimeConfig::default() });
        runtime.clock().pause();
        let info = master_info("m", &Upid::new("master", runtime.address()), "localhost");
        let (allocator, fatal) = (Script::default(), Arc::<Mutex<Vec<Fatal>>>::default());
        let detector = Arc::new(StandaloneMasterDetector::new(None));
        let (lease, raised) = (Arc::<Lease>::default(), fatal.clone());
        let parts = Parts {
            allocator: Box::new(allocator.clone()),
            registrar: registrar(&runtime),
            contender: lease.clone(),
            detector: detector.clone(),
            authorizer,
            on_fatal: Box::new(move |fatal| raised.lock().push(fatal)),
        };
        let master = Master::new(config, info.clone(), parts, &runtime);
        let master = runtime.spawn("master", master).expect("the only master");
        let world = World { runtime, master, info, allocator, detector, lease, fatal };
        world.settle();
        world
    }

    /// Waits until everything that follows has happened, and looks into the books.
    pub(crate) fn settle(&self) {
        self.settle_without_looking();
        if self.fatal.lock().is_empty() {
            wait(self.master.dispatch(|master, _| master.cluster().check_invariants()))
                .expect("the master lives");
        }
    }

    pub(crate) fn settle_without_looking(&self) {
        wait(self.runtime.settle());
    }

    pub(crate) fn advance(&self, seconds: f64) {
        self.runtime.clock().advance(Duration::from_secs_f64(seconds));
        self.settle();
    }

    /// Asks the master's books.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&master::state::Cluster) -> T + Send + 'static,
    ) -> T {
        wait(self.master.dispatch(move |master, _| question(master.cluster()))).expect("it lives")
    }

    pub(crate) fn metric(&self, name: &str) -> f64 {
        let values = wait(self.runtime.metrics().snapshot(None));
        values.get(name).copied().unwrap_or_else(|| panic!("no metric {name}"))
    }

    pub(crate) fn has_metric(&self, name: &str) -> bool {
        wait(self.runtime.metrics().snapshot(None)).contains_key(name)
    }

    /// Somebody who can send and keeps what is sent back.
    pub(crate) fn peer(&self, id: &str) -> Peer {
        let heard = Heard::default();
        let pid = self.runtime.spawn(id, Listener(heard.clone())).expect("a new name");
        Peer { master: self.master.upid().clone(), runtime: self.runtime.clone(), pid, heard }
    }

    /// A registered slave.
    pub(crate) fn slave(&self, id: &str) -> Slave {
        self.slave_with(id, "cpus:4;mem:1024;ports:[31000-32000]")
    }

    pub(crate) fn slave_with(&self, id: &str, resources: &str) -> Slave {
        let peer = self.peer(id);
        let info = slave_info(resources);
        peer.send(&RegisterSlaveMessage {
            slave: info.clone(),
            version: Some("0.28.3".to_owned()),
            ..RegisterSlaveMessage::default()
        });
        self.settle();
        let id = SlaveId::from(peer.take::<SlaveRegisteredMessage>().slave_id);
        Slave { id, info, peer }
    }

    /// A registered framework.
    pub(crate) fn framework(&self, id: &str) -> Framework {
        self.framework_with(id, framework_info())
    }

    pub(crate) fn framework_with(&self, id: &str, info: FrameworkInfo) -> Framework {
        let peer = self.peer(id);
        peer.send(&RegisterFrameworkMessage { framework: info.clone() });
        self.settle();
        let id = FrameworkId::from(peer.take::<FrameworkRegisteredMessage>().framework_id);
        Framework { id, info, peer }
    }

    /// Offers a framework something of a slave.
    pub(crate) fn offer(&self, framework: &Framework, slave: &Slave, resources: &str) -> OfferId {
        let offers = BTreeMap::from([(slave.id.clone(), parse(resources))]);
        self.allocator.offer(framework.id.clone(), offers);
        self.settle();
        let message = framework.peer.take::<ResourceOffersMessage>();
        OfferId::from(&message.offers[0].id)
    }

    /// Launches a command task, which its slave is told to run.
    pub(crate) fn launch(&self, framework: &Framework, slave: &Slave, task: &str) -> TaskId {
        let offer = self.offer(framework, slave, "cpus:1;mem:32");
        framework.accept(&[&offer], vec![launch(vec![command_task(task, &slave.id)])]);
        self.settle();
        let run = slave.peer.take::<RunTaskMessage>();
        assert_eq!(run.task.task_id.value, task);
        task.into()
    }
}

/// What somebody has heard, the oldest first.
type Heard = Arc<Mutex<VecDeque<(String, Bytes)>>>;

struct Listener(Heard);

impl Process for Listener {
    fn install(&self, router: &mut Router<Self>) {
        for name in HEARD {
            let name = format!("mesos.internal.{name}");
            router.on_raw(&name.clone(), move |this: &mut Self, _, _, body| {
                this.0.lock().push_back((name.clone(), body));
            });
        }
    }
}

/// Somebody who speaks with a master.
pub(crate) struct Peer {
    master: Upid,
    runtime: Runtime,
    pid: Pid<Listener>,
    heard: Heard,
}

impl Peer {
    pub(crate) fn upid(&self) -> &Upid {
        self.pid.upid()
    }

    pub(crate) fn send<M: Message + Name>(&self, message: &M) {
        let body = message.encode_to_vec().into();
        self.runtime.post(self.upid(), &self.master, M::full_name(), body);
    }

    /// The oldest message of a type that was not taken yet.
    pub(crate) fn take<M: Message + Name + Default>(&self) -> M {
        self.find().unwrap_or_else(|| {
            let heard: Vec<String> =
                self.heard.lock().iter().map(|(name, _)| name.clone()).collect();
            panic!("{} heard no {}, but {heard:?}", self.upid(), M::full_name())
        })
    }

    /// The same, if there is one.
    pub(crate) fn find<M: Message + Name + Default>(&self) -> Option<M> {
        let mut heard = self.heard.lock();
        let at = heard.iter().position(|(name, _)| *name == M::full_name())?;
        let (_, body) = heard.remove(at)?;
        Some(M::decode(body).expect("masters send what can be decoded"))
    }

    /// The names of all that was heard and not taken.
    pub(crate) fn rest(&self) -> Vec<String> {
        let heard = self.heard.lock();
        heard.iter().map(|(name, _)| name.replace("mesos.internal.", "")).collect()
    }

    pub(crate) fn forget(&self) {
        self.heard.lock().clear();
    }

    /// Ends; the master hears that its link is gone.
    pub(crate) fn exit(&self) {
        self.pid.terminate(Inject::Front);
        wait(self.pid.wait());
    }
}

/// A slave that is played.
pub(crate) struct Slave {
    pub(crate) id: SlaveId,
    pub(crate) info: SlaveInfo,
    pub(crate) peer: Peer,
}

impl Slave {
    /// Has news of a task.
    pub(crate) fn update(&self, framework: &Framework, task: &TaskId, state: TaskState, uuid: u8) {
        let update = self.status_update(framework, task, state, uuid);
        self.peer.send(&StatusUpdateMessage { update, pid: Some(self.peer.upid().to_string()) });
    }

    pub(crate) fn status_update(
        &self,
        framework: &Framework,
        task: &TaskId,
        state: TaskState,
        uuid: u8,
    ) -> StatusUpdate {
        let status = TaskStatus {
            task_id: task.into(),
            state: state.into(),
            slave_id: Some((&self.id).into()),
            ..TaskStatus::default()
        };
        StatusUpdate {
            framework_id: (&framework.id).into(),
            slave_id: Some((&self.id).into()),
            status,
            timestamp: 1.0,
            uuid: Some(vec![uuid; 16].into()),
            ..StatusUpdate::default()
        }
    }
}

/// A framework that is played.
pub(crate) struct Framework {
    pub(crate) id: FrameworkId,
    pub(crate) info: FrameworkInfo,
    pub(crate) peer: Peer,
}

impl Framework {
    /// The info with the id that the master gave.
    pub(crate) fn known_info(&self) -> FrameworkInfo {
        FrameworkInfo { id: Some((&self.id).into()), ..self.info.clone() }
    }

    pub(crate) fn call(&self, kind: call::Type, call: Call) {
        let framework_id = Some((&self.id).into());
        let mut call = Call { framework_id, ..call };
        call.set_type(kind);
        self.peer.send(&call);
    }

    pub(crate) fn accept(&self, offers: &[&OfferId], operations: Vec<Operation>) {
        let accept = call::Accept {
            offer_ids: offers.iter().map(|id| (*id).into()).collect(),
            operations,
            filters: None,
        };
        self.call(call::Type::Accept, Call { accept: Some(accept), ..Call::default() });
    }

    pub(crate) fn kill(&self, task: &TaskId) {
        let kill = call::Kill { task_id: task.into(), ..call::Kill::default() };
        self.call(call::Type::Kill, Call { kill: Some(kill), ..Call::default() });
    }

    pub(crate) fn acknowledge(&self, slave: &Slave, task: &TaskId, uuid: &[u8]) {
        let acknowledge = call::Acknowledge {
            slave_id: (&slave.id).into(),
            task_id: task.into(),
            uuid: uuid.to_vec().into(),
        };
        let call = Call { acknowledge: Some(acknowledge), ..Call::default() };
        self.call(call::Type::Acknowledge, call);
    }

    pub(crate) fn reconcile(&self, tasks: &[(&str, Option<&SlaveId>)]) {
        let tasks = tasks.iter().map(|(task, slave)| call::reconcile::Task {
            task_id: mesos::TaskId { value: (*task).to_owned() },
            slave_id: slave.map(Into::into),
        });
        let reconcile = Some(call::Reconcile { tasks: tasks.collect() });
        self.call(call::Type::Reconcile, Call { reconcile, ..Call::default() });
    }

    /// The next status that it was told, as state and message.
    pub(crate) fn status(&self) -> (TaskState, String) {
        let status = self.peer.take::<StatusUpdateMessage>().update.status;
        (status.state(), status.message().to_owned())
    }
}

/// What an earlier master left.
pub(crate) fn state(registry: &Registry) -> State {
    let state = State::new(InMemoryStorage::default());
    let variable = wait(state.fetch(VARIABLE)).expect("memory answers");
    let variable = variable.mutate(registry.encode_to_vec().into());
    wait(state.store(variable)).expect("memory answers").expect("nobody else writes");
    state
}

pub(crate) fn parse(resources: &str) -> Resources {
    Resources::parse(resources, "*").expect("well-formed resources")
}

pub(crate) fn slave_info(resources: &str) -> SlaveInfo {
    SlaveInfo {
        hostname: "host".to_owned(),
        resources: parse(resources).to_messages(),
        ..SlaveInfo::default()
    }
}

pub(crate) fn framework_info() -> FrameworkInfo {
    FrameworkInfo { user: "user".to_owned(), name: "name".to_owned(), ..FrameworkInfo::default() }
}

pub(crate) fn command_task(id: &str, slave: &SlaveId) -> TaskInfo {
    TaskInfo {
        name: id.to_owned(),
        task_id: mesos::TaskId { value: id.to_owned() },
        slave_id: slave.into(),
        resources: parse("cpus:1;mem:32").to_messages(),
        command: Some(CommandInfo::default()),
        ..TaskInfo::default()
    }
}

pub(crate) fn launch(task_infos: Vec<TaskInfo>) -> Operation {
    let launch = Some(operation::Launch { task_infos });
    let mut operation = Operation { launch, ..Operation::default() };
    operation.set_type(operation::Type::Launch);
    operation
}

/// An allocator that does nothing by itself and notes what it is told, a line for each call.
#[derive(Clone, Default)]
pub(crate) struct Script {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    calls: Vec<String>,
    options: Option<allocator::Options>,
}

impl Script {
    /// Offers, as an allocator would.
    pub(crate) fn offer(&self, framework: FrameworkId, resources: BTreeMap<SlaveId, Resources>) {
        let shared = self.shared.lock();
        let options = shared.options.as_ref().expect("the master initializes its allocator");
        (options.offers)(framework, resources);
    }

    /// What it was told since it was last asked.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.lock().calls)
    }

    fn note(&self, call: String) {
        self.shared.lock().calls.push(call);
    }
}

impl Allocator for Script {
    fn initialize(&mut self, options: allocator::Options) {
        self.shared.lock().options = Some(options);
    }
    fn recover(&self, expected_slaves: usize, _: BTreeMap<String, QuotaInfo>) {
        self.note(format!("recover {expected_slaves}"));
    }
    fn add_framework(
        &self,
        id: &FrameworkId,
        _: &FrameworkInfo,
        used: BTreeMap<SlaveId, Resources>,
    ) {
        let used: Vec<String> = used.iter().map(|(id, used)| format!(" {id}={used}")).collect();
        self.note(format!("add_framework {id}{}", used.concat()));
    }
    fn remove_framework(&self, id: &FrameworkId) {
        self.note(format!("remove_framework {id}"));
    }
    fn activate_framework(&self, id: &FrameworkId) {
        self.note(format!("activate_framework {id}"));
    }
    fn deactivate_framework(&self, id: &FrameworkId) {
        self.note(format!("deactivate_framework {id}"));
    }
    fn update_framework(&self, id: &FrameworkId, _: &FrameworkInfo) {
        self.note(format!("update_framework {id}"));
    }
    fn add_slave(&self, id: &SlaveId, slave: NewSlave<'_>) {
        let used: Vec<String> =
            slave.used.iter().map(|(id, used)| format!(" {id}={used}")).collect();
        let until = slave.unavailability.map(|time| format!(" until {}", time.start.nanoseconds));
        let until = until.unwrap_or_default();
        self.note(format!("add_slave {id} {}{}{until}", slave.total, used.concat()));
    }
    fn remove_slave(&self, id: &SlaveId) {
        self.note(format!("remove_slave {id}"));
    }
    fn update_slave(&self, id: &SlaveId, oversubscribed: Resources) {
        self.note(format!("update_slave {id} {oversubscribed}"));
    }
    fn activate_slave(&self, id: &SlaveId) {
        self.note(format!("activate_slave {id}"));
    }
    fn deactivate_slave(&self, id: &SlaveId) {
        self.note(format!("deactivate_slave {id}"));
    }
    fn update_whitelist(&self, hosts: Option<BTreeSet<String>>) {
        self.note(format!("update_whitelist {hosts:?}"));
    }
    fn request_resources(&self, id: &FrameworkId, requests: Vec<Request>) {
        self.note(format!("request_resources {id} {}", requests.len()));
    }
    fn update_allocation(&self, f: &FrameworkId, s: &SlaveId, operations: Vec<Operation>) {
        self.note(format!("update_allocation {f} {s} {}", operations[0].r#type().as_str_name()));
    }
    fn update_available(
        &self,
        _: &SlaveId,
        _: Vec<Operation>,
    ) -> Answer<Result<(), UpdateAvailableError>> {
        Box::pin(std::future::ready(Ok(())))
    }
    fn update_unavailability(&self, id: &SlaveId, _: Option<Unavailability>) {
        self.note(format!("update_unavailability {id}"));
    }
    fn update_inverse_offer(&self, update: InverseOfferUpdate) {
        self.note(format!("update_inverse_offer {}", update.slave_id));
    }
    fn inverse_offer_statuses(&self) -> Answer<InverseOfferStatuses> {
        Box::pin(std::future::ready(InverseOfferStatuses::new()))
    }
    fn recover_resources(
        &self,
        f: &FrameworkId,
        s: &SlaveId,
        resources: Resources,
        filters: Option<Filters>,
    ) {
        let filters = filters.map(|f| format!(" for {}", f.refuse_seconds())).unwrap_or_default();
        self.note(format!("recover_resources {f} {s} {resources}{filters}"));
    }
    fn suppress_offers(&self, id: &FrameworkId) {
        self.note(format!("suppress_offers {id}"));
    }
    fn revive_offers(&self, id: &FrameworkId) {
        self.note(format!("revive_offers {id}"));
    }
    fn set_quota(&self, role: &str, _: QuotaInfo) {
        self.note(format!("set_quota {role}"));
    }
    fn remove_quota(&self, role: &str) {
        self.note(format!("remove_quota {role}"));
    }
    fn update_weights(&self, weights: Vec<WeightInfo>) {
        self.note(format!("update_weights {}", weights.len()));
    }
}
