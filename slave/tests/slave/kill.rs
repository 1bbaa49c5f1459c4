//! Killing tasks at every stage.

use proto::mesos::internal::{KillTaskMessage, RunTaskMessage, ShutdownExecutorMessage};
use proto::mesos::task_status::{Reason, Source};
use proto::mesos::{FrameworkId, TaskId, TaskState};

use crate::support::{Peer, World, command_task, executor_task, registration, run, run_task};

fn kill(task_id: &str) -> KillTaskMessage {
    KillTaskMessage {
        framework_id: FrameworkId { value: "F".to_owned() },
        task_id: TaskId { value: task_id.to_owned() },
    }
}

#[test]
fn kill_task_reaches_the_executor() {
    run(async {
        let mut world = World::registered(&[]).await;
        let (mut executor, _) = world.running(executor_task("t")).await;
        world.tell(&kill("t"));
        assert_eq!(executor.next::<KillTaskMessage>().await, kill("t"));
    });
}

#[test]
fn kill_task_unregistered_executor() {
    run(async {
        let mut world = World::registered(&[]).await;
        world.tell(&run_task(command_task("t")));
        let spec = world.launched().await;
        world.tell(&kill("t"));
        let update = world.update().await;
        assert_eq!(update.status.state(), TaskState::TaskKilled);
        assert_eq!(update.status.source(), Source::Slave);
        assert_eq!(update.status.reason(), Reason::ExecutorUnregistered);
        assert_eq!(update.status.message(), "Unregistered executor");

        let mut executor = Peer::new(&world.runtime, "executor(1)");
        executor.send(world.upid(), &registration(&spec));
        executor.next::<ShutdownExecutorMessage>().await;
        assert_eq!(executor.count::<RunTaskMessage>(), 0, "it has no task any more");
    });
}

#[test]
fn kill_task_between_run_task_parts() {
    run(async {
        let mut world = World::registered(&[]).await;
        // Both are in the mailbox before the directories of the first are known to be kept.
        let (run, kill) = (run_task(command_task("t")), kill("t"));
        let master = world.master.upid.clone();
        world.slave.tell(move |_, ctx| {
            ctx.pid().post(&master, &run);
            ctx.pid().post(&master, &kill);
        });
        let update = world.update().await;
        assert_eq!(update.status.state(), TaskState::TaskKilled);
        assert_eq!(update.status.message(), "Task killed before it was launched");
        assert_eq!(update.status.reason, None);
        world.settle().await;
        assert!(world.launches.try_recv().is_err(), "nothing is launched");
        assert_eq!(world.get("/state")["frameworks"], serde_json::json!([]));
    });
}

#[test]
fn kill_of_an_unknown_task_says_that_it_is_lost() {
    run(async {
        let mut world = World::registered(&[]).await;
        world.running(executor_task("t")).await;
        world.tell(&kill("unknown"));
        let update = world.update().await;
        assert_eq!(update.status.state(), TaskState::TaskLost);
        assert_eq!(update.status.reason(), Reason::ExecutorTerminated);
        assert_eq!(update.status.message(), "Cannot find executor");
    });
}
