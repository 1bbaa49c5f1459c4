//! A slave may end, and its host with it, between any two steps and within any of them: whatever is
//! on the disk then can be recovered even if strict, and holds all that was promised.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use common::ids::{FrameworkId, SlaveId, TaskId};
use common::status::NewUpdate;
use libprocess::Upid;
use proto::mesos::internal::{StatusUpdate, Task};
use proto::mesos::task_status::Source;
use proto::mesos::{ExecutorInfo, FrameworkInfo, SlaveInfo, TaskState};

use crate::checkpoint::read::recover;
use crate::checkpoint::recovered::RecoveredRun;
use crate::checkpoint::write;
use crate::paths::{TASKS, WorkDir};
use crate::state::connection::Connection;
use crate::state::executor::Run;
use crate::storage::{FileSystem, Step, Storage};

const BOOT_ID: &str = "boot";

fn update(uuid: u8, state: TaskState) -> StatusUpdate {
    let (framework_id, task_id) = (FrameworkId::from("F"), TaskId::from("T"));
    let update = NewUpdate::new(&framework_id, &task_id, state, Source::Executor, 1.0);
    update.uuid([uuid; 16]).build()
}

fn task() -> Task {
    Task {
        name: "task".to_owned(),
        task_id: proto::mesos::TaskId { value: "T".to_owned() },
        framework_id: proto::mesos::FrameworkId { value: "F".to_owned() },
        slave_id: proto::mesos::SlaveId { value: "S".to_owned() },
        state: TaskState::TaskStaging.into(),
        ..Task::default()
    }
}

/// All that a slave writes from its first start to the end of its first executor, in its order.
fn life(work_dir: &WorkDir) -> Vec<Step> {
    let meta = work_dir.meta();
    let slave_id = SlaveId::from("S");
    let run = Run { framework_id: "F".into(), executor_id: "E".into(), container_id: "C".into() };
    let framework = meta.framework(&slave_id, &run.framework_id);
    let executor = meta.executor(&slave_id, &run.framework_id, &run.executor_id);
    let kept = meta.run(&slave_id, &run);
    let directory = kept.join(TASKS).join("T");
    let pid: Upid = "executor(1)@127.0.0.1:1".parse().unwrap();
    let uuid = |byte| stout::uuid::from_bytes(&[byte; 16]).unwrap();
    let slave = SlaveInfo { hostname: "host".to_owned(), ..SlaveInfo::default() };
    let info = FrameworkInfo { user: "user".to_owned(), ..FrameworkInfo::default() };
    [
        write::boot_id(&meta, BOOT_ID),
        write::slave(&meta, &meta.slave(&slave_id), &slave),
        write::framework(&framework, &info, Some(&pid)),
        write::executor(&executor, &kept, &ExecutorInfo::default()),
        write::task(&directory, &task()),
        write::forked_pid(&kept, 42, 7),
        write::libprocess_pid(&kept, &pid),
        write::update(&directory, &update(1, TaskState::TaskRunning)),
        write::acknowledgement(&directory, uuid(1)),
        write::update(&directory, &update(2, TaskState::TaskFinished)),
        write::acknowledgement(&directory, uuid(2)),
        write::sentinel(&kept),
        write::no_slave(&meta),
    ]
    .concat()
}

/// What another run of the slave would know, in a few words.
fn known(meta: &WorkDir) -> String {
    let recovered = recover(meta, BOOT_ID, true).unwrap();
    assert!(recovered.errors.is_empty());
    let Some(slave) = recovered.slave else { return "nothing".to_owned() };
    assert_eq!(slave.info.hostname, "host");
    let Some(framework) = slave.frameworks.get("F") else { return "slave".to_owned() };
    let Some(executor) = framework.executors.get("E") else {
        return "framework".to_owned();
    };
    match (&executor.info, &executor.latest) {
        (Some(_), Some(latest)) => of_run(&executor.runs[latest]),
        _ => "framework, and an executor that was not launched".to_owned(),
    }
}

fn of_run(run: &RecoveredRun) -> String {
    let mut words = vec!["run".to_owned()];
    if let Some(task) = run.tasks.get("T").filter(|task| task.info.is_some()) {
        let (updates, acknowledged) = (task.updates.len(), task.acknowledged.len());
        words.push(format!("task {updates}/{acknowledged}"));
    }
    if let Some(forked) = run.forked {
        assert_eq!((forked.pid, forked.started), (42, Some(7)));
        words.push("forked".to_owned());
    }
    if let Connection::Pid(pid) = &run.connection {
        assert_eq!(pid.to_string(), "executor(1)@127.0.0.1:1");
        words.push("registered".to_owned());
    }
    if run.completed {
        words.push("completed".to_owned());
    }
    words.join(", ")
}

/// Does only the first bytes of what a step writes.
fn tear(path: &Path, content: &[u8]) {
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.unwrap().write_all(content).unwrap();
}

#[test]
fn every_step_may_be_the_last_and_may_be_torn() {
    let folder = tempfile::tempdir().unwrap();
    let work_dir = WorkDir(folder.path().to_owned());
    let meta = work_dir.meta();
    let mut states = vec![known(&meta)];
    let mut torn = 0;
    for step in life(&work_dir) {
        let before = states.last().cloned();
        if let Step::Write { path, content } | Step::Append { path, content } = &step {
            for length in 0..content.len() {
                tear(path, &content[..length]);
                assert_eq!(Some(known(&meta)), before, "{step:?} torn at {length}");
                torn += 1;
            }
        }
        FileSystem.perform(&step).unwrap();
        let after = known(&meta);
        if Some(&after) != before.as_ref() {
            states.push(after);
        }
    }
    assert!(torn > 300, "{torn}");
    let expected = [
        "nothing",
        "slave",
        "framework",
        "framework, and an executor that was not launched",
        "run",
        "run, task 0/0",
        "run, task 0/0, forked",
        "run, task 0/0, forked, registered",
        "run, task 1/0, forked, registered",
        "run, task 1/1, forked, registered",
        "run, task 2/1, forked, registered",
        "run, task 2/2, forked, registered",
        "run, task 2/2, forked, registered, completed",
        "nothing",
    ];
    assert_eq!(states, expected);
}
