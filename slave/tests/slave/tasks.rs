//! Tasks from their launch to their end.

use common::resources::Resources;
use proto::mesos::containerizer::Termination;
use proto::mesos::internal::{
    ExecutorRegisteredMessage, ExecutorToFrameworkMessage, ExitedExecutorMessage,
    FrameworkToExecutorMessage, RunTaskMessage, ShutdownExecutorMessage, ShutdownFrameworkMessage,
    StatusUpdateAcknowledgementMessage, UpdateFrameworkMessage,
};
use proto::mesos::task_status::{Reason, Source};
use proto::mesos::{TaskInfo, TaskState};

use crate::containers::destroyed;
use crate::support::{
    Peer, World, command_task, executor_task, registration, run, run_task, soon, update_of,
};

#[test]
fn command_task_runs_and_finishes() {
    run(async {
        let mut world = World::registered(&[]).await;
        world.tell(&run_task(command_task("t")));
        let spec = world.launched().await;
        let info = &spec.executor_info;
        assert_eq!(info.name(), "Command Executor (Task: t) (Command: sh -c 'sleep 10')");
        assert_eq!(info.source(), "t");
        let launched_with = Resources::from(&info.resources).to_string();
        assert_eq!(launched_with, "cpus(*):1.1; mem(*):96");
        assert_eq!(spec.task_info, Some(command_task("t")));
        assert!(spec.directory.is_dir(), "the sandbox is there before the container");
        assert_eq!(spec.directory.file_name().unwrap(), spec.container_id.as_str());
        let latest = spec.directory.with_file_name("latest");
        assert_eq!(std::fs::read_link(latest).unwrap(), spec.directory);

        let mut executor = Peer::new(&world.runtime, "executor(1)");
        executor.send(world.upid(), &registration(&spec));
        let registered = executor.next::<ExecutorRegisteredMessage>().await;
        let needs = Resources::from(&registered.executor_info.resources).to_string();
        assert_eq!(needs, "cpus(*):0.1; mem(*):32");
        assert_eq!(executor.next::<RunTaskMessage>().await.task, command_task("t"));

        for (state, uuid) in [(TaskState::TaskRunning, 1), (TaskState::TaskFinished, 2)] {
            executor.send(world.upid(), &update_of(&executor, &spec, "t", (state, uuid)));
            let taken = executor.next::<StatusUpdateAcknowledgementMessage>().await;
            assert_eq!(taken.uuid, vec![uuid; 16]);
            let update = world.update().await;
            assert_eq!(update.status.state(), state);
            assert_eq!(update.status.source(), Source::Executor);
            assert_eq!(update.latest_state, Some(state.into()));
            world.acknowledge(&update);
        }
        world.containers.end(&spec.container_id, Termination { status: Some(0), ..destroyed() });
        world.settle().await;
        let state = world.get("/slave(1)/state");
        let framework = &state["completed_frameworks"][0];
        let tasks = &framework["completed_executors"][0]["completed_tasks"];
        assert_eq!(tasks[0]["state"], "TASK_FINISHED");
        assert_eq!(state["frameworks"], serde_json::json!([]));
        assert_eq!(world.master.count::<ExitedExecutorMessage>(), 0, "it is none of the master's");
    });
}

#[test]
fn run_task_message_names_the_framework() {
    run(async {
        let mut world = World::registered(&[]).await;
        world.tell(&run_task(executor_task("t")));
        let spec = world.launched().await;
        assert_eq!(spec.task_info, None);
        assert_eq!(spec.user.as_deref(), Some("root"));
        let mut executor = Peer::new(&world.runtime, "executor(1)");
        executor.send(world.upid(), &registration(&spec));
        let message = executor.next::<RunTaskMessage>().await;
        assert_eq!(message.pid(), "scheduler@127.0.0.1:1");
        assert_eq!(message.framework.name, "framework");
        assert_eq!(message.framework_id, None);
        let executor_info = message.task.executor.unwrap();
        assert_eq!(executor_info.framework_id, None, "the task passes unopened");
    });
}

#[test]
fn container_updated_before_task_reaches_executor() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, _) = world.running(executor_task("one")).await;
        world.tell(&run_task(executor_task("two")));
        let message = executor.next::<RunTaskMessage>().await;
        assert_eq!(message.task.task_id.value, "two");
        let sizes: Vec<_> = world.containers.updates().iter().map(Resources::to_string).collect();
        assert_eq!(sizes, ["cpus(*):1; mem(*):64", "cpus(*):2; mem(*):128"]);
    });
}

#[test]
fn task_launch_containerizer_update_fails() {
    run(async {
        let mut world = World::registered(&[]).await;
        world.containers.fail_updates();
        world.tell(&run_task(executor_task("t")));
        let spec = world.launched().await;
        let executor = Peer::new(&world.runtime, "executor(1)");
        executor.send(world.upid(), &registration(&spec));
        let update = world.update().await;
        assert_eq!(update.status.state(), TaskState::TaskLost);
        assert_eq!(update.status.source(), Source::Slave);
        assert_eq!(update.status.reason(), Reason::ContainerUpdateFailed);
        let expected = format!(
            "Failed to update resources for container: Unknown container: {}; Executor terminated",
            spec.container_id
        );
        assert_eq!(update.status.message(), expected);
    });
}

#[test]
fn terminal_task_containerizer_update_fails() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (executor, spec) = world.running(executor_task("one")).await;
        world.containers.fail_updates();
        let killed = update_of(&executor, &spec, "one", (TaskState::TaskKilled, 1));
        executor.send(world.upid(), &killed);
        assert_eq!(world.update().await.status.state(), TaskState::TaskKilled);
        world.settle().await;
        assert!(world.containers.is_destroyed(&spec.container_id));
    });
}

#[test]
fn metrics_slave_launch_errors() {
    run(async {
        let mut world = World::registered(&[]).await;
        world.containers.fail_launches();
        world.tell(&run_task(command_task("t")));
        let update = world.update().await;
        assert_eq!(update.status.state(), TaskState::TaskFailed);
        assert_eq!(update.status.reason(), Reason::ContainerLaunchFailed);
        assert_eq!(
            update.status.message(),
            "Failed to launch container: Unsupported container image type: DOCKER; \
             Executor terminated"
        );
        let metrics = world.get("/metrics/snapshot");
        assert_eq!(metrics["slave/container_launch_errors"], 1.0);
    });
}

#[test]
fn remove_unregistered_terminated_executor() {
    run(async {
        let mut world = World::registered(&[]).await;
        world.tell(&run_task(executor_task("t")));
        let spec = world.launched().await;
        world
            .containers
            .end(&spec.container_id, Termination { status: Some(1 << 8), ..destroyed() });
        let exited = world.master.next::<ExitedExecutorMessage>().await;
        assert_eq!((exited.status, exited.executor_id.value.as_str()), (1 << 8, "E"));
        let update = world.update().await;
        assert_eq!(update.status.state(), TaskState::TaskFailed);
        assert_eq!(update.status.reason(), Reason::ExecutorTerminated);
        assert_eq!(update.status.message(), "Executor terminated");
        assert_eq!(update.executor_id.as_ref().unwrap().value, "E");
        world.acknowledge(&update);
        world.settle().await;
        assert_eq!(world.get("/state")["frameworks"], serde_json::json!([]));
    });
}

#[test]
fn executor_that_never_registers_is_ended() {
    run(async {
        let mut world = World::registered(&["--executor_registration_timeout=1mins"]).await;
        world.runtime.clock().pause();
        world.tell(&run_task(executor_task("t")));
        let spec = world.launched().await;
        world.runtime.clock().advance(std::time::Duration::from_secs(60));
        let update = world.update().await;
        assert_eq!(update.status.state(), TaskState::TaskFailed);
        assert_eq!(update.status.reason(), Reason::ExecutorRegistrationTimeout);
        let expected = "Executor did not register within 1mins; Executor terminated";
        assert_eq!(update.status.message(), expected);
        assert!(world.containers.is_destroyed(&spec.container_id));

        let mut late = Peer::new(&world.runtime, "executor(1)");
        late.send(world.upid(), &registration(&spec));
        late.next::<ShutdownExecutorMessage>().await;
    });
}

#[test]
fn second_registration_of_an_executor_is_told_to_shut_down() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, spec) = world.running(executor_task("t")).await;
        let mut other = Peer::new(&world.runtime, "executor(2)");
        other.send(world.upid(), &registration(&spec));
        other.next::<ShutdownExecutorMessage>().await;
        world.settle().await;
        assert_eq!(executor.count::<ShutdownExecutorMessage>(), 0);
    });
}

#[test]
fn shutdown_unregistered_executor() {
    run(async {
        let mut world = World::registered(&["--executor_shutdown_grace_period=5secs"]).await;
        world.runtime.clock().pause();
        world.tell(&run_task(executor_task("t")));
        let spec = world.launched().await;
        world.settle().await;
        world.tell(&ShutdownExecutorMessage {
            framework_id: spec.executor_info.framework_id.clone(),
            executor_id: Some(spec.executor_info.executor_id.clone()),
        });
        world.settle().await;
        assert!(!world.containers.is_destroyed(&spec.container_id));
        world.runtime.clock().advance(std::time::Duration::from_secs(5));
        let update = world.update().await;
        assert_eq!(update.status.state(), TaskState::TaskFailed);
        assert!(world.containers.is_destroyed(&spec.container_id));
    });
}

#[test]
fn framework_that_is_shut_down_ends_without_updates() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, spec) = world.running(executor_task("t")).await;
        let framework_id = spec.executor_info.framework_id.clone().unwrap();
        world.tell(&ShutdownFrameworkMessage { framework_id });
        executor.next::<ShutdownExecutorMessage>().await;
        let killed = update_of(&executor, &spec, "t", (TaskState::TaskKilled, 1));
        executor.send(world.upid(), &killed);
        world.containers.end(&spec.container_id, destroyed());
        world.master.next::<ExitedExecutorMessage>().await;
        world.settle().await;
        let nothing = world.master.count::<proto::mesos::internal::StatusUpdateMessage>();
        assert_eq!(nothing, 0);
        assert_eq!(executor.count::<StatusUpdateAcknowledgementMessage>(), 0);
        let metrics = world.get("/metrics/snapshot");
        assert_eq!(metrics["slave/invalid_status_updates"], 1.0);
        assert_eq!(metrics["slave/frameworks_active"], 0.0);
    });
}

#[test]
fn framework_that_is_shut_down_while_it_launches_ends_all_the_same() {
    run(async {
        let world = World::registered(&[]).await;
        for round in 0..20 {
            let mut message = run_task(command_task("t"));
            let framework_id = message.framework.id.as_mut().unwrap();
            framework_id.value = format!("F{round}");
            let framework_id = framework_id.clone();
            world.tell(&message);
            for _ in 0..round {
                world.tell(&UpdateFrameworkMessage::default());
            }
            world.tell(&ShutdownFrameworkMessage { framework_id });
        }
        soon("the end of all frameworks", async {
            while world.get("/metrics/snapshot")["slave/frameworks_active"] != 0.0 {
                world.settle().await;
            }
        })
        .await;
    });
}

#[test]
fn sandbox_that_cannot_be_made_fails_the_launch() {
    run(async {
        let mut world = World::registered(&[]).await;
        std::fs::write(world.work_dir().join("slaves"), "in the way").unwrap();
        world.tell(&run_task(command_task("t")));
        let update = world.update().await;
        assert_eq!(update.status.state(), TaskState::TaskFailed);
        assert_eq!(update.status.reason(), Reason::ContainerLaunchFailed);
        let message = update.status.message();
        let expected = "Failed to launch container: Failed to create executor directory '";
        assert!(message.starts_with(expected), "{message}");
        world.acknowledge(&update);
        world.settle().await;
        assert_eq!(world.get("/state")["frameworks"], serde_json::json!([]));
    });
}

#[test]
fn executor_of_the_same_name_runs_again() {
    run(async {
        let mut world = World::registered(&[]).await;
        for uuid in [1, 2] {
            let task = format!("t{uuid}");
            world.tell(&run_task(executor_task(&task)));
            let spec = world.launched().await;
            let executor = Peer::new(&world.runtime, &format!("executor({uuid})"));
            executor.send(world.upid(), &registration(&spec));
            let finished = update_of(&executor, &spec, &task, (TaskState::TaskFinished, uuid));
            soon("the task", async {
                let mut executor = executor;
                executor.next::<RunTaskMessage>().await;
                executor.send(world.upid(), &finished);
            })
            .await;
            let update = world.update().await;
            world.containers.end(&spec.container_id, destroyed());
            world.master.next::<ExitedExecutorMessage>().await;
            world.acknowledge(&update);
            world.settle().await;
        }
        let framework = &world.get("/state")["completed_frameworks"][0];
        let executors = framework["completed_executors"].as_array().unwrap();
        assert_eq!(executors.len(), 2, "the framework keeps its history");
    });
}

#[test]
fn messages_between_framework_and_executor_pass_unread() {
    run(async {
        let mut world = World::registered(&[]).await;
        let mut scheduler = Peer::new(&world.runtime, "scheduler");
        let mut task = run_task(executor_task("t"));
        task.pid = Some(scheduler.upid.to_string());
        world.tell(&task);
        let spec = world.launched().await;
        let mut executor = Peer::new(&world.runtime, "executor(1)");
        executor.send(world.upid(), &registration(&spec));
        executor.next::<RunTaskMessage>().await;

        let down = FrameworkToExecutorMessage {
            slave_id: (&spec.slave_id).into(),
            framework_id: spec.executor_info.framework_id.clone().unwrap(),
            executor_id: spec.executor_info.executor_id.clone(),
            data: vec![0, 159].into(),
        };
        world.tell(&down);
        assert_eq!(executor.next::<FrameworkToExecutorMessage>().await, down);
        let up = ExecutorToFrameworkMessage {
            slave_id: down.slave_id,
            framework_id: down.framework_id.clone(),
            executor_id: down.executor_id,
            data: vec![160].into(),
        };
        executor.send(world.upid(), &up);
        assert_eq!(scheduler.next::<ExecutorToFrameworkMessage>().await, up);

        world.tell(&UpdateFrameworkMessage { framework_id: down.framework_id, pid: None });
        executor.send(world.upid(), &up);
        assert_eq!(world.master.next::<ExecutorToFrameworkMessage>().await, up);
        let metrics = world.get("/metrics/snapshot");
        assert_eq!(metrics["slave/valid_framework_messages"], 3.0);
    });
}

#[test]
fn get_executor_info_for_a_missing_program_says_so() {
    run(async {
        let mut world = World::registered(&[]).await;
        world.tell(&run_task(TaskInfo { name: "n".to_owned(), ..command_task("t") }));
        let command = world.launched().await.executor_info.command.unwrap();
        assert_eq!(command.value(), "echo 'No such file or directory'; exit 1");
        assert!(command.shell());
    });
}

#[test]
fn sandboxes_of_unknown_users_are_made() {
    run(async {
        let mut world = World::registered(&[]).await;
        let mut task = command_task("t");
        task.command.as_mut().unwrap().user = Some("no-such-user".to_owned());
        world.tell(&run_task(task));
        let spec = world.launched().await;
        assert_eq!(spec.user.as_deref(), Some("no-such-user"));
        assert!(spec.directory.is_dir());
    });
}

#[test]
fn executors_run_as_we_do_without_switch_user() {
    run(async {
        let mut world = World::registered(&["--no-switch_user"]).await;
        world.tell(&run_task(command_task("t")));
        assert_eq!(world.launched().await.user, None);
    });
}
