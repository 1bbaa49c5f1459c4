//! Upstream's rules for JSON of messages.

use proto::mesos::environment::Variable;
use proto::mesos::network_info::{self, IpAddress};
use proto::mesos::resource::DiskInfo;
use proto::mesos::volume::source::csi_volume::StaticProvisioning;
use proto::mesos::{
    CommandInfo, FrameworkInfo, Image, NetworkInfo, Resource, TaskInfo, Value, Volume,
    command_info, image, value, volume,
};
use stout::json::to_string;

use super::{ParseError, Protobuf, SortedProtobuf, parse, parse_array};

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("JSON")
}

fn cpus() -> Resource {
    Resource {
        name: "cpus".into(),
        scalar: Some(value::Scalar { value: 2.0 }),
        ..Resource::default()
    }
}

#[test]
fn set_fields_and_declared_defaults_show() {
    let text = r#"{"name":"cpus","type":"SCALAR","scalar":{"value":2.0},"role":"*"}"#;
    assert_eq!(to_string(&Protobuf(&cpus())), text);
    let sorted = r#"{"name":"cpus","role":"*","scalar":{"value":2.0},"type":"SCALAR"}"#;
    assert_eq!(to_string(&SortedProtobuf(&cpus())), sorted);
}

#[test]
fn lists_enums_and_bytes() {
    let mut task =
        TaskInfo { name: "t".into(), data: Some("\u{1}ab".into()), ..TaskInfo::default() };
    task.resources.push(cpus());
    let text = to_string(&Protobuf(&task));
    assert!(text.contains(r#""data":"AWFi""#), "{text}");
    assert!(text.contains(r#""resources":[{"name":"cpus","#), "{text}");
    let disk = DiskInfo {
        volume: Some(Volume {
            container_path: "p".into(),
            mode: volume::Mode::Ro.into(),
            ..Volume::default()
        }),
        ..DiskInfo::default()
    };
    let text = to_string(&SortedProtobuf(&disk));
    assert_eq!(text, r#"{"volume":{"container_path":"p","mode":"RO"}}"#);
}

#[test]
fn defaults_of_later_versions_do_not_show() {
    let variable = Variable { name: "A".into(), value: Some("b".into()), ..Variable::default() };
    assert_eq!(to_string(&Protobuf(&variable)), r#"{"name":"A","value":"b"}"#);
    let image = Image { r#type: image::Type::Docker.into(), ..Image::default() };
    assert_eq!(to_string(&Protobuf(&image)), r#"{"type":"DOCKER"}"#);
}

#[test]
fn serialize_network_info() {
    let address = IpAddress {
        protocol: Some(network_info::Protocol::IPv4.into()),
        ip_address: Some("10.0.0.1".into()),
    };
    let info = NetworkInfo {
        ip_addresses: vec![address],
        protocol: Some(network_info::Protocol::IPv6.into()),
        ip_address: Some("10.0.0.2".into()),
        groups: vec!["foo".into(), "bar".into()],
        ..NetworkInfo::default()
    };
    let expected = r#"{"ip_addresses":[{"protocol":"IPv4","ip_address":"10.0.0.1"}],"#.to_owned()
        + r#""protocol":"IPv6","ip_address":"10.0.0.2","groups":["foo","bar"]}"#;
    assert_eq!(to_string(&Protobuf(&info)), expected);
}

#[test]
fn maps_are_objects() {
    let context = json(
        r#"{"volume_id": "v", "volume_context": {"b": "2", "a": "1"},
        "volume_capability": {"access_mode": {"mode": "UNKNOWN"}}}"#,
    );
    let provisioning: StaticProvisioning = parse(&context).expect("a volume");
    assert_eq!(provisioning.volume_context.len(), 2);
    let shown = to_string(&Protobuf(&provisioning));
    assert!(shown.ends_with(r#""volume_context":{"a":"1","b":"2"}}"#), "{shown}");
}

#[test]
fn messages_survive_json() {
    let command = CommandInfo {
        value: Some("echo".into()),
        arguments: vec!["a".into(), "b/c".into()],
        uris: vec![command_info::Uri { value: "http://x".into(), ..Default::default() }],
        shell: Some(false),
        ..CommandInfo::default()
    };
    let parsed: CommandInfo = parse(&json(&to_string(&Protobuf(&command)))).expect("the same");
    assert_eq!(parsed.arguments, command.arguments);
    assert_eq!(parsed.uris[0].value, "http://x");
    assert_eq!(parsed.shell, Some(false));
}

#[test]
fn parsing_is_lenient_where_upstream_is() {
    let parsed: FrameworkInfo = parse(&json(
        r#"{"user": "u", "name": "n", "unknown": [1], "role": null, "failover_timeout": 3}"#,
    ))
    .expect("a framework");
    assert_eq!((parsed.role, parsed.failover_timeout), (None, Some(3.0)));
    // One element needs no brackets.
    let parsed: value::Ranges =
        parse(&json(r#"{"range": {"begin": 1, "end": 2.9}}"#)).expect("ranges");
    assert_eq!(parsed.range, [value::Range { begin: 1, end: 2 }]);
}

#[test]
fn errors_name_the_field() {
    let check = |text: &str, expected: &str| {
        let error: ParseError = parse::<Resource>(&json(text)).expect_err(text);
        assert_eq!(error.to_string(), expected);
    };
    check("[]", "Expecting a JSON object");
    check(r#"{"name": 1}"#, "Not expecting a JSON number for field 'name'");
    check(r#"{"name": {}}"#, "Not expecting a JSON object for field 'name'");
    check(r#"{"name": ["a"]}"#, "Not expecting a JSON array for field 'name'");
    check(r#"{"name": true}"#, "Not expecting a JSON boolean for field 'name'");
    check(r#"{"scalar": "a"}"#, "Not expecting a JSON string for field 'scalar'");
    check(r#"{"type": "FLOAT"}"#, "Failed to find enum for 'FLOAT'");
    check(r#"{"name": "a"}"#, "Missing required fields: type");
    check(
        r#"{"name": "a", "type": "SCALAR", "scalar": {}}"#,
        "Missing required fields: scalar.value",
    );
    let error = parse::<value::Range>(&json(r#"{"begin": -1, "end": 1}"#)).expect_err("negative");
    assert_eq!(error.to_string(), "Not expecting a JSON number for field 'begin'");
    let error = parse::<TaskInfo>(&json(r#"{"data": "?"}"#)).expect_err("not base64");
    assert!(error.to_string().starts_with("Failed to base64 decode bytes field 'data': "));
    assert_eq!(parse_array::<Value>(&json("{}")), Err(ParseError::NotAnArray));
}
