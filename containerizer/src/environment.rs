//! The environment of executors. Pure. Called by the containerizers.
//! Upstream: `executorEnvironment` in `containerizer/containerizer.cpp`.

use std::collections::BTreeMap;
use std::time::Duration;

use stout::duration;

use crate::LaunchSpec;
use crate::config::Config;

/// How long a checkpointing executor waits at most between two attempts to reach the slave.
const SUBSCRIPTION_BACKOFF_MAX: Duration = Duration::from_secs(2);

/// Names and values, as the executor's process gets them. What isolators and the command add
/// comes on top.
pub fn executor_environment(spec: &LaunchSpec, config: &Config) -> BTreeMap<String, String> {
    let mut environment = config.environment.clone();
    if let Some(ip) = &config.libprocess_ip {
        environment.insert("LIBPROCESS_IP".to_owned(), ip.clone());
    }
    if let Some(explicit) = &config.executor_environment_variables {
        environment.retain(|name, _| name == "LIBPROCESS_IP");
        environment.extend(explicit.clone());
    }
    if let Some(library) = &config.native_library {
        for name in ["MESOS_NATIVE_JAVA_LIBRARY", "MESOS_NATIVE_LIBRARY"] {
            let library = library.to_string_lossy().into_owned();
            environment.entry(name.to_owned()).or_insert(library);
        }
    }
    let mut set = |name: &str, value: String| drop(environment.insert(name.to_owned(), value));
    // The slave's own port would be taken.
    set("LIBPROCESS_PORT", "0".into());
    let executor = &spec.executor_info;
    let framework_id = executor.framework_id.as_ref();
    set("MESOS_FRAMEWORK_ID", framework_id.map(|id| id.value.clone()).unwrap_or_default());
    set("MESOS_EXECUTOR_ID", executor.executor_id.value.clone());
    set("MESOS_DIRECTORY", spec.directory.to_string_lossy().into_owned());
    set("MESOS_SLAVE_ID", spec.slave_id.to_string());
    set("MESOS_SLAVE_PID", spec.slave_pid.clone());
    let endpoint = spec.slave_pid.rsplit('@').next().unwrap_or_default();
    set("MESOS_AGENT_ENDPOINT", endpoint.to_owned());
    set("MESOS_CHECKPOINT", if spec.checkpoint.is_some() { "1" } else { "0" }.into());
    if let Some(cause) = &spec.cause {
        set("LIBPROCESS_CAUSE", cause.clone());
    }
    let grace_period = duration::display(config.executor_shutdown_grace_period).to_string();
    set("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", grace_period);
    if spec.checkpoint.is_some() {
        set("MESOS_RECOVERY_TIMEOUT", duration::display(config.recovery_timeout).to_string());
        let backoff_max = duration::display(SUBSCRIPTION_BACKOFF_MAX).to_string();
        set("MESOS_SUBSCRIPTION_BACKOFF_MAX", backoff_max);
    }
    environment
}

#[cfg(test)]
mod tests;
