//! RESERVE, UNRESERVE, CREATE and DESTROY with accepted offers.

use common::resources::Resources;
use proto::mesos::internal::{CheckpointResourcesMessage, RunTaskMessage};
use proto::mesos::offer::{Operation, operation};
use proto::mesos::resource::disk_info::Persistence;
use proto::mesos::resource::{DiskInfo, ReservationInfo};
use proto::mesos::volume::Mode;
use proto::mesos::{self, FrameworkInfo, TaskInfo, Volume};

use crate::slaves::reregister;
use crate::test_util::{Framework, World, command_task, framework_info, launch, parse};

fn framework(world: &World) -> Framework {
    let info = FrameworkInfo {
        role: Some("role".to_owned()),
        principal: Some("p".to_owned()),
        ..framework_info()
    };
    world.framework_with("f", info)
}

fn reserved(text: &str) -> Resources {
    let reservation =
        ReservationInfo { principal: Some("p".to_owned()), ..ReservationInfo::default() };
    parse(text).flatten_to_reservation("role", &reservation)
}

fn operation(kind: operation::Type, resources: Vec<mesos::Resource>) -> Operation {
    let mut operation = Operation::default();
    operation.set_type(kind);
    match kind {
        operation::Type::Launch => {}
        operation::Type::Reserve => operation.reserve = Some(operation::Reserve { resources }),
        operation::Type::Unreserve => {
            operation.unreserve = Some(operation::Unreserve { resources });
        }
        operation::Type::Create => {
            operation.create = Some(operation::Create { volumes: resources });
        }
        operation::Type::Destroy => {
            operation.destroy = Some(operation::Destroy { volumes: resources });
        }
    }
    operation
}

fn volume(id: &str) -> mesos::Resource {
    let mut resource = reserved("disk:100").to_messages().remove(0);
    resource.disk = Some(DiskInfo {
        persistence: Some(Persistence { id: id.to_owned(), ..Persistence::default() }),
        volume: Some(Volume {
            mode: Mode::Rw.into(),
            container_path: "data".to_owned(),
            ..Volume::default()
        }),
        ..DiskInfo::default()
    });
    resource
}

#[test]
fn an_offer_is_reserved_made_a_volume_of_used_and_undone_in_one_call() {
    let world = World::new();
    let slave = world.slave_with("slave(1)", "cpus:2;mem:64;disk:100");
    let framework = framework(&world);
    let offer = world.offer(&framework, &slave, "cpus:2;mem:64;disk:100");
    let task = TaskInfo {
        resources: reserved("cpus:1;mem:32").to_messages(),
        ..command_task("t", &slave.id)
    };
    let everything = reserved("cpus:2;mem:64;disk:100").to_messages();
    world.allocator.calls();
    framework.accept(
        &[&offer],
        vec![
            operation(operation::Type::Reserve, everything),
            operation(operation::Type::Create, vec![volume("v")]),
            launch(vec![task]),
            operation(operation::Type::Destroy, vec![volume("v")]),
            operation(operation::Type::Unreserve, reserved("disk:100").to_messages()),
        ],
    );
    world.settle();
    let checkpointed: Vec<String> = std::iter::from_fn(|| {
        let message = slave.peer.find::<CheckpointResourcesMessage>()?;
        Some(Resources::from(&message.resources).to_string())
    })
    .collect();
    assert_eq!(checkpointed.len(), 4);
    assert!(checkpointed[1].contains("disk(role, p)[v:data]:100"), "{checkpointed:?}");
    assert!(!checkpointed[3].contains("disk"), "{checkpointed:?}");
    assert_eq!(slave.peer.take::<RunTaskMessage>().task.task_id.value, "t");
    let calls = world.allocator.calls();
    let kinds: Vec<&str> = calls.iter().filter_map(|call| call.split(' ').nth(3)).collect();
    assert_eq!(kinds[..4], ["RESERVE", "CREATE", "DESTROY", "UNRESERVE"]);
    assert!(calls[4].ends_with(" for 5"), "{calls:?}");
}

#[test]
fn an_operation_that_cannot_be_done_changes_nothing() {
    let world = World::new();
    let slave = world.slave_with("slave(1)", "cpus:2;mem:64;disk:100");
    let framework = framework(&world);
    let check = |operations: Vec<Operation>| {
        let offer = world.offer(&framework, &slave, "cpus:1");
        world.allocator.calls();
        framework.accept(&[&offer], operations);
        world.settle();
        assert!(slave.peer.find::<CheckpointResourcesMessage>().is_none());
        let returned = format!("recover_resources {} {} cpus(*):1 for 5", framework.id, slave.id);
        assert_eq!(world.allocator.calls(), [returned]);
    };
    check(vec![operation(operation::Type::Reserve, reserved("cpus:2").to_messages())]);
    check(vec![operation(operation::Type::Reserve, parse("cpus:1").to_messages())]);
    check(vec![operation(operation::Type::Unreserve, reserved("cpus:1").to_messages())]);
    check(vec![operation(operation::Type::Create, vec![volume("v")])]);
    check(vec![operation(operation::Type::Destroy, vec![volume("v")])]);
    let mut nothing = Operation::default();
    nothing.set_type(operation::Type::Reserve);
    check(vec![nothing]);
}

#[test]
fn a_slave_that_missed_an_operation_is_told_when_it_is_back() {
    let world = World::new();
    let slave = world.slave_with("slave(1)", "cpus:2;mem:64;disk:100");
    let framework = framework(&world);
    let offer = world.offer(&framework, &slave, "cpus:1");
    let operations = vec![operation(operation::Type::Reserve, reserved("cpus:1").to_messages())];
    framework.accept(&[&offer], operations);
    world.settle();
    let told = slave.peer.take::<CheckpointResourcesMessage>();
    // It has not heard of it, and knows of no reservation.
    slave.peer.send(&reregister(&slave, Vec::new()));
    world.settle();
    assert_eq!(slave.peer.take::<CheckpointResourcesMessage>(), told);
    assert_eq!(told.resources.len(), 1);
}
