//! How a driver becomes known to the master, and known again.

use std::sync::Arc;
use std::time::Duration;

use crate::test_util::{FRAMEWORK, Scene, Told, registered};
use common::ids::FrameworkId;
use coordination::authentication::cram_md5;
use coordination::election::standalone::{StandaloneMasterDetector, master_info};
use libprocess::Upid;
use libprocess::testing::{Peer, wait};
use proto::mesos::internal::{
    AuthenticateMessage, AuthenticationCompletedMessage, AuthenticationErrorMessage,
    AuthenticationFailedMessage, AuthenticationMechanismsMessage, AuthenticationStartMessage,
    AuthenticationStepMessage, DeactivateFrameworkMessage, FrameworkReregisteredMessage,
};
use proto::mesos::scheduler::{Call, call};
use proto::mesos::{Credential, MasterInfo};
use sched::{Leader, Options, Status};

const SOON: &[(&str, &str)] =
    &[("MESOS_REGISTRATION_BACKOFF_FACTOR", "1ms"), ("MESOS_AUTHENTICATION_BACKOFF_FACTOR", "1ms")];

fn reregistered(id: &str) -> FrameworkReregisteredMessage {
    FrameworkReregisteredMessage {
        framework_id: FrameworkId::from(id).into(),
        master_info: MasterInfo::default(),
    }
}

fn with_credential(options: &mut Options) {
    let secret = Some("secret".to_owned());
    options.credential = Some(Credential { principal: "principal".to_owned(), secret });
}

#[test]
fn a_new_framework_subscribes_without_an_id() {
    let mut scene = Scene::start(|_| {});
    let call = scene.subscribe();
    let subscribe = call.subscribe.unwrap();
    assert_eq!((call.framework_id, subscribe.force), (None, None));
    assert_eq!(subscribe.framework_info.user, "user");
    assert!(!subscribe.framework_info.hostname().is_empty());
    assert!(scene.scheduler.id.starts_with("scheduler-"));
    assert_eq!(scene.scheduler.id.len(), "scheduler-".len() + 36);
}

#[test]
fn a_framework_with_an_id_forces_its_way_once() {
    let set_id = |options: &mut Options| {
        options.framework.id = Some(FrameworkId::from(FRAMEWORK).into());
    };
    let mut scene = Scene::start(set_id);
    let call = scene.subscribe();
    assert_eq!(call.framework_id.unwrap().value, FRAMEWORK);
    assert_eq!(call.subscribe.unwrap().force, Some(true));
    scene.send(&registered());
    scene.expect(Told::Registered(FRAMEWORK.into()));
}

#[test]
fn an_empty_user_is_who_runs_the_driver() {
    let mut scene = Scene::start(|options| options.framework.user.clear());
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::current()).unwrap().unwrap();
    assert_eq!(scene.subscribe().subscribe.unwrap().framework_info.user, user.name);
}

#[test]
fn subscribing_is_retried_until_it_is_answered() {
    let mut scene = Scene::start_with(|_| {}, |_| {}, SOON);
    for _ in 0..3 {
        scene.subscribe();
    }
    scene.send(&registered());
    scene.expect(Told::Registered(FRAMEWORK.into()));
}

#[test]
fn a_failover_timeout_of_zero_does_not_make_a_flood() {
    let mut scene = Scene::start(|options| options.framework.failover_timeout = Some(0.0));
    scene.runtime.clock().pause();
    scene.subscribe();
    wait(scene.runtime.settle());
    scene.runtime.clock().advance(Duration::from_millis(1));
    wait(scene.runtime.settle());
    assert!(scene.master.is_quiet());
}

#[test]
fn registrations_of_others_than_the_leader_and_for_others_are_ignored() {
    let mut scene = Scene::start(|_| {});
    scene.subscribe();
    let stranger = Peer::start("master");
    stranger.send(&scene.scheduler, &registered());
    // A driver without an id cannot be known already.
    scene.send(&reregistered(FRAMEWORK));
    scene.send(&registered());
    scene.expect(Told::Registered(FRAMEWORK.into()));
    scene.sync();
}

/// A driver whose leading masters are appointed.
fn appointed() -> (Scene, Arc<StandaloneMasterDetector>) {
    let detector = Arc::new(StandaloneMasterDetector::new(None));
    let leader = detector.clone();
    let mut scene = Scene::start(|options| options.leader = Leader::Detector(leader));
    detector.appoint(Some(master_info(scene.master.upid())));
    scene.subscribe();
    scene.send(&registered());
    scene.expect(Told::Registered(FRAMEWORK.into()));
    (scene, detector)
}

#[test]
fn a_new_leader_is_registered_with_and_the_old_one_not_heard() {
    let (mut scene, detector) = appointed();
    let old = std::mem::replace(&mut scene.master, Peer::start("master"));
    detector.appoint(Some(master_info(scene.master.upid())));
    scene.expect(Told::Disconnected);
    let call = scene.subscribe();
    assert_eq!(call.framework_id.unwrap().value, FRAMEWORK);
    assert_eq!(call.subscribe.unwrap().force, Some(false));
    old.send(&scene.scheduler, &registered());
    scene.send(&reregistered("other"));
    scene.send(&reregistered(FRAMEWORK));
    scene.expect(Told::Reregistered);
    scene.sync();
}

#[test]
fn without_a_leader_the_driver_is_disconnected() {
    let (mut scene, detector) = appointed();
    detector.appoint(None);
    scene.expect(Told::Disconnected);
    detector.appoint(Some(master_info(scene.master.upid())));
    scene.subscribe();
    scene.send(&registered());
    // A master that does not know us registers us under our id.
    scene.expect(Told::Registered(FRAMEWORK.into()));
}

#[test]
fn a_restarted_master_is_noticed_and_registered_with() {
    let mut scene = Scene::start_with(|_| {}, |_| {}, SOON);
    scene.subscribe();
    scene.send(&registered());
    scene.expect(Told::Registered(FRAMEWORK.into()));
    let port = scene.master.upid().address.port;
    let before = std::mem::replace(&mut scene.master, Peer::start("unused"));
    before.kill();
    scene.expect(Told::Disconnected);
    scene.master = Peer::start_at("master", port);
    scene.subscribe();
    scene.send(&registered());
    scene.expect(Told::Registered(FRAMEWORK.into()));
    scene.driver.kill_task(&"t".into());
    while scene.master.expect::<Call>().message.r#type() != call::Type::Kill {}
}

#[test]
fn a_kill_without_a_master_is_asked_of_the_next_one() {
    let (mut scene, detector) = appointed();
    detector.appoint(None);
    scene.expect(Told::Disconnected);
    for id in ["t", "u", "t"] {
        scene.driver.kill_task(&id.into());
    }
    detector.appoint(Some(master_info(scene.master.upid())));
    scene.subscribe();
    scene.send(&reregistered(FRAMEWORK));
    for id in ["t", "u"] {
        assert_eq!(scene.call(call::Type::Kill).kill.unwrap().task_id.value, id);
    }
    scene.expect(Told::Reregistered);
    scene.sync();
}

#[test]
fn masters_that_come_and_go_leave_one_subscription_under_way() {
    let (mut scene, detector) = appointed();
    scene.runtime.clock().pause();
    detector.appoint(None);
    scene.expect(Told::Disconnected);
    for _ in 0..20 {
        detector.appoint(Some(master_info(scene.master.upid())));
        scene.subscribe();
        wait(scene.runtime.settle());
        detector.appoint(None);
        wait(scene.runtime.settle());
    }
    detector.appoint(Some(master_info(scene.master.upid())));
    scene.subscribe();
    wait(scene.runtime.settle());
    scene.runtime.clock().advance(Duration::from_secs(60));
    scene.subscribe();
    wait(scene.runtime.settle());
    scene.send(&reregistered(FRAMEWORK));
    scene.expect(Told::Reregistered);
    // No other one came between.
    scene.sync();
}

/// Answers one attempt to authenticate up to the proof, which is right.
fn challenge(scene: &Scene) -> (Upid, Upid) {
    let request = scene.master.expect::<AuthenticateMessage>();
    let mechanisms = vec!["CRAM-MD5".to_owned()];
    scene.master.send(&request.from, &AuthenticationMechanismsMessage { mechanisms });
    scene.master.expect::<AuthenticationStartMessage>();
    let data = "<1.2@vm>";
    scene.master.send(&request.from, &AuthenticationStepMessage { data: data.into() });
    let proof = scene.master.expect::<AuthenticationStepMessage>().message.data;
    assert_eq!(proof, cram_md5::response(data.as_bytes(), "principal", b"secret"));
    (request.from, request.message.pid.parse().unwrap())
}

#[test]
fn a_framework_with_a_credential_authenticates_before_it_subscribes() {
    let mut scene = Scene::start(with_credential);
    let (client, pid) = challenge(&scene);
    scene.master.send(&client, &AuthenticationCompletedMessage::default());
    scene.subscribe();
    assert_eq!(pid, scene.scheduler);
    scene.send(&registered());
    scene.expect(Told::Registered(FRAMEWORK.into()));
}

#[test]
fn a_refused_credential_is_an_error() {
    let scene = Scene::start(with_credential);
    let (client, _) = challenge(&scene);
    scene.master.send(&client, &AuthenticationFailedMessage::default());
    scene.expect(Told::Error("Master refused authentication".to_owned()));
    assert_eq!(scene.driver.join(), Status::DriverAborted);
}

#[test]
fn a_failed_authentication_is_tried_again() {
    let mut scene = Scene::start_with(with_credential, |_| {}, SOON);
    let (client, _) = challenge(&scene);
    let error = Some("not now".to_owned());
    scene.master.send(&client, &AuthenticationErrorMessage { error });
    let (client, _) = challenge(&scene);
    scene.master.send(&client, &AuthenticationCompletedMessage::default());
    scene.subscribe();
}

#[test]
fn an_authentication_without_an_answer_times_out_and_is_tried_again() {
    let mut scene = Scene::start_with(with_credential, |_| {}, SOON);
    scene.runtime.clock().pause();
    scene.master.expect::<AuthenticateMessage>();
    wait(scene.runtime.settle());
    scene.runtime.clock().advance(Duration::from_secs(5));
    scene.runtime.clock().resume();
    let (client, _) = challenge(&scene);
    scene.master.send(&client, &AuthenticationCompletedMessage::default());
    scene.subscribe();
}

#[test]
fn an_authenticatee_that_needs_a_module_is_an_error() {
    let variables = &[("MESOS_AUTHENTICATEE", "other")];
    let scene = Scene::start_with(with_credential, |_| {}, variables);
    let Told::Error(text) = scene.next() else { panic!("no error") };
    assert!(text.starts_with("Could not create authenticatee module 'other': "), "{text}");
}

#[test]
fn an_evicted_driver_still_says_goodbye_in_its_own_name() {
    let scene = Scene::registered(|_| {});
    let message = "Framework failed over".to_owned();
    scene.send(&proto::mesos::internal::FrameworkErrorMessage { message });
    scene.expect(Told::Error("Framework failed over".to_owned()));
    let goodbye = scene.master.expect::<DeactivateFrameworkMessage>();
    assert_eq!(goodbye.from, scene.scheduler);
}
