//! Upstream's `common/http_tests.cpp`, in both forms.

use std::collections::BTreeMap;

use proto::mesos::command_info::Uri;
use proto::mesos::environment::Variable;
use proto::mesos::network_info::IpAddress;
use proto::mesos::resource::RevocableInfo;
use proto::mesos::{
    CommandInfo, ContainerStatus, Environment, ExecutorInfo, Labels, NetworkInfo, TaskInfo,
    TaskState, TaskStatus, discovery_info,
};
use stout::json::{ToJson, to_string};

use super::{Form, PendingTask, Shown};
use crate::attributes::Attributes;
use crate::ids::{ExecutorId, FrameworkId, SlaveId, TaskId};
use crate::labels::label;
use crate::resources::{Resource, Resources};
use crate::status::create_task;

/// Compares both forms; line breaks and the blanks after them are not part of what is expected.
fn check<'a, T>(value: &'a T, streamed: &str, sorted: &str)
where
    Shown<'a, T>: ToJson,
{
    let join = |text: &str| text.lines().map(str::trim).collect::<String>();
    assert_eq!(to_string(&Form::Streamed.show(value)), join(streamed));
    assert_eq!(to_string(&Form::Sorted.show(value)), join(sorted));
}

fn labels(key: &str) -> Labels {
    Labels { labels: vec![label(key, Some("v")), label("bare", None)] }
}

fn info() -> TaskInfo {
    TaskInfo {
        name: "task".into(),
        task_id: TaskId::from("t").into(),
        slave_id: SlaveId::from("s").into(),
        labels: Some(labels("k")),
        discovery: Some(proto::mesos::DiscoveryInfo {
            visibility: discovery_info::Visibility::Cluster.into(),
            name: Some("discover".into()),
            ..Default::default()
        }),
        ..TaskInfo::default()
    }
}

#[test]
fn model_task() {
    let mut task = create_task(&info(), TaskState::TaskRunning, &FrameworkId::from("f"));
    task.statuses.push(TaskStatus {
        state: TaskState::TaskRunning.into(),
        timestamp: Some(1.5),
        healthy: Some(true),
        ..TaskStatus::default()
    });
    check(
        &task,
        r#"{"id":"t","name":"task","framework_id":"f","executor_id":"","slave_id":"s",
            "state":"TASK_RUNNING","resources":{"mem":0.0,"disk":0.0,"cpus":0.0},
            "statuses":[{"state":"TASK_RUNNING","timestamp":1.5,"healthy":true}],
            "labels":[{"key":"k","value":"v"},{"key":"bare"}],
            "discovery":{"visibility":"CLUSTER","name":"discover"}}"#,
        r#"{"discovery":{"name":"discover","visibility":"CLUSTER"},"executor_id":"",
            "framework_id":"f","id":"t","labels":[{"key":"k","value":"v"},{"key":"bare"}],
            "name":"task","resources":{"cpus":0,"disk":0,"mem":0},"slave_id":"s",
            "state":"TASK_RUNNING",
            "statuses":[{"healthy":true,"state":"TASK_RUNNING","timestamp":1.5}]}"#,
    );
}

#[test]
fn model_pending_task() {
    let info = TaskInfo { labels: None, discovery: None, ..info() };
    check(
        &PendingTask { task: &info, framework_id: &FrameworkId::from("f") },
        r#"{"id":"t","name":"task","framework_id":"f","executor_id":"","slave_id":"s",
            "state":"TASK_STAGING","resources":{"mem":0.0,"disk":0.0,"cpus":0.0},
            "statuses":[]}"#,
        r#"{"executor_id":"","framework_id":"f","id":"t","name":"task",
            "resources":{"cpus":0,"disk":0,"mem":0},"slave_id":"s","state":"TASK_STAGING",
            "statuses":[]}"#,
    );
}

#[test]
fn model_resources() {
    let text = "cpus:1;cpus(foo):1;mem:512;disk:1024;ports(foo):[1-10];bar:1;zed:{a, b}";
    let mut all: Resources = text.parse().expect(text);
    for text in ["cpus:1.1", "mem:513"] {
        let mut message = text.parse::<Resources>().expect(text).to_messages().remove(0);
        message.revocable = Some(RevocableInfo::default());
        all += Resource::try_from(&message).expect("well-formed");
    }
    check(
        &all,
        r#"{"mem":512.0,"disk":1024.0,"cpus":2.0,"bar":1.0,"cpus_revocable":1.1,
            "mem_revocable":513.0,"ports":"[1-10]","zed":"{a, b}"}"#,
        r#"{"bar":1.0,"cpus":2.0,"cpus_revocable":1.1,"disk":1024.0,"mem":512.0,
            "mem_revocable":513.0,"ports":"[1-10]","zed":"{a, b}"}"#,
    );
}

#[test]
fn model_role_resources() {
    let resources: Resources = "cpus(foo):1;mem(bar):512".parse().expect("resources");
    let by_role: BTreeMap<String, Resources> = resources.reserved_by_role();
    check(
        &by_role,
        r#"{"bar":{"mem":512.0,"disk":0.0,"cpus":0.0},"foo":{"mem":0.0,"disk":0.0,"cpus":1.0}}"#,
        r#"{"bar":{"cpus":0,"disk":0,"mem":512.0},"foo":{"cpus":1.0,"disk":0,"mem":0}}"#,
    );
}

#[test]
fn model_attributes() {
    let attributes: Attributes = "b:x/y;a:1.23456;ports:[1-2]".parse().expect("attributes");
    check(
        &attributes,
        r#"{"b":"x\/y","a":1.23456,"ports":"[1-2]"}"#,
        r#"{"a":1.23456,"b":"x\/y","ports":"[1-2]"}"#,
    );
}

#[test]
fn model_executor() {
    let variable = Variable { name: "A".into(), value: Some("b".into()), ..Variable::default() };
    let executor = ExecutorInfo {
        executor_id: ExecutorId::from("e").into(),
        framework_id: Some(FrameworkId::from("f").into()),
        command: Some(CommandInfo {
            value: Some("run".into()),
            arguments: vec!["x".into()],
            uris: vec![Uri { value: "u".into(), executable: Some(true), ..Uri::default() }],
            environment: Some(Environment { variables: vec![variable] }),
            ..CommandInfo::default()
        }),
        resources: "cpus:0.5".parse::<Resources>().expect("resources").to_messages(),
        ..ExecutorInfo::default()
    };
    check(
        &executor,
        r#"{"executor_id":"e","name":"","framework_id":"f","command":{"value":"run","argv":["x"],
            "environment":{"variables":[{"name":"A","value":"b"}]},
            "uris":[{"value":"u","executable":true}]},
            "resources":{"mem":0.0,"disk":0.0,"cpus":0.5}}"#,
        r#"{"command":{"argv":["x"],"environment":{"variables":[{"name":"A","value":"b"}]},
            "uris":[{"executable":true,"value":"u"}],"value":"run"},"executor_id":"e",
            "framework_id":"f","name":"","resources":{"cpus":0.5,"disk":0,"mem":0}}"#,
    );
}

#[test]
fn model_container_status() {
    let info = NetworkInfo {
        ip_address: Some("10.0.0.2".into()),
        groups: vec!["foo".into()],
        ip_addresses: vec![IpAddress { ip_address: Some("10.0.0.1".into()), protocol: None }],
        ..NetworkInfo::default()
    };
    let text = r#"{"network_infos":[{"ip_address":"10.0.0.2","groups":["foo"],
        "ip_addresses":[{"ip_address":"10.0.0.1"}]}]}"#;
    let sorted = r#"{"network_infos":[{"groups":["foo"],"ip_address":"10.0.0.2",
        "ip_addresses":[{"ip_address":"10.0.0.1"}]}]}"#;
    check(
        &ContainerStatus { network_infos: vec![info], ..ContainerStatus::default() },
        text,
        sorted,
    );
}
