//! Offers: what is in them, how they are used, refused, taken back.

use std::collections::BTreeMap;
use std::time::Duration;

use common::ids::OfferId;
use proto::mesos::internal::{
    RescindResourceOfferMessage, ResourceOffersMessage, ResourceRequestMessage,
    ReviveOffersMessage, RunTaskMessage, StatusUpdateMessage,
};
use proto::mesos::scheduler::{Call, call};
use proto::mesos::task_status::Reason;
use proto::mesos::{Filters, Request, TaskState};

use crate::test_util::{Framework, Slave, World, command_task, launch, parse};

fn decline(framework: &Framework, offers: &[&OfferId], seconds: Option<f64>) {
    let decline = call::Decline {
        offer_ids: offers.iter().map(|id| (*id).into()).collect(),
        filters: seconds.map(|seconds| Filters { refuse_seconds: Some(seconds) }),
    };
    framework.call(call::Type::Decline, Call { decline: Some(decline), ..Call::default() });
}

#[test]
fn an_offer_tells_all_about_its_slave() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("scheduler"));
    let offers = BTreeMap::from([(slave.id.clone(), parse("cpus:1;mem:64"))]);
    world.allocator.offer(framework.id.clone(), offers);
    world.settle();
    let message = framework.peer.take::<ResourceOffersMessage>();
    let [offer] = &message.offers[..] else { panic!("one offer") };
    assert_eq!(message.pids, [slave.peer.upid().to_string()]);
    assert_eq!(offer.id.value, "m-O0");
    assert_eq!((offer.hostname.as_str(), offer.slave_id.value.as_str()), ("host", "m-S0"));
    let url = offer.url.as_ref().expect("a URL");
    assert_eq!((url.scheme.as_str(), url.path.as_deref()), ("http", Some("/slave(1)")));
    assert_eq!(url.address.port, i32::from(slave.peer.upid().address.port));
    assert_eq!(offer.resources, parse("cpus:1;mem:64").to_messages());
    assert_eq!(world.metric("master/outstanding_offers"), 1.0);
}

#[test]
fn master_test_ignore_ephemeral_ports_resource() {
    let world = World::new();
    let slave = world.slave_with("slave(1)", "cpus:1;ephemeral_ports:[30000-32000]");
    let framework = world.framework("scheduler");
    let offers =
        BTreeMap::from([(slave.id.clone(), parse("cpus:1;ephemeral_ports:[30000-32000]"))]);
    world.allocator.offer(framework.id.clone(), offers);
    world.settle();
    let message = framework.peer.take::<ResourceOffersMessage>();
    assert_eq!(message.offers[0].resources, parse("cpus:1").to_messages());
}

#[test]
fn master_test_launch_combined_offer_test() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("scheduler"));
    let one = world.offer(&framework, &slave, "cpus:0.5;mem:16");
    let two = world.offer(&framework, &slave, "cpus:0.5;mem:16");
    framework.accept(&[&one, &two], vec![launch(vec![command_task("t", &slave.id)])]);
    world.settle();
    assert_eq!(slave.peer.take::<RunTaskMessage>().task.task_id.value, "t");
    assert_eq!(world.metric("master/outstanding_offers"), 0.0);
}

/// Uses offers that cannot be used; gives what the task hears.
fn refused(world: &World, framework: &Framework, slave: &Slave, offers: &[&OfferId]) -> String {
    framework.accept(offers, vec![launch(vec![command_task("t", &slave.id)])]);
    world.settle();
    let status = framework.peer.take::<StatusUpdateMessage>().update.status;
    assert_eq!((status.state(), status.reason()), (TaskState::TaskLost, Reason::InvalidOffers));
    assert!(slave.peer.find::<RunTaskMessage>().is_none());
    status.message().to_owned()
}

#[test]
fn master_test_launch_across_slaves_test() {
    let world = World::new();
    let (one, two) = (world.slave("slave(1)"), world.slave("slave(2)"));
    let framework = world.framework("scheduler");
    let first = world.offer(&framework, &one, "cpus:1;mem:32");
    let second = world.offer(&framework, &two, "cpus:1;mem:32");
    world.allocator.calls();
    assert_eq!(
        refused(&world, &framework, &one, &[&first, &second]),
        "Task launched with invalid offers: Aggregated offers must belong to one single slave. \
         Offer m-O1 uses slave m-S1 and slave m-S0"
    );
    let returned = |slave: &Slave| {
        format!("recover_resources {} {} cpus(*):1; mem(*):32", framework.id, slave.id)
    };
    assert_eq!(world.allocator.calls(), [returned(&one), returned(&two)]);
}

#[test]
fn master_test_launch_duplicate_offer_test() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("scheduler"));
    let offer = world.offer(&framework, &slave, "cpus:1;mem:32");
    assert_eq!(
        refused(&world, &framework, &slave, &[&offer, &offer]),
        "Task launched with invalid offers: Duplicate offer m-O0 in offer list"
    );
}

#[test]
fn offers_that_are_none_are_named() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("scheduler"));
    let other = world.framework("other");
    assert_eq!(
        refused(&world, &framework, &slave, &[]),
        "Task launched with invalid offers: No offers specified"
    );
    assert_eq!(
        refused(&world, &framework, &slave, &[&"x".into()]),
        "Task launched with invalid offers: Offer x is no longer valid"
    );
    let theirs = world.offer(&other, &slave, "cpus:1;mem:32");
    assert_eq!(
        refused(&world, &framework, &slave, &[&theirs]),
        "Task launched with invalid offers: Offer m-O0 has invalid framework m-0001 while \
         framework m-0000 is expected"
    );
    // It is still theirs.
    assert_eq!(world.metric("master/outstanding_offers"), 1.0);
    assert_eq!(world.metric("master/tasks_lost"), 3.0);
    assert_eq!(world.metric("master/task_lost/source_master/reason_invalid_offers"), 3.0);
}

#[test]
fn resource_offers_test_resources_get_reoffered_when_unused() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("scheduler"));
    let offer = world.offer(&framework, &slave, "cpus:1");
    world.allocator.calls();
    decline(&framework, &[&offer, &"x".into()], Some(0.0));
    world.settle();
    let returned =
        |rest: &str| format!("recover_resources {} {} cpus(*):1{rest}", framework.id, slave.id);
    assert_eq!(world.allocator.calls(), [returned(" for 0")]);
    let offer = world.offer(&framework, &slave, "cpus:1");
    framework.accept(&[&offer], Vec::new());
    world.settle();
    assert_eq!(world.allocator.calls(), [returned(" for 5")]);
}

#[test]
fn nobody_declines_for_another() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("scheduler"));
    let other = world.framework("other");
    let offer = world.offer(&framework, &slave, "cpus:1");
    decline(&other, &[&offer], None);
    world.settle();
    assert_eq!(world.metric("master/outstanding_offers"), 1.0);
}

#[test]
fn master_test_offer_timeout() {
    let timeout = Duration::from_secs(30);
    let config = master::Config { offer_timeout: Some(timeout), ..master::Config::default() };
    let world = World::with(config);
    let (slave, framework) = (world.slave("slave(1)"), world.framework("scheduler"));
    let used = world.offer(&framework, &slave, "cpus:1;mem:32");
    let declined = world.offer(&framework, &slave, "cpus:1;mem:32");
    let forgotten = world.offer(&framework, &slave, "cpus:1;mem:32");
    framework.accept(&[&used], vec![launch(vec![command_task("t", &slave.id)])]);
    decline(&framework, &[&declined], None);
    world.settle();
    world.allocator.calls();
    world.advance(30.0);
    let rescinded = framework.peer.take::<RescindResourceOfferMessage>();
    assert_eq!(OfferId::from(rescinded.offer_id), forgotten);
    assert!(framework.peer.find::<RescindResourceOfferMessage>().is_none());
    let returned = format!("recover_resources {} {} cpus(*):1; mem(*):32", framework.id, slave.id);
    assert_eq!(world.allocator.calls(), [returned]);
}

#[test]
fn what_the_allocator_offers_too_late_goes_back() {
    let world = World::new();
    let (slave, framework) = (world.slave("slave(1)"), world.framework("scheduler"));
    let id = framework.id.clone();
    let offer = |slave: &common::ids::SlaveId, framework: &common::ids::FrameworkId| {
        let offers = BTreeMap::from([(slave.clone(), parse("cpus:1"))]);
        world.allocator.calls();
        world.allocator.offer(framework.clone(), offers);
        world.settle();
        world.allocator.calls()
    };
    let returned = |f: &str, s: &str| vec![format!("recover_resources {f} {s} cpus(*):1")];
    assert_eq!(offer(&"gone".into(), &id), returned("m-0000", "gone"));
    assert_eq!(offer(&slave.id, &"gone".into()), returned("gone", "m-S0"));
    slave.peer.exit();
    world.settle();
    assert_eq!(offer(&slave.id, &id), returned("m-0000", "m-S0"));
    assert!(framework.peer.find::<ResourceOffersMessage>().is_none());
}

#[test]
fn wishes_are_passed_to_the_allocator() {
    let world = World::new();
    let framework = world.framework("scheduler");
    let framework_id = (&framework.id).into();
    world.allocator.calls();
    framework.call(call::Type::Suppress, Call::default());
    framework.call(call::Type::Revive, Call::default());
    framework.peer.send(&ReviveOffersMessage { framework_id });
    let request = call::Request { requests: vec![Request::default()] };
    framework.call(call::Type::Request, Call { request: Some(request), ..Call::default() });
    framework.peer.send(&ResourceRequestMessage {
        framework_id: (&framework.id).into(),
        requests: Vec::new(),
    });
    world.settle();
    let expected = [
        "suppress_offers m-0000",
        "revive_offers m-0000",
        "revive_offers m-0000",
        "request_resources m-0000 1",
        "request_resources m-0000 0",
    ];
    assert_eq!(world.allocator.calls(), expected);
    assert_eq!(world.metric("master/messages_revive_offers"), 2.0);
    assert_eq!(world.metric("master/messages_suppress_offers"), 1.0);
    assert_eq!(world.metric("master/messages_resource_request"), 2.0);
}
