//! What an authorizer allows, and what may happen while it thinks.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use master::authorizer::{Action, Authorizer, Request, Verdict};
use parking_lot::Mutex;
use proto::mesos::TaskState;
use proto::mesos::internal::{
    FrameworkErrorMessage, FrameworkRegisteredMessage, RegisterFrameworkMessage, Registry,
    RunTaskMessage,
};
use proto::mesos::scheduler::{Call, call};
use tokio::sync::oneshot;

use crate::test_util::{Framework, Slave, World, command_task, framework_info, launch};

/// Answers when it is told to.
#[derive(Default)]
struct Judge(Mutex<Vec<(Request, oneshot::Sender<Verdict>)>>);

impl Authorizer for Judge {
    fn authorize(&self, request: Request) -> Pin<Box<dyn Future<Output = Verdict> + Send>> {
        let (answer, answered) = oneshot::channel();
        self.0.lock().push((request, answer));
        Box::pin(async move { answered.await.unwrap_or(Verdict::Denied) })
    }
}

impl Judge {
    /// Answers everything that was asked; gives what that was.
    fn answer(&self, verdict: Verdict) -> Vec<Action> {
        let asked = std::mem::take(&mut *self.0.lock());
        asked
            .into_iter()
            .map(|(request, answer)| {
                answer.send(verdict.clone()).expect("somebody waits");
                request.action
            })
            .collect()
    }
}

struct Court {
    world: World,
    judge: Arc<Judge>,
}

impl Court {
    fn new() -> Court {
        let judge = Arc::new(Judge::default());
        let authorizer: Option<Arc<dyn Authorizer>> = Some(judge.clone());
        let world = World::start(master::Config::default(), Registry::default(), authorizer);
        Court { world, judge }
    }

    fn framework(&self) -> Framework {
        let peer = self.world.peer("f");
        peer.send(&RegisterFrameworkMessage { framework: framework_info() });
        self.world.settle();
        self.judge.answer(Verdict::Allowed);
        self.world.settle();
        let id = peer.take::<FrameworkRegisteredMessage>().framework_id.into();
        Framework { id, info: framework_info(), peer }
    }

    /// A slave, a framework, and a task that waits for its verdict.
    fn pending(&self) -> (Slave, Framework) {
        let (slave, framework) = (self.world.slave("slave(1)"), self.framework());
        let offer = self.world.offer(&framework, &slave, "cpus:1;mem:32");
        framework.accept(&[&offer], vec![launch(vec![command_task("t", &slave.id)])]);
        self.world.settle();
        self.world.allocator.calls();
        (slave, framework)
    }
}

#[test]
fn master_authorization_test_unauthorized_role() {
    let court = Court::new();
    let check = |id: &str, verdict: Verdict, expected: &str| {
        let peer = court.world.peer(id);
        peer.send(&RegisterFrameworkMessage { framework: framework_info() });
        court.world.settle();
        let asked = court.judge.answer(verdict);
        assert_eq!(asked, [Action::RegisterFramework { role: "*".to_owned() }]);
        court.world.settle();
        assert_eq!(peer.take::<FrameworkErrorMessage>().message, expected);
    };
    check("1", Verdict::Denied, "Not authorized to use role '*'");
    check("2", Verdict::Failed("why".to_owned()), "Authorization failure: why");
}

#[test]
fn master_authorization_test_duplicate_registration() {
    let court = Court::new();
    let peer = court.world.peer("f");
    for _ in 0..2 {
        peer.send(&RegisterFrameworkMessage { framework: framework_info() });
    }
    court.world.settle();
    court.judge.answer(Verdict::Allowed);
    court.world.settle();
    for _ in 0..2 {
        assert_eq!(peer.take::<FrameworkRegisteredMessage>().framework_id.value, "m-0000");
    }
}

#[test]
fn master_authorization_test_authorized_task() {
    let court = Court::new();
    let (slave, _framework) = court.pending();
    let asked = court.judge.answer(Verdict::Allowed);
    assert_eq!(asked, [Action::RunTask { user: "user".to_owned() }]);
    court.world.settle();
    slave.peer.take::<RunTaskMessage>();
}

#[test]
fn master_authorization_test_unauthorized_task() {
    let check = |verdict: Verdict, expected: &str| {
        let court = Court::new();
        let (slave, framework) = court.pending();
        court.judge.answer(verdict);
        court.world.settle();
        assert_eq!(framework.status(), (TaskState::TaskError, expected.to_owned()));
        assert!(slave.peer.find::<RunTaskMessage>().is_none());
        let metric = "master/task_error/source_master/reason_task_unauthorized";
        assert_eq!(court.world.metric(metric), 1.0);
    };
    check(Verdict::Denied, "Not authorized to launch as user 'user'");
    check(Verdict::Failed("why".to_owned()), "Authorization failure: why");
}

#[test]
fn master_authorization_test_kill_task() {
    let court = Court::new();
    let (slave, framework) = court.pending();
    assert_eq!(court.world.metric("master/tasks_staging"), 1.0);
    framework.kill(&"t".into());
    court.world.settle();
    assert_eq!(framework.status(), (TaskState::TaskKilled, "Killed pending task".to_owned()));
    court.judge.answer(Verdict::Denied);
    court.world.settle();
    // Once is enough.
    assert_eq!(framework.peer.rest(), [""; 0]);
    assert!(slave.peer.find::<RunTaskMessage>().is_none());
    let returned =
        format!("recover_resources {} {} cpus(*):1; mem(*):32 for 5", framework.id, slave.id);
    assert_eq!(court.world.allocator.calls(), [returned]);
}

#[test]
fn reconciliation_test_pending_task() {
    let court = Court::new();
    let (_slave, framework) = court.pending();
    framework.reconcile(&[("t", None)]);
    framework.reconcile(&[]);
    court.world.settle();
    for _ in 0..2 {
        let expected = (TaskState::TaskStaging, "Reconciliation: Latest task state".to_owned());
        assert_eq!(framework.status(), expected);
    }
}

#[test]
fn master_authorization_test_slave_removed() {
    let court = Court::new();
    let (slave, framework) = court.pending();
    slave
        .peer
        .send(&proto::mesos::internal::UnregisterSlaveMessage { slave_id: (&slave.id).into() });
    court.world.settle();
    court.judge.answer(Verdict::Allowed);
    court.world.settle();
    assert_eq!(framework.status(), (TaskState::TaskLost, "Slave removed".to_owned()));
}

#[test]
fn master_authorization_test_slave_disconnected() {
    let court = Court::new();
    let (slave, framework) = court.pending();
    slave.peer.exit();
    court.world.settle();
    court.judge.answer(Verdict::Allowed);
    court.world.settle();
    assert_eq!(framework.status(), (TaskState::TaskLost, "Slave disconnected".to_owned()));
}

#[test]
fn master_authorization_test_framework_removed() {
    let court = Court::new();
    let (slave, framework) = court.pending();
    framework.call(call::Type::Teardown, Call::default());
    court.world.settle();
    court.world.allocator.calls();
    court.judge.answer(Verdict::Allowed);
    court.world.settle();
    assert!(slave.peer.find::<RunTaskMessage>().is_none());
    let returned = format!("recover_resources {} {} cpus(*):1; mem(*):32", framework.id, slave.id);
    assert_eq!(court.world.allocator.calls(), [returned]);
}

#[test]
fn the_second_of_a_pending_name_is_a_duplicate() {
    let court = Court::new();
    let (slave, framework) = court.pending();
    let offer = court.world.offer(&framework, &slave, "cpus:1;mem:32");
    framework.accept(&[&offer], vec![launch(vec![command_task("t", &slave.id)])]);
    court.world.settle();
    court.judge.answer(Verdict::Allowed);
    court.world.settle();
    slave.peer.take::<RunTaskMessage>();
    assert!(slave.peer.find::<RunTaskMessage>().is_none());
    let expected = (TaskState::TaskError, "Task has duplicate ID: t".to_owned());
    assert_eq!(framework.status(), expected);
}
