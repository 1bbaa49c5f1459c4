//! The scheduler driver against a scripted master: states, calls, acknowledgements, and what
//! must not end it.

use crate::test_util::{
    FRAMEWORK, Scene, Told, Witness, framework, offer, offers, registered, task, update,
};
use bytes::Bytes;
use common::ids::{ExecutorId, FrameworkId, OfferId, SlaveId, TaskId};
use libprocess::testing::{Peer, wait};
use proto::mesos::internal::{
    DeactivateFrameworkMessage, ExecutorToFrameworkMessage, FrameworkErrorMessage,
    FrameworkReregisteredMessage, FrameworkToExecutorMessage, StatusUpdateMessage,
};
use proto::mesos::scheduler::{Call, call};
use proto::mesos::task_status::{Reason, Source};
use proto::mesos::{Filters, MasterInfo, TaskState, TaskStatus};
use sched::{Acknowledgements, Leader, Options, SchedulerDriver, Status};

const SLAVE_PID: &str = "slave(1)@127.0.0.1:5051";

fn uuid() -> Option<Bytes> {
    Some(Bytes::from_static(&[7; 16]))
}

fn explicit(options: &mut Options) {
    options.acknowledgements = Acknowledgements::Explicit;
}

#[test]
fn driver_states_are_upstreams() {
    let mut scene = Scene::start(|_| {});
    scene.subscribe();
    assert_eq!(scene.driver.start(), Status::DriverRunning);
    assert_eq!(scene.driver.kill_task(&"t".into()), Status::DriverRunning);
    assert_eq!(scene.driver.abort(), Status::DriverAborted);
    assert_eq!(scene.driver.join(), Status::DriverAborted);
    assert_eq!(scene.driver.kill_task(&"t".into()), Status::DriverAborted);
    assert_eq!(scene.driver.start(), Status::DriverAborted);
    assert_eq!(scene.driver.stop(), Status::DriverAborted);
    assert_eq!(scene.driver.stop(), Status::DriverStopped);
    assert_eq!(scene.driver.join(), Status::DriverStopped);
    assert_eq!(scene.driver.run(), Status::DriverStopped);
    assert!(scene.is_quiet());
}

#[test]
fn a_driver_that_was_not_started_does_nothing() {
    let options = Options::new(framework(), Leader::At("127.0.0.1:1".to_owned()));
    let (witness, _told) = Witness::new(|_| {});
    let variables = [("LIBPROCESS_IP", "127.0.0.1"), ("MESOS_INITIALIZE_DRIVER_LOGGING", "false")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let driver = SchedulerDriver::new(witness, options, &variables).unwrap();
    assert_eq!(driver.stop(), Status::DriverNotStarted);
    assert_eq!(driver.abort(), Status::DriverNotStarted);
    assert_eq!(driver.join(), Status::DriverNotStarted);
    assert_eq!(driver.revive_offers(), Status::DriverNotStarted);
}

#[test]
fn what_cannot_be_started_is_aborted_with_an_error() {
    let check = |variables: &[(&str, &str)], leader: &str, text: &str| {
        let change = |options: &mut Options| options.leader = Leader::At(leader.to_owned());
        let scene = Scene::start_with(change, |_| {}, variables);
        assert_eq!(scene.driver.join(), Status::DriverAborted);
        scene.expect(Told::Error(text.to_owned()));
        assert_eq!(scene.driver.stop(), Status::DriverAborted);
    };
    check(
        &[],
        "localquiet",
        "Failed to create a master detector for 'localquiet': Failed to parse 'localquiet'",
    );
    check(
        &[("MESOS_REGISTRATION_BACKOFF_FACTOR", "soon")],
        "127.0.0.1:1",
        "Failed to load flag 'registration_backoff_factor': Failed to load value 'soon': Failed to \
         convert '' to number",
    );
}

#[test]
fn bad_variables_are_named_before_there_is_a_driver() {
    let check = |name: &str, value: &str, text: &str| {
        let (witness, _told) = Witness::new(|_| {});
        let variables = [(name.to_owned(), value.to_owned())];
        let options = Options::new(framework(), Leader::At("127.0.0.1:1".to_owned()));
        let error = SchedulerDriver::new(witness, options, &variables).err().unwrap();
        assert_eq!(error.to_string(), text);
    };
    check(
        "MESOS_NUM_SLAVES",
        "many",
        "Failed to load flag 'num_slaves': Failed to load value 'many': Failed to convert into \
         required type",
    );
    check("LIBPROCESS_IP", "x", "Parsing LIBPROCESS_IP=x failed: Failed to parse the IP");
}

#[test]
fn calls_say_what_the_master_needs() {
    let scene = Scene::registered(|_| {});
    let driver = &scene.driver;
    driver.kill_task(&TaskId::from("t"));
    let kill = scene.call(call::Type::Kill).kill.unwrap();
    assert_eq!((&*kill.task_id.value, kill.slave_id), ("t", None));
    driver.suppress_offers();
    scene.call(call::Type::Suppress);
    driver.request_resources(vec![Default::default()]);
    assert_eq!(scene.call(call::Type::Request).request.unwrap().requests.len(), 1);
    let status = |slave_id| TaskStatus {
        task_id: TaskId::from("t").into(),
        state: TaskState::TaskRunning.into(),
        slave_id,
        ..TaskStatus::default()
    };
    driver.reconcile_tasks(&[status(None), status(Some(SlaveId::from("S0").into()))]);
    let tasks = scene.call(call::Type::Reconcile).reconcile.unwrap().tasks;
    assert_eq!(tasks[0].slave_id, None);
    assert_eq!(tasks[1].slave_id.as_ref().unwrap().value, "S0");
    driver.decline_offer(&"O0".into(), Filters::default());
    let decline = scene.call(call::Type::Decline).decline.unwrap();
    assert_eq!((decline.offer_ids.len(), decline.filters), (1, Some(Filters::default())));
    driver.launch_tasks(&["O1".into()], vec![], Filters::default());
    let accept = scene.call(call::Type::Accept).accept.unwrap();
    assert_eq!((accept.operations.len(), accept.filters), (1, Some(Filters::default())));
    driver.send_framework_message(&ExecutorId::from("E"), &SlaveId::from("S"), "data");
    assert_eq!(scene.call(call::Type::Message).message.unwrap().data, "data");
}

#[test]
fn stop_tears_the_framework_down_and_stop_for_failover_does_not() {
    let scene = Scene::registered(|_| {});
    assert_eq!(scene.driver.stop(), Status::DriverStopped);
    assert_eq!(scene.driver.join(), Status::DriverStopped);
    scene.call(call::Type::Teardown);

    let scene = Scene::registered(|_| {});
    assert_eq!(scene.driver.stop_for_failover(), Status::DriverStopped);
    wait(scene.runtime.wait(&scene.scheduler));
    assert!(scene.master.is_quiet());
}

#[test]
fn abort_deactivates_and_a_stop_behind_it_tears_down_even_if_the_driver_is_dropped() {
    let scene = Scene::registered(|_| {});
    scene.driver.abort();
    scene.driver.stop();
    drop(scene.driver);
    let message = scene.master.expect::<DeactivateFrameworkMessage>().message;
    assert_eq!(message.framework_id.value, FRAMEWORK);
    assert_eq!(scene.master.expect::<Call>().message.r#type(), call::Type::Teardown);
}

#[test]
fn launching_while_disconnected_loses_tasks_aloud() {
    let mut scene = Scene::start(|_| {});
    scene.subscribe();
    let tasks = vec![task("t1", "S0"), task("t2", "S0")];
    scene.driver.launch_tasks(&["O0".into()], tasks, Filters::default());
    scene.driver.kill_task(&"t1".into());
    for id in ["t1", "t2"] {
        let Told::Update(status) = scene.next() else { panic!("no update") };
        assert_eq!(status.task_id.value, id);
        assert_eq!(status.state(), TaskState::TaskLost);
        assert_eq!(status.source(), Source::Master);
        assert_eq!(status.reason(), Reason::MasterDisconnected);
        assert_eq!(status.message(), "Master disconnected");
        assert_eq!((status.uuid, status.slave_id), (None, None));
    }
    assert!(scene.master.is_quiet());
}

#[test]
fn framework_messages_go_straight_to_slaves_that_run_our_tasks() {
    let scene = Scene::registered(|_| {});
    let slave = Peer::start("slave(1)");
    let pid = slave.upid().to_string();
    scene.send(&offers(vec![offer("O0", "S0")], &[&pid]));
    assert_eq!(scene.next(), Told::Offers(vec![offer("O0", "S0")]));
    scene.driver.launch_tasks(&["O0".into()], vec![task("t", "S0")], Filters::default());
    scene.call(call::Type::Accept);
    let (executor_id, slave_id) = (ExecutorId::from("E"), SlaveId::from("S0"));
    scene.driver.send_framework_message(&executor_id, &slave_id, "direct");
    let direct = slave.expect::<FrameworkToExecutorMessage>();
    assert_eq!((direct.message.data, direct.from), ("direct".into(), scene.scheduler.clone()));
    // The slave moves, and an offer tells where to.
    let moved = Peer::start("slave(1)");
    scene.send(&offers(vec![offer("O1", "S0")], &[&moved.upid().to_string()]));
    scene.next();
    scene.driver.send_framework_message(&executor_id, &slave_id, "moved");
    assert_eq!(moved.expect::<FrameworkToExecutorMessage>().message.data, "moved");
    // A lost slave is reached through the master, who will know.
    let lost = proto::mesos::internal::LostSlaveMessage { slave_id: SlaveId::from("S0").into() };
    scene.send(&lost);
    scene.expect(Told::SlaveLost("S0".into()));
    scene.driver.send_framework_message(&executor_id, &slave_id, "through");
    assert_eq!(scene.call(call::Type::Message).message.unwrap().data, "through");
}

#[test]
fn updates_are_acknowledged_when_the_scheduler_has_seen_them() {
    let scene = Scene::registered(|_| {});
    scene.send(&update(uuid(), Some(SLAVE_PID)));
    scene.expect(Told::Update(update(uuid(), None).update.status));
    let acknowledge = scene.call(call::Type::Acknowledge).acknowledge.unwrap();
    assert_eq!(acknowledge.uuid, uuid().unwrap());
    assert_eq!(acknowledge.task_id.value, "t");
    assert_eq!(acknowledge.slave_id.value, "S0");
}

#[test]
fn mesos_scheduler_driver_test_drop_ack_if_stop_called_before_abort() {
    let scene = Scene::registered_with(
        |_| {},
        |driver| {
            driver.stop();
            driver.abort();
        },
    );
    scene.send(&update(uuid(), Some(SLAVE_PID)));
    assert!(matches!(scene.next(), Told::Update(_)));
    wait(scene.runtime.wait(&scene.scheduler));
    scene.call(call::Type::Teardown);
    assert!(scene.master.is_quiet());
}

#[test]
fn mesos_scheduler_driver_test_explicit_acknowledgements() {
    let scene = Scene::registered(explicit);
    scene.send(&update(uuid(), Some(SLAVE_PID)));
    let Told::Update(status) = scene.next() else { panic!("no update") };
    scene.sync();
    scene.driver.acknowledge_status_update(&status);
    assert_eq!(scene.call(call::Type::Acknowledge).acknowledge.unwrap().uuid, uuid().unwrap());
}

#[test]
fn mesos_scheduler_driver_test_explicit_acknowledgements_master_generated_update() {
    let scene = Scene::registered(explicit);
    scene.send(&update(None, None));
    let Told::Update(status) = scene.next() else { panic!("no update") };
    assert_eq!(status.uuid, None);
    scene.driver.acknowledge_status_update(&status);
    scene.sync();
}

#[test]
fn mesos_scheduler_driver_test_explicit_acknowledgements_unset_slave_id() {
    let scene = Scene::registered(explicit);
    let mut message = update(uuid(), Some(SLAVE_PID));
    message.update.slave_id = None;
    message.update.status.slave_id = None;
    scene.send(&message);
    let Told::Update(status) = scene.next() else { panic!("no update") };
    scene.driver.acknowledge_status_update(&status);
    scene.sync();
}

#[test]
fn master_updates_look_as_if_they_had_no_uuid() {
    let check = |pid: Option<&str>| {
        let scene = Scene::registered(explicit);
        scene.send(&update(uuid(), pid));
        scene.expect(Told::Update(TaskStatus { uuid: None, ..update(None, None).update.status }));
    };
    check(None);
    check(Some(""));
    check(Some("@0.0.0.0:0"));
}

#[test]
fn updates_without_a_uuid_are_not_acknowledged() {
    let check = |uuid| {
        let scene = Scene::registered(|_| {});
        scene.send(&update(uuid, Some(SLAVE_PID)));
        assert!(matches!(scene.next(), Told::Update(_)));
        scene.sync();
    };
    check(None);
    check(Some(Bytes::new()));
}

#[test]
#[should_panic(expected = "Implicit acknowledgements are enabled")]
fn acknowledging_what_the_driver_acknowledges_is_a_mistake() {
    let scene = Scene::registered(|_| {});
    scene.driver.acknowledge_status_update(&TaskStatus::default());
}

#[test]
fn a_scheduler_that_panics_aborts_its_driver() {
    let scene = Scene::registered_with(|_| {}, |_| panic!("on purpose"));
    scene.send(&update(uuid(), Some(SLAVE_PID)));
    assert_eq!(scene.driver.join(), Status::DriverAborted);
    scene.master.expect::<DeactivateFrameworkMessage>();
}

#[test]
fn bad_messages_are_dropped_and_the_scheduler_lives_on() {
    let scene = Scene::registered(|_| {});
    let other = || FrameworkId::from("other").into();
    scene.send(&registered());
    scene.send(&FrameworkReregisteredMessage {
        framework_id: other(),
        master_info: MasterInfo::default(),
    });
    let mut foreign = update(uuid(), Some(SLAVE_PID));
    foreign.update.framework_id = other();
    scene.send(&foreign);
    scene.send(&offers(vec![], &[]));
    for name in ["StatusUpdateMessage", "ResourceOffersMessage", "FrameworkErrorMessage"] {
        let name = format!("mesos.internal.{name}");
        scene.master.send_raw(&scene.scheduler, &name, "garbage".into());
    }
    scene.send(&offers(vec![offer("O0", "S0"), offer("O1", "S1")], &["not a pid"]));
    scene.expect(Told::Offers(vec![offer("O0", "S0"), offer("O1", "S1")]));
    scene.sync();
}

#[test]
fn only_the_leading_master_is_heard() {
    let scene = Scene::registered(|_| {});
    let stranger = Peer::start("master");
    let send_error = |peer: &Peer, text: &str| {
        let message = FrameworkErrorMessage { message: text.to_owned() };
        peer.send(&scene.scheduler, &message);
    };
    send_error(&stranger, "forged");
    stranger.send(&scene.scheduler, &update(uuid(), Some(SLAVE_PID)));
    stranger.send(&scene.scheduler, &offers(vec![offer("O0", "S0")], &[SLAVE_PID]));
    // Of an anonymous sender, too.
    let name = <StatusUpdateMessage as prost::Name>::full_name();
    let body = prost::Message::encode_to_vec(&update(uuid(), Some(SLAVE_PID)));
    stranger.runtime().post(&libprocess::Upid::empty(), &scene.scheduler, name, body.into());
    // Executors may speak through anybody.
    let words = |data: &'static str| ExecutorToFrameworkMessage {
        slave_id: SlaveId::from("S").into(),
        framework_id: FrameworkId::from(FRAMEWORK).into(),
        executor_id: ExecutorId::from("E").into(),
        data: data.into(),
    };
    stranger.send(&scene.scheduler, &words("hello"));
    scene.expect(Told::Message("E".into(), "S".into(), "hello".into()));
    send_error(&scene.master, "real");
    scene.expect(Told::Error("real".to_owned()));
    assert_eq!(scene.driver.join(), Status::DriverAborted);
    scene.master.expect::<DeactivateFrameworkMessage>();
}

#[test]
fn mesos_scheduler_driver_test_metrics_endpoint() {
    let scene = Scene::registered(|_| {});
    let names = || wait(scene.runtime.metrics().snapshot(None)).into_keys().collect::<Vec<_>>();
    let own = ["scheduler/event_queue_dispatches", "scheduler/event_queue_messages"];
    assert!(own.iter().all(|name| names().iter().any(|other| other == name)));
    scene.driver.stop();
    wait(scene.runtime.wait(&scene.scheduler));
    assert!(!names().iter().any(|name| name.starts_with("scheduler/")));
}

#[test]
fn unknown_offers_are_accepted_all_the_same() {
    let scene = Scene::registered(|_| {});
    let ids = [OfferId::from("unknown")];
    scene.driver.launch_tasks(&ids, vec![task("t", "S0")], Filters::default());
    let accept = scene.call(call::Type::Accept).accept.unwrap();
    assert_eq!(accept.offer_ids, [OfferId::from("unknown").into()]);
}
