//! A slave ends, and another run of it goes on with what is on the disk.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use containerizer::LaunchSpec;
use proto::mesos::TaskState;
use proto::mesos::internal::{
    ExecutorReregisteredMessage, KillTaskMessage, ReconcileTasksMessage, ReconnectExecutorMessage,
    RegisterSlaveMessage, ReregisterExecutorMessage, ReregisterSlaveMessage,
    ShutdownExecutorMessage, ShutdownMessage, SlaveReregisteredMessage,
    StatusUpdateAcknowledgementMessage, StatusUpdateMessage,
};
use proto::mesos::task_status::{Reason, Source};

use crate::containers::destroyed;
use crate::gc::gone;
use crate::support::{
    Peer, World, checkpointed, command_task, executor_task, run, slave_registered, update_of,
};

pub(crate) const RUN: &str = "meta/slaves/S0/frameworks/F/executors/E/runs/latest";

/// What an executor has to say when it is called back.
pub(crate) fn reregistration(spec: &LaunchSpec) -> ReregisterExecutorMessage {
    ReregisterExecutorMessage {
        executor_id: spec.executor_info.executor_id.clone(),
        framework_id: spec.executor_info.framework_id.clone().unwrap(),
        tasks: Vec::new(),
        updates: Vec::new(),
    }
}

/// The executor answers the slave that calls it back.
pub(crate) async fn come_back(
    world: &World,
    executor: &mut Peer,
    message: &ReregisterExecutorMessage,
) {
    executor.next::<ReconnectExecutorMessage>().await;
    executor.send(world.upid(), message);
    executor.next::<ExecutorReregisteredMessage>().await;
}

/// The files below a directory, links included, without those of the containers' names.
fn files(root: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap().is_dir() {
                true => directories.push(entry.path()),
                false => {
                    let path = entry.path();
                    found.insert(path.strip_prefix(root).unwrap().display().to_string());
                }
            }
        }
    }
    found
}

pub(crate) fn text(world: &World, path: &str) -> String {
    std::fs::read_to_string(world.work_dir().join(path)).unwrap()
}

#[test]
fn recover_slave_state() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (executor, spec) = world.running_checkpointed(executor_task("t")).await;
        let running = update_of(&executor, &spec, "t", (TaskState::TaskRunning, 1));
        executor.send(world.upid(), &running);
        let update = world.update().await;
        world.acknowledge(&update);
        world.settle().await;
        let container = &spec.container_id;
        let run = format!("slaves/S0/frameworks/F/executors/E/runs/{container}");
        let expected = [
            "boot_id".to_owned(),
            "slaves/latest".to_owned(),
            "slaves/S0/slave.info".to_owned(),
            "slaves/S0/frameworks/F/framework.info".to_owned(),
            "slaves/S0/frameworks/F/framework.pid".to_owned(),
            "slaves/S0/frameworks/F/executors/E/executor.info".to_owned(),
            "slaves/S0/frameworks/F/executors/E/runs/latest".to_owned(),
            format!("{run}/pids/forked.pid"),
            format!("{run}/pids/forked.started"),
            format!("{run}/pids/libprocess.pid"),
            format!("{run}/tasks/t/task.info"),
            format!("{run}/tasks/t/task.updates"),
        ];
        assert_eq!(files(&world.work_dir().join("meta")), expected.into());
        assert_eq!(text(&world, "meta/boot_id"), "b007");
        let framework_pid = "meta/slaves/S0/frameworks/F/framework.pid";
        assert_eq!(text(&world, framework_pid), "scheduler@127.0.0.1:1");
        let libprocess_pid = text(&world, &format!("{RUN}/pids/libprocess.pid"));
        assert_eq!(libprocess_pid, executor.upid.to_string());
        let latest = std::fs::read_link(world.work_dir().join("meta/slaves/latest")).unwrap();
        assert_eq!(latest, world.work_dir().join("meta/slaves/S0"));

        let before = world.get("/state")["frameworks"].clone();
        world.restart(&[]).await;
        let mut executor = executor;
        come_back(&world, &mut executor, &reregistration(&spec)).await;
        let message = world.reregistered().await;
        assert_eq!(message.slave.id.unwrap().value, "S0");
        assert_eq!(message.tasks.len(), 1);
        assert_eq!(message.tasks[0].state(), TaskState::TaskRunning);
        assert_eq!(message.executor_infos, [spec_info(&message.executor_infos)]);
        world.settle().await;
        assert_eq!(world.get("/state")["frameworks"], before);
    });
}

fn spec_info(infos: &[proto::mesos::ExecutorInfo]) -> proto::mesos::ExecutorInfo {
    let framework_id = Some(proto::mesos::FrameworkId { value: "F".to_owned() });
    assert_eq!(infos.len(), 1);
    proto::mesos::ExecutorInfo { framework_id, ..executor_task("t").executor.unwrap() }
}

#[test]
fn recover_status_update_manager() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, spec) = world.running_checkpointed(executor_task("t")).await;
        for (state, uuid) in [(TaskState::TaskStarting, 1), (TaskState::TaskRunning, 2)] {
            executor.send(world.upid(), &update_of(&executor, &spec, "t", (state, uuid)));
            executor.next::<StatusUpdateAcknowledgementMessage>().await;
        }
        let starting = world.update().await;
        world.restart(&[]).await;
        come_back(&world, &mut executor, &reregistration(&spec)).await;
        world.reregistered().await;
        let again = world.update().await;
        assert_eq!(again.uuid, starting.uuid);
        assert_eq!(again.latest_state(), TaskState::TaskRunning);
        world.acknowledge(&again);
        let running = world.update().await;
        assert_eq!(running.status.state(), TaskState::TaskRunning);
        world.acknowledge(&running);
        world.restart(&[]).await;
        come_back(&world, &mut executor, &reregistration(&spec)).await;
        world.reregistered().await;
        world.settle().await;
        assert_eq!(world.master.count::<StatusUpdateMessage>(), 0);
    });
}

#[test]
fn reconnect_executor() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, spec) = world.running_checkpointed(executor_task("t")).await;
        world.kill_slave().await;
        let running = update_of(&executor, &spec, "t", (TaskState::TaskRunning, 1));
        world.start_again(&[], |_| {});
        let message = ReregisterExecutorMessage {
            tasks: vec![executor_task("t")],
            updates: vec![running.update.clone()],
            ..reregistration(&spec)
        };
        come_back(&world, &mut executor, &message).await;
        let acknowledged = executor.next::<StatusUpdateAcknowledgementMessage>().await;
        assert_eq!(Some(acknowledged.uuid), running.update.uuid);
        world.reregistered().await;
        let update = world.update().await;
        assert_eq!(update.uuid, running.update.uuid);
        assert_eq!(update.status.source(), Source::Executor);
        assert_eq!(world.containers.updates().len(), 1, "the container has what the task needs");
    });
}

#[test]
fn updates_that_are_known_already_are_acknowledged_again() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, spec) = world.running_checkpointed(executor_task("t")).await;
        let running = update_of(&executor, &spec, "t", (TaskState::TaskRunning, 1));
        executor.send(world.upid(), &running);
        executor.next::<StatusUpdateAcknowledgementMessage>().await;
        world.restart(&[]).await;
        let updates = vec![running.update];
        let message = ReregisterExecutorMessage { updates, ..reregistration(&spec) };
        come_back(&world, &mut executor, &message).await;
        executor.next::<StatusUpdateAcknowledgementMessage>().await;
        world.update().await;
        world.reregistered().await;
        world.update().await;
        world.settle().await;
        assert_eq!(world.master.count::<StatusUpdateMessage>(), 0);
    });
}

#[test]
fn tasks_that_their_executor_has_never_seen_are_lost() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, spec) = world.running_checkpointed(executor_task("t")).await;
        world.restart(&[]).await;
        come_back(&world, &mut executor, &reregistration(&spec)).await;
        world.reregistered().await;
        let lost = world.update().await.status;
        assert_eq!((lost.state(), lost.reason()), (TaskState::TaskLost, Reason::SlaveRestarted));
        assert_eq!(lost.message(), "Task launched during slave restart");
    });
}

#[test]
fn recover_unregistered_executor() {
    run(async {
        let mut world = World::registered(&[]).await;
        world.tell(&checkpointed(executor_task("t")));
        let spec = world.launched().await;
        world.kill_slave().await;
        world.runtime.clock().pause();
        world.start_again(&[], |_| {});
        world.settle().await;
        assert!(world.get_text("/state").1.contains("Agent has not finished recovery"));
        world.runtime.clock().advance(Duration::from_secs(2));
        world.runtime.clock().resume();
        world.reregistered().await;
        let lost = world.update().await.status;
        assert_eq!(lost.state(), TaskState::TaskLost);
        assert_eq!(lost.reason(), Reason::ExecutorReregistrationTimeout);
        let expected = "Executor did not re-register within 2secs; Executor terminated";
        assert_eq!(lost.message(), expected);
        assert!(world.containers.is_destroyed(&spec.container_id));
    });
}

#[test]
fn recover_terminated_executor() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (executor, spec) = world.running_checkpointed(executor_task("t")).await;
        let running = update_of(&executor, &spec, "t", (TaskState::TaskRunning, 1));
        executor.send(world.upid(), &running);
        let update = world.update().await;
        world.acknowledge(&update);
        world.kill_slave().await;
        world.start_again(&[], |_| {});
        world.settle().await;
        let unknown = proto::mesos::containerizer::Termination {
            message: Some("Executor terminated".to_owned()),
            ..Default::default()
        };
        world.containers.end(&spec.container_id, unknown);
        world.reregistered().await;
        let failed = world.update().await;
        assert_eq!(failed.status.state(), TaskState::TaskFailed);
        assert_eq!(failed.status.reason(), Reason::ExecutorTerminated);
        assert_eq!(failed.status.message(), "Executor terminated");
        world.acknowledge(&failed);
        world.settle().await;
        assert!(world.work_dir().join(RUN).join("executor.sentinel").exists());
        assert_eq!(world.get("/state")["frameworks"], serde_json::json!([]));
    });
}

#[test]
fn restart_before_containerizer_launch() {
    run(async {
        let mut world = World::registered(&[]).await;
        world.containers.never_fork();
        world.tell(&checkpointed(executor_task("t")));
        world.launched().await;
        world.restart(&[]).await;
        world.reregistered().await;
        let failed = world.update().await.status;
        assert_eq!(failed.state(), TaskState::TaskFailed);
        assert_eq!(failed.message(), "Abnormal executor termination");
    });
}

#[test]
fn recover_completed_executor() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (executor, spec) = world.running_checkpointed(executor_task("t")).await;
        let finished = update_of(&executor, &spec, "t", (TaskState::TaskFinished, 1));
        executor.send(world.upid(), &finished);
        let update = world.update().await;
        world.acknowledge(&update);
        world.containers.end(&spec.container_id, destroyed());
        world.settle().await;
        assert!(world.work_dir().join(RUN).join("executor.sentinel").exists());
        let before = world.get("/state");
        world.restart(&[]).await;
        let message = world.reregistered().await;
        assert_eq!(message.tasks, []);
        assert_eq!(message.completed_frameworks.len(), 1);
        let tasks = &message.completed_frameworks[0].tasks;
        assert_eq!(tasks[0].state(), TaskState::TaskFinished);
        world.settle().await;
        let completed = &world.get("/state")["completed_frameworks"];
        assert_eq!(completed, &before["completed_frameworks"]);
        assert_eq!(world.get("/metrics/snapshot")["slave/executors_terminated"], 2.0);
    });
}

#[test]
fn cleanup_executor() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, spec) = world.running_checkpointed(executor_task("t")).await;
        world.restart(&["--recover=cleanup", "--resources=cpus:1"]).await;
        executor.next::<ShutdownExecutorMessage>().await;
        world.containers.end(&spec.container_id, destroyed());
        assert_eq!(world.ended().await, Ok(()));
        let latest = world.work_dir().join("meta/slaves/latest");
        assert!(latest.symlink_metadata().is_err());
    });
}

#[test]
fn kill_task() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, spec) = world.running_checkpointed(command_task("t")).await;
        let running = update_of(&executor, &spec, "t", (TaskState::TaskRunning, 1));
        executor.send(world.upid(), &running);
        world.update().await;
        world.restart(&[]).await;
        come_back(&world, &mut executor, &reregistration(&spec)).await;
        let message = world.reregistered().await;
        assert_eq!(message.executor_infos, [], "the master does not know of ours");
        assert_eq!(message.tasks[0].executor_id, None);
        world.tell(&KillTaskMessage {
            framework_id: proto::mesos::FrameworkId { value: "F".to_owned() },
            task_id: proto::mesos::TaskId { value: "t".to_owned() },
        });
        executor.next::<KillTaskMessage>().await;
    });
}

#[test]
fn reboot() {
    run(async {
        let mut world = World::registered(&[]).await;
        world.running_checkpointed(executor_task("t")).await;
        world.kill_slave().await;
        world.start_again(&[], |parts| parts.boot_id = "another".to_owned());
        let message = world.master.next::<RegisterSlaveMessage>().await;
        assert_eq!(message.slave.id, None);
        world.tell(&slave_registered("S1"));
        world.settle().await;
        assert_eq!(text(&world, "meta/boot_id"), "another");
        let latest = std::fs::read_link(world.work_dir().join("meta/slaves/latest")).unwrap();
        assert!(latest.ends_with("S1"), "{latest:?}");
    });
}

#[test]
fn checkpointed_resources_outlive_the_host() {
    run(async {
        let mut world = World::registered(&[]).await;
        let reserved = proto::mesos::Resource {
            reservation: Some(proto::mesos::resource::ReservationInfo {
                principal: Some("p".to_owned()),
                ..Default::default()
            }),
            role: Some("role".to_owned()),
            .."cpus:1".parse::<common::resources::Resources>().unwrap().to_messages().remove(0)
        };
        let resources = vec![reserved];
        world.tell(&proto::mesos::internal::CheckpointResourcesMessage {
            resources: resources.clone(),
        });
        world.kill_slave().await;
        world.start_again(&[], |parts| parts.boot_id = "another".to_owned());
        let message = world.master.next::<RegisterSlaveMessage>().await;
        assert_eq!(message.checkpointed_resources, resources);
        world.kill_slave().await;
        world.start_again(&["--resources=cpus:0.5;mem:1;disk:1;ports:[1-2]"], |_| {});
        let fatal = world.ended().await.unwrap_err().to_string();
        let expected = "Failed to perform recovery: Checkpointed resources cpus(role, p):1 are \
                        incompatible with slave resources ";
        assert!(fatal.starts_with(expected), "{fatal}");
    });
}

#[test]
fn added_resources_and_attributes_keep_the_tasks() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, spec) = world.running_checkpointed(executor_task("t")).await;
        let more = "--resources=cpus:8;mem:1024;disk:1024;ports:[31000-32000];gpus:1";
        world.restart(&[more, "--attributes=rack:1"]).await;
        come_back(&world, &mut executor, &reregistration(&spec)).await;
        let message = world.reregistered().await;
        assert_eq!(message.slave.id.unwrap().value, "S0");
        assert_eq!(message.slave.attributes.len(), 1);
        assert_eq!(message.tasks.len(), 1);
        world.settle().await;
        // What was added is there to stay.
        world.restart(&[]).await;
        let fatal = world.ended().await.unwrap_err().to_string();
        let expected =
            "Failed to perform recovery: Incompatible slave info detected.\n  resources\n";
        assert!(fatal.starts_with(expected), "{fatal}");
        assert!(fatal.contains("  attributes\n    was:  [ rack=1 ]\n    is:   [  ]\n"), "{fatal}");
        assert!(fatal.ends_with("Step 2: Restart the slave."), "{fatal}");
    });
}

#[test]
fn shutdown_slave() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, spec) = world.running_checkpointed(executor_task("t")).await;
        world.tell(&ShutdownMessage { message: Some("bye".to_owned()) });
        executor.next::<ShutdownExecutorMessage>().await;
        world.containers.end(&spec.container_id, destroyed());
        assert_eq!(world.ended().await, Ok(()));
        world.start_again(&[], |_| {});
        let message = world.master.next::<RegisterSlaveMessage>().await;
        assert_eq!(message.slave.id, None);
    });
}

#[test]
fn shutdown_slave_sigusr1() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, spec) = world.running_checkpointed(executor_task("t")).await;
        world.slave.tell(|slave, ctx| slave.signaled(ctx, Some("root")));
        executor.next::<ShutdownExecutorMessage>().await;
        world.containers.end(&spec.container_id, destroyed());
        assert_eq!(world.ended().await, Ok(()));
        let latest = world.work_dir().join("meta/slaves/latest");
        assert!(latest.symlink_metadata().is_err());
    });
}

#[test]
fn reconcile_tasks_missing_from_slave() {
    run(async {
        let mut world = World::registered(&[]).await;
        world.running_checkpointed(executor_task("t")).await;
        world.kill_slave().await;
        let frameworks = world.work_dir().join("meta/slaves/S0/frameworks");
        std::fs::remove_dir_all(frameworks).unwrap();
        world.start_again(&[], |_| {});
        let message = world.master.next::<ReregisterSlaveMessage>().await;
        assert_eq!(message.tasks, []);
        let status = proto::mesos::TaskStatus {
            task_id: proto::mesos::TaskId { value: "t".to_owned() },
            state: TaskState::TaskRunning.into(),
            ..Default::default()
        };
        world.tell(&SlaveReregisteredMessage {
            slave_id: message.slave.id.unwrap(),
            reconciliations: vec![ReconcileTasksMessage {
                framework_id: proto::mesos::FrameworkId { value: "F".to_owned() },
                statuses: vec![status],
            }],
            connection: None,
        });
        let lost = world.update().await.status;
        assert_eq!((lost.state(), lost.reason()), (TaskState::TaskLost, Reason::Reconciliation));
    });
}

#[test]
fn state_endpoint_unavailable_during_recovery() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, spec) = world.running_checkpointed(executor_task("t")).await;
        world.restart(&[]).await;
        executor.next::<ReconnectExecutorMessage>().await;
        let (head, body) = world.get_text("/state");
        assert!(head.starts_with("HTTP/1.1 503 "), "{head}");
        assert_eq!(body, "Agent has not finished recovery");
        executor.send(world.upid(), &reregistration(&spec));
        world.reregistered().await;
        assert_eq!(world.get("/state")["id"], "S0");
    });
}

#[test]
fn duplicate_terminal_update_before_ack() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, spec) = world.running_checkpointed(executor_task("t")).await;
        let finished = update_of(&executor, &spec, "t", (TaskState::TaskFinished, 1));
        for _ in 0..2 {
            executor.send(world.upid(), &finished);
            executor.next::<StatusUpdateAcknowledgementMessage>().await;
        }
        let update = world.update().await;
        world.acknowledge(&update);
        world.settle().await;
        assert_eq!(world.master.count::<StatusUpdateMessage>(), 0);
        let records = world.work_dir().join(RUN).join("tasks/t/task.updates");
        let uuid: &[u8] = &[1; 16];
        let content = std::fs::read(records).unwrap();
        // The update names it twice, for itself and in its status; the acknowledgement once.
        assert_eq!(content.windows(16).filter(|window| *window == uuid).count(), 3);
    });
}

#[test]
fn remove_non_checkpointing_framework() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, _) = world.running(executor_task("t")).await;
        world.restart(&[]).await;
        executor.next::<ShutdownExecutorMessage>().await;
        let message = world.reregistered().await;
        assert_eq!(message.tasks, []);
        assert!(!world.work_dir().join("meta/slaves/S0/frameworks").exists());
    });
}

#[test]
fn executors_that_nobody_knows_are_shut_down_while_recovering() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, spec) = world.running_checkpointed(executor_task("t")).await;
        world.kill_slave().await;
        world.runtime.clock().pause();
        world.start_again(&[], |_| {});
        executor.next::<ReconnectExecutorMessage>().await;
        for (framework, id) in [("nofw", "E"), ("F", "noex")] {
            let mut stranger = Peer::new(&world.runtime, &format!("{framework}-{id}"));
            stranger.send(
                world.upid(),
                &ReregisterExecutorMessage {
                    framework_id: proto::mesos::FrameworkId { value: framework.to_owned() },
                    executor_id: proto::mesos::ExecutorId { value: id.to_owned() },
                    ..reregistration(&spec)
                },
            );
            stranger.next::<ShutdownExecutorMessage>().await;
        }
        executor.send(world.upid(), &reregistration(&spec));
        executor.next::<ExecutorReregisteredMessage>().await;
        world.runtime.clock().resume();
        world.reregistered().await;
    });
}

#[test]
fn gc_executor() {
    run(async {
        let mut world = World::registered(&["--gc_delay=1hrs"]).await;
        let (_, spec) = world.running_checkpointed(executor_task("t")).await;
        world.containers.end(&spec.container_id, destroyed());
        let failed = world.update().await;
        world.acknowledge(&failed);
        world.kill_slave().await;
        world.runtime.clock().pause();
        world.start_again(&["--gc_delay=1hrs", "--disk_watch_interval=1days"], |_| {});
        world.settle().await;
        let executor = "slaves/S0/frameworks/F/executors/E";
        let paths = [executor.to_owned(), format!("meta/{executor}")];
        let paths = paths.map(|path| world.work_dir().join(path));
        assert!(paths.iter().all(|path| path.is_dir()), "they are young");
        world.runtime.clock().advance(Duration::from_secs(3600));
        for path in &paths {
            gone(path).await;
        }
    });
}
