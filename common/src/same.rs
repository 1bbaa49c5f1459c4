//! When two messages mean the same: lists whose order says nothing are compared without it, and
//! an unset field equals its default. Used where an executor, a slave or a master shows up again.
//! Upstream: the `operator==` of `common/type_utils.cpp` and `messages/messages.cpp`.

use proto::mesos::command_info::Uri;
use proto::mesos::container_info::DockerInfo;
use proto::mesos::container_info::docker_info::PortMapping;
use proto::mesos::environment::Variable;
use proto::mesos::internal::Task;
use proto::mesos::{
    CommandInfo, ContainerInfo, DiscoveryInfo, Environment, ExecutorInfo, Labels, MasterInfo,
    Parameter, Port, Ports, SlaveInfo, TaskStatus, Volume,
};

use crate::attributes::Attributes;
use crate::labels;
use crate::resources::Resources;

/// Sameness of meaning.
pub trait Same {
    /// Whether both mean the same.
    fn is_same(&self, other: &Self) -> bool;
}

impl Same for ExecutorInfo {
    fn is_same(&self, other: &ExecutorInfo) -> bool {
        self.executor_id == other.executor_id
            && self.data() == other.data()
            && Resources::from(&self.resources) == Resources::from(&other.resources)
            && are_same(&self.command, &other.command)
            && self.framework_id.clone().unwrap_or_default()
                == other.framework_id.clone().unwrap_or_default()
            && self.name() == other.name()
            && self.source() == other.source()
            && are_same(&self.container, &other.container)
            && are_same(&self.discovery, &other.discovery)
    }
}

impl Same for CommandInfo {
    fn is_same(&self, other: &CommandInfo) -> bool {
        are_same_in_any_order(&self.uris, &other.uris)
            && self.arguments == other.arguments
            && are_same(&self.environment, &other.environment)
            && self.value() == other.value()
            && self.user() == other.user()
            && self.shell() == other.shell()
    }
}

impl Same for Uri {
    fn is_same(&self, other: &Uri) -> bool {
        self.value == other.value
            && self.executable() == other.executable()
            && self.extract() == other.extract()
    }
}

impl Same for Environment {
    fn is_same(&self, other: &Environment) -> bool {
        are_same_in_any_order(&self.variables, &other.variables)
    }
}

impl Same for Variable {
    fn is_same(&self, other: &Variable) -> bool {
        self.name == other.name && self.value() == other.value()
    }
}

impl Same for ContainerInfo {
    fn is_same(&self, other: &ContainerInfo) -> bool {
        are_same_in_any_order(&self.volumes, &other.volumes)
            && self.r#type == other.r#type
            && self.hostname() == other.hostname()
            && are_same(&self.docker, &other.docker)
    }
}

impl Same for DockerInfo {
    fn is_same(&self, other: &DockerInfo) -> bool {
        are_same_in_any_order(&self.port_mappings, &other.port_mappings)
            && are_same_in_any_order(&self.parameters, &other.parameters)
            && self.image == other.image
            && self.network() == other.network()
            && self.privileged() == other.privileged()
            && self.force_pull_image() == other.force_pull_image()
    }
}

impl Same for PortMapping {
    fn is_same(&self, other: &PortMapping) -> bool {
        self.host_port == other.host_port
            && self.container_port == other.container_port
            && self.protocol() == other.protocol()
    }
}

impl Same for Parameter {
    fn is_same(&self, other: &Parameter) -> bool {
        self == other
    }
}

impl Same for Volume {
    fn is_same(&self, other: &Volume) -> bool {
        self.container_path == other.container_path
            && self.host_path() == other.host_path()
            && self.mode == other.mode
    }
}

impl Same for DiscoveryInfo {
    fn is_same(&self, other: &DiscoveryInfo) -> bool {
        self.visibility == other.visibility
            && self.name() == other.name()
            && self.environment() == other.environment()
            && self.location() == other.location()
            && self.version() == other.version()
            && are_same(&self.ports, &other.ports)
            && are_same(&self.labels, &other.labels)
    }
}

impl Same for Ports {
    fn is_same(&self, other: &Ports) -> bool {
        are_same_in_any_order(&self.ports, &other.ports)
    }
}

impl Same for Port {
    fn is_same(&self, other: &Port) -> bool {
        self.number == other.number
            && self.name() == other.name()
            && self.protocol() == other.protocol()
            && self.visibility() == other.visibility()
    }
}

impl Same for Labels {
    fn is_same(&self, other: &Labels) -> bool {
        labels::are_equal(self, other)
    }
}

impl Same for MasterInfo {
    fn is_same(&self, other: &MasterInfo) -> bool {
        self.id == other.id
            && self.ip == other.ip
            && self.port == other.port
            && self.pid() == other.pid()
            && self.hostname() == other.hostname()
            && self.version() == other.version()
    }
}

impl Same for SlaveInfo {
    fn is_same(&self, other: &SlaveInfo) -> bool {
        self.hostname == other.hostname
            && Resources::from(&self.resources) == Resources::from(&other.resources)
            && Attributes::from(&self.attributes[..]) == Attributes::from(&other.attributes[..])
            && self.id.clone().unwrap_or_default() == other.id.clone().unwrap_or_default()
            && self.checkpoint() == other.checkpoint()
            && self.port() == other.port()
    }
}

impl Same for TaskStatus {
    fn is_same(&self, other: &TaskStatus) -> bool {
        self.task_id == other.task_id
            && self.state == other.state
            && self.data() == other.data()
            && self.message() == other.message()
            && self.slave_id.clone().unwrap_or_default()
                == other.slave_id.clone().unwrap_or_default()
            && self.timestamp() == other.timestamp()
            && self.executor_id.clone().unwrap_or_default()
                == other.executor_id.clone().unwrap_or_default()
            && self.healthy() == other.healthy()
            && self.source() == other.source()
            && self.reason() == other.reason()
            && self.uuid() == other.uuid()
    }
}

impl Same for Task {
    fn is_same(&self, other: &Task) -> bool {
        self.statuses.len() == other.statuses.len()
            && self.statuses.iter().zip(&other.statuses).all(|(left, right)| left.is_same(right))
            && self.name == other.name
            && self.task_id == other.task_id
            && self.framework_id == other.framework_id
            && self.executor_id.clone().unwrap_or_default()
                == other.executor_id.clone().unwrap_or_default()
            && self.slave_id == other.slave_id
            && self.state == other.state
            && Resources::from(&self.resources) == Resources::from(&other.resources)
            && self.status_update_state() == other.status_update_state()
            && self.status_update_uuid() == other.status_update_uuid()
            && are_same(&self.labels, &other.labels)
            && are_same(&self.discovery, &other.discovery)
    }
}

fn are_same<T: Same + Default>(left: &Option<T>, right: &Option<T>) -> bool {
    match (left, right) {
        (None, None) => true,
        (Some(left), Some(right)) => left.is_same(right),
        (Some(one), None) | (None, Some(one)) => one.is_same(&T::default()),
    }
}

fn are_same_in_any_order<T: Same + PartialEq>(left: &[T], right: &[T]) -> bool {
    left == right
        || (left.len() == right.len()
            && left.iter().all(|one| right.iter().any(|other| one.is_same(other))))
}

#[cfg(test)]
mod tests {
    use super::Same;
    use proto::mesos::command_info::Uri;
    use proto::mesos::environment::Variable;
    use proto::mesos::{CommandInfo, Environment, ExecutorInfo, MasterInfo, SlaveInfo};

    fn uri(value: &str) -> Uri {
        Uri { value: value.into(), ..Uri::default() }
    }

    fn variable(name: &str) -> Variable {
        Variable { name: name.into(), ..Variable::default() }
    }

    #[test]
    fn commands_have_sets_of_uris_and_variables_but_lists_of_arguments() {
        let command = |uris: [&str; 2], variables: [&str; 2], arguments: [&str; 2]| CommandInfo {
            uris: uris.map(uri).to_vec(),
            environment: Some(Environment { variables: variables.map(variable).to_vec() }),
            arguments: arguments.map(String::from).to_vec(),
            ..CommandInfo::default()
        };
        let one = command(["a", "b"], ["c", "d"], ["e", "f"]);
        assert!(one.is_same(&command(["b", "a"], ["d", "c"], ["e", "f"])));
        assert!(!one.is_same(&command(["a", "b"], ["c", "d"], ["f", "e"])));
        assert!(!one.is_same(&command(["a", "x"], ["c", "d"], ["e", "f"])));
        let shell = CommandInfo { shell: Some(true), ..one.clone() };
        assert!(one.is_same(&shell), "a shell is the default");
    }

    #[test]
    fn executors_compare_unset_fields_by_default() {
        let unset = ExecutorInfo::default();
        let set = ExecutorInfo {
            command: Some(CommandInfo::default()),
            name: Some(String::new()),
            ..ExecutorInfo::default()
        };
        assert!(unset.is_same(&set) && set.is_same(&unset));
        let other = ExecutorInfo { source: Some("s".into()), ..ExecutorInfo::default() };
        assert!(!unset.is_same(&other));
    }

    #[test]
    fn masters_compare_without_their_address() {
        let address = Some(proto::mesos::Address { port: 1, ..Default::default() });
        let one = MasterInfo { id: "m".into(), port: 5050, ..MasterInfo::default() };
        assert!(one.is_same(&MasterInfo { address, ..one.clone() }));
        assert!(!one.is_same(&MasterInfo { version: Some("0.28.3".into()), ..one.clone() }));
    }

    #[test]
    fn slaves_compare_resources_and_attributes_as_such() {
        let slave = |resources: &str, attributes: &str| SlaveInfo {
            resources: resources.parse::<crate::resources::Resources>().expect("").to_messages(),
            attributes: attributes.parse::<super::Attributes>().expect("").to_messages(),
            ..SlaveInfo::default()
        };
        assert!(slave("cpus:1;mem:2", "a:1;b:x").is_same(&slave("mem:2;cpus:1", "b:x;a:1")));
        assert!(!slave("cpus:1", "").is_same(&slave("cpus:2", "")));
        let port = SlaveInfo { port: Some(5051), ..slave("", "") };
        assert!(port.is_same(&slave("", "")), "5051 is the default");
    }
}
