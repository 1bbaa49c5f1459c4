//! A framework on the scheduler driver that launches a short task on every offer and shows its
//! observer all that happens.
//! Called by drills. Ends its driver, and so the framework, when it is dropped.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use common::ids::{ExecutorId, FrameworkId, OfferId, SlaveId};
use parking_lot::Mutex;
use proto::mesos::{Filters, MasterInfo, Offer, TaskInfo, TaskState, TaskStatus};
use sched::{Leader, Options, Scheduler, SchedulerDriver, Status};

use crate::daemon::eventually;
use crate::drill::observer::{Observer, Report};
use crate::fakes::scheduler::framework;
use crate::make::{IntoId, command_task, resources};

/// How long the framework's tasks outlive it.
const FAILOVER_TIMEOUT: Duration = Duration::from_secs(3_600);

/// What a declined offer's resources are kept from the framework for, in seconds.
const REFUSE_SECS: f64 = 0.1;

/// How long to wait between two questions where tasks are.
const ASK_AFTER: Duration = Duration::from_secs(1);

/// What a task uses of a processor.
const TASK_CPUS: f64 = 0.5;

#[derive(Default)]
struct State {
    observer: Observer,
    launching: bool,
    serial: usize,
    registrations: usize,
    offers: usize,
    errors: Vec<String>,
}

struct Launcher {
    state: Arc<Mutex<State>>,
    command: String,
    /// Tasks that may be under way at the same time.
    at_once: usize,
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

impl Launcher {
    /// As many tasks as there is room for, on the offer and among those under way.
    fn tasks(&self, state: &mut State, offer: &Offer) -> Vec<TaskInfo> {
        let room = self.at_once.saturating_sub(state.observer.unfinished().len());
        let fitting = (cpus(offer) / TASK_CPUS) as usize;
        let count = if state.launching { room.min(fitting) } else { 0 };
        let mut task = || {
            state.serial += 1;
            let id = format!("task-{}", state.serial);
            let resources = resources(&format!("cpus:{TASK_CPUS};mem:32"));
            TaskInfo { resources, ..command_task(&id, offer, &self.command) }
        };
        (0..count).map(|_| task()).collect()
    }
}

fn cpus(offer: &Offer) -> f64 {
    let cpus = offer.resources.iter().filter(|resource| resource.name == "cpus");
    cpus.filter_map(|cpus| cpus.scalar.as_ref()).map(|cpus| cpus.value).sum()
}

impl Scheduler for Launcher {
    fn registered(&mut self, _: &SchedulerDriver, _: FrameworkId, _: MasterInfo) {
        self.state.lock().registrations += 1;
    }

    fn reregistered(&mut self, _: &SchedulerDriver, _: MasterInfo) {
        self.state.lock().registrations += 1;
    }

    fn disconnected(&mut self, _: &SchedulerDriver) {
        self.state.lock().observer.disconnected();
    }

    fn resource_offers(&mut self, driver: &SchedulerDriver, offers: Vec<Offer>) {
        let at = now();
        let mut state = self.state.lock();
        for offer in offers {
            state.offers += 1;
            state.observer.offered(&offer, at);
            let id = OfferId::from(&offer.id);
            let tasks = self.tasks(&mut state, &offer);
            state.observer.offer_ended(&offer.id.value);
            tasks.iter().for_each(|task| state.observer.launched(task, at));
            let filters = Filters { refuse_seconds: Some(REFUSE_SECS) };
            driver.launch_tasks(&[id], tasks, filters);
        }
    }

    fn offer_rescinded(&mut self, _: &SchedulerDriver, offer: OfferId) {
        self.state.lock().observer.offer_ended(&offer.to_string());
    }

    fn status_update(&mut self, _: &SchedulerDriver, status: TaskStatus) {
        self.state.lock().observer.updated(&status);
    }

    fn framework_message(&mut self, _: &SchedulerDriver, _: ExecutorId, _: SlaveId, _: Bytes) {}

    fn slave_lost(&mut self, _: &SchedulerDriver, _: SlaveId) {}

    fn executor_lost(&mut self, _: &SchedulerDriver, _: ExecutorId, _: SlaveId, _: i32) {}

    fn error(&mut self, _: &SchedulerDriver, message: &str) {
        self.state.lock().errors.push(message.to_owned());
    }
}

/// The framework of a drill.
pub struct DrillFramework {
    state: Arc<Mutex<State>>,
    driver: SchedulerDriver,
}

impl Drop for DrillFramework {
    fn drop(&mut self) {
        self.driver.stop();
        self.driver.join();
    }
}

impl DrillFramework {
    /// Starts to launch `command` again and again, up to `at_once` tasks at a time, on the cluster
    /// whose leader is found by `master`. The framework itself is at `ip`.
    pub fn start(ip: &str, master: &str, command: &str, at_once: usize) -> Self {
        let state: Arc<Mutex<State>> = Arc::default();
        state.lock().launching = true;
        let launcher = Launcher { state: state.clone(), command: command.to_owned(), at_once };
        let mut info = framework(FAILOVER_TIMEOUT);
        info.checkpoint = Some(true);
        let options = Options::new(info, Leader::At(master.to_owned()));
        let variables = [("LIBPROCESS_IP".to_owned(), ip.to_owned())];
        let driver = SchedulerDriver::new(launcher, options, &variables).expect("a driver");
        assert_eq!(driver.start(), Status::DriverRunning);
        Self { state, driver }
    }

    /// Waits until `count` tasks more than now have been seen to finish.
    pub fn wait_for_finished(&self, count: usize) {
        let before = self.report().finished;
        self.eventually("finished tasks", || self.report().finished >= before + count);
    }

    /// Waits until some task is under way and has been seen to run.
    pub fn wait_for_running(&self) {
        self.eventually("running task", || {
            let state = self.state.lock();
            let report = state.observer.report();
            report.acknowledged > report.finished
        });
    }

    /// How many offers have come in so far.
    pub fn offers(&self) -> usize {
        self.state.lock().offers
    }

    /// Waits for an offer after the first `seen` ones.
    pub fn wait_for_offer_after(&self, seen: usize) {
        self.eventually("another offer", || self.offers() > seen);
    }

    /// What it came to so far.
    pub fn report(&self) -> Report {
        self.state.lock().observer.report()
    }

    /// Launches no more, waits for the end of every task, and lets the observer judge; each
    /// machine of the cluster has so many processors.
    pub fn finish(self, millicpus_each: i64) -> Report {
        self.state.lock().launching = false;
        self.eventually("end of all tasks", || self.state.lock().observer.unfinished().is_empty());
        let state = self.state.lock();
        assert_eq!(state.errors, Vec::<String>::new());
        let violations = state.observer.judge(millicpus_each);
        assert!(violations.is_empty(), "{violations:#?}");
        state.observer.report()
    }

    /// Waits, and asks meanwhile where tasks are of which nothing was ever heard: their launch may
    /// have been lost with a master.
    fn eventually(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let mut asked = Instant::now();
        eventually(&format!("{what} ({})", self.report()), || {
            if asked.elapsed() > ASK_AFTER {
                asked = Instant::now();
                self.ask_where_tasks_are();
            }
            holds().then_some(())
        });
    }

    fn ask_where_tasks_are(&self) {
        let unheard = self.state.lock().observer.unheard();
        let statuses: Vec<TaskStatus> =
            unheard.iter().map(|(id, slave)| unsure(id, slave)).collect();
        // To name none is to ask for all.
        if !statuses.is_empty() {
            self.driver.reconcile_tasks(&statuses);
        }
    }
}

fn unsure(id: &str, slave: &str) -> TaskStatus {
    let mut status = TaskStatus {
        task_id: id.into_id(),
        slave_id: Some(slave.into_id()),
        ..TaskStatus::default()
    };
    status.set_state(TaskState::TaskStaging);
    status
}
