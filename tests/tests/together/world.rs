//! The actors of a small cluster, and how a test waits for what they do.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use bytes::Bytes;
use common::ids::{ExecutorId, FrameworkId, OfferId, SlaveId, TaskId};
use containerizer::Containerizer as _;
use coordination::election::standalone::{
    StandaloneMasterContender, StandaloneMasterDetector, master_info,
};
use coordination::store::State;
use coordination::store::in_memory::InMemoryStorage;
use libprocess::embed::Embedded;
use libprocess::files::Files;
use libprocess::testing::{Intercept, Next, start, wait};
use libprocess::{Config, Pid, Runtime, Upid};
use master::allocator::HierarchicalAllocator;
use master::registrar;
use proto::mesos::internal::StatusUpdateAcknowledgementMessage;
use proto::mesos::{
    CommandInfo, ExecutorInfo, Filters, FrameworkInfo, MasterInfo, Offer, TaskInfo, TaskState,
    TaskStatus,
};
use sched::{Leader, Options, Scheduler, SchedulerDriver};
use slave::oversubscription::NoopResourceEstimator;
use slave::storage::FileSystem;
use stout::flags::BoxedError;
use stout::flags::parse::Loader;
use tempfile::TempDir;
use tests::daemon::{PATIENCE, eventually};
use tests::fakes::containers::FakeContainerizer;
use tests::make::{IntoId, resources};

use crate::containers::{Drivers, Said};

fn runtime() -> Runtime {
    start(Config { schema: Some(proto::initialized::schema), ..Config::default() })
}

/// A master that leads.
pub(crate) struct Master {
    pub(crate) runtime: Runtime,
    pub(crate) pid: Pid<master::Master>,
}

impl Master {
    pub(crate) fn start() -> Self {
        let runtime = runtime();
        let pid = Upid::new("master", runtime.address());
        let info = master::master::master_info("m", &pid, "localhost");
        let state = State::new(InMemoryStorage::default());
        let registrar = registrar::start(&runtime, state, registrar::Options::default());
        let parts = master::Parts {
            allocator: Box::new(HierarchicalAllocator::new(&runtime, 1)),
            registrar: Box::new(registrar),
            contender: Arc::new(StandaloneMasterContender::default()),
            detector: Arc::new(StandaloneMasterDetector::new(Some(info.clone()))),
            authorizer: None,
            on_fatal: Box::new(|_| {}),
        };
        let master = master::Master::new(master::Config::default(), info, parts, &runtime);
        let pid = runtime.spawn("master", master).expect("the only one");
        Self { runtime, pid }
    }

    /// What a detector says of it; each time in other words, as if it had been elected again.
    pub(crate) fn info(&self) -> Option<MasterInfo> {
        Some(master_info(self.pid.upid()))
    }

    /// How many frameworks it has of a kind: `frameworks`, `completed_frameworks`.
    pub(crate) fn count(&self, kind: &str) -> usize {
        count(&self.runtime, "/master/state", kind)
    }

    /// Where a framework is reached.
    pub(crate) fn scheduler(&self, id: &FrameworkId) -> Upid {
        let id = id.clone();
        let pid = self.pid.dispatch(move |master, _| {
            master.cluster().frameworks.get(&id).and_then(|framework| framework.pid()).cloned()
        });
        wait(pid).expect("the master lives").expect("a framework with a driver")
    }

    /// Ends it, as if its process had been killed.
    pub(crate) fn stop(self) {
        wait(self.runtime.shutdown());
    }
}

fn count(runtime: &Runtime, path: &str, kind: &str) -> usize {
    let state = tests::http::get_json(&runtime.address().to_string(), path);
    state[kind].as_array().map_or(0, Vec::len)
}

/// A slave that looks for its master where it is told to.
pub(crate) struct Slave {
    pub(crate) runtime: Runtime,
    pub(crate) detector: Arc<StandaloneMasterDetector>,
    pub(crate) containers: Arc<FakeContainerizer<Drivers>>,
    said: Receiver<Said>,
    _started: slave::Started,
    _work_dir: TempDir,
}

impl Slave {
    /// A slave whose tasks become `state` as soon as they are launched.
    pub(crate) fn start(master: &Master, state: TaskState) -> Self {
        let (runtime, work_dir) = (runtime(), tempfile::tempdir().expect("a folder"));
        let no_files = |path: &str| Err::<String, BoxedError>(format!("no file {path}").into());
        let arguments = [
            "mesos-slave".to_owned(),
            "--hostname=localhost".to_owned(),
            format!("--work_dir={}", work_dir.path().display()),
            "--launcher_dir=/nowhere".to_owned(),
            "--resources=cpus:4;mem:1024;disk:1024;ports:[31000-32000]".to_owned(),
            "--registration_backoff_factor=10ms".to_owned(),
            "--no-switch_user".to_owned(),
        ];
        let loaded = Loader::new(&no_files).load::<slave::Flags>(&arguments).expect("good flags");
        let config =
            slave::Config::new(&loaded, Vec::new(), runtime.address()).expect("good flags");
        let (tell, said) = channel();
        let drivers = Drivers::new(runtime.clone(), state, tell);
        let containers = Arc::new(FakeContainerizer::new(drivers));
        let detector = Arc::new(StandaloneMasterDetector::new(master.info()));
        let parts = slave::Parts {
            containerizer: containers.clone(),
            detector: detector.clone(),
            estimator: Arc::new(NoopResourceEstimator),
            files: Files::start(&runtime).expect("the only one"),
            storage: Arc::new(FileSystem),
            boot_id: "boot".to_owned(),
            seed: [7; 32],
        };
        let started = slave::Slave::start(&runtime, "slave(1)", config, parts).expect("a port");
        Self { runtime, detector, containers, said, _started: started, _work_dir: work_dir }
    }

    /// Waits until it knows that it is registered, which its master does before: from then on it
    /// comes back when it is told to look for its master, and does not begin anew.
    pub(crate) fn await_registration(&self) {
        let address = self.runtime.address().to_string();
        eventually("the slave's id", || {
            (tests::http::get_json(&address, "/slave(1)/state")["id"] != "").then_some(())
        });
    }

    /// The next thing that an executor is told.
    pub(crate) fn said(&self) -> Said {
        self.said.recv_timeout(PATIENCE).expect("an executor is told something")
    }

    /// The next acknowledgement that it gets from its master.
    pub(crate) fn acknowledged(&self) -> Next<StatusUpdateAcknowledgementMessage> {
        let slave = Upid::new("slave(1)", self.runtime.address());
        Intercept::of(&self.runtime).to(&slave).next()
    }

    /// The only container ends.
    pub(crate) fn end_container(&self) {
        self.containers.destroy(&self.containers.play.container());
    }

    /// How many frameworks it has of a kind: `frameworks`, `completed_frameworks`.
    pub(crate) fn count(&self, kind: &str) -> usize {
        count(&self.runtime, "/slave(1)/state", kind)
    }
}

/// A call of the scheduler.
#[derive(Debug)]
pub(crate) enum Told {
    Registered(FrameworkId),
    Disconnected,
    Offers(Vec<Offer>),
    Update(TaskState),
    Message(Bytes),
    ExecutorLost(ExecutorId),
    Error(String),
    Other,
}

struct Witness(std::sync::mpsc::Sender<Told>);

impl Witness {
    fn tell(&self, told: Told) {
        // The test may have heard enough.
        let _ = self.0.send(told);
    }
}

impl Scheduler for Witness {
    fn registered(&mut self, _: &SchedulerDriver, id: FrameworkId, _: MasterInfo) {
        self.tell(Told::Registered(id));
    }

    fn reregistered(&mut self, _: &SchedulerDriver, _: MasterInfo) {
        self.tell(Told::Other);
    }

    fn disconnected(&mut self, _: &SchedulerDriver) {
        self.tell(Told::Disconnected);
    }

    fn resource_offers(&mut self, _: &SchedulerDriver, offers: Vec<Offer>) {
        self.tell(Told::Offers(offers));
    }

    fn offer_rescinded(&mut self, _: &SchedulerDriver, _: OfferId) {
        self.tell(Told::Other);
    }

    fn status_update(&mut self, _: &SchedulerDriver, status: TaskStatus) {
        self.tell(Told::Update(status.state()));
    }

    fn framework_message(&mut self, _: &SchedulerDriver, _: ExecutorId, _: SlaveId, data: Bytes) {
        self.tell(Told::Message(data));
    }

    fn slave_lost(&mut self, _: &SchedulerDriver, _: SlaveId) {
        self.tell(Told::Other);
    }

    fn executor_lost(&mut self, _: &SchedulerDriver, executor_id: ExecutorId, _: SlaveId, _: i32) {
        self.tell(Told::ExecutorLost(executor_id));
    }

    fn error(&mut self, _: &SchedulerDriver, message: &str) {
        self.tell(Told::Error(message.to_owned()));
    }
}

/// A framework with a real driver.
pub(crate) struct Framework {
    pub(crate) runtime: Runtime,
    pub(crate) driver: SchedulerDriver,
    pub(crate) detector: Arc<StandaloneMasterDetector>,
    told: Receiver<Told>,
}

impl Framework {
    /// A framework that has just been started, new or with the id of another one.
    pub(crate) fn start(master: &Master, id: Option<&FrameworkId>) -> Self {
        let runtime = runtime();
        let info = FrameworkInfo {
            user: "user".to_owned(),
            name: "framework".to_owned(),
            id: id.map(Into::into),
            ..FrameworkInfo::default()
        };
        let (tell, told) = channel();
        let detector = Arc::new(StandaloneMasterDetector::new(master.info()));
        let options = Options::new(info, Leader::Detector(detector.clone()));
        let soon = [("MESOS_REGISTRATION_BACKOFF_FACTOR".to_owned(), "10ms".to_owned())];
        let shared = Embedded::shared(runtime.clone());
        let driver = SchedulerDriver::with_runtime(Witness(tell), options, &soon, shared);
        let driver = driver.expect("good options");
        driver.start();
        Self { runtime, driver, detector, told }
    }

    /// The next thing that `pick` takes; others are passed over.
    pub(crate) fn expect<T>(&self, what: &str, pick: impl Fn(Told) -> Option<T>) -> T {
        loop {
            let told = self.told.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no {what}"));
            if let Some(picked) = pick(told) {
                return picked;
            }
        }
    }

    /// Waits to be registered.
    pub(crate) fn registered(&self) -> FrameworkId {
        self.expect("registration", |told| match told {
            Told::Registered(id) => Some(id),
            _ => None,
        })
    }

    /// Waits for an offer.
    pub(crate) fn offer(&self) -> Offer {
        self.expect("offer", |told| match told {
            Told::Offers(offers) => offers.into_iter().next(),
            _ => None,
        })
    }

    /// Waits for the next update of any task.
    pub(crate) fn state(&self) -> TaskState {
        self.expect("update", |told| match told {
            Told::Update(state) => Some(state),
            _ => None,
        })
    }

    /// Waits for the end of an executor.
    pub(crate) fn executor_lost(&self) {
        let lost = self.expect("end of an executor", |told| match told {
            Told::ExecutorLost(id) => Some(id),
            _ => None,
        });
        assert_eq!(lost, executor_id());
    }

    /// Launches the task `t` on an executor of its own.
    pub(crate) fn launch(&self, offer: &Offer) -> TaskId {
        let executor = ExecutorInfo {
            executor_id: "e".into_id(),
            command: Some(CommandInfo::default()),
            ..ExecutorInfo::default()
        };
        let task = TaskInfo {
            name: "t".to_owned(),
            task_id: "t".into_id(),
            slave_id: offer.slave_id.clone(),
            resources: resources("cpus:1;mem:512"),
            executor: Some(executor),
            ..TaskInfo::default()
        };
        self.driver.launch_tasks(&[(&offer.id).into()], vec![task], Filters::default());
        "t".into()
    }
}

/// The id of all executors.
pub(crate) fn executor_id() -> ExecutorId {
    "e".into()
}
