//! The actor trace of one task, from the offer to its end, across master, slave, scheduler and
//! executor, as whoever debugs a cluster gets it: as JSON with each hop's cause, and as a page.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};

use bytes::Bytes;
use common::ids::{ExecutorId, FrameworkId, OfferId, SlaveId, TaskId};
use executor::{Executor, ExecutorDriver};
use proto::mesos::{
    ExecutorInfo, Filters, FrameworkInfo, MasterInfo, Offer, SlaveInfo, TaskInfo, TaskState,
    TaskStatus,
};
use sched::driver::{Leader, Options, Scheduler, SchedulerDriver};
use serde_json::Value;
use tests::cluster::Cluster;
use tests::daemon::{PATIENCE, eventually};
use tests::fakes::scheduler::framework;
use tests::make::executor_task;
use tests::{http, needs};

/// Runs a task by saying so, and its end at once.
struct Quick;

impl Executor for Quick {
    fn launch_task(&mut self, driver: &ExecutorDriver, task: TaskInfo) {
        for state in [TaskState::TaskRunning, TaskState::TaskFinished] {
            let task_id = task.task_id.clone();
            let status = TaskStatus { task_id, state: state.into(), ..TaskStatus::default() };
            driver.send_status_update(status);
        }
    }

    fn shutdown(&mut self, driver: &ExecutorDriver) {
        driver.stop();
    }

    fn registered(&mut self, _: &ExecutorDriver, _: ExecutorInfo, _: FrameworkInfo, _: SlaveInfo) {}
    fn reregistered(&mut self, _: &ExecutorDriver, _: SlaveInfo) {}
    fn disconnected(&mut self, _: &ExecutorDriver) {}
    fn kill_task(&mut self, _: &ExecutorDriver, _: TaskId) {}
    fn framework_message(&mut self, _: &ExecutorDriver, _: Bytes) {}
    fn error(&mut self, _: &ExecutorDriver, _: &str) {}
}

/// Not a test of its own: the executor that the slave starts.
#[test]
fn executor_program() {
    let variables: Vec<_> = std::env::vars().collect();
    if variables.iter().any(|(name, _)| name == "MESOS_EXECUTOR_ID") {
        ExecutorDriver::new(Quick, &variables).expect("the slave says all").run();
    }
}

/// Launches one task on the first offer, keeps the acknowledgement that it runs back until it is
/// let go, and tells when it has ended.
struct Once {
    executor: String,
    task: Option<&'static str>,
    go: Option<Receiver<()>>,
    ended: Sender<()>,
}

impl Scheduler for Once {
    fn resource_offers(&mut self, driver: &SchedulerDriver, offers: Vec<Offer>) {
        let Some(task) = self.task.take() else { return };
        let task = executor_task(task, &offers[0], "quick", &self.executor);
        driver.launch_tasks(&[OfferId::from(&offers[0].id)], vec![task], Filters::default());
    }

    fn status_update(&mut self, _: &SchedulerDriver, status: TaskStatus) {
        if let Some(go) = self.go.take() {
            go.recv_timeout(PATIENCE).expect("the test lets it go");
        }
        if status.state() == TaskState::TaskFinished {
            self.ended.send(()).expect("the test waits");
        }
    }

    fn registered(&mut self, _: &SchedulerDriver, _: FrameworkId, _: MasterInfo) {}
    fn reregistered(&mut self, _: &SchedulerDriver, _: MasterInfo) {}
    fn disconnected(&mut self, _: &SchedulerDriver) {}
    fn offer_rescinded(&mut self, _: &SchedulerDriver, _: OfferId) {}
    fn framework_message(&mut self, _: &SchedulerDriver, _: ExecutorId, _: SlaveId, _: Bytes) {}
    fn slave_lost(&mut self, _: &SchedulerDriver, _: SlaveId) {}
    fn executor_lost(&mut self, _: &SchedulerDriver, _: ExecutorId, _: SlaveId, _: i32) {}
    fn error(&mut self, _: &SchedulerDriver, why: &str) {
        panic!("{why}");
    }
}

/// The messages that an event goes back to, the last one first: `name to actor`.
fn messages(events: &BTreeMap<&str, &Value>, last: &Value) -> Vec<String> {
    let cause = |event: &&Value| events.get(event["args"]["cause"].as_str()?).copied();
    let history = std::iter::successors(Some(last), cause);
    let arrived = history.filter(|event| event["cat"] == "message");
    let shown = arrived.map(|event| {
        let name = event["name"].as_str().expect("a name").rsplit('.').next().expect("a part");
        let to = event["args"]["to"].as_str().expect("an actor");
        let actor = to.split(['-', '(', '@']).next().expect("a part");
        format!("{name} to {actor}")
    });
    shown.collect()
}

/// The histories of the updates that the scheduler got; none as long as events of some process
/// are missing.
fn histories(document: &Value) -> Vec<Vec<String>> {
    let notes = document["otherData"]["notes"].as_array().expect("notes");
    if !notes.is_empty() {
        return Vec::new();
    }
    let slices = document["traceEvents"].as_array().expect("events").iter();
    let slices = slices.filter(|event| event["ph"] == "X");
    let events: BTreeMap<&str, &Value> =
        slices.map(|event| (event["args"]["id"].as_str().expect("an id"), event)).collect();
    let is_update = |event: &&&Value| {
        event["name"] == "mesos.internal.StatusUpdateMessage"
            && event["cat"] == "message"
            && event["args"]["to"].as_str().is_some_and(|to| to.starts_with("scheduler-"))
    };
    events.values().filter(is_update).map(|update| messages(&events, update)).collect()
}

#[test]
fn a_task_is_traced_from_its_offer_to_its_end_across_all_processes() {
    let cluster = Cluster::start();
    assert_eq!(http::get(cluster.address(), "/__trace__/start?duration=1hrs").0, 200);
    let slave = cluster.slave().start();
    let program = std::env::current_exe().expect("a test knows its own path");
    let executor =
        format!("exec {} --exact trace::executor_program --nocapture", program.display());
    let ((let_go, go), (tell, ended)) = (channel(), channel());
    let scheduler = Once { executor, task: Some("traced"), go: Some(go), ended: tell };
    let leader = Leader::At(cluster.address().to_owned());
    let options = Options::new(framework(PATIENCE), leader);
    let variables = [("LIBPROCESS_IP".to_owned(), "127.0.0.1".to_owned())];
    let driver = SchedulerDriver::new(scheduler, options, &variables).expect("a driver");
    driver.start();
    // So that it is the acknowledgement of the one update that the next one waits for.
    slave.daemon.wait_for("Sending acknowledgement for status update TASK_FINISHED");
    let_go.send(()).expect("the scheduler waits");
    ended.recv_timeout(PATIENCE).expect("the task ends");

    let running = [
        "StatusUpdateMessage to scheduler",
        "StatusUpdateMessage to master",
        "StatusUpdateMessage to slave",
        "RunTaskMessage to executor",
        "RegisterExecutorMessage to slave",
        "RunTaskMessage to slave",
        "Call to master",
        "ResourceOffersMessage to scheduler",
    ];
    // The slave sends the next update when the one before is acknowledged.
    let finished = [
        "StatusUpdateMessage to scheduler",
        "StatusUpdateMessage to master",
        "StatusUpdateAcknowledgementMessage to slave",
        "Call to master",
    ];
    let finished = [&finished[..], &running].concat();
    let export = "/__trace__/export?merge=peers&format=";
    // An event is recorded when its handler has returned, which is after what comes of it.
    eventually("the histories of both updates", || {
        let document = http::get_json(cluster.address(), &format!("{export}chrome"));
        let histories = histories(&document);
        let is_there = |expected: &[&str]| {
            histories.iter().any(|history| {
                history.get(..expected.len()).is_some_and(|latest| latest == expected)
            })
        };
        (is_there(&running) && is_there(&finished)).then_some(())
    });

    let (_, page) = http::get(cluster.address(), &format!("{export}html"));
    look_at(&page, cluster.folder());
    driver.stop();
}

/// Opens the page in a browser, which draws the history of the task's end.
fn look_at(page: &str, folder: &Path) {
    let test = "a_task_is_traced_from_its_offer_to_its_end_across_all_processes (its page)";
    let Some(browser) = needs::program("chromium", test) else { return };
    let path = folder.join("trace.html");
    std::fs::write(&path, page).expect("a file");
    let mut command = Command::new(browser);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1600,1000"]);
    command.arg(format!("--user-data-dir={}", folder.join("browser").display())).arg("--dump-dom");
    command.arg(format!("file://{}#pick=StatusUpdateMessage&history", path.display()));
    let output = command.stderr(Stdio::null()).output().expect("the browser starts");
    let document = String::from_utf8(output.stdout).expect("text");
    for shown in [">master<", ">slave(1)<", ">executor(1)<", ">RunTaskMessage<", "How it came to"] {
        assert!(document.contains(shown), "{shown} in {document}");
    }
}
