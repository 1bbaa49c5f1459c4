//! What a framework saw during a drill, and whether it may have seen that. Pure: times are handed
//! in, in seconds since the epoch.
//!
//! The promises: a task of which an update was seen runs on, or ends, once; its updates come in
//! order; what it uses is offered to nobody meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use proto::mesos::{Offer, Resource, TaskInfo, TaskState, TaskStatus};

/// How much the clocks of two processes on one machine, and a message, may take, in seconds.
const SLACK_SECS: f64 = 0.05;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Violation {
    /// A task that was seen running is called lost.
    Lost { task: String, message: String },
    /// A task ended in two ways.
    EndedTwice { task: String, first: TaskState, second: TaskState },
    /// A task was seen running after its end.
    RanAfterItsEnd { task: String },
    /// A task was seen to end well without ever having run.
    NeverRan { task: String },
    /// A task that was seen running has not ended.
    NeverEnded { task: String },
    /// A machine's processors were offered and used at the same time.
    OfferedTwice { slave: String, at: f64, millicpus: i64, of: i64 },
}

/// What a drill came to, in tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Launched on an offer.
    pub launched: usize,
    /// Of these, seen running: their launch was acknowledged.
    pub acknowledged: usize,
    /// Of these, finished.
    pub finished: usize,
    /// Offers that were seen.
    pub offers: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { launched, acknowledged, finished, offers } = self;
        write!(f, "{offers} offers, {launched} launched, {acknowledged} ran, {finished} finished")
    }
}

struct Task {
    slave: String,
    millicpus: i64,
    launched: f64,
    ran: bool,
    ended: Option<(TaskState, f64)>,
}

/// At some time so much of a machine was on offer.
struct OnOffer {
    slave: String,
    at: f64,
    millicpus: i64,
}

/// What was seen so far.
#[derive(Default)]
pub(super) struct Observer {
    tasks: BTreeMap<String, Task>,
    /// Valid offers: their machine and processors.
    outstanding: BTreeMap<String, (String, i64)>,
    on_offer: Vec<OnOffer>,
    violations: Vec<Violation>,
}

fn millicpus(resources: &[Resource]) -> i64 {
    let cpus = resources.iter().filter(|resource| resource.name == "cpus");
    let total: f64 = cpus.filter_map(|cpus| cpus.scalar.as_ref()).map(|cpus| cpus.value).sum();
    (total * 1000.0).round() as i64
}

impl Observer {
    /// An offer has come in.
    pub(super) fn offered(&mut self, offer: &Offer, at: f64) {
        let slave = offer.slave_id.value.clone();
        let entry = (slave.clone(), millicpus(&offer.resources));
        self.outstanding.insert(offer.id.value.clone(), entry);
        let of_slave = self.outstanding.values().filter(|(other, _)| *other == slave);
        let millicpus = of_slave.map(|(_, millicpus)| millicpus).sum();
        self.on_offer.push(OnOffer { slave, at, millicpus });
    }

    /// An offer has been declined, used or rescinded.
    pub(super) fn offer_ended(&mut self, offer: &str) {
        self.outstanding.remove(offer);
    }

    /// The master is gone, and all its offers with it.
    pub(super) fn disconnected(&mut self) {
        self.outstanding.clear();
    }

    /// A task is about to be launched.
    pub(super) fn launched(&mut self, task: &TaskInfo, at: f64) {
        let entry = Task {
            slave: task.slave_id.value.clone(),
            millicpus: millicpus(&task.resources),
            launched: at,
            ran: false,
            ended: None,
        };
        self.tasks.insert(task.task_id.value.clone(), entry);
    }

    /// An update has come in, perhaps once more.
    pub(super) fn updated(&mut self, status: &TaskStatus) {
        let name = &status.task_id.value;
        let Some(task) = self.tasks.get_mut(name) else { return };
        let (state, name) = (status.state(), name.clone());
        match (state, &task.ended) {
            (TaskState::TaskStaging | TaskState::TaskStarting, _) => {}
            (TaskState::TaskRunning, Some((TaskState::TaskLost, _)) | None) => task.ran = true,
            (TaskState::TaskRunning, Some(_)) => {
                self.violations.push(Violation::RanAfterItsEnd { task: name });
            }
            (TaskState::TaskLost, None) if task.ran => {
                let message = status.message().to_owned();
                self.violations.push(Violation::Lost { task: name, message });
                task.ended = Some((state, status.timestamp()));
            }
            (_, None) => {
                if state == TaskState::TaskFinished && !task.ran {
                    self.violations.push(Violation::NeverRan { task: name });
                }
                task.ended = Some((state, status.timestamp()));
            }
            (_, Some((first, _))) if *first != state => {
                let first = *first;
                self.violations.push(Violation::EndedTwice { task: name, first, second: state });
            }
            (_, Some(_)) => {}
        }
    }

    /// The tasks whose end has not been seen.
    pub(super) fn unfinished(&self) -> BTreeSet<(String, String)> {
        self.named(|task| task.ended.is_none())
    }

    /// Of these, the ones that were never seen to run.
    pub(super) fn unheard(&self) -> BTreeSet<(String, String)> {
        self.named(|task| task.ended.is_none() && !task.ran)
    }

    /// Some tasks and their slaves.
    fn named(&self, which: impl Fn(&Task) -> bool) -> BTreeSet<(String, String)> {
        let tasks = self.tasks.iter().filter(|(_, task)| which(task));
        tasks.map(|(id, task)| (id.clone(), task.slave.clone())).collect()
    }

    /// What it came to so far.
    pub(super) fn report(&self) -> Report {
        let count = |fits: fn(&Task) -> bool| self.tasks.values().filter(|task| fits(task)).count();
        let is_finished = |task: &Task| matches!(task.ended, Some((TaskState::TaskFinished, _)));
        Report {
            launched: self.tasks.len(),
            acknowledged: count(|task| task.ran),
            finished: self.tasks.values().filter(|task| is_finished(task)).count(),
            offers: self.on_offer.len(),
        }
    }

    /// All promises that were broken, once the drill is over; each machine has so many processors.
    pub(super) fn judge(&self, millicpus_each: i64) -> Vec<Violation> {
        let mut violations = self.violations.clone();
        for (id, task) in &self.tasks {
            if task.ran && task.ended.is_none() {
                violations.push(Violation::NeverEnded { task: id.clone() });
            }
        }
        for OnOffer { slave, at, millicpus } in &self.on_offer {
            let used: i64 = self
                .tasks
                .values()
                .filter(|task| task.uses(slave, *at))
                .map(|task| task.millicpus)
                .sum();
            if millicpus + used > millicpus_each {
                violations.push(Violation::OfferedTwice {
                    slave: slave.clone(),
                    at: *at,
                    millicpus: millicpus + used,
                    of: millicpus_each,
                });
            }
        }
        violations
    }
}

impl Task {
    /// Whether it certainly used its share of the machine at that time.
    fn uses(&self, slave: &str, at: f64) -> bool {
        let until = self.ended.map_or(f64::INFINITY, |(_, ended)| ended - SLACK_SECS);
        self.slave == slave && self.ran && self.launched < at && at < until
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::make::{IntoId, resources};

    fn offer(id: &str, cpus: &str) -> Offer {
        Offer {
            id: id.into_id(),
            slave_id: "slave".into_id(),
            resources: resources(cpus),
            ..Offer::default()
        }
    }

    fn task(id: &str, cpus: &str) -> TaskInfo {
        TaskInfo {
            task_id: id.into_id(),
            slave_id: "slave".into_id(),
            resources: resources(cpus),
            ..TaskInfo::default()
        }
    }

    fn status(id: &str, state: TaskState, at: f64) -> TaskStatus {
        let mut status = TaskStatus { task_id: id.into_id(), ..TaskStatus::default() };
        status.set_state(state);
        status.timestamp = Some(at);
        status
    }

    fn check(states: &[TaskState], expected: &[Violation]) {
        let mut observer = Observer::default();
        observer.launched(&task("t", "cpus:1"), 1.0);
        for (at, &state) in states.iter().enumerate() {
            observer.updated(&status("t", state, 2.0 + at as f64));
        }
        assert_eq!(observer.judge(1000), expected, "{states:?}");
    }

    #[test]
    fn updates_are_judged() {
        use TaskState::{TaskFailed, TaskFinished, TaskLost, TaskRunning};
        let name = || "t".to_owned();
        check(&[], &[]);
        check(&[TaskRunning, TaskRunning, TaskFinished, TaskFinished], &[]);
        check(&[TaskLost], &[]);
        check(&[TaskRunning], &[Violation::NeverEnded { task: name() }]);
        check(&[TaskFinished], &[Violation::NeverRan { task: name() }]);
        let lost = Violation::Lost { task: name(), message: String::new() };
        check(&[TaskRunning, TaskLost], &[lost]);
        let again = Violation::RanAfterItsEnd { task: name() };
        check(&[TaskRunning, TaskFinished, TaskRunning], &[again]);
        let (first, second) = (TaskFinished, TaskFailed);
        let twice = Violation::EndedTwice { task: name(), first, second };
        check(&[TaskRunning, TaskFinished, TaskFailed], &[twice]);
    }

    #[test]
    fn offers_are_judged() {
        let mut observer = Observer::default();
        observer.offered(&offer("1", "cpus:4"), 1.0);
        observer.offer_ended("1");
        observer.launched(&task("t", "cpus:1"), 1.0);
        observer.offered(&offer("2", "cpus:3"), 2.0);
        observer.updated(&status("t", TaskState::TaskRunning, 2.5));
        observer.updated(&status("t", TaskState::TaskFinished, 4.0));
        assert_eq!(observer.judge(4000), []);
        observer.offered(&offer("3", "cpus:1"), 3.0);
        let twice = |at, millicpus| {
            let slave = "slave".to_owned();
            Violation::OfferedTwice { slave, at, millicpus, of: 4000 }
        };
        assert_eq!(observer.judge(4000), [twice(3.0, 5000)]);
        observer.disconnected();
        observer.offered(&offer("4", "cpus:4"), 5.0);
        assert_eq!(observer.judge(4000), [twice(3.0, 5000)]);
    }
}
