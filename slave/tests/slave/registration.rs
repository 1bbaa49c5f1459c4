//! How a slave finds its master, registers, notices silence, and ends.

use std::time::Duration;

use common::ids::SlaveId;
use coordination::election::standalone::master_info;
use libprocess::Process as _;
use proto::mesos::internal::{
    PingSlaveMessage, PongSlaveMessage, ReconcileTasksMessage, RegisterSlaveMessage,
    ReregisterSlaveMessage, ShutdownExecutorMessage, ShutdownMessage, SlaveReregisteredMessage,
    UnregisterSlaveMessage, UpdateSlaveMessage,
};
use proto::mesos::task_status::Reason;
use proto::mesos::{FrameworkId, TaskId, TaskState, TaskStatus};
use slave::Fatal;

use crate::containers::destroyed;
use crate::support::{Peer, World, executor_task, run, slave_registered, update_of};

#[test]
fn registers_with_what_it_has() {
    run(async {
        let mut world = World::start(&["--attributes=rack:r1;n:5"]);
        let message = world.master.next::<RegisterSlaveMessage>().await;
        assert_eq!(message.version(), "0.28.3");
        assert_eq!(message.slave.hostname, "localhost");
        assert_eq!(message.slave.id, None);
        assert_eq!(message.slave.checkpoint, Some(true));
        assert_eq!(message.slave.port(), i32::from(world.runtime.address().port));
        assert_eq!(message.slave.attributes.len(), 2);
        world.tell(&slave_registered("S0"));
        let lent = world.master.next::<UpdateSlaveMessage>().await;
        assert_eq!((lent.slave_id.value.as_str(), lent.oversubscribed_resources.len()), ("S0", 0));
    });
}

#[test]
fn registers_again_until_it_is_answered() {
    run(async {
        let mut world = World::start(&["--registration_backoff_factor=1secs"]);
        world.runtime.clock().pause();
        world.recovered().await;
        for _ in 0..20 {
            world.runtime.clock().advance(Duration::from_secs(60));
            world.settle().await;
        }
        let tries = world.master.count::<RegisterSlaveMessage>();
        assert!(tries >= 10, "{tries} tries in 20 minutes, a minute apart at most");
        world.tell(&slave_registered("S0"));
        world.master.next::<UpdateSlaveMessage>().await;
        let tries = world.master.count::<RegisterSlaveMessage>();
        world.runtime.clock().advance(Duration::from_secs(60));
        world.settle().await;
        assert_eq!(world.master.count::<RegisterSlaveMessage>(), tries);
    });
}

#[test]
fn a_stranger_cannot_register_it() {
    run(async {
        let mut world = World::start(&[]);
        world.master.next::<RegisterSlaveMessage>().await;
        let stranger = Peer::new(&world.runtime, "stranger");
        stranger.send(world.upid(), &slave_registered("S9"));
        world.tell(&slave_registered("S0"));
        let lent = world.master.next::<UpdateSlaveMessage>().await;
        assert_eq!(lent.slave_id.value, "S0");
    });
}

#[test]
fn another_id_ends_it() {
    run(async {
        let mut world = World::registered(&[]).await;
        world.tell(&slave_registered("S1"));
        let fatal = world.ended().await.unwrap_err();
        assert_eq!(
            fatal.to_string(),
            "Registered but got wrong id: S1(expected: S0). Committing suicide"
        );
        let (given, expected) = (SlaveId::from("S1"), SlaveId::from("S0"));
        assert_eq!(fatal, Fatal::RegisteredWithWrongId { given, expected });
    });
}

#[test]
fn ids_that_are_no_names_of_directories_are_not_taken() {
    run(async {
        let mut world = World::start(&[]);
        world.master.next::<RegisterSlaveMessage>().await;
        for id in ["", "..", "a/b"] {
            world.tell(&slave_registered(id));
        }
        world.settle().await;
        assert_eq!(world.get("/state")["id"], "");
        world.tell(&slave_registered("S0"));
        world.master.next::<UpdateSlaveMessage>().await;
        assert_eq!(world.get("/state")["id"], "S0");
    });
}

#[test]
fn ping_timeout_no_pings() {
    run(async {
        let mut world = World::registered(&[]).await;
        world.runtime.clock().pause();
        // What was set before the clock stood still is due by then, too.
        world.runtime.clock().advance(Duration::from_secs(76));
        let message = soon_reregistered(&mut world).await;
        assert_eq!(message.slave.id.unwrap().value, "S0");
    });
}

#[test]
fn ping_timeout_some_pings() {
    run(async {
        let mut world = World::registered(&[]).await;
        world.runtime.clock().pause();
        let mut observer = Peer::new(&world.runtime, "slave-observer(1)");
        for _ in 0..3 {
            world.runtime.clock().advance(Duration::from_secs(70));
            observer.send(world.upid(), &PingSlaveMessage { connected: true });
            observer.next::<PongSlaveMessage>().await;
            // Until it waits for the next one.
            world.settle().await;
        }
        assert_eq!(world.master.count::<ReregisterSlaveMessage>(), 0);
        world.runtime.clock().advance(Duration::from_secs(76));
        soon_reregistered(&mut world).await;
    });
}

#[test]
fn ping_that_says_disconnected_makes_it_register_again() {
    run(async {
        let mut world = World::registered(&[]).await;
        world.tell(&PingSlaveMessage { connected: false });
        world.master.next::<PongSlaveMessage>().await;
        world.master.next::<ReregisterSlaveMessage>().await;
    });
}

#[test]
fn the_end_of_the_masters_connection_makes_it_register_again() {
    run(async {
        let mut world = World::registered(&[]).await;
        let master = world.master.upid.clone();
        world.slave.tell(move |slave, ctx| slave.exited(ctx, master));
        assert_eq!(world.reregistered().await.slave.id.unwrap().value, "S0");
    });
}

#[test]
fn masters_that_come_and_go_leave_one_registration_under_way() {
    run(async {
        let mut world = World::start(&["--registration_backoff_factor=1secs"]);
        world.runtime.clock().pause();
        world.recovered().await;
        for _ in 0..50 {
            world.detector.appoint(None);
            world.settle().await;
            world.detector.appoint(Some(master_info(&world.master.upid)));
            world.settle().await;
        }
        // By then it waits for a minute at most, and for half a minute on average.
        world.runtime.clock().advance(Duration::from_secs(600));
        world.settle().await;
        world.master.forget::<RegisterSlaveMessage>();
        for _ in 0..10 {
            world.runtime.clock().advance(Duration::from_secs(60));
            world.settle().await;
        }
        let tries = world.master.count::<RegisterSlaveMessage>();
        assert!((1..=20).contains(&tries), "{tries} tries in ten minutes");
    });
}

/// Lets time pass until the slave registers again; the first wait is random.
async fn soon_reregistered(world: &mut World) -> ReregisterSlaveMessage {
    world.settle().await;
    world.runtime.clock().advance(Duration::from_secs(1));
    world.master.next::<ReregisterSlaveMessage>().await
}

#[test]
fn reregister_with_status_update_task_state() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (executor, spec) = world.running(executor_task("t")).await;
        for (state, uuid) in [(TaskState::TaskRunning, 1), (TaskState::TaskFinished, 2)] {
            executor.send(world.upid(), &update_of(&executor, &spec, "t", (state, uuid)));
        }
        let update = world.update().await;
        assert_eq!(update.status.state(), TaskState::TaskRunning);
        world.settle().await;
        world.detector.appoint(None);
        world.settle().await;
        world.detector.appoint(Some(master_info(&world.master.upid)));
        let message = world.master.next::<ReregisterSlaveMessage>().await;
        assert_eq!(message.executor_infos.len(), 1);
        assert_eq!(message.executor_infos[0].executor_id.value, "E");
        let [task] = &message.tasks[..] else { panic!("{:?}", message.tasks) };
        assert_eq!(task.state(), TaskState::TaskFinished, "what the executor said last");
        assert_eq!(task.status_update_state, Some(TaskState::TaskRunning.into()));
        assert_eq!(task.executor_id.as_ref().unwrap().value, "E");
        assert_eq!(task.status_update_uuid.as_deref(), Some(&[1; 16][..]));
    });
}

/// A master's answer to a slave that named none of these tasks.
fn asked_for(task_ids: &[&str]) -> SlaveReregisteredMessage {
    let status = |task_id: &&str| TaskStatus {
        task_id: TaskId { value: (*task_id).to_owned() },
        ..TaskStatus::default()
    };
    SlaveReregisteredMessage {
        slave_id: proto::mesos::SlaveId { value: "S0".to_owned() },
        reconciliations: vec![ReconcileTasksMessage {
            framework_id: FrameworkId { value: "F".to_owned() },
            statuses: task_ids.iter().map(status).collect(),
        }],
        connection: None,
    }
}

#[test]
fn reconciliation_reports_what_it_does_not_know() {
    run(async {
        let mut world = World::registered(&[]).await;
        world.running(executor_task("known")).await;
        world.tell(&PingSlaveMessage { connected: false });
        world.master.next::<ReregisterSlaveMessage>().await;
        world.tell(&asked_for(&["known", "unknown"]));
        let update = world.update().await;
        assert_eq!(update.status.task_id.value, "unknown");
        assert_eq!(update.status.state(), TaskState::TaskLost);
        assert_eq!(update.status.reason(), Reason::Reconciliation);
        assert_eq!(update.status.message(), "Reconciliation: task unknown to the slave");
    });
}

#[test]
fn reconciliation_says_how_tasks_have_ended() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (executor, spec) = world.running(executor_task("t")).await;
        executor
            .send(world.upid(), &update_of(&executor, &spec, "t", (TaskState::TaskFinished, 1)));
        let finished = world.update().await;
        world.acknowledge(&finished);
        world.settle().await;
        world.containers.end(&spec.container_id, destroyed());
        world.settle().await;
        world.tell(&PingSlaveMessage { connected: false });
        world.master.next::<ReregisterSlaveMessage>().await;
        // An earlier message of the slave has told a new master of the task.
        world.tell(&asked_for(&["t"]));
        let status = world.update().await.status;
        assert_eq!(status.state(), TaskState::TaskFinished);
        assert_eq!(status.reason(), Reason::Reconciliation);
    });
}

#[test]
fn shutdown() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, spec) = world.running(executor_task("t")).await;
        world.tell(&ShutdownMessage { message: Some("enough".to_owned()) });
        executor.next::<ShutdownExecutorMessage>().await;
        world.containers.end(&spec.container_id, destroyed());
        assert_eq!(world.ended().await, Ok(()));
    });
}

#[test]
fn signal_unregisters_it() {
    run(async {
        let mut world = World::registered(&[]).await;
        world.slave.tell(|slave, ctx| slave.signaled(ctx, Some("root")));
        let message = world.master.next::<UnregisterSlaveMessage>().await;
        assert_eq!(message.slave_id.value, "S0");
        assert_eq!(world.ended().await, Ok(()));
    });
}

#[test]
fn signal_without_a_master_ends_it() {
    run(async {
        let mut world = World::registered(&[]).await;
        world.detector.appoint(None);
        world.settle().await;
        world.slave.tell(|slave, ctx| slave.signaled(ctx, None));
        assert_eq!(world.ended().await, Ok(()));
    });
}
