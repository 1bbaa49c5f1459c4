//! What the documents show: their shape against a recording of upstream, their text word by
//! word. Tests of upstream's name hold what upstream's look at in the answers.

use std::collections::BTreeSet;

use common::labels::label;
use proto::mesos::framework_info::{Capability, capability};
use proto::mesos::{ExecutorInfo, FrameworkInfo, Labels, TaskState};
use serde_json::{Value, json};

use super::fixture::{Books, at, flags, key, task_info, update};
use super::task::{Order, Page, tasks};
use super::{View, cluster, role};

const RECORDED: &str = include_str!("../../../tests/golden/http/json-master-0.28.3.tsv");

const FIRST_PAGE: Page = Page { limit: 100, offset: 0, order: Order::Descending };

fn text(document: Vec<u8>) -> String {
    String::from_utf8(document).unwrap()
}

fn parsed(document: Vec<u8>) -> Value {
    serde_json::from_slice(&document).unwrap()
}

/// Joins lines, for expected texts.
fn joined(lines: &str) -> String {
    lines.lines().map(str::trim).collect()
}

fn ids(tasks: &Value) -> Vec<&str> {
    tasks.as_array().unwrap().iter().map(|task| task["id"].as_str().unwrap()).collect()
}

// === the recording ===

/// Every path of a document with its type, as the recording lists them.
fn paths(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    let (kind, children): (_, Vec<(String, &Value)>) = match value {
        Value::Null => ("null", vec![]),
        Value::Bool(_) => ("bool", vec![]),
        Value::Number(_) => ("number", vec![]),
        Value::String(_) => ("string", vec![]),
        Value::Array(elements) => {
            ("array", elements.iter().map(|element| (format!("{path}[]"), element)).collect())
        }
        Value::Object(fields) => {
            ("object", fields.iter().map(|(key, value)| (format!("{path}.{key}"), value)).collect())
        }
    };
    let shown = if path.is_empty() { "." } else { path };
    found.insert(format!("{shown}\t{kind}"));
    children.iter().for_each(|(path, value)| paths(value, path, found));
}

#[test]
fn every_path_and_type_is_that_of_the_recording() {
    // Which flags there are is for the tests of flags.
    let is_flag = |line: &str| line.starts_with(".flags.") && line.ends_with("\tstring");
    let check = |endpoint: &str, document: Vec<u8>| {
        let lines = RECORDED.lines().filter_map(|line| line.split_once("\t200\t"));
        let recorded: BTreeSet<String> = lines
            .filter(|(of, line)| *of == endpoint && !is_flag(line))
            .map(|(_, line)| line.to_owned())
            .collect();
        let mut found = BTreeSet::new();
        paths(&parsed(document), "", &mut found);
        found.retain(|line| !is_flag(line));
        assert_eq!(found, recorded, "{endpoint}");
    };
    let books = Books::recorded();
    let view = books.view();
    check("/master/state", cluster::state(&view));
    check("/master/state-summary", cluster::summary(&view));
    check("/master/frameworks", cluster::frameworks(&view));
    check("/master/slaves", cluster::slaves(&view));
    check("/master/tasks", tasks(&view, &FIRST_PAGE));
    check("/master/roles", role::roles(&view));
    check("/master/flags", cluster::flags(&view));
}

// === the master ===

#[test]
fn state_endpoint() {
    let mut books = Books::empty();
    books.build.push(("build_time".into(), json!(1455559228.0)));
    books.flags = flags(&["--log_dir=/l", "--cluster=c", "--quorum=1"]);
    let expected = r#"{
        "version":"0.28.3","build_time":1455559228.0,
        "start_time":1795216096.98685,"elected_time":1795216097.98685,
        "id":"M","pid":"master@127.0.0.1:5050","hostname":"localhost",
        "activated_slaves":0.0,"deactivated_slaves":0.0,
        "cluster":"c","leader":"master@127.0.0.1:5050","log_dir":"\/l",
        "flags":{"cluster":"c","help":"false","log_dir":"\/l","quorum":"1"},
        "slaves":[],"frameworks":[],"completed_frameworks":[],"orphan_tasks":[],
        "unregistered_frameworks":[]
    }"#;
    assert_eq!(text(cluster::state(&books.view())), joined(expected));
}

#[test]
fn a_standby_shows_neither_election_nor_unknown_leader() {
    let books = Books::empty();
    let view = View { leader: None, elected_time: None, ..books.view() };
    let state = parsed(cluster::state(&view));
    assert_eq!((state.get("leader"), state.get("elected_time")), (None, None));
}

#[test]
fn flags_are_shown_as_texts() {
    let mut books = Books::empty();
    books.flags = flags(&["--zk=zk://u:p@host/mesos"]);
    let expected = r#"{"flags":{"help":"false","zk":"zk:\/\/u:p@host\/mesos"}}"#;
    assert_eq!(text(cluster::flags(&books.view())), expected);
}

// === slaves ===

const SLAVE: &str = r#"
    "id":"S","pid":"slave(1)@127.0.0.1:5051","hostname":"localhost",
    "registered_time":1795216098.98685,"reregistered_time":1795216100.98685,
    "resources":{"mem":1088.0,"disk":100.0,"cpus":5.0,"ports":"[31000-32000]"},
    "used_resources":{"mem":32.0,"disk":0.0,"cpus":1.0},
    "offered_resources":{"mem":0.0,"disk":0.0,"cpus":0.5},
    "reserved_resources":{"ads":{"mem":64.0,"disk":100.0,"cpus":1.0}},
    "unreserved_resources":{"mem":1024.0,"disk":0.0,"cpus":4.0,"ports":"[31000-32000]"},
    "attributes":{"rack":"r1","zone":"[1-3]"},
    "active":true,"version":"0.28.3"
"#;

fn busy_slave() -> Books {
    let mut books = Books::empty();
    books.add_slave("S", 5051);
    books.cluster.slaves.get_mut(&"S".into()).unwrap().reregistered_time = Some(at(2.0));
    books.add_framework("F", 1, FrameworkInfo { name: "f".into(), ..FrameworkInfo::default() });
    books.add_task(&key("F", "S", "t"));
    books.add_offer("O", "F", "S", "cpus:0.5");
    books
}

#[test]
fn slaves_endpoint_without_slaves() {
    assert_eq!(text(cluster::slaves(&Books::empty().view())), r#"{"slaves":[]}"#);
}

#[test]
fn slaves_endpoint_two_slaves() {
    let mut books = Books::empty();
    books.add_slave("S1", 5051);
    books.add_slave("S2", 5052);
    let document = parsed(cluster::slaves(&books.view()));
    assert_eq!(ids(&document["slaves"]), ["S1", "S2"]);
    assert_eq!(document["slaves"][1]["pid"], "slave(1)@127.0.0.1:5052");
}

#[test]
fn resources_are_shown_in_sum_and_in_full() {
    let scalar = |name: &str, value: &str, role: &str| {
        format!(
            r#"{{"name":"{name}","type":"SCALAR","scalar":{{"value":{value}}},"role":"{role}"}}"#
        )
    };
    let expected = format!(
        r#"{{"slaves":[{{{SLAVE},
        "reserved_resources_full":{{"ads":[{},{},{}]}},
        "used_resources_full":[{},{}],
        "offered_resources_full":[{}]}}]}}"#,
        scalar("cpus", "1.0", "ads"),
        scalar("mem", "64.0", "ads"),
        scalar("disk", "100.0", "ads"),
        scalar("cpus", "1.0", "*"),
        scalar("mem", "32.0", "*"),
        scalar("cpus", "0.5", "*"),
    );
    assert_eq!(text(cluster::slaves(&busy_slave().view())), joined(&expected));
}

#[test]
fn slave_active_endpoint() {
    let mut books = Books::empty();
    books.add_slave("S", 5051);
    let shown = |books: &Books| {
        let state = parsed(cluster::state(&books.view()));
        let counts = (state["activated_slaves"].clone(), state["deactivated_slaves"].clone());
        (state["slaves"][0]["active"].clone(), counts)
    };
    assert_eq!(shown(&books), (json!(true), (json!(1.0), json!(0.0))));
    let slave = books.cluster.slaves.get_mut(&"S".into()).unwrap();
    (slave.active, slave.connected) = (false, false);
    assert_eq!(shown(&books), (json!(false), (json!(0.0), json!(1.0))));
}

// === frameworks ===

#[test]
fn frameworks_endpoint_without_frameworks() {
    let expected = r#"{"frameworks":[],"completed_frameworks":[],"unregistered_frameworks":[]}"#;
    assert_eq!(text(cluster::frameworks(&Books::empty().view())), expected);
}

#[test]
fn frameworks_endpoint_one_framework() {
    let mut books = Books::empty();
    books.add_framework("F", 1, FrameworkInfo { name: "f".into(), ..FrameworkInfo::default() });
    let none = r#"{"mem":0.0,"disk":0.0,"cpus":0.0}"#;
    let expected = format!(
        r#"{{"frameworks":[{{
        "id":"F","name":"f","pid":"scheduler-1@127.0.0.1:1",
        "used_resources":{none},"offered_resources":{none},"capabilities":[],
        "hostname":"","webui_url":"","active":true,
        "user":"","failover_timeout":0.0,"checkpoint":false,"role":"*",
        "registered_time":1795216098.98685,"unregistered_time":0.0,"resources":{none},
        "tasks":[],"completed_tasks":[],"offers":[],"executors":[]
        }}],"completed_frameworks":[],"unregistered_frameworks":[]}}"#
    );
    assert_eq!(text(cluster::frameworks(&books.view())), joined(&expected));
}

#[test]
fn state_endpoint_framework_info() {
    let mut books = Books::empty();
    let info = FrameworkInfo {
        user: "u".into(),
        name: "a/\"b\"\u{1}é".into(),
        failover_timeout: Some(1.5),
        checkpoint: Some(true),
        role: Some("r".into()),
        hostname: Some("h".into()),
        principal: Some("p".into()),
        webui_url: Some("http://localhost/".into()),
        capabilities: vec![Capability {
            r#type: Some(capability::Type::RevocableResources.into()),
        }],
        labels: Some(Labels { labels: vec![label("k", Some("v")), label("bare", None)] }),
        ..FrameworkInfo::default()
    };
    books.add_framework("F", 1, info);
    let framework = books.cluster.frameworks.get_mut(&"F".into()).unwrap();
    framework.reregistered_time = at(1.25);
    framework.active = false;
    let none = r#"{"mem":0.0,"disk":0.0,"cpus":0.0}"#;
    let expected = format!(
        r#"{{"frameworks":[{{
        "id":"F","name":"a\/\"b\"\u0001é","pid":"scheduler-1@127.0.0.1:1",
        "used_resources":{none},"offered_resources":{none},
        "capabilities":["REVOCABLE_RESOURCES"],
        "hostname":"h","webui_url":"http:\/\/localhost\/","active":false,
        "user":"u","failover_timeout":1.5,"checkpoint":true,"role":"r",
        "registered_time":1795216098.98685,"unregistered_time":0.0,"principal":"p",
        "resources":{none},"reregistered_time":1795216100.23685,
        "tasks":[],"completed_tasks":[],"offers":[],"executors":[],
        "labels":[{{"key":"k","value":"v"}},{{"key":"bare"}}]
        }}],"completed_frameworks":[],"unregistered_frameworks":[]}}"#
    );
    assert_eq!(text(cluster::frameworks(&books.view())), joined(&expected));
}

#[test]
fn a_framework_shows_pending_tasks_offers_and_executors() {
    let mut books = busy_slave();
    let pending = task_info("S", "pending");
    let framework = books.cluster.frameworks.get_mut(&"F".into()).unwrap();
    framework.pending_tasks.insert("pending".into(), pending.into());
    let mut executor = ExecutorInfo { name: Some("e".into()), ..ExecutorInfo::default() };
    executor.executor_id.value = "E".into();
    assert!(books.cluster.add_executor(&"S".into(), &"F".into(), executor));
    let document = parsed(cluster::frameworks(&books.view()));
    let framework = &document["frameworks"][0];
    assert_eq!(ids(&framework["tasks"]), ["pending", "t"]);
    assert_eq!(framework["tasks"][0]["state"], "TASK_STAGING");
    assert_eq!(framework["tasks"][0]["executor_id"], "");
    assert_eq!(framework["tasks"][0]["statuses"], json!([]));
    assert_eq!(framework["resources"], json!({"mem": 32.0, "disk": 0.0, "cpus": 1.5}));
    let none = json!({"mem": 0.0, "disk": 0.0, "cpus": 0.0});
    let half = json!({"mem": 0.0, "disk": 0.0, "cpus": 0.5});
    assert_eq!(
        framework["offers"],
        json!([{"id": "O", "framework_id": "F", "slave_id": "S", "resources": half}])
    );
    assert_eq!(
        framework["executors"],
        json!([{
            "executor_id": "E", "name": "e", "framework_id": "",
            "command": {"argv": [], "uris": []}, "resources": none, "slave_id": "S",
        }])
    );
}

#[test]
fn a_completed_framework_shows_when_it_ended_and_its_tasks() {
    let document = parsed(cluster::frameworks(&Books::recorded().view()));
    let completed = &document["completed_frameworks"][0];
    assert_eq!(completed["unregistered_time"], json!(1795216107.98685));
    assert_eq!(completed["active"], json!(false));
    assert_eq!(ids(&completed["completed_tasks"]), ["t"]);
    assert_eq!(completed["completed_tasks"][0]["state"], "TASK_FINISHED");
}

#[test]
fn orphan_tasks() {
    let mut books = Books::empty();
    for (slave, port) in [("S1", 5051), ("S2", 5052)] {
        books.add_slave(slave, port);
        books.add_task(&key("F", slave, &format!("on-{slave}")));
    }
    let shown = |books: &Books| {
        let state = parsed(cluster::state(&books.view()));
        let orphans = ids(&state["orphan_tasks"]).join(" ");
        (orphans, state["unregistered_frameworks"].clone())
    };
    assert_eq!(shown(&books), ("on-S1 on-S2".into(), json!(["F", "F"])));
    books.add_framework("F", 1, FrameworkInfo::default());
    assert_eq!(shown(&books), (String::new(), json!([])));
}

// === summary ===

#[test]
fn state_summary_endpoint() {
    let mut books = Books::empty();
    books.flags = flags(&["--cluster=c"]);
    books.add_slave("S", 5051);
    books.add_slave("idle", 5052);
    books.add_framework("F", 1, FrameworkInfo::default());
    for (task, state) in [
        ("killed", TaskState::TaskKilled),
        ("running", TaskState::TaskRunning),
        ("lost", TaskState::TaskLost),
    ] {
        let key = key("F", "S", task);
        books.add_task(&key);
        books.cluster.update_task(&key, &update(&key, state, 1.0));
    }
    books.cluster.remove_task(&key("F", "S", "lost"));
    let framework = books.cluster.frameworks.get_mut(&"F".into()).unwrap();
    framework.pending_tasks.insert("p".into(), task_info("S", "p").into());

    let document = text(cluster::summary(&books.view()));
    let counts = r#""TASK_STAGING":1,"TASK_STARTING":0,"TASK_RUNNING":1,"TASK_KILLING":0,
        "TASK_FINISHED":0,"TASK_KILLED":1,"TASK_FAILED":0,"TASK_LOST":1,"TASK_ERROR":0"#;
    let counts = joined(counts);
    for part in [
        r#"{"hostname":"localhost","cluster":"c","slaves":[{"id":"S","#.to_owned(),
        format!(r#""version":"0.28.3",{counts},"framework_ids":["F"]}},{{"id":"idle""#),
        r#""TASK_ERROR":0,"framework_ids":[]}],"frameworks":[{"id":"F","#.to_owned(),
        format!(r#""webui_url":"","active":true,{counts},"slave_ids":["S"]}}]}}"#),
    ] {
        assert!(document.contains(&part), "{part} in {document}");
    }
}

// === roles ===

/// A role that nobody uses.
fn idle(name: &str, weight: &str) -> String {
    let none = r#"{"cpus":0,"disk":0,"mem":0}"#;
    format!(r#"{{"frameworks":[],"name":"{name}","resources":{none},"weight":{weight}}}"#)
}

#[test]
fn role_test_endpoint_empty() {
    let expected = format!(r#"{{"roles":[{}]}}"#, idle("*", "1.0"));
    assert_eq!(text(role::roles(&Books::empty().view())), expected);
}

#[test]
fn role_test_endpoint_no_frameworks() {
    let mut books = Books::empty();
    books.role_whitelist = Some(["*", "role2", "role1"].map(String::from).into());
    books.weights = [("role1".to_owned(), 5.0), ("not listed".to_owned(), 2.0)].into();
    let expected = [idle("*", "1.0"), idle("role1", "5.0"), idle("role2", "1.0")].join(",");
    assert_eq!(text(role::roles(&books.view())), format!(r#"{{"roles":[{expected}]}}"#));
}

#[test]
fn role_test_endpoint_implicit_roles_weights() {
    let mut books = Books::empty();
    books.weights = [("roleX".to_owned(), 5.0), ("roleY".to_owned(), 4.0)].into();
    for (id, port, role) in [("F1", 1, "roleX"), ("F2", 2, "roleZ")] {
        books.add_framework(
            id,
            port,
            FrameworkInfo { role: Some(role.into()), ..FrameworkInfo::default() },
        );
    }
    let with = |id: &str, role: String| role.replacen("[]", &format!("[\"{id}\"]"), 1);
    let expected = [
        idle("*", "1.0"),
        with("F1", idle("roleX", "5.0")),
        idle("roleY", "4.0"),
        with("F2", idle("roleZ", "1.0")),
    ];
    let expected = format!(r#"{{"roles":[{}]}}"#, expected.join(","));
    assert_eq!(text(role::roles(&books.view())), expected);
}

#[test]
fn a_role_holds_what_its_frameworks_use_and_are_offered() {
    let expected = r#"{"roles":[{"frameworks":["F"],"name":"*",
        "resources":{"cpus":1.5,"disk":0,"mem":32.0},"weight":1.0}]}"#;
    assert_eq!(text(role::roles(&busy_slave().view())), joined(expected));
}

// === tasks ===

/// Four tasks: `new` has no status, `late` and `early` have, `done` is completed.
fn four_tasks() -> Books {
    let mut books = Books::empty();
    books.add_slave("S", 5051);
    books.add_framework("F", 1, FrameworkInfo::default());
    for (task, secs) in
        [("new", None), ("late", Some(3.0)), ("early", Some(1.0)), ("done", Some(2.0))]
    {
        let key = key("F", "S", task);
        books.add_task(&key);
        let Some(secs) = secs else { continue };
        books.cluster.update_task(&key, &update(&key, TaskState::TaskRunning, secs));
        // The first status decides.
        books.cluster.update_task(&key, &update(&key, TaskState::TaskFinished, 9.0 - secs));
    }
    books.cluster.remove_task(&key("F", "S", "done"));
    books
}

#[test]
fn tasks_come_by_their_first_status_and_in_pages() {
    let books = four_tasks();
    let check = |order: Order, offset: usize, limit: usize, expected: &[&str]| {
        let page = Page { limit, offset, order };
        let document = parsed(tasks(&books.view(), &page));
        assert_eq!(ids(&document["tasks"]), expected, "{page:?}");
    };
    check(Order::Descending, 0, 100, &["late", "done", "early", "new"]);
    check(Order::Ascending, 0, 100, &["new", "early", "done", "late"]);
    check(Order::Ascending, 0, 4, &["new", "early", "done", "late"]);
    check(Order::Ascending, 1, 2, &["early", "done"]);
    check(Order::Descending, 3, 1, &["new"]);
    check(Order::Descending, 4, 1, &[]);
    check(Order::Descending, usize::MAX, usize::MAX, &[]);
    check(Order::Descending, 1, usize::MAX, &["done", "early", "new"]);
    check(Order::Descending, 0, 0, &[]);
}

#[test]
fn a_task_has_sorted_keys() {
    let mut books = Books::empty();
    books.add_slave("S", 5051);
    books.add_framework("F", 1, FrameworkInfo::default());
    let key = key("F", "S", "t");
    books.add_task(&key);
    let mut update = update(&key, TaskState::TaskRunning, 1.0);
    update.status.labels = Some(Labels { labels: vec![label("k", Some("v"))] });
    books.cluster.update_task(&key, &update);
    let expected = r#"{"tasks":[{"executor_id":"","framework_id":"F","id":"t","name":"name of t",
        "resources":{"cpus":1.0,"disk":0,"mem":32.0},"slave_id":"S","state":"TASK_RUNNING",
        "statuses":[{"labels":[{"key":"k","value":"v"}],"state":"TASK_RUNNING",
        "timestamp":1795216099.98685}]}]}"#;
    assert_eq!(text(tasks(&books.view(), &FIRST_PAGE)), joined(expected));
}

#[test]
fn task_status_container_status() {
    let state = parsed(cluster::state(&Books::recorded().view()));
    let expected = json!({"network_infos": [{
        "ip_address": "127.0.0.1",
        "ip_addresses": [{"ip_address": "127.0.0.1"}],
    }]});
    let shown = &state["frameworks"][0]["tasks"][0]["statuses"][0]["container_status"];
    assert_eq!(*shown, expected);
}
