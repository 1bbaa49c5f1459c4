//! What is lost between a slave and its peers, what comes twice, too early or from nowhere, and
//! what is left when a file cannot be read: nobody's mistake ends a slave or its tasks.

use std::time::Duration;

use common::resources::Resources;
use proto::mesos::internal::{
    CheckpointResourcesMessage, ExecutorReregisteredMessage, KillTaskMessage,
    ReconnectExecutorMessage, ReregisterExecutorMessage, ReregisterSlaveMessage, RunTaskMessage,
    ShutdownExecutorMessage, ShutdownFrameworkMessage, StatusUpdateAcknowledgementMessage,
    StatusUpdateMessage, UpdateFrameworkMessage,
};
use proto::mesos::resource::DiskInfo;
use proto::mesos::resource::disk_info::Persistence;
use proto::mesos::task_status::Reason;
use proto::mesos::{FrameworkId, Resource, TaskId, TaskState};

use crate::recovery::{RUN, come_back, reregistration};
use crate::support::{
    Peer, World, checkpointed, command_task, executor_task, registration, run, run_task, update_of,
};

fn f() -> FrameworkId {
    FrameworkId { value: "F".to_owned() }
}

#[test]
fn kill_task_unregistered_executor_before_a_restart() {
    run(async {
        let mut world = World::registered(&[]).await;
        world.tell(&checkpointed(command_task("t")));
        let spec = world.launched().await;
        let task_id = TaskId { value: "t".to_owned() };
        world.tell(&KillTaskMessage { framework_id: f(), task_id });
        let killed = world.update().await;
        assert_eq!(killed.status.state(), TaskState::TaskKilled);
        assert_eq!(killed.status.reason(), Reason::ExecutorUnregistered);
        world.kill_slave().await;
        world.runtime.clock().pause();
        world.start_again(&[], |_| {});
        world.settle().await;
        world.runtime.clock().advance(Duration::from_secs(2));
        world.runtime.clock().resume();
        world.reregistered().await;
        assert!(world.containers.is_destroyed(&spec.container_id));
        // Nobody has acknowledged it; the end of the executor says nothing new.
        let again = world.update().await;
        assert_eq!(again.uuid, killed.uuid);
        world.acknowledge(&again);
        world.settle().await;
        assert_eq!(world.master.count::<StatusUpdateMessage>(), 0);
        assert_eq!(world.get("/state")["frameworks"], serde_json::json!([]));
    });
}

#[test]
fn non_checkpointing_framework() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (executor, spec) = world.running(executor_task("t")).await;
        let running = update_of(&executor, &spec, "t", (TaskState::TaskRunning, 1));
        executor.send(world.upid(), &running);
        world.update().await;
        let pid = Some("scheduler@127.0.0.1:2".to_owned());
        world.tell(&UpdateFrameworkMessage { framework_id: f(), pid });
        world.settle().await;
        assert!(!world.work_dir().join("meta/slaves/S0/frameworks").exists());
    });
}

#[test]
fn executors_that_register_while_it_recovers_are_shut_down() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, spec) = world.running_checkpointed(executor_task("t")).await;
        world.kill_slave().await;
        world.runtime.clock().pause();
        world.start_again(&[], |_| {});
        executor.next::<ReconnectExecutorMessage>().await;
        let mut early = Peer::new(&world.runtime, "executor(2)");
        early.send(world.upid(), &registration(&spec));
        early.next::<ShutdownExecutorMessage>().await;
        executor.send(world.upid(), &reregistration(&spec));
        executor.next::<ExecutorReregisteredMessage>().await;
        world.runtime.clock().resume();
        world.reregistered().await;
    });
}

#[test]
fn tasks_are_run_without_a_master_but_frameworks_are_not_shut_down() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, _) = world.running(executor_task("t")).await;
        // It is still known, but has not answered.
        world.slave.tell({
            let master = world.master.upid.clone();
            move |slave, ctx| libprocess::Process::exited(slave, ctx, master)
        });
        world.master.next::<ReregisterSlaveMessage>().await;
        world.tell(&ShutdownFrameworkMessage { framework_id: f() });
        world.tell(&run_task(executor_task("t2")));
        let task = executor.next::<RunTaskMessage>().await.task;
        assert_eq!(task.task_id.value, "t2");
        assert_eq!(executor.count::<ShutdownExecutorMessage>(), 0);
    });
}

#[test]
fn updates_of_a_framework_that_is_gone_are_not_sent_again() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (executor, spec) = world.running_checkpointed(executor_task("t")).await;
        let finished = update_of(&executor, &spec, "t", (TaskState::TaskFinished, 1));
        executor.send(world.upid(), &finished);
        world.update().await;
        world.runtime.clock().pause();
        world.tell(&ShutdownFrameworkMessage { framework_id: f() });
        world.settle().await;
        world.containers.end(&spec.container_id, crate::containers::destroyed());
        world.settle().await;
        world.runtime.clock().advance(Duration::from_secs(3_600));
        world.settle().await;
        assert_eq!(world.master.count::<StatusUpdateMessage>(), 0);
    });
}

#[test]
fn acknowledgements_without_a_proper_uuid_change_nothing() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (executor, spec) = world.running(executor_task("t")).await;
        let running = update_of(&executor, &spec, "t", (TaskState::TaskRunning, 1));
        executor.send(world.upid(), &running);
        let update = world.update().await;
        for length in [0, 1, 15, 17, 400] {
            let uuid = Some(vec![1; length].into());
            world.acknowledge(&proto::mesos::internal::StatusUpdate { uuid, ..update.clone() });
        }
        world.runtime.clock().pause();
        world.settle().await;
        world.runtime.clock().advance(Duration::from_secs(11));
        assert_eq!(world.update().await.uuid, update.uuid, "it is still out");
    });
}

/// An update of a task that its executor has not been given yet is kept nowhere; later ones of the
/// same task would be kept, had it come at its time.
#[test]
fn an_update_before_its_task_ends_nothing() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, spec) = world.running_checkpointed(executor_task("t")).await;
        executor
            .send(world.upid(), &update_of(&executor, &spec, "t2", (TaskState::TaskStarting, 1)));
        let starting = world.update().await;
        world.tell(&checkpointed(executor_task("t2")));
        executor.next::<RunTaskMessage>().await;
        let running = update_of(&executor, &spec, "t2", (TaskState::TaskRunning, 2));
        executor.send(world.upid(), &running);
        for _ in 0..2 {
            executor.next::<StatusUpdateAcknowledgementMessage>().await;
        }
        world.acknowledge(&starting);
        assert_eq!(world.update().await.uuid, running.update.uuid);
    });
}

#[test]
fn tasks_keep_their_executors_beside_a_command() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut custom, spec) = world.running_checkpointed(executor_task("a")).await;
        world.tell(&checkpointed(command_task("b")));
        let command = world.launched().await;
        let mut own = world.register("executor(2)", &command).await;
        for (executor, spec, id) in [(&custom, &spec, "a"), (&own, &command, "b")] {
            executor
                .send(world.upid(), &update_of(executor, spec, id, (TaskState::TaskRunning, 1)));
            world.update().await;
        }
        world.restart(&[]).await;
        come_back(&world, &mut custom, &reregistration(&spec)).await;
        come_back(&world, &mut own, &reregistration(&command)).await;
        let mut tasks = world.reregistered().await.tasks;
        tasks.sort_by(|a, b| a.task_id.value.cmp(&b.task_id.value));
        let executors = tasks.iter().map(|task| task.executor_id.as_ref());
        let executors: Vec<_> = executors.map(|id| id.map(|id| id.value.as_str())).collect();
        assert_eq!(executors, [Some("E"), None]);
    });
}

#[test]
fn an_executor_that_comes_back_twice_is_told_to_end_once_only() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, spec) = world.running_checkpointed(executor_task("a")).await;
        world.tell(&checkpointed(command_task("b")));
        let command = world.launched().await;
        let mut other = world.register("executor(2)", &command).await;
        world.restart(&[]).await;
        come_back(&world, &mut executor, &reregistration(&spec)).await;
        // While the other one is waited for, somebody says that he is the first.
        let mut double = Peer::new(&world.runtime, "executor(3)");
        double.send(world.upid(), &reregistration(&spec));
        double.next::<ShutdownExecutorMessage>().await;
        assert_eq!(executor.count::<ShutdownExecutorMessage>(), 0);
        let updates = vec![
            update_of(&other, &command, "b", (TaskState::TaskRunning, 1)).update,
            update_of(&other, &command, "b", (TaskState::TaskRunning, 1)).update,
        ];
        let message = ReregisterExecutorMessage { updates, ..reregistration(&command) };
        come_back(&world, &mut other, &message).await;
        world.reregistered().await;
    });
}

#[test]
fn persistent_volumes_are_made_and_kept() {
    run(async {
        let mut world = World::registered(&[]).await;
        let volume = |id: &str| {
            let persistence = Persistence { id: id.to_owned(), ..Persistence::default() };
            let disk = DiskInfo { persistence: Some(persistence), ..DiskInfo::default() };
            let amount = "disk:1".parse::<Resources>().unwrap().to_messages().remove(0);
            Resource { role: Some("r".to_owned()), disk: Some(disk), ..amount }
        };
        let resources = vec![volume("id"), volume("../../../out")];
        world.tell(&CheckpointResourcesMessage { resources });
        world.settle().await;
        let directory = world.work_dir().join("volumes/roles/r/id");
        assert!(directory.is_dir());
        assert!(!world.work_dir().join("out").exists());
        std::fs::write(directory.join("precious"), "").unwrap();
        world.tell(&CheckpointResourcesMessage { resources: vec![volume("id")] });
        world.tell(&CheckpointResourcesMessage { resources: Vec::new() });
        world.restart(&[]).await;
        world.reregistered().await;
        assert!(directory.join("precious").is_file());
    });
}

#[test]
fn a_file_that_cannot_be_read_stops_the_node_only_if_strict() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, spec) = world.running_checkpointed(executor_task("t")).await;
        let running = update_of(&executor, &spec, "t", (TaskState::TaskRunning, 1));
        executor.send(world.upid(), &running);
        world.update().await;
        world.tell(&checkpointed(executor_task("torn")));
        executor.next::<RunTaskMessage>().await;
        world.kill_slave().await;
        let file = "tasks/torn/task.info";
        std::fs::write(world.work_dir().join(RUN).join(file), b"\x10\0\0\0short").unwrap();
        world.start_again(&[], |_| {});
        let fatal = world.ended().await.unwrap_err().to_string();
        assert!(fatal.starts_with("Failed to perform recovery: "), "{fatal}");
        assert!(fatal.contains(file), "{fatal}");
        world.start_again(&["--no-strict"], |_| {});
        come_back(&world, &mut executor, &reregistration(&spec)).await;
        let tasks = world.reregistered().await.tasks;
        let tasks: Vec<_> = tasks.iter().map(|task| task.task_id.value.as_str()).collect();
        assert_eq!(tasks, ["t"]);
        world.settle().await;
        assert_eq!(world.get("/metrics/snapshot")["slave/recovery_errors"], 1.0);
    });
}
