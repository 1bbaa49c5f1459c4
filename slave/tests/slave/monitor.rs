//! `/monitor/statistics`.

use crate::support::{World, executor_task, run};

#[test]
fn no_executor() {
    run(async {
        let world = World::registered(&[]).await;
        assert_eq!(world.get("/monitor/statistics"), serde_json::json!([]));
    });
}

#[test]
fn statistics() {
    run(async {
        let mut world = World::registered(&[]).await;
        world.running(executor_task("t")).await;
        let (head, body) = world.get_text("/monitor/statistics.json?jsonp=f");
        assert!(head.contains("Content-Type: text/javascript"), "{head}");
        let entry = r#"{"executor_id":"E","executor_name":"","framework_id":"F","source":"","#;
        let statistics = r#""statistics":{"cpus_limit":1.1,"timestamp":1.0}}"#;
        assert_eq!(body, format!("f([{entry}{statistics}]);"));
    });
}
