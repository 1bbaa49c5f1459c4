//! A slave among scripted peers in one runtime: a master, executors and schedulers that say what a
//! test lets them say and show what they hear, and containers that end when a test says so.
//! Used by all tests of this crate. Waits for what happens, never for time to pass.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::containers::FakeContainerizer;
use common::resources::Resources;
use containerizer::LaunchSpec;
use coordination::election::standalone::{StandaloneMasterDetector, master_info};
use libprocess::files::Files;
use libprocess::{Inject, Pid, Process, Router, Runtime, Upid};
use proto::mesos::internal::{
    ExecutorRegisteredMessage, RegisterExecutorMessage, RegisterSlaveMessage,
    ReregisterSlaveMessage, RunTaskMessage, SlaveRegisteredMessage, SlaveReregisteredMessage,
    StatusUpdate, StatusUpdateAcknowledgementMessage, StatusUpdateMessage,
};
use proto::mesos::{CommandInfo, ExecutorInfo, FrameworkInfo, TaskInfo, TaskState, TaskStatus};
use slave::oversubscription::NoopResourceEstimator;
use slave::storage::FileSystem;
use slave::{Config, Fatal, Flags, Parts, Slave, Started};
use stout::flags::BoxedError;
use stout::flags::parse::Loader;
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// What slaves send to anybody.
const MESSAGES: [&str; 18] = [
    "AuthenticateMessage",
    "AuthenticationStartMessage",
    "RegisterSlaveMessage",
    "ReregisterSlaveMessage",
    "UnregisterSlaveMessage",
    "StatusUpdateMessage",
    "StatusUpdateAcknowledgementMessage",
    "ExitedExecutorMessage",
    "UpdateSlaveMessage",
    "PongSlaveMessage",
    "ExecutorToFrameworkMessage",
    "FrameworkToExecutorMessage",
    "ExecutorRegisteredMessage",
    "ShutdownExecutorMessage",
    "RunTaskMessage",
    "KillTaskMessage",
    "ReconnectExecutorMessage",
    "ExecutorReregisteredMessage",
];

/// Runs a test's future to its end.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(test);
}

/// Waits for something that must come.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(PATIENCE, future).await;
    outcome.unwrap_or_else(|_| panic!("{what} did not come"))
}

struct Ear(UnboundedSender<(String, prost::bytes::Bytes)>);

impl Process for Ear {
    fn install(&self, router: &mut Router<Self>) {
        for name in MESSAGES {
            let name = format!("mesos.internal.{name}");
            let heard = name.clone();
            router.on_raw(&name, move |ear: &mut Self, _, _, body| {
                // The test may have heard enough.
                let _ = ear.0.send((heard.clone(), body));
            });
        }
    }
}

/// Somebody whom the slave speaks to.
pub(crate) struct Peer {
    pub(crate) upid: Upid,
    runtime: Runtime,
    heard: UnboundedReceiver<(String, prost::bytes::Bytes)>,
    waiting: VecDeque<(String, prost::bytes::Bytes)>,
}

impl Peer {
    pub(crate) fn new(runtime: &Runtime, id: &str) -> Peer {
        let (tell, heard) = unbounded_channel();
        let pid = runtime.spawn(id, Ear(tell)).unwrap();
        let upid = pid.upid().clone();
        Peer { upid, runtime: runtime.clone(), heard, waiting: VecDeque::new() }
    }

    /// Says something to the slave.
    pub(crate) fn send<M: prost::Message + prost::Name>(&self, to: &Upid, message: &M) {
        self.runtime.post(&self.upid, to, M::full_name(), message.encode_to_vec().into());
    }

    /// The next message of a type; those of other types are kept for later.
    pub(crate) async fn next<M: prost::Message + prost::Name + Default>(&mut self) -> M {
        let name = M::full_name();
        loop {
            if let Some(at) = self.waiting.iter().position(|(heard, _)| *heard == name) {
                let (_, body) = self.waiting.remove(at).unwrap();
                return M::decode(body).unwrap();
            }
            let heard = soon(&name, self.heard.recv()).await;
            self.waiting.push_back(heard.expect("the peer runs"));
        }
    }

    /// Forgets the messages of a type that have come and were not asked for.
    pub(crate) fn forget<M: prost::Name>(&mut self) {
        self.count::<M>();
        let name = M::full_name();
        self.waiting.retain(|(heard, _)| *heard != name);
    }

    /// How many messages of a type have come and were not asked for.
    pub(crate) fn count<M: prost::Name>(&mut self) -> usize {
        while let Ok(heard) = self.heard.try_recv() {
            self.waiting.push_back(heard);
        }
        let name = M::full_name();
        self.waiting.iter().filter(|(heard, _)| *heard == name).count()
    }
}

/// A slave and everything around it.
pub(crate) struct World {
    pub(crate) runtime: Runtime,
    pub(crate) master: Peer,
    pub(crate) detector: Arc<StandaloneMasterDetector>,
    pub(crate) containers: Arc<FakeContainerizer>,
    pub(crate) launches: UnboundedReceiver<LaunchSpec>,
    pub(crate) slave: Pid<Slave>,
    started: Option<Started>,
    files: Files,
    work_dir: TempDir,
}

/// Which boot of the host the tests run in, as far as slaves know.
const BOOT_ID: &str = "b007";

fn parts(
    containers: &Arc<FakeContainerizer>,
    detector: &Arc<StandaloneMasterDetector>,
    files: &Files,
) -> Parts {
    Parts {
        containerizer: containers.clone(),
        detector: detector.clone(),
        estimator: Arc::new(NoopResourceEstimator),
        files: files.clone(),
        storage: Arc::new(FileSystem),
        boot_id: BOOT_ID.to_owned(),
        seed: [7; 32],
    }
}

impl World {
    /// A slave that nobody has registered, with more flags.
    pub(crate) fn start(flags: &[&str]) -> World {
        World::start_with(flags, |_| {})
    }

    /// The same with other parts, if `change` says so.
    pub(crate) fn start_with(flags: &[&str], change: impl FnOnce(&mut Parts)) -> World {
        let config = libprocess::Config {
            ip: Some(Ipv4Addr::LOCALHOST),
            // Some tests go on with what upstream's slave has left, which had the usual port.
            advertise_port: Some(5051),
            schema: Some(proto::initialized::schema),
            delegate: Some("slave(1)".to_owned()),
            ..libprocess::Config::default()
        };
        let runtime = Runtime::start(config).unwrap();
        let work_dir = tempfile::tempdir().unwrap();
        let master = Peer::new(&runtime, "master");
        let leader = master_info(&master.upid);
        let detector = Arc::new(StandaloneMasterDetector::new(Some(leader)));
        let (containers, launches) = FakeContainerizer::new();
        let files = Files::start(&runtime).unwrap();
        let mut parts = parts(&containers, &detector, &files);
        change(&mut parts);
        let config = config_of(&runtime, &work_dir, flags);
        let started = Slave::start(&runtime, "slave(1)", config, parts).unwrap();
        let slave = started.pid.clone();
        World {
            runtime,
            master,
            detector,
            containers,
            launches,
            slave,
            started: Some(started),
            files,
            work_dir,
        }
    }

    /// The slave ends without a word, and its containers go on.
    pub(crate) async fn kill_slave(&mut self) {
        self.settle().await;
        self.slave.terminate(Inject::Front);
        self.ended().await.unwrap();
        // It may have asked more than once.
        self.master.forget::<RegisterSlaveMessage>();
        self.master.forget::<ReregisterSlaveMessage>();
    }

    /// Waits until the slave has recovered, and looks for its master.
    pub(crate) async fn recovered(&self) {
        let recovered = async {
            while self.get_text("/state").0.starts_with("HTTP/1.1 503") {
                self.runtime.settle().await;
            }
        };
        soon("the end of recovery", recovered).await;
    }

    /// Another run of the slave begins on the same disk, with other parts if `change` says so.
    pub(crate) fn start_again(&mut self, flags: &[&str], change: impl FnOnce(&mut Parts)) {
        let (containers, launches) = FakeContainerizer::new();
        let mut parts = parts(&containers, &self.detector, &self.files);
        change(&mut parts);
        (self.containers, self.launches) = (containers, launches);
        let config = config_of(&self.runtime, &self.work_dir, flags);
        let started = Slave::start(&self.runtime, "slave(1)", config, parts).unwrap();
        self.slave = started.pid.clone();
        self.started = Some(started);
    }

    /// The slave is killed and started again.
    pub(crate) async fn restart(&mut self, flags: &[&str]) {
        self.kill_slave().await;
        self.start_again(flags, |_| {});
    }

    /// The slave comes back to the master, which has nothing to ask of it.
    pub(crate) async fn reregistered(&mut self) -> ReregisterSlaveMessage {
        let message = self.master.next::<ReregisterSlaveMessage>().await;
        self.tell(&SlaveReregisteredMessage {
            slave_id: message.slave.id.clone().unwrap(),
            reconciliations: Vec::new(),
            connection: None,
        });
        message
    }

    /// A slave that is registered as `S0`.
    pub(crate) async fn registered(flags: &[&str]) -> World {
        World::start(flags).register_slave().await
    }

    /// The same slave, registered as `S0`.
    pub(crate) async fn register_slave(mut self) -> World {
        self.master.next::<RegisterSlaveMessage>().await;
        self.tell(&slave_registered("S0"));
        self.master.next::<proto::mesos::internal::UpdateSlaveMessage>().await;
        self
    }

    pub(crate) fn upid(&self) -> &Upid {
        self.slave.upid()
    }

    pub(crate) fn work_dir(&self) -> PathBuf {
        self.work_dir.path().to_owned()
    }

    /// The master says something to the slave.
    pub(crate) fn tell<M: prost::Message + prost::Name>(&self, message: &M) {
        self.master.send(self.slave.upid(), message);
    }

    /// The next container that is launched.
    pub(crate) async fn launched(&mut self) -> LaunchSpec {
        soon("a launch", self.launches.recv()).await.expect("the containerizer runs")
    }

    /// Runs a task on an executor that has registered; gives the executor and its container.
    pub(crate) async fn running(&mut self, task: TaskInfo) -> (Peer, LaunchSpec) {
        self.running_as(&run_task(task)).await
    }

    /// The same of a framework that checkpoints.
    pub(crate) async fn running_checkpointed(&mut self, task: TaskInfo) -> (Peer, LaunchSpec) {
        self.running_as(&checkpointed(task)).await
    }

    async fn running_as(&mut self, message: &RunTaskMessage) -> (Peer, LaunchSpec) {
        self.tell(message);
        let spec = self.launched().await;
        let executor = self.register("executor(1)", &spec).await;
        (executor, spec)
    }

    /// The executor of a container registers, and gets its task.
    pub(crate) async fn register(&self, id: &str, spec: &LaunchSpec) -> Peer {
        let mut executor = Peer::new(&self.runtime, id);
        executor.send(self.upid(), &registration(spec));
        executor.next::<ExecutorRegisteredMessage>().await;
        executor.next::<RunTaskMessage>().await;
        executor
    }

    /// The next update that the master hears of.
    pub(crate) async fn update(&mut self) -> StatusUpdate {
        self.master.next::<StatusUpdateMessage>().await.update
    }

    /// The master acknowledges an update.
    pub(crate) fn acknowledge(&self, update: &StatusUpdate) {
        self.tell(&StatusUpdateAcknowledgementMessage {
            slave_id: update.slave_id.clone().unwrap(),
            framework_id: update.framework_id.clone(),
            task_id: update.status.task_id.clone(),
            uuid: update.uuid.clone().unwrap(),
        });
    }

    /// Waits until the slave has done what it was told so far.
    pub(crate) async fn settle(&self) {
        let peace = async {
            self.runtime.settle().await;
            let Some(started) = &self.started else { return };
            // What the disk has done last may have consequences.
            let mut is_busy = true;
            while is_busy {
                is_busy = started.flushed().await;
                self.runtime.settle().await;
                is_busy |= started.flushed().await;
                self.runtime.settle().await;
            }
        };
        soon("peace", peace).await;
    }

    /// Waits until the slave has ended.
    pub(crate) async fn ended(&mut self) -> Result<(), Fatal> {
        let started = self.started.take().expect("it has not ended before");
        soon("the end", started.ended()).await
    }

    /// `GET path`, as JSON.
    pub(crate) fn get(&self, path: &str) -> serde_json::Value {
        let (_, body) = self.get_text(path);
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
    }

    /// `GET path`: head and body.
    pub(crate) fn get_text(&self, path: &str) -> (String, String) {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(self.runtime.bound()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }
}

fn config_of(runtime: &Runtime, work_dir: &TempDir, flags: &[&str]) -> Config {
    let no_files = |path: &str| Err::<String, BoxedError>(format!("no file {path}").into());
    let given = |name: &str| flags.iter().any(|flag| flag.starts_with(name));
    let mut arguments = vec![
        "mesos-slave".to_owned(),
        "--hostname=localhost".to_owned(),
        format!("--work_dir={}", work_dir.path().display()),
        "--launcher_dir=/nowhere".to_owned(),
    ];
    if !given("--resources") {
        arguments.push("--resources=cpus:4;mem:1024;disk:1024;ports:[31000-32000]".to_owned());
    }
    if !given("--registration_backoff_factor") {
        arguments.push("--registration_backoff_factor=1ms".to_owned());
    }
    arguments.extend(flags.iter().map(|&flag| flag.to_owned()));
    let loaded = Loader::new(&no_files).load::<Flags>(&arguments).unwrap();
    let build = vec![("version".to_owned(), "0.28.3".into())];
    Config::new(&loaded, build, runtime.address()).unwrap()
}

pub(crate) fn slave_registered(id: &str) -> SlaveRegisteredMessage {
    SlaveRegisteredMessage {
        slave_id: proto::mesos::SlaveId { value: id.to_owned() },
        connection: None,
    }
}

pub(crate) fn framework() -> FrameworkInfo {
    FrameworkInfo {
        user: "root".to_owned(),
        name: "framework".to_owned(),
        id: Some(proto::mesos::FrameworkId { value: "F".to_owned() }),
        ..FrameworkInfo::default()
    }
}

/// A task that is a command, with a cpu and 64 MB.
pub(crate) fn command_task(id: &str) -> TaskInfo {
    TaskInfo {
        name: id.to_owned(),
        task_id: proto::mesos::TaskId { value: id.to_owned() },
        slave_id: proto::mesos::SlaveId { value: "S0".to_owned() },
        resources: "cpus:1;mem:64".parse::<Resources>().unwrap().to_messages(),
        command: Some(CommandInfo { value: Some("sleep 10".to_owned()), ..CommandInfo::default() }),
        ..TaskInfo::default()
    }
}

/// A task for the framework's own executor `E`.
pub(crate) fn executor_task(id: &str) -> TaskInfo {
    let executor = ExecutorInfo {
        executor_id: proto::mesos::ExecutorId { value: "E".to_owned() },
        command: Some(CommandInfo { value: Some("run".to_owned()), ..CommandInfo::default() }),
        ..ExecutorInfo::default()
    };
    TaskInfo { command: None, executor: Some(executor), ..command_task(id) }
}

pub(crate) fn run_task(task: TaskInfo) -> RunTaskMessage {
    RunTaskMessage {
        framework: framework(),
        task,
        pid: Some("scheduler@127.0.0.1:1".to_owned()),
        framework_id: None,
    }
}

/// The same for a framework that checkpoints.
pub(crate) fn checkpointed(task: TaskInfo) -> RunTaskMessage {
    let message = run_task(task);
    let framework = FrameworkInfo { checkpoint: Some(true), ..message.framework };
    RunTaskMessage { framework, ..message }
}

pub(crate) fn registration(spec: &LaunchSpec) -> RegisterExecutorMessage {
    RegisterExecutorMessage {
        framework_id: spec.executor_info.framework_id.clone().unwrap(),
        executor_id: spec.executor_info.executor_id.clone(),
    }
}

/// An update by an executor; `uuid` fills all its bytes.
pub(crate) fn update_of(
    executor: &Peer,
    spec: &LaunchSpec,
    task_id: &str,
    (state, uuid): (TaskState, u8),
) -> StatusUpdateMessage {
    let status = TaskStatus {
        task_id: proto::mesos::TaskId { value: task_id.to_owned() },
        state: state.into(),
        ..TaskStatus::default()
    };
    let update = StatusUpdate {
        framework_id: spec.executor_info.framework_id.clone().unwrap(),
        executor_id: Some(spec.executor_info.executor_id.clone()),
        slave_id: Some((&spec.slave_id).into()),
        status,
        timestamp: 1.0,
        uuid: Some(vec![uuid; 16].into()),
        latest_state: None,
    };
    StatusUpdateMessage { update, pid: Some(executor.upid.to_string()) }
}
