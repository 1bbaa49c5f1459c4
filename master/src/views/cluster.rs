//! The whole cluster: `/state`, its summary, and the listings of slaves and frameworks alone.
//! Called by the endpoints of these names. Never sorts: the books are in the order of ids.
//! Upstream: `Master::Http::state`, `stateSummary`, `slaves`, `frameworks`.

use common::json::Form;
use stout::json::{self, Object};

use super::summaries::Summaries;
use super::{View, framework, slave};

/// `/state`: everything.
pub fn state(view: &View<'_>) -> Vec<u8> {
    json::object(|object| {
        write_master(object, view);
        object.array("slaves", |array| {
            for slave in view.cluster.slaves.iter() {
                array.object(|object| slave::write(object, slave));
            }
        });
        write_registered_and_completed(object, view);
        object.array("orphan_tasks", |array| {
            for task in view.cluster.orphan_tasks() {
                array.element(Form::Streamed.show(&task.booked()));
            }
        });
        write_unregistered(object, view);
    })
}

/// `/state-summary`: who is there, and how many tasks each has in each state.
pub fn summary(view: &View<'_>) -> Vec<u8> {
    let summaries = Summaries::of(view.cluster);
    json::object(|object| {
        object.field("hostname", view.info.hostname());
        write_flag(object, view, "cluster");
        object.array("slaves", |array| {
            for slave in view.cluster.slaves.iter() {
                array.object(|object| {
                    slave::write(object, slave);
                    summaries.write_slave(object, &slave.id);
                });
            }
        });
        object.array("frameworks", |array| {
            for framework in view.cluster.frameworks.iter() {
                array.object(|object| {
                    framework::write_summary(object, framework);
                    summaries.write_framework(object, &framework.id);
                });
            }
        });
    })
}

/// `/slaves`: the slaves, with every detail of their resources.
pub fn slaves(view: &View<'_>) -> Vec<u8> {
    json::object(|object| {
        object.array("slaves", |array| {
            for slave in view.cluster.slaves.iter() {
                array.object(|object| {
                    slave::write(object, slave);
                    slave::write_full_resources(object, slave);
                });
            }
        });
    })
}

/// `/frameworks`: the frameworks, registered, completed and expected back.
pub fn frameworks(view: &View<'_>) -> Vec<u8> {
    json::object(|object| {
        write_registered_and_completed(object, view);
        write_unregistered(object, view);
    })
}

/// `/flags`: the flags that have a value, every text as it was understood.
pub fn flags(view: &View<'_>) -> Vec<u8> {
    json::object(|object| object.field("flags", view.flags))
}

fn write_master(object: &mut Object<'_>, view: &View<'_>) {
    for (name, value) in view.build {
        object.field(name, value);
    }
    object.field("start_time", view.start_time.secs());
    if let Some(time) = view.elected_time {
        object.field("elected_time", time.secs());
    }
    let active = view.cluster.slaves.iter().filter(|slave| slave.active).count();
    let inactive = view.cluster.slaves.len() - active;
    object.field("id", &view.info.id);
    object.field("pid", view.info.pid());
    object.field("hostname", view.info.hostname());
    object.field("activated_slaves", active as f64);
    object.field("deactivated_slaves", inactive as f64);
    write_flag(object, view, "cluster");
    if let Some(leader) = view.leader {
        object.field("leader", leader.pid());
    }
    write_flag(object, view, "log_dir");
    write_flag(object, view, "external_log_file");
    object.field("flags", view.flags);
}

fn write_flag(object: &mut Object<'_>, view: &View<'_>, name: &str) {
    if let Some(text) = view.flags.get(name) {
        object.field(name, text);
    }
}

fn write_registered_and_completed(object: &mut Object<'_>, view: &View<'_>) {
    object.array("frameworks", |array| {
        for framework in view.cluster.frameworks.iter() {
            array.object(|object| framework::write(object, framework, view.cluster));
        }
    });
    object.array("completed_frameworks", |array| {
        for framework in view.cluster.frameworks.completed.iter() {
            array.object(|object| framework::write(object, framework, view.cluster));
        }
    });
}

/// COMPAT: a framework with tasks on several slaves is named once for each of them
/// (`Master::Http::state`); held by `orphan_tasks`.
fn write_unregistered(object: &mut Object<'_>, view: &View<'_>) {
    object.array("unregistered_frameworks", |array| {
        for id in view.cluster.slaves.iter().flat_map(|slave| slave.tasks.keys()) {
            if view.cluster.frameworks.get(id).is_none() {
                array.element(id.as_str());
            }
        }
    });
}
