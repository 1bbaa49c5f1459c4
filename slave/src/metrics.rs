//! Names and values of the slave's metrics. Installed when the actor starts; the counters are
//! incremented by the handlers.
//! Upstream: `slave/metrics.{hpp,cpp}`.

use common::resources::Resources;
use libprocess::Ctx;
use libprocess::metrics::{Counter, Metrics};
use proto::mesos::TaskState;
use tracing::warn;

use crate::slave::Slave;
use crate::state::executor::ExecutorPhase;

/// What the slave counts.
#[derive(Clone)]
pub(crate) struct Counters {
    tasks_finished: Counter,
    tasks_failed: Counter,
    tasks_killed: Counter,
    tasks_lost: Counter,
    pub(crate) recovery_errors: Counter,
    pub(crate) executors_terminated: Counter,
    pub(crate) valid_status_updates: Counter,
    pub(crate) invalid_status_updates: Counter,
    pub(crate) valid_framework_messages: Counter,
    pub(crate) invalid_framework_messages: Counter,
    pub(crate) container_launch_errors: Counter,
}

impl Counters {
    pub(crate) fn new(metrics: &Metrics) -> Counters {
        let counter = |name: &str| metrics.counter(&format!("slave/{name}"));
        // Nothing is preempted, but it is looked at.
        counter("executors_preempted");
        Counters {
            tasks_finished: counter("tasks_finished"),
            tasks_failed: counter("tasks_failed"),
            tasks_killed: counter("tasks_killed"),
            tasks_lost: counter("tasks_lost"),
            recovery_errors: counter("recovery_errors"),
            executors_terminated: counter("executors_terminated"),
            valid_status_updates: counter("valid_status_updates"),
            invalid_status_updates: counter("invalid_status_updates"),
            valid_framework_messages: counter("valid_framework_messages"),
            invalid_framework_messages: counter("invalid_framework_messages"),
            container_launch_errors: counter("container_launch_errors"),
        }
    }

    /// A task has ended in this state.
    pub(crate) fn count_end(&self, state: TaskState) {
        match state {
            TaskState::TaskFinished => self.tasks_finished.increment(),
            TaskState::TaskFailed => self.tasks_failed.increment(),
            TaskState::TaskKilled => self.tasks_killed.increment(),
            TaskState::TaskLost => self.tasks_lost.increment(),
            other => warn!("Unhandled task state {} on completion.", other.as_str_name()),
        }
    }
}

/// Every metric that is measured when it is asked for.
pub(crate) fn install(slave: &Slave, ctx: &Ctx<Slave>) {
    ctx.gauge("slave/uptime_secs", |slave, ctx| ctx.now().since(slave.started_at).as_secs_f64());
    // COMPAT: 1 as soon as a master is detected (`Slave::_registered`); held by
    // `slave::metrics_in_metrics_endpoint`.
    ctx.gauge("slave/registered", |slave, _| f64::from(u8::from(slave.master.is_some())));
    ctx.gauge("slave/frameworks_active", |slave, _| slave.frameworks.len() as f64);
    ctx.gauge("slave/executor_directory_max_allowed_age_secs", |slave, _| {
        slave.directory_age_max.as_secs_f64()
    });
    for (name, state) in [
        ("tasks_staging", TaskState::TaskStaging),
        ("tasks_starting", TaskState::TaskStarting),
        ("tasks_running", TaskState::TaskRunning),
        ("tasks_killing", TaskState::TaskKilling),
    ] {
        ctx.gauge(&format!("slave/{name}"), move |slave, _| {
            slave.frameworks.count_tasks(state) as f64
        });
    }
    for (name, phase) in [
        ("executors_registering", ExecutorPhase::Registering),
        ("executors_running", ExecutorPhase::Running),
        ("executors_terminating", ExecutorPhase::Terminating),
    ] {
        ctx.gauge(&format!("slave/{name}"), move |slave, _| {
            slave.frameworks.count_executors(phase) as f64
        });
    }
    for name in ["cpus", "mem", "disk"] {
        measure(ctx, name, "", |slave| {
            let total = Resources::from(&slave.info.resources);
            (total, slave.frameworks.resources().non_revocable())
        });
        measure(ctx, name, "_revocable", |slave| {
            let total = slave.oversubscribed.clone().unwrap_or_default();
            (total, slave.frameworks.resources().revocable())
        });
    }
    // The containerizer's own, under the names that it gives.
    for name in slave.parts.containerizer.counters().into_keys() {
        ctx.gauge(name, move |slave, _| {
            let counters = slave.parts.containerizer.counters();
            counters.get(name).copied().unwrap_or_default() as f64
        });
    }
}

/// `<name>_total`, `_used` and `_percent` of what `amounts` gives: all there is, and what is used.
fn measure(
    ctx: &Ctx<Slave>,
    name: &'static str,
    kind: &str,
    amounts: impl Fn(&Slave) -> (Resources, Resources) + Copy + Send + Sync + 'static,
) {
    ctx.gauge(&format!("slave/{name}{kind}_total"), move |slave, _| sum(&amounts(slave).0, name));
    ctx.gauge(&format!("slave/{name}{kind}_used"), move |slave, _| sum(&amounts(slave).1, name));
    ctx.gauge(&format!("slave/{name}{kind}_percent"), move |slave, _| {
        let (total, used) = amounts(slave);
        let total = sum(&total, name);
        if total == 0.0 { 0.0 } else { sum(&used, name) / total }
    });
}

fn sum(resources: &Resources, name: &str) -> f64 {
    resources.scalar(name).map_or(0.0, |scalar| scalar.to_f64())
}
