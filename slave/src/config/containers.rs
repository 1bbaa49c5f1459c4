//! What the containerizer is told of our flags and of our environment.
//! Called by `daemon`, and by clusters in one process.
//! Upstream: the parts of `slave::Flags` that containerizers look at.

use std::collections::BTreeMap;
use std::time::SystemTime;

use containerizer::config::{Clock, Config, ContainerOutput};
use libprocess::Runtime;
use serde_json::{Map, Value};

use crate::config::absolute;
use crate::flags::Flags;

/// The settings of the containers of a slave with these flags and this environment.
pub fn container_config(
    flags: &Flags,
    environment: BTreeMap<String, String>,
    runtime: &Runtime,
) -> Config {
    let variables = flags.executor_environment_variables.as_ref().map(texts);
    let clock = runtime.clock().clone();
    Config {
        containerizers: flags.containers.containerizers.clone(),
        isolation: flags.containers.isolation.clone(),
        launcher: flags.containers.launcher.clone(),
        launcher_dir: absolute(&flags.launcher_dir),
        work_dir: absolute(&flags.work_dir),
        frameworks_home: flags.containers.frameworks_home.clone(),
        hadoop_home: flags.containers.hadoop_home.clone(),
        libprocess_ip: flags.daemon.ip.clone().or(environment.get("LIBPROCESS_IP").cloned()),
        environment,
        executor_environment_variables: variables,
        native_library: None,
        executor_shutdown_grace_period: flags.executor_shutdown_grace_period,
        recovery_timeout: flags.recovery_timeout,
        default_container_info: flags.containers.default_container_info.clone().map(|info| info.0),
        output: ContainerOutput::Sandbox,
        clock: Clock(std::sync::Arc::new(move || {
            SystemTime::UNIX_EPOCH + clock.now().since_epoch()
        })),
    }
}

/// The flag's check has made sure that all of them are texts.
fn texts(variables: &Map<String, Value>) -> BTreeMap<String, String> {
    let texts = variables.iter().filter_map(|(name, value)| Some((name, value.as_str()?)));
    texts.map(|(name, text)| (name.clone(), text.to_owned())).collect()
}
