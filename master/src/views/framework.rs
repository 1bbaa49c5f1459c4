//! One framework: what the summary shows of it, and all of it with its tasks, offers and
//! executors. Called by `cluster.rs`.
//! Upstream: `json` of `Summary<Framework>`, `Full<Framework>` and `Offer`.

use common::json::{Form, PendingTask};
use stout::json::{Object, Slot, ToJson};

use crate::state::{Cluster, Framework, Offer};

/// The fields that `/state-summary` and the full listings share.
pub(super) fn write_summary(object: &mut Object<'_>, framework: &Framework) {
    let info = &framework.info;
    object.field("id", framework.id.as_str());
    object.field("name", &info.name);
    if let Some(pid) = framework.pid() {
        object.field("pid", pid.to_string());
    }
    object.field("used_resources", Form::Streamed.show(&framework.total_used));
    object.field("offered_resources", Form::Streamed.show(&framework.total_offered));
    object.array("capabilities", |array| {
        for capability in &info.capabilities {
            array.element(capability.r#type().as_str_name());
        }
    });
    object.field("hostname", info.hostname());
    object.field("webui_url", info.webui_url());
    object.field("active", framework.active);
}

/// All of a framework, registered or completed.
pub(super) fn write(object: &mut Object<'_>, framework: &Framework, cluster: &Cluster) {
    write_summary(object, framework);
    write_terms(object, framework);
    write_tasks(object, framework, cluster);
    object.array("offers", |array| {
        for offer in framework.offers.iter().filter_map(|id| cluster.offer(id)) {
            array.element(offer);
        }
    });
    write_executors(object, framework, cluster);
    if let Some(labels) = &framework.info.labels {
        object.field("labels", Form::Streamed.show(labels));
    }
}

fn write_terms(object: &mut Object<'_>, framework: &Framework) {
    let info = &framework.info;
    object.field("user", &info.user);
    object.field("failover_timeout", info.failover_timeout());
    object.field("checkpoint", info.checkpoint());
    object.field("role", info.role());
    object.field("registered_time", framework.registered_time.secs());
    object.field("unregistered_time", framework.unregistered_time.map_or(0.0, |time| time.secs()));
    if let Some(principal) = &info.principal {
        object.field("principal", principal);
    }
    let held = &framework.total_used + &framework.total_offered;
    object.field("resources", Form::Streamed.show(&held));
    if framework.registered_time != framework.reregistered_time {
        object.field("reregistered_time", framework.reregistered_time.secs());
    }
}

fn write_tasks(object: &mut Object<'_>, framework: &Framework, cluster: &Cluster) {
    object.array("tasks", |array| {
        for task in framework.pending_tasks.values() {
            let pending = PendingTask { task, framework_id: &framework.id };
            array.element(Form::Streamed.show(&pending));
        }
        for task in cluster.tasks_of(framework) {
            array.element(Form::Streamed.show(&task.booked()));
        }
    });
    object.array("completed_tasks", |array| {
        for task in framework.completed_tasks.iter() {
            array.element(Form::Streamed.show(&task.booked()));
        }
    });
}

fn write_executors(object: &mut Object<'_>, framework: &Framework, cluster: &Cluster) {
    object.array("executors", |array| {
        for (slave_id, executors) in &framework.executors {
            let Some(slave) = cluster.slaves.get(slave_id) else { continue };
            for executor in executors.iter().filter_map(|id| slave.executor(&framework.id, id)) {
                array.object(|object| {
                    Form::Streamed.show(executor.info.as_ref()).write_fields(object);
                    object.field("slave_id", slave_id.as_str());
                });
            }
        }
    });
}

impl ToJson for Offer {
    fn to_json(&self, slot: Slot<'_>) {
        slot.object(|object| {
            object.field("id", self.id.as_str());
            object.field("framework_id", self.framework_id.as_str());
            object.field("slave_id", self.slave_id.as_str());
            object.field("resources", Form::Streamed.show(&self.resources));
        });
    }
}
