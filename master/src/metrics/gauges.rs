//! What is measured when somebody looks: counts and sums over the tables, computed in the actor.
//! Upstream: `Master::_slaves_active`, `_tasks_running`, `_resources_total` and their neighbours.

use common::resources::Resources;
use common::values::Scalar;
use libprocess::Ctx;
use proto::mesos::TaskState;

use crate::master::Master;
use crate::phase::Phase;
use crate::state::{Cluster, Framework, Slave};

type Predicate<T> = fn(&T) -> bool;

const SLAVES: [(&str, Predicate<Slave>); 4] = [
    ("slaves_connected", |slave| slave.connected),
    ("slaves_disconnected", |slave| !slave.connected),
    ("slaves_active", |slave| slave.active),
    ("slaves_inactive", |slave| !slave.active),
];

const FRAMEWORKS: [(&str, Predicate<Framework>); 4] = [
    ("frameworks_connected", |framework| framework.connected),
    ("frameworks_disconnected", |framework| !framework.connected),
    ("frameworks_active", |framework| framework.active),
    ("frameworks_inactive", |framework| !framework.active),
];

const TASKS: [(&str, TaskState); 3] = [
    ("tasks_starting", TaskState::TaskStarting),
    ("tasks_running", TaskState::TaskRunning),
    ("tasks_killing", TaskState::TaskKilling),
];

/// Adds all gauges; they are gone with the master.
pub(crate) fn add_gauges(ctx: &Ctx<Master>) {
    ctx.gauge("master/uptime_secs", |master, ctx| ctx.now().since(master.start_time).as_secs_f64());
    ctx.gauge("master/elected", |master, _| match master.phase {
        Phase::Standby => 0.0,
        Phase::Recovering | Phase::Leading => 1.0,
    });
    ctx.gauge("master/event_queue_messages", |_, ctx| ctx.pid().waiting().messages as f64);
    ctx.gauge("master/event_queue_dispatches", |_, ctx| ctx.pid().waiting().dispatches as f64);
    ctx.gauge("master/event_queue_http_requests", |_, ctx| {
        ctx.pid().waiting().http_requests as f64
    });
    add_count(ctx, "outstanding_offers", |cluster| cluster.offers().len());
    for (name, is_counted) in SLAVES {
        let count = move |cluster: &Cluster| {
            cluster.slaves.iter().filter(|slave| is_counted(slave)).count()
        };
        add_count(ctx, name, count);
    }
    for (name, is_counted) in FRAMEWORKS {
        let count = move |cluster: &Cluster| {
            cluster.frameworks.iter().filter(|framework| is_counted(framework)).count()
        };
        add_count(ctx, name, count);
    }
    add_count(ctx, "tasks_staging", |cluster| {
        let pending = cluster.frameworks.iter().map(|framework| framework.pending_tasks.len());
        pending.sum::<usize>() + tasks_in(cluster, TaskState::TaskStaging)
    });
    for (name, state) in TASKS {
        add_count(ctx, name, move |cluster| tasks_in(cluster, state));
    }
    for name in ["cpus", "mem", "disk"] {
        add_resource(ctx, name, "", Resources::non_revocable);
        add_resource(ctx, name, "_revocable", Resources::revocable);
    }
}

fn add_count(
    ctx: &Ctx<Master>,
    name: &str,
    count: impl Fn(&Cluster) -> usize + Send + Sync + 'static,
) {
    ctx.gauge(&format!("master/{name}"), move |master, _| count(&master.cluster) as f64);
}

fn tasks_in(cluster: &Cluster, state: TaskState) -> usize {
    let tasks = cluster.slaves.iter().flat_map(Slave::all_tasks);
    tasks.filter(|task| task.state() == state).count()
}

/// Adds total, use and quotient of a resource; `part` takes the revocable or the other part.
fn add_resource(
    ctx: &Ctx<Master>,
    name: &'static str,
    infix: &str,
    part: fn(&Resources) -> Resources,
) {
    let amount = move |resources: &Resources| part(resources).scalar(name).unwrap_or_default();
    let total = move |cluster: &Cluster| {
        cluster.slaves.iter().map(|slave| amount(&slave.total)).fold(Scalar::ZERO, add)
    };
    let used = move |cluster: &Cluster| {
        let used = cluster.slaves.iter().flat_map(|slave| slave.used.values());
        used.map(amount).fold(Scalar::ZERO, add)
    };
    let name = format!("master/{name}{infix}");
    ctx.gauge(&format!("{name}_total"), move |master, _| total(&master.cluster).to_f64());
    ctx.gauge(&format!("{name}_used"), move |master, _| used(&master.cluster).to_f64());
    ctx.gauge(&format!("{name}_percent"), move |master, _| {
        let total = total(&master.cluster);
        if total.is_zero() { 0.0 } else { used(&master.cluster).to_f64() / total.to_f64() }
    });
}

fn add(left: Scalar, right: Scalar) -> Scalar {
    left + right
}
