//! The endpoints.

use std::collections::BTreeSet;

use proto::mesos::TaskState;
use proto::mesos::internal::RegisterSlaveMessage;
use serde_json::Value;

use crate::containers::destroyed;
use crate::support::{World, command_task, executor_task, run, run_task, update_of};

const RECORDED: &str = include_str!("../../../tests/golden/http/json-slave-0.28.3.tsv");

#[test]
fn state_endpoint() {
    run(async {
        let mut world = World::registered(&["--attributes=rack:r1;n:5"]).await;
        world.running(executor_task("t")).await;
        let state = world.get("/slave(1)/state");
        assert_eq!(state["version"], "0.28.3");
        assert_eq!(state["id"], "S0");
        assert_eq!(state["hostname"], "localhost");
        assert_eq!(state["pid"], world.upid().to_string());
        assert_eq!(state["attributes"], serde_json::json!({"rack": "r1", "n": 5.0}));
        assert_eq!(state["resources"]["ports"], "[31000-32000]");
        assert_eq!(state["flags"]["registration_backoff_factor"], "1ms");
        assert!(state["start_time"].as_f64().unwrap() > 1e9);
        let framework = &state["frameworks"][0];
        assert_eq!(framework["name"], "framework");
        assert_eq!(framework["role"], "*");
        let executor = &framework["executors"][0];
        assert_eq!(executor["resources"], serde_json::json!({"cpus": 1.0, "mem": 64.0, "disk": 0}));
        assert_eq!(executor["tasks"][0]["state"], "TASK_STAGING");
        let keys: Vec<&String> = state.as_object().unwrap().keys().collect();
        assert!(keys.is_sorted(), "{keys:?}");
        assert_eq!(world.get("/slave(1)/state.json")["id"], "S0");
    });
}

#[test]
fn queued_tasks_are_shown_as_they_came() {
    run(async {
        let mut world = World::registered(&[]).await;
        world.tell(&run_task(command_task("t")));
        world.launched().await;
        let state = world.get("/slave(1)/state");
        let queued = &state["frameworks"][0]["executors"][0]["queued_tasks"][0];
        let expected = serde_json::json!({
            "command": {"argv": [], "uris": [], "value": "sleep 10"},
            "id": "t", "name": "t", "slave_id": "S0",
            "resources": {"cpus": 1.0, "mem": 64.0, "disk": 0},
        });
        assert_eq!(*queued, expected);
    });
}

#[test]
fn flags_and_health() {
    run(async {
        let world = World::start(&[]);
        let flags = world.get("/slave(1)/flags");
        assert_eq!(flags["flags"]["hostname"], "localhost");
        assert_eq!(flags["flags"]["isolation"], "posix/cpu,posix/mem");
        assert_eq!(flags["flags"].get("master"), None, "it was not given");
        let (head, body) = world.get_text("/slave(1)/health");
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
        assert_eq!(body, "");
    });
}

#[test]
fn metrics_in_metrics_endpoint() {
    run(async {
        let mut world = World::start(&[]);
        world.master.next::<RegisterSlaveMessage>().await;
        let metrics = world.get("/metrics/snapshot");
        assert_eq!(metrics["slave/registered"], 1.0, "it knows whom to register with");
        let mut world = World::registered(&[]).await;
        world.running(executor_task("t")).await;
        let metrics = world.get("/metrics/snapshot");
        let ledger = include_str!("../../../docs/ledger/metrics.tsv").lines();
        let ours = ledger.filter_map(|line| line.strip_prefix("slave\tslave/"));
        for name in ours.map(|line| line.split('\t').next().unwrap()) {
            assert!(metrics.get(format!("slave/{name}")).is_some(), "{name} is missing");
        }
        for (name, value) in [
            ("slave/registered", 1.0),
            ("slave/frameworks_active", 1.0),
            ("slave/tasks_staging", 1.0),
            ("slave/executors_running", 1.0),
            ("slave/cpus_total", 4.0),
            ("slave/cpus_used", 1.0),
            ("slave/cpus_percent", 0.25),
            ("slave/mem_used", 64.0),
            ("slave/disk_revocable_total", 0.0),
            ("slave/executor_directory_max_allowed_age_secs", 544_320.0),
        ] {
            assert_eq!(metrics[name], value, "{name}");
        }
    });
}

/// The paths of a document and the kinds of what is there, as the recording lists them.
fn shape(value: &Value, path: &str, shapes: &mut BTreeSet<(String, &'static str)>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(elements) => {
            elements.iter().for_each(|one| shape(one, &format!("{path}[]"), shapes));
            "array"
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                shape(field, &format!("{path}.{key}"), shapes);
            }
            "object"
        }
    };
    shapes.insert((path.to_owned(), kind));
}

/// What the recording has for an endpoint, flags and the kind of build excepted.
fn recorded(endpoint: &str) -> BTreeSet<(String, &'static str)> {
    let lines = RECORDED.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let lines = lines.filter(|columns| columns[0] == endpoint);
    let lines = lines.map(|columns| (columns[2].to_owned(), columns[3]));
    lines.filter(|(path, _)| !path.starts_with(".flags.") && !path.starts_with(".git_")).collect()
}

#[test]
fn state_has_the_shape_of_upstreams() {
    run(async {
        let mut world = World::registered(&["--attributes=rack:r1;zone:z"]).await;
        for (id, state) in [("G", TaskState::TaskFinished), ("H", TaskState::TaskRunning)] {
            let mut message = run_task(executor_task("t"));
            message.framework.id.as_mut().unwrap().value = id.to_owned();
            world.tell(&message);
            let spec = world.launched().await;
            let executor = world.register(id, &spec).await;
            executor.send(world.upid(), &update_of(&executor, &spec, "t", (state, 1)));
            let update = world.update().await;
            world.acknowledge(&update);
            if state == TaskState::TaskFinished {
                world.containers.end(&spec.container_id, destroyed());
            }
            world.settle().await;
        }
        let mut state = world.get("/slave(1)/state");
        let fields = state.as_object_mut().unwrap();
        fields["flags"] = serde_json::json!({});
        for (name, value) in [("build_date", "d"), ("build_user", "u")] {
            fields.insert(name.to_owned(), value.into());
        }
        fields.insert("build_time".to_owned(), 1.0.into());
        let mut ours = BTreeSet::new();
        shape(&state, "", &mut ours);
        let ours: BTreeSet<_> = ours
            .into_iter()
            .map(|(path, kind)| (if path.is_empty() { ".".to_owned() } else { path }, kind))
            .collect();
        let theirs = recorded("/slave(1)/state");
        let missing: Vec<_> = theirs.difference(&ours).collect();
        let added: Vec<_> = ours.difference(&theirs).collect();
        assert!(missing.is_empty() && added.is_empty(), "missing {missing:?}, added {added:?}");
    });
}
