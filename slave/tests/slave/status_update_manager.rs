//! Updates are sent until they are acknowledged, one after the other.

use std::time::Duration;

use coordination::election::standalone::master_info;
use proto::mesos::TaskState;
use proto::mesos::internal::{
    ReregisterSlaveMessage, SlaveReregisteredMessage, StatusUpdateAcknowledgementMessage,
    StatusUpdateMessage,
};

use crate::support::{Peer, World, executor_task, run, update_of};

#[test]
fn retry_status_update() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (executor, spec) = world.running(executor_task("t")).await;
        world.runtime.clock().pause();
        let running = update_of(&executor, &spec, "t", (TaskState::TaskRunning, 1));
        executor.send(world.upid(), &running);
        let first = world.update().await;
        world.settle().await;
        for wait in [10, 20, 40] {
            world.runtime.clock().advance(Duration::from_secs(wait - 1));
            world.settle().await;
            assert_eq!(world.master.count::<StatusUpdateMessage>(), 0);
            world.runtime.clock().advance(Duration::from_secs(1));
            assert_eq!(world.update().await.uuid, first.uuid);
            world.settle().await;
        }
        world.acknowledge(&first);
        world.settle().await;
        world.runtime.clock().advance(Duration::from_secs(3600));
        world.settle().await;
        assert_eq!(world.master.count::<StatusUpdateMessage>(), 0);
    });
}

#[test]
fn ignore_duplicate_status_update_ack() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (executor, spec) = world.running(executor_task("t")).await;
        for (state, uuid) in [(TaskState::TaskRunning, 1), (TaskState::TaskFinished, 2)] {
            executor.send(world.upid(), &update_of(&executor, &spec, "t", (state, uuid)));
        }
        let running = world.update().await;
        world.acknowledge(&running);
        let finished = world.update().await;
        world.acknowledge(&running);
        world.settle().await;
        assert_eq!(world.master.count::<StatusUpdateMessage>(), 0);
        world.acknowledge(&finished);
        world.settle().await;
        let tasks = &world.get("/state")["frameworks"][0]["executors"][0]["completed_tasks"];
        assert_eq!(tasks[0]["state"], "TASK_FINISHED");
        assert_eq!(tasks[0]["statuses"].as_array().unwrap().len(), 2);
    });
}

#[test]
fn ignore_unexpected_status_update_ack() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (executor, spec) = world.running(executor_task("t")).await;
        let running = update_of(&executor, &spec, "t", (TaskState::TaskRunning, 1));
        executor.send(world.upid(), &running);
        let mut update = world.update().await;
        let uuid = update.uuid.replace(vec![9; 16].into());
        world.acknowledge(&update);
        for uuid in [vec![], vec![1; 15], vec![1; 400]] {
            update.uuid = Some(uuid.into());
            world.acknowledge(&update);
        }
        update.uuid = uuid;
        world.settle().await;
        world.runtime.clock().pause();
        world.runtime.clock().advance(Duration::from_secs(11));
        assert_eq!(world.update().await.uuid, update.uuid, "none of them was for it");
    });
}

#[test]
fn duplicate_update_before_ack() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, spec) = world.running(executor_task("t")).await;
        let running = update_of(&executor, &spec, "t", (TaskState::TaskRunning, 1));
        for _ in 0..2 {
            executor.send(world.upid(), &running);
            executor.next::<StatusUpdateAcknowledgementMessage>().await;
        }
        world.update().await;
        world.settle().await;
        assert_eq!(world.master.count::<StatusUpdateMessage>(), 0);
    });
}

#[test]
fn latest_task_state() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (executor, spec) = world.running(executor_task("t")).await;
        world.runtime.clock().pause();
        let running = update_of(&executor, &spec, "t", (TaskState::TaskRunning, 1));
        executor.send(world.upid(), &running);
        let first = world.update().await;
        assert_eq!(first.latest_state, Some(TaskState::TaskRunning.into()));
        let finished = update_of(&executor, &spec, "t", (TaskState::TaskFinished, 2));
        executor.send(world.upid(), &finished);
        world.settle().await;
        world.runtime.clock().advance(Duration::from_secs(10));
        let again = world.update().await;
        assert_eq!(again.status.state(), TaskState::TaskRunning);
        assert_eq!(again.latest_state, Some(TaskState::TaskFinished.into()));
    });
}

#[test]
fn duplicate_terminal_update_after_ack() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, spec) = world.running(executor_task("t")).await;
        for (state, uuid) in [(TaskState::TaskFinished, 1), (TaskState::TaskKilled, 2)] {
            executor.send(world.upid(), &update_of(&executor, &spec, "t", (state, uuid)));
            executor.next::<StatusUpdateAcknowledgementMessage>().await;
            let update = world.update().await;
            assert_eq!(update.status.state(), state);
            world.acknowledge(&update);
            world.settle().await;
        }
        let metrics = world.get("/metrics/snapshot");
        assert_eq!(metrics["slave/tasks_finished"], 1.0);
        assert_eq!(metrics["slave/tasks_killed"], 0.0, "it had ended before");
    });
}

#[test]
fn resuming_sends_what_is_out_at_once() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (executor, spec) = world.running(executor_task("t")).await;
        let running = update_of(&executor, &spec, "t", (TaskState::TaskRunning, 1));
        executor.send(world.upid(), &running);
        let first = world.update().await;
        world.detector.appoint(None);
        world.settle().await;
        world.detector.appoint(Some(master_info(&world.master.upid)));
        world.master.next::<ReregisterSlaveMessage>().await;
        assert_eq!(world.master.count::<StatusUpdateMessage>(), 0);
        world.tell(&SlaveReregisteredMessage {
            slave_id: first.slave_id.clone().unwrap(),
            ..SlaveReregisteredMessage::default()
        });
        assert_eq!(world.update().await.uuid, first.uuid);
    });
}

#[test]
fn ignore_non_leader_status_update_acknowledgement() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (executor, spec) = world.running(executor_task("t")).await;
        let running = update_of(&executor, &spec, "t", (TaskState::TaskRunning, 1));
        executor.send(world.upid(), &running);
        let update = world.update().await;
        let other = Peer::new(&world.runtime, "master(2)");
        let message = StatusUpdateAcknowledgementMessage {
            slave_id: update.slave_id.clone().unwrap(),
            framework_id: update.framework_id.clone(),
            task_id: update.status.task_id.clone(),
            uuid: update.uuid.clone().unwrap(),
        };
        other.send(world.upid(), &message);
        world.settle().await;
        world.runtime.clock().pause();
        world.runtime.clock().advance(Duration::from_secs(11));
        assert_eq!(world.update().await.uuid, update.uuid);

        let scheduler = Peer::new(&world.runtime, "scheduler");
        scheduler.send(world.upid(), &message);
        world.settle().await;
        world.runtime.clock().advance(Duration::from_secs(60));
        world.settle().await;
        assert_eq!(world.master.count::<StatusUpdateMessage>(), 0);
    });
}
