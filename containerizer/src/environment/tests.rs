//! The environment that executors get, name by name.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future;
use proto::mesos::{ExecutorId, ExecutorInfo, FrameworkId};

use super::executor_environment;
use crate::config::Config;
use crate::{Checkpoint, LaunchSpec};

fn spec() -> LaunchSpec {
    LaunchSpec {
        container_id: "c".into(),
        task_info: None,
        executor_info: ExecutorInfo {
            executor_id: ExecutorId { value: "e 1".into() },
            framework_id: Some(FrameworkId { value: "f-0000".into() }),
            ..ExecutorInfo::default()
        },
        directory: "/work/runs/c".into(),
        user: None,
        slave_id: "m-S0".into(),
        slave_pid: "slave(1)@127.0.0.1:5051".into(),
        cause: None,
        checkpoint: None,
    }
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// What is set whatever the settings are, for a framework that does not checkpoint.
const ALWAYS: [(&str, &str); 9] = [
    ("LIBPROCESS_PORT", "0"),
    ("MESOS_AGENT_ENDPOINT", "127.0.0.1:5051"),
    ("MESOS_CHECKPOINT", "0"),
    ("MESOS_DIRECTORY", "/work/runs/c"),
    ("MESOS_EXECUTOR_ID", "e 1"),
    ("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "5secs"),
    ("MESOS_FRAMEWORK_ID", "f-0000"),
    ("MESOS_SLAVE_ID", "m-S0"),
    ("MESOS_SLAVE_PID", "slave(1)@127.0.0.1:5051"),
];

fn check(spec: &LaunchSpec, config: &Config, more: &[(&str, &str)]) {
    let mut expected = pairs(&ALWAYS);
    expected.extend(pairs(more));
    assert_eq!(executor_environment(spec, config), expected);
}

#[test]
fn nothing_but_what_is_always_set() {
    check(&spec(), &Config::default(), &[]);
}

#[test]
fn checkpointing_frameworks_learn_how_long_to_wait() {
    let checkpoint = Checkpoint(Arc::new(|_, _| future::ready(Ok(())).boxed()));
    let spec = LaunchSpec { checkpoint: Some(checkpoint), ..spec() };
    let more = [
        ("MESOS_CHECKPOINT", "1"),
        ("MESOS_RECOVERY_TIMEOUT", "15mins"),
        ("MESOS_SUBSCRIPTION_BACKOFF_MAX", "2secs"),
    ];
    check(&spec, &Config::default(), &more);
}

#[test]
fn a_trace_goes_on_in_the_executor() {
    let cause = "00c0ffee00000001;until=1796304599";
    let spec = LaunchSpec { cause: Some(cause.to_owned()), ..spec() };
    check(&spec, &Config::default(), &[("LIBPROCESS_CAUSE", cause)]);
}

#[test]
fn the_slaves_environment_is_inherited_but_for_what_is_set() {
    let environment = pairs(&[
        ("PATH", "/bin"),
        ("LIBPROCESS_IP", "10.0.0.1"),
        ("LIBPROCESS_PORT", "5051"),
        ("MESOS_DIRECTORY", "/elsewhere"),
    ]);
    let config =
        Config { environment, libprocess_ip: Some("127.0.0.1".into()), ..Config::default() };
    check(&spec(), &config, &[("PATH", "/bin"), ("LIBPROCESS_IP", "127.0.0.1")]);
}

#[test]
fn executor_environment_variables() {
    let variables = |pairs_given: &[(&str, &str)]| Config {
        environment: pairs(&[("PATH", "/bin"), ("LIBPROCESS_IP", "10.0.0.1")]),
        executor_environment_variables: Some(pairs(pairs_given)),
        ..Config::default()
    };
    let kept_ip = ("LIBPROCESS_IP", "10.0.0.1");
    check(&spec(), &variables(&[]), &[kept_ip]);
    check(&spec(), &variables(&[("PATH", "/x")]), &[kept_ip, ("PATH", "/x")]);
    check(
        &spec(),
        &variables(&[("LIBPROCESS_IP", "1.2.3.4"), ("MESOS_SLAVE_ID", "fake")]),
        &[("LIBPROCESS_IP", "1.2.3.4")],
    );
}

#[test]
fn an_installed_library_is_pointed_to_unless_it_is_named_already() {
    let config = |environment| Config {
        environment,
        native_library: Some(PathBuf::from("/lib/libmesos-0.28.3.so")),
        ..Config::default()
    };
    let ours = "/lib/libmesos-0.28.3.so";
    check(
        &spec(),
        &config(BTreeMap::new()),
        &[("MESOS_NATIVE_JAVA_LIBRARY", ours), ("MESOS_NATIVE_LIBRARY", ours)],
    );
    check(
        &spec(),
        &config(pairs(&[("MESOS_NATIVE_LIBRARY", "/mine.so")])),
        &[("MESOS_NATIVE_JAVA_LIBRARY", ours), ("MESOS_NATIVE_LIBRARY", "/mine.so")],
    );
}
