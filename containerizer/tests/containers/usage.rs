//! What containers consume.

use std::sync::Arc;

use common::resources::Resources;
use containerizer::Containerizer;
use containerizer::isolators::Isolator;

use crate::support::{Host, TestIsolator, message_of_end, shell};

#[tokio::test]
async fn usage_of_a_container() {
    let host = Host::new();
    let containerizer = host.containerizer();
    let reports = host.reports("c");
    // Some processor time of its own and of a child, and a megabyte at least.
    let burn = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
    let command = format!("sh -c '{burn}; echo done; sleep 1000' > reports; sleep 1000");
    let mut spec = host.spec("c", shell(&command));
    let resources = Resources::parse("cpus:0.5;mem:64", "*").unwrap();
    spec.executor_info.resources = resources.to_messages();
    containerizer.launch(spec).await.unwrap();
    reports.lines(1).await;
    let usage = containerizer.usage(&"c".into()).await.unwrap();
    assert!(usage.timestamp > 1e9, "{usage:?}");
    assert!(usage.cpus_user_time_secs.unwrap() > 0.0, "{usage:?}");
    assert!(usage.cpus_system_time_secs.is_some(), "{usage:?}");
    assert!(usage.mem_rss_bytes.unwrap() > 1 << 20, "{usage:?}");
    assert_eq!(usage.mem_limit_bytes, Some(64 << 20));
    assert_eq!(usage.cpus_limit, Some(0.5));

    let resources = Resources::parse("cpus:2;mem:128", "*").unwrap();
    containerizer.update(&"c".into(), resources).await.unwrap();
    let usage = containerizer.usage(&"c".into()).await.unwrap();
    assert_eq!((usage.mem_limit_bytes, usage.cpus_limit), (Some(128 << 20), Some(2.0)));
    assert!(containerizer.status(&"c".into()).await.unwrap().network_infos.is_empty());

    containerizer.destroy(&"c".into());
    message_of_end(&containerizer, "c").await;
}

#[tokio::test]
async fn updates_reach_all_isolators() {
    let host = Host::new();
    let isolators = [0; 2].map(|_| Arc::new(TestIsolator::default()));
    let as_dyn = isolators.iter().map(|isolator| isolator.clone() as Arc<dyn Isolator>);
    let containerizer = host.with_isolators(as_dyn.collect());
    containerizer.launch(host.spec("c", shell("sleep 1000"))).await.unwrap();
    let resources = Resources::parse("cpus:2", "*").unwrap();
    containerizer.update(&"c".into(), resources.clone()).await.unwrap();
    containerizer.destroy(&"c".into());
    containerizer.update(&"c".into(), resources).await.unwrap();
    message_of_end(&containerizer, "c").await;
    for isolator in isolators {
        assert_eq!(*isolator.calls.lock(), ["prepare", "isolate", "update cpus(*):2", "cleanup"]);
    }
}
