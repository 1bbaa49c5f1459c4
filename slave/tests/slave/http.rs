//! The endpoints.

use crate::support::{World, command_task, executor_task, run, run_task};

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
        let mut world = World::registered(&[]).await;
        world.running(executor_task("t")).await;
        let metrics = world.get("/metrics/snapshot");
        for line in include_str!("metrics.txt").lines() {
            assert!(metrics.get(line).is_some(), "{line} is missing");
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
