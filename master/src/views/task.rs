//! Tasks of all frameworks, a page at a time. Called by `/tasks`.
//! Shows neither tasks that wait for authorization nor those of frameworks that have yet to
//! come back. Upstream: `Master::Http::tasks`, `TaskComparator`.

use std::cmp::Ordering;

use common::json::Form;
use stout::json;

use super::View;
use crate::state::Task;

/// By the time of the first status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The oldest first, and before them what has no status.
    Ascending,
    /// The youngest first, and at the end what has no status.
    Descending,
}

/// Which tasks to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// How many tasks at most.
    pub limit: usize,
    /// How many tasks to skip.
    pub offset: usize,
    /// Which come first.
    pub order: Order,
}

/// `/tasks`: tasks of registered and completed frameworks.
pub fn tasks(view: &View<'_>, page: &Page) -> Vec<u8> {
    let mut tasks = all_tasks(view);
    // What lies behind the page need not be sorted.
    let end = page.offset.saturating_add(page.limit);
    if end < tasks.len() {
        tasks.select_nth_unstable_by(end, |left, right| left.compare(right, page.order));
        tasks.truncate(end);
    }
    tasks.sort_unstable_by(|left, right| left.compare(right, page.order));
    json::object(|object| {
        object.array("tasks", |array| {
            for entry in tasks.iter().skip(page.offset) {
                array.element(Form::Sorted.show(&entry.task.booked()));
            }
        });
    })
}

/// A task in the sequence of all.
struct Entry<'a> {
    task: &'a Task,
    first_status: Option<f64>,
    /// Where it stands without an order; decides between equals.
    position: usize,
}

impl Entry<'_> {
    fn compare(&self, other: &Entry<'_>, order: Order) -> Ordering {
        let by_time = match (self.first_status, other.first_status) {
            (Some(one), Some(other)) => one.total_cmp(&other),
            (one, other) => one.is_some().cmp(&other.is_some()),
        };
        let by_time = match order {
            Order::Ascending => by_time,
            Order::Descending => by_time.reverse(),
        };
        by_time.then(self.position.cmp(&other.position))
    }
}

fn all_tasks<'a>(view: &View<'a>) -> Vec<Entry<'a>> {
    let frameworks = &view.cluster.frameworks;
    let current = frameworks.iter().flat_map(|framework| {
        let completed = framework.completed_tasks.iter().map(AsRef::as_ref);
        view.cluster.tasks_of(framework).chain(completed)
    });
    let past = frameworks
        .completed
        .iter()
        .flat_map(|framework| framework.completed_tasks.iter().map(AsRef::as_ref));
    let entry = |(position, task): (usize, &'a Task)| Entry {
        task,
        first_status: task.message.statuses.first().map(|status| status.timestamp()),
        position,
    };
    current.chain(past).enumerate().map(entry).collect()
}
