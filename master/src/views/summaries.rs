//! How many tasks are in each state, by slave and by framework, and which is where.
//! Called by `cluster.rs` for `/state-summary`. Counts what registered frameworks have, pending
//! and completed tasks included, so that both halves of the document agree.
//! Upstream: `TaskStateSummaries`, `SlaveFrameworkMapping`.

use std::collections::{HashMap, HashSet};

use common::ids::{FrameworkId, SlaveId};
use proto::mesos::TaskState;
use stout::json::Object;

use crate::state::Cluster;

/// The states in the order in which they are shown.
const STATES: [TaskState; 9] = [
    TaskState::TaskStaging,
    TaskState::TaskStarting,
    TaskState::TaskRunning,
    TaskState::TaskKilling,
    TaskState::TaskFinished,
    TaskState::TaskKilled,
    TaskState::TaskFailed,
    TaskState::TaskLost,
    TaskState::TaskError,
];

/// What there is of one slave, or of one framework.
#[derive(Default)]
struct Summary<'a> {
    /// How many tasks, for each of [`STATES`].
    tasks: [u64; STATES.len()],
    /// The frameworks of the slave, or the slaves of the framework.
    others: HashSet<&'a str>,
}

/// The summaries of all slaves and frameworks that have tasks, or had, by their ids.
#[derive(Default)]
pub(super) struct Summaries<'a> {
    slaves: HashMap<&'a str, Summary<'a>>,
    frameworks: HashMap<&'a str, Summary<'a>>,
}

impl<'a> Summaries<'a> {
    pub(super) fn of(cluster: &'a Cluster) -> Summaries<'a> {
        let mut summaries = Summaries::default();
        for framework in cluster.frameworks.iter() {
            let id = framework.id.as_str();
            for task in framework.pending_tasks.values() {
                summaries.count(id, &task.slave_id.value, TaskState::TaskStaging);
            }
            let completed = framework.completed_tasks.iter().map(AsRef::as_ref);
            for task in cluster.tasks_of(framework).chain(completed) {
                summaries.count(id, &task.message.slave_id.value, task.state());
            }
        }
        summaries
    }

    fn count(&mut self, framework_id: &'a str, slave_id: &'a str, state: TaskState) {
        let state = STATES.iter().position(|known| *known == state);
        for (table, id, other) in [
            (&mut self.slaves, slave_id, framework_id),
            (&mut self.frameworks, framework_id, slave_id),
        ] {
            let summary = table.entry(id).or_default();
            summary.others.insert(other);
            if let Some(state) = state {
                summary.tasks[state] += 1;
            }
        }
    }

    /// The fields that a slave's entry ends with.
    pub(super) fn write_slave(&self, object: &mut Object<'_>, id: &SlaveId) {
        write(object, self.slaves.get(id.as_str()), "framework_ids");
    }

    /// The fields that a framework's entry ends with.
    pub(super) fn write_framework(&self, object: &mut Object<'_>, id: &FrameworkId) {
        write(object, self.frameworks.get(id.as_str()), "slave_ids");
    }
}

fn write(object: &mut Object<'_>, summary: Option<&Summary<'_>>, others: &str) {
    let nothing = Summary::default();
    let summary = summary.unwrap_or(&nothing);
    for (state, count) in STATES.iter().zip(summary.tasks) {
        object.field(state.as_str_name(), count);
    }
    let mut ids: Vec<&str> = summary.others.iter().copied().collect();
    ids.sort_unstable();
    object.field(others, ids);
}
