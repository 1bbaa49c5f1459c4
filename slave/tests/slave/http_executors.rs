//! Executors that speak HTTP, from their first task to their end and across runs of the slave.

use std::time::Duration;

use common::content_type::ContentType;
use containerizer::LaunchSpec;
use proto::mesos::internal::{
    ExecutorToFrameworkMessage, FrameworkToExecutorMessage, KillTaskMessage,
    ShutdownExecutorMessage, ShutdownFrameworkMessage,
};
use proto::mesos::task_status::{Reason, Source};
use proto::mesos::v1::TaskState;
use proto::mesos::v1::executor::event;
use proto::mesos::{ExecutorId, FrameworkId, SlaveId, TaskId, TaskInfo};

use crate::containers::{FakeContainerizer, destroyed};
use crate::recovery::{RUN, text};
use crate::subscriber::{
    Subscriber, answer, message, request, resubscribe, status, subscribe, update,
};
use crate::support::{Peer, World, checkpointed, executor_task, registration, run, run_task};

const ENCODING: ContentType = ContentType::Protobuf;

/// A task on an executor that has subscribed.
async fn running(world: &mut World, task: TaskInfo) -> (Subscriber, LaunchSpec) {
    world.tell(&checkpointed(task));
    let spec = world.launched().await;
    // Until the slave has seen it too, to shut the executor down is to kill it.
    world.settle().await;
    let mut executor = Subscriber::new(world, ENCODING, &subscribe()).await;
    executor.hears(event::Type::Subscribed).await;
    executor.hears(event::Type::Launch).await;
    (executor, spec)
}

/// Another run of the slave on a clock that stands still, so that it waits for executors.
fn start_again(world: &mut World, flags: &[&str]) {
    world.runtime.clock().pause();
    world.start_again(flags, |_| {});
}

fn framework_id() -> FrameworkId {
    FrameworkId { value: "F".to_owned() }
}

fn executor_id() -> ExecutorId {
    ExecutorId { value: "E".to_owned() }
}

#[test]
fn updates_are_forwarded_and_acknowledged() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, _) = running(&mut world, executor_task("t")).await;
        executor.say(&world, &update(&status("t", (TaskState::TaskRunning, 1)))).await;
        let acknowledged = executor.hears(event::Type::Acknowledged).await.acknowledged.unwrap();
        assert_eq!(acknowledged.task_id.value, "t");
        assert_eq!(acknowledged.uuid, vec![1; 16]);
        let forwarded = world.update().await;
        assert_eq!(forwarded.status.state(), proto::mesos::TaskState::TaskRunning);
        assert_eq!(forwarded.status.source(), Source::Executor);
        assert_eq!(forwarded.uuid, Some(vec![1; 16].into()));
        assert!(forwarded.timestamp > 1e9, "the slave's clock says when");
        world.acknowledge(&forwarded);
        executor.say(&world, &update(&status("t", (TaskState::TaskFinished, 2)))).await;
        executor.hears(event::Type::Acknowledged).await;
        let finished = world.update().await;
        assert_eq!(finished.status.state(), proto::mesos::TaskState::TaskFinished);
    });
}

#[test]
fn updates_of_tasks_that_are_not_known_are_acknowledged_to_their_sender() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, _) = running(&mut world, executor_task("t")).await;
        executor.say(&world, &update(&status("other", (TaskState::TaskRunning, 1)))).await;
        let acknowledged = executor.hears(event::Type::Acknowledged).await.acknowledged.unwrap();
        assert_eq!(acknowledged.task_id.value, "other");
        assert_eq!(world.update().await.status.task_id.value, "other");
    });
}

#[test]
fn messages_and_kills_are_events() {
    run(async {
        let mut world = World::registered(&[]).await;
        let mut scheduler = Peer::new(&world.runtime, "scheduler");
        let mut task = checkpointed(executor_task("t"));
        task.pid = Some(scheduler.upid.to_string());
        world.tell(&task);
        world.launched().await;
        let mut executor = Subscriber::new(&world, ENCODING, &subscribe()).await;
        executor.hears(event::Type::Subscribed).await;
        executor.hears(event::Type::Launch).await;
        world.tell(&FrameworkToExecutorMessage {
            slave_id: SlaveId { value: "S0".to_owned() },
            framework_id: framework_id(),
            executor_id: executor_id(),
            data: "ping".into(),
        });
        let words = executor.hears(event::Type::Message).await.message.unwrap();
        assert_eq!(words.data, "ping");
        executor.say(&world, &message("pong")).await;
        let words = scheduler.next::<ExecutorToFrameworkMessage>().await;
        assert_eq!((words.slave_id.value.as_str(), words.executor_id.value.as_str()), ("S0", "E"));
        assert_eq!(words.data, "pong");
        let task_id = TaskId { value: "t".to_owned() };
        world.tell(&KillTaskMessage { framework_id: framework_id(), task_id });
        let kill = executor.hears(event::Type::Kill).await.kill.unwrap();
        assert_eq!(kill.task_id.value, "t");
    });
}

#[test]
fn a_second_subscription_closes_the_first() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut first, _) = running(&mut world, executor_task("t")).await;
        let mut second = Subscriber::new(&world, ENCODING, &resubscribe(&["t"], &[])).await;
        assert_eq!(first.end().await, Ok(()));
        second.hears(event::Type::Subscribed).await;
        second.say(&world, &update(&status("t", (TaskState::TaskRunning, 1)))).await;
        second.hears(event::Type::Acknowledged).await;
        let running = world.update().await;
        assert_eq!(running.status.state(), proto::mesos::TaskState::TaskRunning);
    });
}

#[test]
fn what_is_said_while_an_executor_is_away_comes_when_it_subscribes_again() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (executor, spec) = running(&mut world, executor_task("t")).await;
        drop(executor);
        let finished = status("t", (TaskState::TaskFinished, 1));
        let again = resubscribe(&["t"], &[&finished]);
        let mut executor = Subscriber::new(&world, ENCODING, &again).await;
        executor.hears(event::Type::Subscribed).await;
        executor.hears(event::Type::Acknowledged).await;
        let finished = world.update().await;
        assert_eq!(finished.status.state(), proto::mesos::TaskState::TaskFinished);
        assert!(!world.containers.is_destroyed(&spec.container_id));
    });
}

#[test]
fn a_launch_that_got_lost_on_the_way_is_told() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (executor, _) = running(&mut world, executor_task("t")).await;
        drop(executor);
        let mut executor = Subscriber::new(&world, ENCODING, &subscribe()).await;
        executor.hears(event::Type::Subscribed).await;
        let lost = world.update().await.status;
        assert_eq!(lost.state(), proto::mesos::TaskState::TaskLost);
        assert_eq!(lost.reason(), Reason::SlaveRestarted);
    });
}

#[test]
fn shutdown_is_an_event_and_the_end_closes_the_stream() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, spec) = running(&mut world, executor_task("t")).await;
        world.runtime.clock().pause();
        world.tell(&ShutdownExecutorMessage {
            framework_id: Some(framework_id()),
            executor_id: Some(executor_id()),
        });
        executor.hears(event::Type::Shutdown).await;
        let mut late = Subscriber::new(&world, ENCODING, &subscribe()).await;
        late.hears(event::Type::Shutdown).await;
        assert_eq!(late.end().await, Ok(()), "nobody is let in who has to end");
        world.containers.end(&spec.container_id, destroyed());
        assert_eq!(executor.end().await, Ok(()));
    });
}

#[test]
fn executors_of_a_framework_that_ends_are_shut_down() {
    run(async {
        let mut world = World::registered(&[]).await;
        world.tell(&run_task(executor_task("t")));
        world.launched().await;
        world.settle().await;
        world.runtime.clock().pause();
        world.tell(&ShutdownFrameworkMessage { framework_id: framework_id() });
        world.settle().await;
        let mut executor = Subscriber::new(&world, ENCODING, &subscribe()).await;
        executor.hears(event::Type::Shutdown).await;
        assert_eq!(executor.end().await, Ok(()));
    });
}

#[test]
fn an_executor_may_turn_from_messages_to_http() {
    run(async {
        let mut world = World::registered(&[]).await;
        world.running_checkpointed(executor_task("t")).await;
        let mut executor = Subscriber::new(&world, ENCODING, &resubscribe(&["t"], &[])).await;
        executor.hears(event::Type::Subscribed).await;
        assert_eq!(text(&world, &format!("{RUN}/http.marker")), "");
        executor.say(&world, &update(&status("t", (TaskState::TaskRunning, 1)))).await;
        executor.hears(event::Type::Acknowledged).await;
    });
}

#[test]
fn reconnect_http_executor() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, spec) = running(&mut world, executor_task("t")).await;
        assert_eq!(text(&world, &format!("{RUN}/http.marker")), "");
        world.kill_slave().await;
        assert!(executor.end().await.is_err(), "the stream breaks off with its slave");
        start_again(&mut world, &[]);
        let running = status("t", (TaskState::TaskRunning, 1));
        let finished = status("t", (TaskState::TaskFinished, 2));
        let early = answer(&world, request(&world, ENCODING, &update(&running))).await;
        assert_eq!(early, (503, "Agent has not finished recovery".to_owned()));
        let again = resubscribe(&["t"], &[&running, &finished]);
        let mut executor = Subscriber::new(&world, ENCODING, &again).await;
        executor.hears(event::Type::Subscribed).await;
        for uuid in [1, 2] {
            let event = executor.hears(event::Type::Acknowledged).await;
            assert_eq!(event.acknowledged.unwrap().uuid, vec![uuid; 16]);
        }
        world.runtime.clock().resume();
        world.reregistered().await;
        let update = world.update().await;
        assert_eq!(update.status.state(), proto::mesos::TaskState::TaskRunning);
        assert_eq!(update.latest_state(), proto::mesos::TaskState::TaskFinished);
        world.acknowledge(&update);
        let update = world.update().await;
        assert_eq!(update.status.state(), proto::mesos::TaskState::TaskFinished);
        assert!(!world.containers.is_destroyed(&spec.container_id));
    });
}

#[test]
fn executors_that_subscribe_too_early_are_told_to_try_again() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (_executor, _) = running(&mut world, executor_task("t")).await;
        world.kill_slave().await;
        let (containers, _launches) = FakeContainerizer::new();
        containers.never_recover();
        world.start_again(&[], |parts| parts.containerizer = containers);
        world.settle().await;
        for call in [subscribe(), message("pong")] {
            let early = answer(&world, request(&world, ENCODING, &call)).await;
            assert_eq!(early, (503, "Agent has not finished recovery".to_owned()));
        }
    });
}

#[test]
fn http_executors_that_do_not_come_back_are_ended() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (_executor, spec) = running(&mut world, executor_task("t")).await;
        world.kill_slave().await;
        start_again(&mut world, &[]);
        assert!(!world.containers.is_destroyed(&spec.container_id));
        world.runtime.clock().advance(Duration::from_secs(2));
        world.runtime.clock().resume();
        world.reregistered().await;
        let lost = world.update().await.status;
        assert_eq!(lost.reason(), Reason::ExecutorReregistrationTimeout);
        assert!(world.containers.is_destroyed(&spec.container_id));
    });
}

#[test]
fn updates_are_taken_from_who_is_back_while_others_are_awaited() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (_executor, _) = running(&mut world, executor_task("t")).await;
        let mut other = executor_task("u");
        other.executor.as_mut().unwrap().executor_id.value = "other".to_owned();
        world.tell(&checkpointed(other));
        let spec = world.launched().await;
        let peer = Peer::new(&world.runtime, "executor(1)");
        peer.send(world.upid(), &registration(&spec));
        world.kill_slave().await;
        start_again(&mut world, &[]);
        let mut executor = Subscriber::new(&world, ENCODING, &resubscribe(&["t"], &[])).await;
        executor.hears(event::Type::Subscribed).await;
        executor.say(&world, &update(&status("t", (TaskState::TaskRunning, 1)))).await;
        executor.hears(event::Type::Acknowledged).await;
        let dropped = answer(&world, request(&world, ENCODING, &message("pong"))).await;
        assert_eq!(dropped, (503, "Agent has not finished recovery".to_owned()));
    });
}

#[test]
fn cleanup_http_executor() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (_executor, spec) = running(&mut world, executor_task("t")).await;
        world.kill_slave().await;
        start_again(&mut world, &["--recover=cleanup"]);
        let mut executor = Subscriber::new(&world, ENCODING, &resubscribe(&["t"], &[])).await;
        executor.hears(event::Type::Shutdown).await;
        assert_eq!(executor.end().await, Ok(()));
        assert!(!world.containers.is_destroyed(&spec.container_id), "it has time to end");
        world.containers.end(&spec.container_id, destroyed());
        assert_eq!(world.ended().await, Ok(()));
        let latest = world.work_dir().join("meta/slaves/latest");
        assert!(latest.symlink_metadata().is_err());
    });
}
