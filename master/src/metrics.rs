//! The names of all that the master counts, and when it counts a task.
//! Handlers increment the counters; what is measured is in `gauges.rs`.
//! Upstream: `master/metrics.cpp`.

mod gauges;

use std::collections::BTreeMap;

use libprocess::metrics::{self, Counter};
use proto::mesos::task_status::{Reason, Source};
use proto::mesos::{TaskState, TaskStatus};

pub(crate) use gauges::add_gauges;

macro_rules! counters {
    ($($field:ident = $name:literal,)+) => {
        /// The counters of a master.
        pub(crate) struct Metrics {
            registry: metrics::Metrics,
            principals: BTreeMap<String, Principal>,
            $(pub(crate) $field: Counter,)+
        }

        impl Metrics {
            /// All counters at zero, or where an earlier master of this process left them.
            pub(crate) fn new(registry: &metrics::Metrics) -> Metrics {
                Metrics {
                    registry: registry.clone(),
                    principals: BTreeMap::new(),
                    $($field: registry.counter(concat!("master/", $name)),)+
                }
            }
        }
    };
}

counters! {
    tasks_finished = "tasks_finished",
    tasks_failed = "tasks_failed",
    tasks_killed = "tasks_killed",
    tasks_lost = "tasks_lost",
    tasks_error = "tasks_error",
    dropped_messages = "dropped_messages",
    messages_register_framework = "messages_register_framework",
    messages_reregister_framework = "messages_reregister_framework",
    messages_unregister_framework = "messages_unregister_framework",
    messages_deactivate_framework = "messages_deactivate_framework",
    messages_kill_task = "messages_kill_task",
    messages_status_update_acknowledgement = "messages_status_update_acknowledgement",
    messages_resource_request = "messages_resource_request",
    messages_launch_tasks = "messages_launch_tasks",
    messages_decline_offers = "messages_decline_offers",
    messages_revive_offers = "messages_revive_offers",
    messages_suppress_offers = "messages_suppress_offers",
    messages_reconcile_tasks = "messages_reconcile_tasks",
    messages_framework_to_executor = "messages_framework_to_executor",
    messages_executor_to_framework = "messages_executor_to_framework",
    messages_register_slave = "messages_register_slave",
    messages_reregister_slave = "messages_reregister_slave",
    messages_unregister_slave = "messages_unregister_slave",
    messages_status_update = "messages_status_update",
    messages_exited_executor = "messages_exited_executor",
    messages_update_slave = "messages_update_slave",
    messages_authenticate = "messages_authenticate",
    valid_framework_to_executor_messages = "valid_framework_to_executor_messages",
    invalid_framework_to_executor_messages = "invalid_framework_to_executor_messages",
    valid_executor_to_framework_messages = "valid_executor_to_framework_messages",
    invalid_executor_to_framework_messages = "invalid_executor_to_framework_messages",
    valid_status_updates = "valid_status_updates",
    invalid_status_updates = "invalid_status_updates",
    valid_status_update_acknowledgements = "valid_status_update_acknowledgements",
    invalid_status_update_acknowledgements = "invalid_status_update_acknowledgements",
    recovery_slave_removals = "recovery_slave_removals",
    slave_registrations = "slave_registrations",
    slave_reregistrations = "slave_reregistrations",
    slave_removals = "slave_removals",
    slave_removals_reason_unhealthy = "slave_removals/reason_unhealthy",
    slave_removals_reason_unregistered = "slave_removals/reason_unregistered",
    slave_removals_reason_registered = "slave_removals/reason_registered",
    slave_shutdowns_scheduled = "slave_shutdowns_scheduled",
    slave_shutdowns_completed = "slave_shutdowns_completed",
    slave_shutdowns_canceled = "slave_shutdowns_canceled",
}

/// What is counted for the frameworks of one principal.
struct Principal {
    frameworks: usize,
    received: Counter,
    processed: Counter,
}

impl Metrics {
    /// Counts a task that ended, by its status.
    pub(crate) fn task_terminated(&self, status: &TaskStatus) {
        match status.state() {
            TaskState::TaskFinished => self.tasks_finished.increment(),
            TaskState::TaskFailed => self.tasks_failed.increment(),
            TaskState::TaskKilled => self.tasks_killed.increment(),
            TaskState::TaskLost => self.tasks_lost.increment(),
            TaskState::TaskError => self.tasks_error.increment(),
            _ => {}
        }
        // Only reasons of the schema, so that no peer can make up names.
        if let Some(reason) = status.reason.and_then(|reason| Reason::try_from(reason).ok()) {
            self.task_reason(status.state(), status.source(), reason);
        }
    }

    fn task_reason(&self, state: TaskState, source: Source, reason: Reason) {
        let name = format!(
            "master/{}/{}/{}",
            state.as_str_name(),
            source.as_str_name(),
            reason.as_str_name()
        );
        self.registry.counter(&name.to_ascii_lowercase()).increment();
    }

    /// A framework of a principal is reached by pid from now on.
    pub(crate) fn add_principal(&mut self, principal: &str) {
        let registry = &self.registry;
        let counter = |what: &str| registry.counter(&format!("frameworks/{principal}/{what}"));
        let entry = self.principals.entry(principal.to_owned()).or_insert_with(|| Principal {
            frameworks: 0,
            received: counter("messages_received"),
            processed: counter("messages_processed"),
        });
        entry.frameworks += 1;
    }

    /// It no longer is; the counters vanish with the last one.
    pub(crate) fn remove_principal(&mut self, principal: &str) {
        let Some(entry) = self.principals.get_mut(principal) else { return };
        entry.frameworks -= 1;
        if entry.frameworks == 0 {
            self.principals.remove(principal);
            self.registry.remove(&format!("frameworks/{principal}/messages_received"));
            self.registry.remove(&format!("frameworks/{principal}/messages_processed"));
        }
    }

    /// A message came from a framework of a principal.
    pub(crate) fn message_received(&self, principal: &str) {
        if let Some(entry) = self.principals.get(principal) {
            entry.received.increment();
        }
    }

    /// Its handler is done.
    pub(crate) fn message_processed(&self, principal: &str) {
        if let Some(entry) = self.principals.get(principal) {
            entry.processed.increment();
        }
    }
}
