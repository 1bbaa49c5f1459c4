//! The driver hears the newer API's events as it hears the older messages.

use std::sync::Arc;

use crate::test_util::{FRAMEWORK, Scene, Told, offer, task};
use bytes::Bytes;
use common::calls::scheduler::SchedulerEvent;
use common::ids::{ExecutorId, FrameworkId, OfferId, SlaveId, TaskId};
use coordination::election::standalone::{StandaloneMasterDetector, master_info};
use libprocess::testing::Peer;
use proto::mesos::scheduler::{Event, call, event};
use proto::mesos::{Address, Filters, Offer, TaskState, TaskStatus, Url};
use sched::{Leader, Options, Status};

impl Scene {
    fn event(&self, event: SchedulerEvent) {
        self.send(&Event::from(event));
    }
}

fn subscribed() -> SchedulerEvent {
    SchedulerEvent::Subscribed(event::Subscribed {
        framework_id: FrameworkId::from(FRAMEWORK).into(),
        heartbeat_interval_seconds: None,
    })
}

#[test]
fn scheduler_driver_event_test_subscribed() {
    let mut scene = Scene::start(|_| {});
    scene.subscribe();
    scene.event(subscribed());
    scene.expect(Told::Registered(FRAMEWORK.into()));
}

#[test]
fn scheduler_driver_event_test_subscribed_disconnection() {
    let detector = Arc::new(StandaloneMasterDetector::new(None));
    let leader = detector.clone();
    let mut scene = Scene::start(|options| options.leader = Leader::Detector(leader));
    let master = Some(master_info(scene.master.upid()));
    detector.appoint(master.clone());
    scene.subscribe();
    scene.event(subscribed());
    scene.expect(Told::Registered(FRAMEWORK.into()));
    detector.appoint(None);
    scene.expect(Told::Disconnected);
    detector.appoint(master);
    scene.subscribe();
    scene.event(subscribed());
    scene.expect(Told::Reregistered);
}

#[test]
fn scheduler_driver_event_test_subscribed_master_failover() {
    let detector = Arc::new(StandaloneMasterDetector::new(None));
    let leader = detector.clone();
    let mut scene = Scene::start(|options| options.leader = Leader::Detector(leader));
    detector.appoint(Some(master_info(scene.master.upid())));
    scene.subscribe();
    scene.event(subscribed());
    scene.expect(Told::Registered(FRAMEWORK.into()));
    scene.master = Peer::start("master");
    detector.appoint(Some(master_info(scene.master.upid())));
    scene.expect(Told::Disconnected);
    scene.subscribe();
    scene.event(subscribed());
    scene.expect(Told::Reregistered);
}

#[test]
fn scheduler_driver_event_test_subscribed_scheduler_failover() {
    let set_id = |options: &mut Options| {
        options.framework.id = Some(FrameworkId::from(FRAMEWORK).into());
    };
    let mut scene = Scene::start(set_id);
    assert_eq!(scene.subscribe().subscribe.unwrap().force, Some(true));
    scene.event(subscribed());
    scene.expect(Told::Registered(FRAMEWORK.into()));
}

#[test]
fn scheduler_driver_event_test_offers() {
    let scene = Scene::registered(|_| {});
    let slave = Peer::start("slave(1)");
    let address = Address {
        ip: Some("127.0.0.1".to_owned()),
        port: slave.upid().address.port.into(),
        ..Address::default()
    };
    let path = Some("/slave(1)".to_owned());
    let url = Url { scheme: "http".to_owned(), address, path, ..Url::default() };
    let with_url = Offer { url: Some(url), ..offer("O0", "S0") };
    // The second one lacks what upstream dies without.
    let offers = vec![with_url, offer("O1", "S1")];
    let inverse_offers = Vec::new();
    scene.event(SchedulerEvent::Offers(event::Offers { offers: offers.clone(), inverse_offers }));
    scene.expect(Told::Offers(offers));
    scene.driver.launch_tasks(&["O0".into()], vec![task("t", "S0")], Filters::default());
    scene.call(call::Type::Accept);
    let (executor_id, slave_id) = (ExecutorId::from("E"), SlaveId::from("S0"));
    scene.driver.send_framework_message(&executor_id, &slave_id, "hello");
    let message = slave.expect::<proto::mesos::internal::FrameworkToExecutorMessage>().message;
    assert_eq!(message.data, "hello");
}

#[test]
fn scheduler_driver_event_test_rescind() {
    let scene = Scene::registered(|_| {});
    let offer_id = OfferId::from("O").into();
    scene.event(SchedulerEvent::Rescind(event::Rescind { offer_id }));
    scene.expect(Told::Rescinded("O".into()));
}

#[test]
fn scheduler_driver_event_test_update() {
    let scene = Scene::registered(|_| {});
    let status = |uuid| TaskStatus {
        task_id: TaskId::from("t").into(),
        state: TaskState::TaskRunning.into(),
        slave_id: Some(SlaveId::from("S0").into()),
        uuid,
        ..TaskStatus::default()
    };
    let send = |status: TaskStatus| {
        scene.event(SchedulerEvent::Update(Box::new(event::Update { status })));
    };
    send(status(None));
    scene.expect(Told::Update(status(None)));
    scene.sync();
    let uuid = Bytes::from_static(&[1; 16]);
    send(status(Some(uuid.clone())));
    scene.expect(Told::Update(status(None)));
    assert_eq!(scene.call(call::Type::Acknowledge).acknowledge.unwrap().uuid, uuid);
}

#[test]
fn scheduler_driver_event_test_message() {
    let scene = Scene::registered(|_| {});
    scene.event(SchedulerEvent::Message(event::Message {
        slave_id: SlaveId::from("S").into(),
        executor_id: ExecutorId::from("E").into(),
        data: "data".into(),
    }));
    scene.expect(Told::Message("E".into(), "S".into(), "data".into()));
}

#[test]
fn scheduler_driver_event_test_failure() {
    let scene = Scene::registered(|_| {});
    let failure = |executor_id: Option<&str>, status| {
        SchedulerEvent::Failure(event::Failure {
            slave_id: Some(SlaveId::from("S").into()),
            executor_id: executor_id.map(|id| ExecutorId::from(id).into()),
            status,
        })
    };
    scene.event(failure(Some("E"), Some(255)));
    scene.expect(Told::ExecutorLost("E".into(), "S".into(), 255));
    // Upstream dies without a status.
    scene.event(failure(Some("E"), None));
    scene.expect(Told::ExecutorLost("E".into(), "S".into(), 0));
    scene.event(failure(None, None));
    scene.expect(Told::SlaveLost("S".into()));
}

#[test]
fn scheduler_driver_event_test_error() {
    let scene = Scene::registered(|_| {});
    let message = "error message".to_owned();
    scene.event(SchedulerEvent::Error(event::Error { message }));
    scene.expect(Told::Error("error message".to_owned()));
    assert_eq!(scene.driver.join(), Status::DriverAborted);
}

#[test]
fn events_that_make_no_sense_are_dropped() {
    let scene = Scene::registered(|_| {});
    scene.event(SchedulerEvent::Heartbeat);
    scene.event(SchedulerEvent::Failure(event::Failure::default()));
    for event_type in 0..10 {
        scene.send(&Event { r#type: event_type, ..Event::default() });
    }
    scene.sync();
}
