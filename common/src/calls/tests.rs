//! Which calls and events are refused with which words; the others survive a round trip.

use proto::mesos::scheduler::{Call, Event, call, event};
use proto::mesos::task_status::Source;
use proto::mesos::{FrameworkId, FrameworkInfo, TaskState, TaskStatus, executor};

use super::InvalidCall;
use super::executor::{ExecutorCall, ExecutorEvent};
use super::scheduler::{FrameworkCall, SchedulerCall, SchedulerEvent};

fn framework_id(value: &str) -> Option<FrameworkId> {
    Some(FrameworkId { value: value.into() })
}

/// A call with its type alone.
fn bare(number: i32) -> Call {
    Call { framework_id: framework_id("f"), r#type: number, ..Call::default() }
}

fn full(number: i32) -> Call {
    Call {
        subscribe: Some(call::Subscribe {
            framework_info: FrameworkInfo { id: framework_id("f"), ..FrameworkInfo::default() },
            ..call::Subscribe::default()
        }),
        accept: Some(Default::default()),
        decline: Some(Default::default()),
        kill: Some(Default::default()),
        shutdown: Some(Default::default()),
        acknowledge: Some(call::Acknowledge {
            uuid: vec![1; 16].into(),
            ..call::Acknowledge::default()
        }),
        reconcile: Some(Default::default()),
        message: Some(Default::default()),
        request: Some(Default::default()),
        ..bare(number)
    }
}

#[test]
fn scheduler_calls_without_their_part_are_refused() {
    for number in 1..=12 {
        let call_type = call::Type::try_from(number).expect("a type");
        let name = call_type.as_str_name();
        match SchedulerCall::try_from(bare(number)) {
            Ok(SchedulerCall::Framework(_, call)) => {
                assert!(["TEARDOWN", "REVIVE", "SUPPRESS"].contains(&name), "{name}");
                assert_eq!(call.name(), name);
            }
            Ok(SchedulerCall::Subscribe(_)) => panic!("a subscription of nobody"),
            Err(error) => {
                let expected = format!("Expecting '{}' to be present", name.to_lowercase());
                assert_eq!(error.to_string(), expected);
            }
        }
        let anonymous = Call { framework_id: None, ..full(number) };
        let error = SchedulerCall::try_from(anonymous).expect_err(name).to_string();
        match call_type {
            call::Type::Subscribe => {
                assert_eq!(error, "'framework_id' differs from 'subscribe.framework_info.id'");
            }
            _ => assert_eq!(error, "Expecting 'framework_id' to be present"),
        }
    }
    assert_eq!(SchedulerCall::try_from(bare(13)), Err(InvalidCall::UnknownType));
}

#[test]
fn scheduler_calls_survive_a_round_trip() {
    for number in 1..=12 {
        let call = SchedulerCall::try_from(full(number)).expect("complete");
        let message = Call::from(call.clone());
        assert_eq!(message.r#type, number);
        assert_eq!(message.framework_id, framework_id("f"));
        assert_eq!(SchedulerCall::try_from(message), Ok(call));
    }
}

#[test]
fn subscriptions_may_lack_both_ids() {
    let mut call = full(1);
    call.framework_id = None;
    call.subscribe.as_mut().expect("set").framework_info.id = None;
    assert!(SchedulerCall::try_from(call.clone()).is_ok());
    call.framework_id = framework_id("f");
    assert_eq!(SchedulerCall::try_from(call), Err(InvalidCall::FrameworkIdDiffers));
}

#[test]
fn acknowledgements_name_a_uuid() {
    for length in [0, 15, 17, 4000] {
        let mut call = full(call::Type::Acknowledge.into());
        call.acknowledge.as_mut().expect("set").uuid = vec![1; length].into();
        assert_eq!(SchedulerCall::try_from(call), Err(InvalidCall::Uuid(length)));
    }
}

#[test]
fn framework_calls_name_their_type() {
    assert_eq!(FrameworkCall::Revive.name(), "REVIVE");
    assert_eq!(FrameworkCall::Accept(call::Accept::default()).name(), "ACCEPT");
}

#[test]
fn scheduler_events_survive_a_round_trip() {
    for number in 1..=8 {
        let event = Event {
            r#type: number,
            subscribed: Some(Default::default()),
            offers: Some(Default::default()),
            rescind: Some(Default::default()),
            update: Some(Default::default()),
            message: Some(Default::default()),
            failure: Some(Default::default()),
            error: Some(Default::default()),
        };
        let event = SchedulerEvent::try_from(event).expect("complete");
        let message = Event::from(event.clone());
        assert_eq!(message.r#type, number);
        assert_eq!(SchedulerEvent::try_from(message), Ok(event));
        let bare = Event { r#type: number, ..Event::default() };
        let is_heartbeat = number == i32::from(event::Type::Heartbeat);
        assert_eq!(SchedulerEvent::try_from(bare).is_ok(), is_heartbeat);
    }
}

#[test]
fn executor_calls_and_events_survive_a_round_trip() {
    for number in 1..=3 {
        let call = executor::Call {
            subscribe: Some(Default::default()),
            update: Some(executor::call::Update { status: status() }),
            message: Some(Default::default()),
            ..executor_call(number)
        };
        let call = ExecutorCall::try_from(call).expect("complete");
        let message = executor::Call::from(call.clone());
        assert_eq!(message.r#type, number);
        assert_eq!(ExecutorCall::try_from(message), Ok(call));
        assert!(ExecutorCall::try_from(executor_call(number)).is_err());
    }
    for number in 1..=7 {
        let event = executor::Event {
            r#type: number,
            subscribed: Some(Default::default()),
            acknowledged: Some(Default::default()),
            launch: Some(Default::default()),
            kill: Some(Default::default()),
            message: Some(Default::default()),
            error: Some(Default::default()),
        };
        let event = ExecutorEvent::try_from(event).expect("complete");
        let message = executor::Event::from(event.clone());
        assert_eq!(message.r#type, number);
        assert_eq!(ExecutorEvent::try_from(message), Ok(event));
    }
}

fn executor_call(number: i32) -> executor::Call {
    let mut call = executor::Call { r#type: number, ..executor::Call::default() };
    call.executor_id.value = "e".into();
    call.framework_id.value = "f".into();
    call
}

fn status() -> TaskStatus {
    TaskStatus {
        state: TaskState::TaskRunning.into(),
        source: Some(Source::Executor.into()),
        uuid: Some(vec![1; 16].into()),
        ..TaskStatus::default()
    }
}

#[test]
fn status_update_calls_are_checked() {
    let check = |change: fn(&mut TaskStatus), expected: &str| {
        let mut status = status();
        change(&mut status);
        let update = Some(executor::call::Update { status });
        let call = executor::Call { update, ..executor_call(2) };
        let error = ExecutorCall::try_from(call).expect_err(expected);
        assert_eq!(error.to_string(), expected);
    };
    check(|status| status.uuid = None, "Expecting 'uuid' to be present");
    check(|status| status.uuid = Some("short".into()), "Expecting 'uuid' to have 16 bytes, not 5");
    check(
        |status| status.executor_id = Some(crate::ids::ExecutorId::from("x").into()),
        "ExecutorID in Call: e does not match ExecutorID in TaskStatus: x",
    );
    check(
        |status| status.set_source(Source::Slave),
        "Received Call from executor e of framework f with invalid source, \
         expecting 'SOURCE_EXECUTOR'",
    );
    check(
        |status| status.set_state(TaskState::TaskStaging),
        "Received TASK_STAGING from executor e of framework f which is not allowed",
    );
}
