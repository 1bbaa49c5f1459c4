//! Messages that are lost, masters that are replaced, schedulers that are.
//! Upstream: `fault_tolerance_tests.cpp`, `master_slave_reconciliation_tests.cpp`.

use common::ids::FrameworkId;
use libprocess::Upid;
use libprocess::testing::{Intercept, wait};
use proto::mesos::internal::{
    ExitedExecutorMessage, FrameworkRegisteredMessage, ReregisterSlaveMessage,
    SlaveRegisteredMessage, SlaveReregisteredMessage, StatusUpdate, StatusUpdateMessage,
    UpdateFrameworkMessage,
};
use proto::mesos::scheduler::{Call, call};
use proto::mesos::{Offer, TaskState, TaskStatus};
use tests::daemon::eventually;
use tests::make::IntoId;

use crate::containers::{Said, status};
use crate::world::{Framework, Master, Slave, Told, executor_id};

/// A task that has got as far as `state`, and all around it.
struct Scene {
    master: Master,
    slave: Slave,
    framework: Framework,
    id: FrameworkId,
    offer: Offer,
}

impl Scene {
    fn running() -> Self {
        Self::with(TaskState::TaskRunning)
    }

    /// The slave has got the acknowledgement of what became of the task.
    fn with(state: TaskState) -> Self {
        let master = Master::start();
        let slave = Slave::start(&master, state);
        let framework = Framework::start(&master, None);
        let id = framework.registered();
        let offer = framework.offer();
        let acknowledged = slave.acknowledged();
        let task = framework.launch(&offer);
        assert_eq!(slave.said(), Said::Launch(task));
        assert_eq!(framework.state(), state);
        wait(acknowledged);
        Self { master, slave, framework, id, offer }
    }

    /// A new master, which the slave has found.
    fn fail_over(&mut self) {
        let before = std::mem::replace(&mut self.master, Master::start());
        before.stop();
        let back = Intercept::<SlaveReregisteredMessage>::of(&self.slave.runtime).next();
        self.slave.detector.appoint(self.master.info());
        wait(back);
    }
}

#[test]
fn fault_tolerance_test_framework_reliable_registration() {
    let master = Master::start();
    let lost = Intercept::<FrameworkRegisteredMessage>::of(&master.runtime).drop_next();
    let framework = Framework::start(&master, None);
    let lost = wait(lost).message.framework_id;
    assert_eq!(framework.registered(), FrameworkId::from(&lost));
}

#[test]
fn fault_tolerance_test_slave_reliable_registration() {
    let master = Master::start();
    let lost = Intercept::<SlaveRegisteredMessage>::of(&master.runtime).drop_next();
    let _slave = Slave::start(&master, TaskState::TaskRunning);
    let framework = Framework::start(&master, None);
    let lost = wait(lost).message.slave_id;
    // The slave asks again, and is the same one.
    assert_eq!(framework.offer().slave_id, lost);
}

#[test]
fn fault_tolerance_test_slave_reregister_on_zk_expiration() {
    let master = Master::start();
    let registered = Intercept::<SlaveRegisteredMessage>::of(&master.runtime).next();
    let slave = Slave::start(&master, TaskState::TaskRunning);
    let id = wait(registered).message.slave_id;
    let framework = Framework::start(&master, None);
    assert_eq!(framework.offer().slave_id, id);
    slave.await_registration();
    let back = Intercept::<SlaveReregisteredMessage>::of(&master.runtime).next();
    slave.detector.appoint(master.info());
    assert_eq!(wait(back).message.slave_id, id);
}

#[test]
fn fault_tolerance_test_task_lost() {
    let master = Master::start();
    let _slave = Slave::start(&master, TaskState::TaskRunning);
    let framework = Framework::start(&master, None);
    let offer = framework.offer();
    framework.detector.appoint(None);
    framework.expect("loss", |told| matches!(told, Told::Disconnected).then_some(()));
    framework.launch(&offer);
    assert_eq!(framework.state(), TaskState::TaskLost);
}

#[test]
fn fault_tolerance_test_scheduler_exit() {
    let scene = Scene::running();
    scene.framework.driver.stop();
    assert_eq!(scene.slave.said(), Said::Shutdown);
    eventually("the end of the framework", || {
        (scene.master.count("completed_frameworks") == 1).then_some(())
    });
}

/// Another scheduler takes over, and the old one is told.
fn take_over(scene: &Scene) -> Framework {
    let successor = Framework::start(&scene.master, Some(&scene.id));
    let error = scene.framework.expect("error", |told| match told {
        Told::Error(text) => Some(text),
        _ => None,
    });
    assert_eq!(error, "Framework failed over");
    assert_eq!(successor.registered(), scene.id);
    successor
}

#[test]
fn fault_tolerance_test_scheduler_failover_executor_to_framework_message() {
    let scene = Scene::running();
    let updated = Intercept::<UpdateFrameworkMessage>::of(&scene.slave.runtime).next();
    let successor = take_over(&scene);
    wait(updated);
    scene.slave.containers.play.executor().send_framework_message("Executor to Framework message");
    let data = successor.expect("message", |told| match told {
        Told::Message(data) => Some(data),
        _ => None,
    });
    assert_eq!(data, "Executor to Framework message");
}

#[test]
fn fault_tolerance_test_scheduler_failover_framework_to_executor_message() {
    let scene = Scene::running();
    let successor = take_over(&scene);
    // It knows no address of the slave, as it has no offer of it.
    let through_master = Intercept::<Call>::of(&scene.master.runtime)
        .when(|call| call.r#type() == call::Type::Message)
        .next();
    let slave_id = (&scene.offer.slave_id).into();
    successor.driver.send_framework_message(&executor_id(), &slave_id, "hello world");
    wait(through_master);
    assert_eq!(scene.slave.said(), Said::Message("hello world".into()));
}

#[test]
fn fault_tolerance_test_split_brain_masters() {
    let scene = Scene::running();
    let update = StatusUpdate {
        framework_id: (&scene.id).into(),
        slave_id: Some(scene.offer.slave_id.clone()),
        status: TaskStatus {
            task_id: "t".into_id(),
            state: TaskState::TaskLost.into(),
            ..TaskStatus::default()
        },
        timestamp: 1.0,
        uuid: Some(vec![1; 16].into()),
        ..StatusUpdate::default()
    };
    let lost = StatusUpdateMessage { update, pid: None };
    let stranger: Upid = "master2@127.0.0.1:50".parse().expect("a pid");
    let arrived = Intercept::<StatusUpdateMessage>::of(&scene.framework.runtime).next();
    let id = scene.master.scheduler(&scene.id);
    let name = <StatusUpdateMessage as prost::Name>::full_name();
    let body = prost::Message::encode_to_vec(&lost).into();
    scene.framework.runtime.post(&stranger, &id, name, body);
    assert_eq!(wait(arrived).message, lost);
    scene.framework.driver.kill_task(&"t".into());
    assert_eq!(scene.framework.state(), TaskState::TaskKilled);
}

#[test]
fn fault_tolerance_test_framework_reregister_empty_executor() {
    let mut scene = Scene::with(TaskState::TaskFinished);
    scene.fail_over();
    scene.framework.detector.appoint(scene.master.info());
    assert_eq!(scene.framework.registered(), scene.id);
    let exited = Intercept::<ExitedExecutorMessage>::of(&scene.master.runtime).next();
    scene.slave.end_container();
    assert_eq!(wait(exited).message.framework_id, (&scene.id).into());
    scene.framework.executor_lost();
}

#[test]
fn fault_tolerance_test_reregister_completed_frameworks() {
    let mut scene = Scene::running();
    let counts = |scene: &Scene| {
        let (master, slave) = (&scene.master, &scene.slave);
        ["frameworks", "completed_frameworks"].map(|kind| (master.count(kind), slave.count(kind)))
    };
    assert_eq!(counts(&scene), [(1, 1), (0, 0)]);
    scene.framework.driver.kill_task(&"t".into());
    assert_eq!(scene.framework.state(), TaskState::TaskKilled);
    // The executor has not ended yet.
    assert_eq!(counts(&scene), [(1, 1), (0, 0)]);
    scene.slave.end_container();
    scene.framework.executor_lost();
    eventually("the end of the framework on the slave", || {
        (counts(&scene) == [(1, 0), (0, 1)]).then_some(())
    });

    let before = std::mem::replace(&mut scene.master, Master::start());
    before.stop();
    scene.framework.detector.appoint(scene.master.info());
    assert_eq!(scene.framework.registered(), scene.id);
    let back = Intercept::<SlaveReregisteredMessage>::of(&scene.slave.runtime).next();
    scene.slave.detector.appoint(scene.master.info());
    wait(back);
    // What is over on a slave is not over for the framework.
    assert_eq!(counts(&scene), [(1, 0), (0, 1)]);
}

#[test]
fn status_update_manager_test_duplicated_terminal_status_update() {
    let scene = Scene::with(TaskState::TaskFinished);
    let acknowledged = scene.slave.acknowledged();
    let executor = scene.slave.containers.play.executor();
    executor.send_status_update(status(&"t".into(), TaskState::TaskKilled));
    assert_eq!(scene.framework.state(), TaskState::TaskKilled);
    wait(acknowledged);
    let address = scene.master.runtime.address().to_string();
    let tasks = &tests::http::get_json(&address, "/master/tasks")["tasks"];
    assert_eq!(tasks[0]["state"], "TASK_FINISHED", "it had ended before");
}

#[test]
fn master_slave_reconciliation_test_slave_reregister_terminated_executor() {
    let scene = Scene::running();
    // The update that the task is finished is lost on its way to the master.
    let lost = Intercept::<StatusUpdateMessage>::of(&scene.slave.runtime)
        .to(scene.master.pid.upid())
        .drop_next();
    let executor = scene.slave.containers.play.executor();
    executor.send_status_update(status(&"t".into(), TaskState::TaskFinished));
    wait(lost);
    scene.slave.end_container();
    scene.framework.executor_lost();
    let _nothing = Intercept::<UpdateFrameworkMessage>::of(&scene.master.runtime).drop_all();
    scene.slave.detector.appoint(scene.master.info());
    assert_eq!(scene.framework.state(), TaskState::TaskFinished);
}

#[test]
fn master_slave_reconciliation_test_reconcile_race() {
    let master = Master::start();
    let slave = Slave::start(&master, TaskState::TaskStaging);
    let framework = Framework::start(&master, None);
    let offer = framework.offer();
    slave.await_registration();
    // What the slave says when it comes back arrives after a task was launched on it.
    let _again = Intercept::<ReregisterSlaveMessage>::of(&slave.runtime).drop_all();
    let late = Intercept::<ReregisterSlaveMessage>::of(&slave.runtime).drop_next();
    slave.detector.appoint(master.info());
    let late = wait(late);
    let task = framework.launch(&offer);
    assert_eq!(slave.said(), Said::Launch(task.clone()));
    let back = Intercept::<SlaveReregisteredMessage>::of(&slave.runtime).next();
    let name = <ReregisterSlaveMessage as prost::Name>::full_name();
    let body = prost::Message::encode_to_vec(&late.message).into();
    master.runtime.post(&late.from, &late.to, name, body);
    wait(back);
    // The task is not lost: the next that is heard of it is its end.
    slave.containers.play.executor().send_status_update(status(&task, TaskState::TaskFinished));
    assert_eq!(framework.state(), TaskState::TaskFinished);
}
