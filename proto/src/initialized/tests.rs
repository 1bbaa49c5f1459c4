//! The required-field check: what it names, what it refuses, and that prost agrees with it.
//! Run by cargo alone. Upstream: nothing; its protobuf library is tested elsewhere.

use std::fmt::Debug;

use bytes::Bytes;
use proptest::prelude::*;
use prost::{Message as _, Name};

use super::{Checker, Incomplete, MESSAGES, Malformed, checker};
use crate::mesos::internal::{RegisterSlaveMessage, StatusUpdateMessage};
use crate::mesos::{self, scheduler};

/// A field whose value is a message or text.
fn field(number: u8, body: &[u8]) -> Vec<u8> {
    let mut encoded = vec![number << 3 | 2, u8::try_from(body.len()).unwrap()];
    encoded.extend(body);
    encoded
}

fn missing(full_name: &str, body: &[u8]) -> String {
    match checker(full_name).unwrap().check(body) {
        Ok(()) => String::new(),
        Err(missing @ Incomplete::MissingFields(_)) => missing.to_string(),
        Err(malformed) => panic!("{malformed}"),
    }
}

fn malformed(full_name: &str, body: &[u8]) -> Malformed {
    match checker(full_name).unwrap().check(body) {
        Err(Incomplete::Malformed(malformed)) => malformed,
        other => panic!("{other:?}"),
    }
}

#[test]
fn knows_every_message_by_its_full_name() {
    assert!(checker("mesos.internal.log.Action.Append").is_some());
    assert!(checker("mesos.TaskInfo.LimitsEntry").is_some());
    assert!(checker("mesos.internal.Nonsense").is_none());
    assert!(MESSAGES.windows(2).all(|pair| pair[0].name < pair[1].name));
    assert_eq!(Checker::of::<scheduler::Call>().name(), "mesos.scheduler.Call");
}

#[test]
fn a_complete_message_passes() {
    assert_eq!(missing("mesos.FrameworkID", &field(1, b"f")), "");
    assert_eq!(missing("mesos.FrameworkID", &field(1, b"")), "", "empty is not absent");
    assert_eq!(missing("mesos.internal.ReviveOffersMessage", &field(1, &field(1, b"f"))), "");
    assert_eq!(missing("mesos.internal.PongSlaveMessage", b""), "", "nothing is required");
}

#[test]
fn missing_fields_are_named_with_their_path() {
    let name = "mesos.internal.RegisterSlaveMessage";
    assert_eq!(missing(name, b""), "slave");
    assert_eq!(missing(name, &field(1, b"")), "slave.hostname");

    // Own fields come first and as declared, then members by field number.
    let task = field(2, b"");
    let tasks = [field(3, &task), field(3, b""), field(1, b"")].concat();
    assert_eq!(
        missing("mesos.internal.LaunchTasksMessage", &tasks),
        "filters, framework_id.value, \
         tasks[0].name, tasks[0].slave_id, tasks[0].task_id.value, \
         tasks[1].name, tasks[1].task_id, tasks[1].slave_id",
    );
}

#[test]
fn a_map_is_checked_like_the_repeated_entries_it_is() {
    let limits = field(15, &[field(1, b"cpus"), field(2, b"")].concat());
    let task =
        [field(1, b"name"), field(2, &field(1, b"task")), field(3, &field(1, b"slave")), limits];
    assert_eq!(missing("mesos.TaskInfo", &task.concat()), "limits[0].value.value");
}

#[test]
fn occurrences_of_one_message_are_merged() {
    let start = field(1, b"");
    let name = "mesos.internal.RegisterFrameworkMessage";
    let user = field(1, &field(1, b"root"));
    let framework_name = field(1, &field(2, b"spark"));
    assert_eq!(missing(name, &user), "framework.name");
    assert_eq!(missing(name, &[user.clone(), framework_name.clone()].concat()), "");
    assert_eq!(missing(name, &[framework_name, start, user].concat()), "");

    // Repeated ones are not.
    let tasks = [field(1, &field(1, b"")), field(1, &field(2, &field(1, b"slave")))].concat();
    assert_eq!(
        missing("mesos.scheduler.Call.Reconcile", &tasks),
        "tasks[0].task_id.value, tasks[1].task_id",
    );
}

#[test]
fn an_unknown_value_of_a_required_enum_counts_as_missing() {
    let name = "mesos.scheduler.Call";
    assert_eq!(missing(name, &[2 << 3, 11]), "");
    assert_eq!(missing(name, &[2 << 3, 13]), "type", "a type of 1.x");
    assert_eq!(missing(name, &[2 << 3, 11, 2 << 3, 13]), "type", "the last one counts");
    assert_eq!(missing(name, &[2 << 3, 13, 2 << 3, 11]), "");
    // One of an optional enum stays, and its accessor gives the default.
    let status = [field(1, &field(1, b"task")), vec![2 << 3, 1, 10 << 3, 99]].concat();
    assert_eq!(missing("mesos.TaskStatus", &status), "");
    let status = mesos::TaskStatus::decode(&status[..]).unwrap();
    assert_eq!(status.reason, Some(99));
    assert_eq!(status.reason(), mesos::task_status::Reason::CommandExecutorFailed);
}

#[test]
fn the_report_of_a_hostile_body_is_bounded() {
    let body: Vec<u8> = field(1, b"").repeat(1_000_000);
    let Err(Incomplete::MissingFields(fields)) =
        checker("mesos.scheduler.Call.Reconcile").unwrap().check(&body)
    else {
        panic!("one million empty tasks are not initialized")
    };
    assert_eq!(fields.len(), super::MAX_MISSING);
}

#[test]
fn malformed_bytes_are_told_apart() {
    let name = "mesos.FrameworkInfo";
    assert_eq!(malformed(name, &[0x0a]), Malformed::Truncated);
    assert_eq!(malformed(name, &[0x0a, 5, b'x']), Malformed::Truncated);
    assert_eq!(malformed(name, &[0x80]), Malformed::Truncated);
    assert_eq!(malformed(name, &[0x28; 1]), Malformed::Truncated);
    assert_eq!(malformed(name, &[0xff; 11]), Malformed::OverlongVarint);
    assert_eq!(malformed(name, &[0x02, 0]), Malformed::BadKey(2));
    assert_eq!(malformed(name, &[0x0f]), Malformed::BadKey(15));
    assert_eq!(malformed(name, &[0x08, 1]), Malformed::WrongWireType(1));
    assert_eq!(malformed(name, &[0x0c]), Malformed::WrongWireType(1));
    assert_eq!(malformed(name, &[0x68, 0]), Malformed::WrongWireType(13), "a map");
    assert_eq!(malformed(name, &[0xf4, 1]), Malformed::UnexpectedEndGroup(30));
}

#[test]
fn unknown_fields_of_all_wire_types_are_passed_over() {
    let unknown: &[u8] = &[
        0xf0, 1, 5, // varint
        0xf1, 1, 1, 2, 3, 4, 5, 6, 7, 8, // eight bytes
        0xf2, 1, 1, 9, // delimited
        0xf3, 1, 0x08, 1, 0xf4, 1, // group
        0xf5, 1, 1, 2, 3, 4, // four bytes
    ];
    assert_eq!(missing("mesos.FrameworkID", unknown), "value");
    assert_eq!(missing("mesos.FrameworkID", &[unknown, &field(1, b"f")].concat()), "");
}

#[test]
fn nesting_is_limited_where_prost_limits_it() {
    let mut body = field(1, b"c");
    for depth in 1..=110 {
        let mut outer = field(1, b"c");
        outer.push(2 << 3 | 2);
        prost::encoding::encode_varint(body.len() as u64, &mut outer);
        outer.extend(&body);
        body = outer;
        let checked = Checker::of::<mesos::ContainerId>().check(&body);
        assert_eq!(checked.is_ok(), depth <= 100, "{depth}: {checked:?}");
        assert_eq!(checked.is_ok(), mesos::ContainerId::decode(&body[..]).is_ok(), "{depth}");
    }
}

#[test]
fn decode_refuses_text_that_is_not_utf8() {
    let checker = Checker::of::<mesos::FrameworkId>();
    let decode = |text| checker.decode::<mesos::FrameworkId>(Bytes::from(field(1, text)));
    assert_eq!(decode(b"f").unwrap().value, "f");
    assert_eq!(decode(b"\xff"), Err(Malformed::NotUtf8.into()));
}

#[test]
fn every_prefix_of_a_message_is_refused_where_prost_refuses_it() {
    let update = StatusUpdateMessage {
        pid: Some("slave(1)@127.0.0.1:5051".to_owned()),
        update: mesos::internal::StatusUpdate {
            uuid: Some(Bytes::from_static(b"0123456789abcdef")),
            timestamp: 1.5,
            ..Default::default()
        },
    };
    let body = update.encode_to_vec();
    let checker = Checker::of::<StatusUpdateMessage>();
    assert_eq!(checker.check(&body), Ok(()));
    for length in 0..body.len() {
        agrees_with_prost::<StatusUpdateMessage>(&body[..length]);
    }
}

/// What prost decodes passes here and what it refuses does not, text aside. And maps: prost reads
/// one whatever wire type its key has.
fn agrees_with_prost<M: Name + Default + Debug>(body: &[u8]) {
    let checked = Checker::of::<M>().check(body);
    let decoded = M::decode(body);
    let is_bad_text = decoded.as_ref().is_err_and(|error| error.to_string().contains("UTF-8"));
    match checked {
        Err(Incomplete::Malformed(Malformed::WrongWireType(_))) => {}
        Err(Incomplete::Malformed(_)) => assert!(decoded.is_err(), "{checked:?}"),
        _ => assert!(is_bad_text || decoded.is_ok(), "{checked:?}, {decoded:?}"),
    }
}

proptest! {
    #[test]
    fn garbage_is_refused_where_prost_refuses_it(
        body in prop::collection::vec(any::<u8>(), 0..64)
    ) {
        agrees_with_prost::<RegisterSlaveMessage>(&body);
        agrees_with_prost::<scheduler::Call>(&body);
        agrees_with_prost::<mesos::TaskInfo>(&body);
        for message in MESSAGES {
            let _ = Checker(message).check(&body);
        }
    }

    #[test]
    fn a_damaged_message_is_refused_where_prost_refuses_it(
        index in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let call = scheduler::Call {
            r#type: scheduler::call::Type::Subscribe.into(),
            subscribe: Some(scheduler::call::Subscribe {
                framework_info: mesos::FrameworkInfo {
                    capabilities: vec![Default::default(), Default::default()],
                    offer_filters: [("role".to_owned(), Default::default())].into(),
                    ..Default::default()
                },
                force: Some(true),
            }),
            ..Default::default()
        };
        let mut body = call.encode_to_vec();
        let index = index.index(body.len());
        body[index] = byte;
        agrees_with_prost::<scheduler::Call>(&body);
    }
}
