//! Containers whose executors are actors beside their slave: each runs its one task for a while.
//! They tell the test what physically runs, which is what masters and frameworks only believe.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use common::ids::ContainerId;
use containerizer::LaunchSpec;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use libprocess::{Ctx, Inject, Process, Router, Runtime, Upid};
use parking_lot::Mutex;
use proto::mesos::internal::{
    ExecutorRegisteredMessage, KillTaskMessage, RegisterExecutorMessage, RunTaskMessage,
    ShutdownExecutorMessage, StatusUpdate, StatusUpdateMessage,
};
use proto::mesos::{TaskState, TaskStatus};
use tests::fakes::containers::{Ends, Play};

use crate::framework::checkpoints;

/// What runs and ran, in all slaves of a simulation.
#[derive(Clone, Default)]
pub(crate) struct Ground(Arc<Mutex<Facts>>);

#[derive(Default)]
struct Facts {
    /// By the slave's address: the tasks that run there.
    running: BTreeMap<String, BTreeSet<String>>,
    /// The tasks that slaves have taken from whom they knew as the leader.
    taken: BTreeSet<String>,
    /// By the slave's address: the latest lease of a leader that it has taken a task from.
    leases: BTreeMap<String, u64>,
    /// All tasks that were ever begun.
    begun: BTreeSet<String>,
    /// Those that came to their end by themselves, and at which slave's address.
    finished: BTreeMap<String, String>,
}

impl Ground {
    /// A machine has lost all its processes.
    pub(crate) fn clear(&self, slave: &str) {
        self.0.lock().running.remove(slave);
    }

    /// A slave is told to run a task by whom it knows as the leader, who has this lease.
    pub(crate) fn take(&self, slave: &str, task: String, lease: u64) {
        let mut facts = self.0.lock();
        facts.taken.insert(task);
        let latest = facts.leases.entry(slave.to_owned()).or_default();
        assert!(*latest <= lease, "{slave} goes back to the leader of lease {lease}");
        *latest = lease;
    }

    /// At which slave's address a task has come to its end by itself, if it has.
    pub(crate) fn finished_at(&self, task: &str) -> Option<String> {
        self.0.lock().finished.get(task).cloned()
    }

    fn begin(&self, slave: &str, task: &str) {
        let mut facts = self.0.lock();
        assert!(facts.begun.insert(task.to_owned()), "{task} runs a second time");
        assert!(facts.taken.contains(task), "{task} runs at the word of who does not lead");
        let here = facts.running.entry(slave.to_owned()).or_default();
        here.insert(task.to_owned());
        let kept = here.iter().filter(|task| checkpoints(task)).count();
        assert!(kept <= crate::TASKS_PER_SLAVE, "{slave} runs more than it has: {here:?}");
    }

    fn finish(&self, slave: &str, task: &str) {
        self.0.lock().finished.insert(task.to_owned(), slave.to_owned());
        self.end(slave, task);
    }

    fn end(&self, slave: &str, task: &str) {
        self.0.lock().running.entry(slave.to_owned()).or_default().remove(task);
    }
}

/// What runs in the containers of one process of a slave.
pub(crate) struct Executors {
    runtime: Runtime,
    ground: Ground,
}

impl Executors {
    pub(crate) fn new(runtime: &Runtime, ground: &Ground) -> Self {
        ground.clear(&runtime.address().to_string());
        Self { runtime: runtime.clone(), ground: ground.clone() }
    }

    fn name(container_id: &ContainerId) -> String {
        format!("executor-{container_id}")
    }
}

impl Play for Executors {
    fn launch(&self, spec: LaunchSpec, ends: &Ends) -> BoxFuture<'static, ()> {
        let (name, checkpoint) = (Self::name(&spec.container_id), spec.checkpoint.clone());
        let (ground, ends) = (self.ground.clone(), ends.clone());
        let executor = Executor { spec, task: None, ground, ends };
        self.runtime.spawn(name, executor).expect("a fresh container");
        async move {
            if let Some(checkpoint) = checkpoint {
                (checkpoint.0)(1, 1).await.expect("a disk with room");
            }
        }
        .boxed()
    }

    fn destroy(&self, id: &ContainerId, _: &Ends) {
        let executor = Upid::new(Self::name(id), self.runtime.address());
        self.runtime.terminate(&executor, Inject::Front);
    }
}

/// An executor for one task.
struct Executor {
    spec: LaunchSpec,
    task: Option<String>,
    ground: Ground,
    ends: Ends,
}

impl Process for Executor {
    fn install(&self, router: &mut Router<Self>) {
        router.on(|_: &mut Self, _, _, _: ExecutorRegisteredMessage| {});
        router.on(Self::run);
        router.on(|_: &mut Self, ctx, _, _: KillTaskMessage| ctx.terminate());
        router.on(|_: &mut Self, ctx, _, _: ShutdownExecutorMessage| ctx.terminate());
    }

    fn initialize(&mut self, ctx: &mut Ctx<Self>) {
        let info = &self.spec.executor_info;
        let registration = RegisterExecutorMessage {
            framework_id: info.framework_id.clone().expect("filled in by the slave"),
            executor_id: info.executor_id.clone(),
        };
        let slave = self.slave();
        ctx.link(&slave);
        ctx.send(&slave, &registration);
    }

    fn exited(&mut self, ctx: &mut Ctx<Self>, _: Upid) {
        ctx.terminate();
    }

    fn finalize(&mut self, ctx: &mut Ctx<Self>) {
        if let Some(task) = &self.task {
            self.ground.end(&ctx.upid().address.to_string(), task);
        }
        self.ends.end(&self.spec.container_id);
    }
}

impl Executor {
    fn slave(&self) -> Upid {
        self.spec.slave_pid.parse().expect("a pid")
    }

    fn run(&mut self, ctx: &mut Ctx<Self>, _: Upid, message: RunTaskMessage) {
        let task = message.task.task_id.value;
        self.ground.begin(&ctx.upid().address.to_string(), &task);
        self.task = Some(task.clone());
        self.say(ctx, &task, TaskState::TaskRunning);
        let length = Duration::from_millis(100 + ctx.runtime().random() % 20_000);
        ctx.after(length, move |executor, ctx| {
            executor.ground.finish(&ctx.upid().address.to_string(), &task);
            executor.say(ctx, &task, TaskState::TaskFinished);
            ctx.after(Duration::from_secs(1), |_, ctx| ctx.terminate());
        });
    }

    fn say(&self, ctx: &mut Ctx<Self>, task: &str, state: TaskState) {
        let info = &self.spec.executor_info;
        let random = ctx.runtime();
        let uuid = [random.random().to_be_bytes(), random.random().to_be_bytes()].concat();
        let status = TaskStatus {
            task_id: proto::mesos::TaskId { value: task.to_owned() },
            state: state.into(),
            ..TaskStatus::default()
        };
        let update = StatusUpdate {
            framework_id: info.framework_id.clone().expect("filled in by the slave"),
            executor_id: Some(info.executor_id.clone()),
            slave_id: Some((&self.spec.slave_id).into()),
            status,
            timestamp: ctx.now().secs(),
            uuid: Some(uuid.into()),
            latest_state: None,
        };
        let message = StatusUpdateMessage { update, pid: Some(ctx.upid().to_string()) };
        ctx.send(&self.slave(), &message);
    }
}
