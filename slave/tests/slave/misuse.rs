//! Messages that nobody should send, each of which ended upstream's slave or led out of its
//! directory. Ours goes on.

use libprocess::Upid;
use proto::mesos::internal::{
    CheckpointResourcesMessage, PingSlaveMessage, PongSlaveMessage, ReregisterExecutorMessage,
    ReregisterSlaveMessage, ShutdownExecutorMessage, StatusUpdateMessage, UpdateFrameworkMessage,
};
use proto::mesos::task_status::Reason;
use proto::mesos::{
    CommandInfo, ExecutorId, ExecutorInfo, FrameworkId, TaskId, TaskInfo, TaskState,
};

use crate::recovery::text;
use crate::support::{Peer, World, command_task, executor_task, run, run_task, update_of};

/// The slave refuses a task with these words.
async fn check_refused(world: &mut World, task: TaskInfo, expected: &str) {
    world.tell(&run_task(task));
    let update = world.update().await;
    assert_eq!(update.status.state(), TaskState::TaskError);
    assert_eq!(update.status.reason(), Reason::TaskInvalid);
    assert_eq!(update.status.message(), expected);
    world.acknowledge(&update);
    world.settle().await;
    assert!(world.launches.try_recv().is_err(), "nothing is launched");
}

#[test]
fn tasks_that_are_neither_commands_nor_for_an_executor() {
    run(async {
        let mut world = World::registered(&[]).await;
        let why = "Task should have at least one (but not both) of CommandInfo or ExecutorInfo \
                   present";
        let neither = TaskInfo { command: None, ..command_task("t1") };
        check_refused(&mut world, neither, why).await;
        let both = TaskInfo { command: Some(CommandInfo::default()), ..executor_task("t2") };
        check_refused(&mut world, both, why).await;
        let executor = ExecutorInfo { command: None, ..executor_task("t").executor.unwrap() };
        let empty = TaskInfo { executor: Some(executor), ..executor_task("t3") };
        check_refused(&mut world, empty, "Task uses executor 'E' without a command").await;
    });
}

#[test]
fn ids_lead_out_of_no_directory() {
    run(async {
        let mut world = World::registered(&[]).await;
        for id in ["..", ".", "a/b", "../../x", "a\nb", "a\\b"] {
            let why = TaskId { value: id.to_owned() };
            let why = common::ids::TaskId::from(why).validate().unwrap_err();
            let expected = format!("Task uses invalid id: {why}");
            check_refused(&mut world, command_task(id), &expected).await;
            let executor = ExecutorInfo {
                executor_id: ExecutorId { value: id.to_owned() },
                ..executor_task("t").executor.unwrap()
            };
            let task = TaskInfo { executor: Some(executor), ..executor_task("t") };
            let why = common::ids::ExecutorId::from(id).validate().unwrap_err();
            check_refused(&mut world, task, &format!("Task uses invalid id: {why}")).await;

            let mut message = run_task(command_task("t"));
            message.framework.id = Some(FrameworkId { value: id.to_owned() });
            world.tell(&message);
        }
        world.settle().await;
        assert_eq!(world.get("/state")["frameworks"], serde_json::json!([]));
        let names = |path: &str| -> Vec<_> {
            let entries = std::fs::read_dir(world.work_dir().join(path)).unwrap();
            entries.map(|entry| entry.unwrap().file_name()).collect()
        };
        assert_eq!(names(""), ["meta"]);
        assert_eq!(names("meta/slaves/S0"), ["slave.info"]);
    });
}

#[test]
fn ids_with_blanks_and_shell_characters_are_only_names() {
    run(async {
        let mut world = World::registered(&[]).await;
        let id = "a'$(touch injected) ; b: \"c\"`d`";
        world.tell(&run_task(command_task(id)));
        let spec = world.launched().await;
        assert!(spec.directory.is_dir());
        let executors = world.work_dir().join("slaves/S0/frameworks/F/executors");
        assert!(executors.join(id).is_dir());
        assert!(!std::path::Path::new("injected").exists());
    });
}

#[test]
fn a_task_that_is_there_already_is_not_run_twice() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, _) = world.running(executor_task("t")).await;
        world.tell(&run_task(executor_task("t")));
        world.tell(&run_task(executor_task("t")));
        world.settle().await;
        assert_eq!(executor.count::<proto::mesos::internal::RunTaskMessage>(), 0);
        assert_eq!(world.master.count::<StatusUpdateMessage>(), 0);
    });
}

#[test]
fn executors_that_come_back_are_told_to_shut_down() {
    run(async {
        let world = World::registered(&[]).await;
        let mut executor = Peer::new(&world.runtime, "executor(1)");
        let message = ReregisterExecutorMessage {
            framework_id: FrameworkId { value: "nofw".to_owned() },
            executor_id: ExecutorId { value: "noexec".to_owned() },
            ..ReregisterExecutorMessage::default()
        };
        executor.send(world.upid(), &message);
        executor.next::<ShutdownExecutorMessage>().await;
    });
}

#[test]
fn updates_of_strangers_are_dropped() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, spec) = world.running(executor_task("t")).await;
        let update = |uuid: Option<Vec<u8>>| {
            let mut message = update_of(&executor, &spec, "t", (TaskState::TaskRunning, 1));
            message.update.uuid = uuid.map(Into::into);
            message
        };
        for uuid in [None, Some(vec![]), Some(vec![1; 15]), Some(vec![1; 400])] {
            executor.send(world.upid(), &update(uuid));
        }
        let mut unknown = update(Some(vec![2; 16]));
        unknown.update.framework_id.value = "nofw".to_owned();
        executor.send(world.upid(), &unknown);
        world.settle().await;
        assert_eq!(world.master.count::<StatusUpdateMessage>(), 0);
        assert_eq!(world.get("/metrics/snapshot")["slave/invalid_status_updates"], 5.0);
        assert_eq!(executor.count::<ShutdownExecutorMessage>(), 0);
    });
}

#[test]
fn updates_of_unknown_tasks_are_passed_on() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (executor, spec) = world.running(executor_task("t")).await;
        let unknown = update_of(&executor, &spec, "other", (TaskState::TaskFinished, 1));
        executor.send(world.upid(), &unknown);
        let update = world.update().await;
        assert_eq!(update.status.task_id.value, "other");
        assert_eq!(update.latest_state, None);
    });
}

#[test]
fn staging_from_an_executor_shuts_it_down() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, spec) = world.running(executor_task("t")).await;
        let staging = update_of(&executor, &spec, "t", (TaskState::TaskStaging, 1));
        executor.send(world.upid(), &staging);
        executor.next::<ShutdownExecutorMessage>().await;
        // Upstream checks that it is the first time, and ends.
        executor.send(world.upid(), &staging);
        world.settle().await;
        assert_eq!(executor.count::<ShutdownExecutorMessage>(), 0);
    });
}

#[test]
fn tasks_with_volumes_that_nobody_told_of_are_lost() {
    run(async {
        let mut world = World::registered(&[]).await;
        let mut task = command_task("t");
        task.resources[0].role = Some("web".to_owned());
        task.resources[0].reservation = Some(Default::default());
        let reserved = task.resources[..1].to_vec();
        world.tell(&run_task(task.clone()));
        let update = world.update().await;
        assert_eq!(update.status.state(), TaskState::TaskLost);
        assert_eq!(update.status.reason(), Reason::ResourcesUnknown);
        let expected = "The checkpointed resources being used by the task are unknown to the slave";
        assert_eq!(update.status.message(), expected);
        world.acknowledge(&update);
        world.tell(&CheckpointResourcesMessage { resources: reserved });
        world.tell(&run_task(task));
        world.launched().await;
    });
}

#[test]
fn only_the_master_says_what_is_reserved_who_the_scheduler_is_and_that_we_are_gone() {
    run(async {
        let mut world = World::registered(&[]).await;
        world.running_checkpointed(executor_task("t")).await;
        let stranger = libprocess::testing::Peer::start("master");
        let slave = Upid::new("slave(1)", world.runtime.bound().into());
        let resources = command_task("t").resources;
        stranger.send(&slave, &CheckpointResourcesMessage { resources });
        let framework_id = FrameworkId { value: "F".to_owned() };
        let pid = Some("scheduler@127.0.0.1:2".to_owned());
        stranger.send(&slave, &UpdateFrameworkMessage { framework_id, pid });
        stranger.send(&slave, &PingSlaveMessage { connected: false });
        stranger.expect::<PongSlaveMessage>();
        world.settle().await;
        assert_eq!(world.master.count::<ReregisterSlaveMessage>(), 0);
        let pid = text(&world, "meta/slaves/S0/frameworks/F/framework.pid");
        assert_eq!(pid, "scheduler@127.0.0.1:1");
        world.tell(&PingSlaveMessage { connected: false });
        let message = world.master.next::<ReregisterSlaveMessage>().await;
        assert_eq!(message.checkpointed_resources, []);
    });
}
