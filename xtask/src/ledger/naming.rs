//! The rule by which a test of ours answers for a test of upstream's. Called by `ledger`; pure.
//!
//! `MasterTest.TaskRunning` of the area `master_tests` is held by a function `task_running` in a
//! crate or module `master`, or by a function `master_task_running` or
//! `master_test_task_running` anywhere. Case and underscores do not count, so that `HTTPTest` is
//! `http` and `RecordIOReaderTest` is `record_io_reader` or `recordio_reader`. What upstream tests
//! in libprocess counts in the crate `libprocess` only.

use super::table::{State, Table};
use super::test_index::Test;

/// A test of upstream's, squashed.
struct Wanted {
    /// The suite without `Test`, and the area without `tests`.
    subjects: [String; 2],
    name: String,
    is_of_libprocess: bool,
}

/// Marks planned behaviours as held where exactly one test bears their name.
pub(super) fn fill(table: &mut Table, tests: &[Test]) {
    if table.name != "behaviours" {
        return;
    }
    for row in table.rows.iter_mut().filter(|row| row.state == State::Planned) {
        let [area, suite, name] = &row.item[..] else { continue };
        let wanted = Wanted::new(area, suite, name);
        let mut candidates = tests.iter().filter(|test| wanted.is_answered_by(test));
        if let (Some(only), None) = (candidates.next(), candidates.next()) {
            row.state = State::Held;
            row.held_by = vec![only.reference(tests)];
        }
    }
}

impl Wanted {
    fn new(area: &str, suite: &str, name: &str) -> Wanted {
        let file = area.rsplit('/').next().unwrap_or(area);
        let subject = |text: &str| {
            let text = squash(text);
            let stem = text.trim_end_matches('s');
            stem.strip_suffix("test").unwrap_or(&text).to_owned()
        };
        Wanted {
            subjects: [subject(suite), subject(file)],
            name: squash(name),
            is_of_libprocess: area.starts_with("libprocess/"),
        }
    }

    fn is_answered_by(&self, test: &Test) -> bool {
        if self.is_of_libprocess && test.path[0] != "libprocess" {
            return false;
        }
        let function = squash(test.function());
        let Some(before) = function.strip_suffix(&self.name) else { return false };
        if before.is_empty() {
            return test.modules().iter().any(|module| self.subjects.contains(&squash(module)));
        }
        before.strip_suffix("test").unwrap_or(before) == self.subjects[0]
    }
}

fn squash(text: &str) -> String {
    text.chars().filter(|c| *c != '_').map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(upstream: [&str; 3], path: &str, expected: bool) {
        let [area, suite, name] = upstream;
        let test = Test { path: path.split("::").map(str::to_owned).collect() };
        let answered = Wanted::new(area, suite, name).is_answered_by(&test);
        assert_eq!(answered, expected, "{upstream:?} by {path}");
    }

    #[test]
    fn a_test_answers_by_its_name() {
        let running = ["master_tests", "MasterTest", "TaskRunning"];
        check(running, "tests::cluster::master::task_running", true);
        check(running, "master::state::task::tests::task_running", true);
        check(running, "tests::cluster::master_task_running", true);
        check(running, "tests::cluster::master_test_task_running", true);
        check(running, "tests::cluster::slave::task_running", false);
        check(running, "tests::cluster::slave_task_running", false);
        check(running, "master::the_task_running", false);
        let driver = ["scheduler_driver_tests", "MesosSchedulerDriverTest", "MetricsEndpoint"];
        check(driver, "sched::scheduler_driver::metrics_endpoint", true);
        let reader = ["common/recordio_tests", "RecordIOReaderTest", "EndOfFile"];
        check(reader, "common::recordio_reader_end_of_file", true);
        check(reader, "common::recordio::tests::end_of_file", true);
        let get = ["libprocess/http_tests", "HTTPTest", "Get"];
        check(get, "libprocess::http::client::tests::get", true);
        check(get, "master::http::get", false);
    }

    #[test]
    fn only_one_candidate_counts() {
        let text = "area\tsuite\ttest\tstate\theld_by\na_tests\tATest\tFoo\tplanned\t\n";
        let state = |paths: &[&str]| {
            let mut table = Table::parse("behaviours", text).expect("a good table");
            let test = |path: &&str| Test { path: path.split("::").map(str::to_owned).collect() };
            fill(&mut table, &paths.iter().map(test).collect::<Vec<_>>());
            table.rows.remove(0)
        };
        assert_eq!(state(&["c::a::foo"]).held_by, ["foo"]);
        assert_eq!(state(&["c::a::foo", "d::a::foo"]).state, State::Planned);
        assert_eq!(state(&["c::b::foo"]).state, State::Planned);
    }
}
