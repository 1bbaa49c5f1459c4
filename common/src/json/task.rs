//! Tasks and their statuses, as both daemons print them.
//! Upstream: `model` and `json` of Task, TaskInfo, TaskStatus, ContainerStatus and NetworkInfo
//! in `common/http.cpp`.

use proto::mesos::internal::Task;
use proto::mesos::{ContainerStatus, NetworkInfo, TaskInfo, TaskState, TaskStatus};
use stout::json::{Slot, ToJson};

use super::shown::Shown;
use crate::ids::FrameworkId;
use crate::resources::Resources;
use crate::status::create_task;

/// A task that waits for its launch to be authorized.
#[derive(Clone, Copy, Debug)]
pub struct PendingTask<'a> {
    /// The task.
    pub task: &'a TaskInfo,
    /// Whose it is.
    pub framework_id: &'a FrameworkId,
}

impl ToJson for Shown<'_, PendingTask<'_>> {
    fn to_json(&self, slot: Slot<'_>) {
        let PendingTask { task, framework_id } = self.value;
        let task = create_task(task, TaskState::TaskStaging, framework_id);
        self.form.show(&task).to_json(slot);
    }
}

/// A task whose resources are kept apart from its message, where they take little room.
#[derive(Clone, Copy, Debug)]
pub struct BookedTask<'a> {
    /// The task; what it says of its resources is not shown.
    pub task: &'a Task,
    /// What it uses.
    pub resources: &'a Resources,
}

impl ToJson for Shown<'_, Task> {
    fn to_json(&self, slot: Slot<'_>) {
        let (task, resources) = (self.value, Resources::from(&self.value.resources));
        self.form.show(&BookedTask { task, resources: &resources }).to_json(slot);
    }
}

impl ToJson for Shown<'_, BookedTask<'_>> {
    fn to_json(&self, slot: Slot<'_>) {
        let BookedTask { task, resources } = *self.value;
        let executor_id = task.executor_id.as_ref().map_or("", |id| id.value.as_str());
        self.form.object(slot, |object| {
            object.field("id", &task.task_id.value);
            object.field("name", &task.name);
            object.field("framework_id", &task.framework_id.value);
            object.field("executor_id", executor_id);
            object.field("slave_id", &task.slave_id.value);
            object.field("state", task.state().as_str_name());
            object.field("resources", self.form.show(resources));
            self.form.list(object, "statuses", &task.statuses);
            if let Some(labels) = &task.labels {
                object.field("labels", self.form.show(labels));
            }
            self.form.optional_protobuf(object, "discovery", &task.discovery);
            self.form.optional_protobuf(object, "container", &task.container);
        });
    }
}

impl ToJson for Shown<'_, TaskStatus> {
    fn to_json(&self, slot: Slot<'_>) {
        let status = self.value;
        self.form.object(slot, |object| {
            object.field("state", status.state().as_str_name());
            object.field("timestamp", status.timestamp());
            if let Some(labels) = &status.labels {
                object.field("labels", self.form.show(labels));
            }
            if let Some(container_status) = &status.container_status {
                object.field("container_status", self.form.show(container_status));
            }
            if let Some(healthy) = status.healthy {
                object.field("healthy", healthy);
            }
        });
    }
}

impl ToJson for Shown<'_, ContainerStatus> {
    fn to_json(&self, slot: Slot<'_>) {
        let status = self.value;
        self.form.object(slot, |object| {
            if !status.network_infos.is_empty() {
                self.form.list(object, "network_infos", &status.network_infos);
            }
            self.form.optional_protobuf(object, "cgroup_info", &status.cgroup_info);
        });
    }
}

impl ToJson for Shown<'_, NetworkInfo> {
    fn to_json(&self, slot: Slot<'_>) {
        let info = self.value;
        self.form.object(slot, |object| {
            if let Some(ip_address) = &info.ip_address {
                object.field("ip_address", ip_address);
            }
            if !info.groups.is_empty() {
                object.field("groups", &info.groups);
            }
            if let Some(labels) = &info.labels {
                object.field("labels", self.form.show(labels));
            }
            if !info.ip_addresses.is_empty() {
                object.array("ip_addresses", |array| {
                    for address in &info.ip_addresses {
                        array.element_with(|slot| self.form.protobuf(slot, address));
                    }
                });
            }
        });
    }
}
