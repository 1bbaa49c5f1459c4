//! The rule by which a test of ours answers for a test of upstream's. Called by `ledger`; pure.
//!
//! `MasterTest.TaskRunning` is held by a function `task_running` in a crate or module `master`, or
//! by a function `master_task_running` or `master_test_task_running` anywhere. Where no other suite
//! of the area `master_tests` has a test of that name, the area without `_tests` is as good as the
//! suite for the name of the module. Case and underscores do not count, so that `HTTPTest` is
//! `http` and `RecordIOReaderTest` is `record_io_reader` or `recordio_reader`. What upstream tests
//! in libprocess counts in the crate `libprocess` only.

use std::collections::BTreeSet;

use super::table::{State, Table};
use super::test_index::Test;

/// A test of upstream's, squashed.
struct Wanted {
    /// The suite without `Test`, and the area without `tests`.
    subjects: Vec<String>,
    name: String,
    is_of_libprocess: bool,
}

/// Marks planned items as held where exactly one test bears their name; a case of the wire may
/// have several.
pub(super) fn fill(table: &mut Table, tests: &[Test]) {
    let is_wire = table.name == "wire-cases";
    let shared = names_of_several_suites(table);
    for row in table.rows.iter_mut().filter(|row| row.state == State::Planned) {
        let found: Vec<&Test> = match &row.item[..] {
            [area, suite, name] if table.name == "behaviours" => {
                let mut wanted = Wanted::new(area, suite, name);
                if shared.contains(&[area, name].map(String::clone)) {
                    wanted.subjects.truncate(1);
                }
                tests.iter().filter(|test| wanted.is_answered_by(test)).collect()
            }
            [case, ..] if is_wire => {
                let prefix = format!("case_{case}_");
                tests.iter().filter(|test| test.function().starts_with(&prefix)).collect()
            }
            _ => continue,
        };
        if found.len() == 1 || (is_wire && !found.is_empty()) {
            row.state = State::Held;
            row.held_by = found.iter().map(|test| test.reference()).collect();
        }
    }
}

/// Area and name of tests that several suites of one area have.
fn names_of_several_suites(table: &Table) -> BTreeSet<[String; 2]> {
    let mut seen = BTreeSet::new();
    let names = table.rows.iter().filter_map(|row| match &row.item[..] {
        [area, _, name] => Some([area.clone(), name.clone()]),
        _ => None,
    });
    names.filter(|name| !seen.insert(name.clone())).collect()
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
            subjects: vec![subject(suite), subject(file)],
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
        let states = |paths: &[&str]| {
            let rows = ["ATest\tFoo", "BTest\tBar", "CTest\tBar"];
            let rows = rows.map(|row| format!("a_tests\t{row}\tplanned\t\n")).concat();
            let text = format!("area\tsuite\ttest\tstate\theld_by\n{rows}");
            let mut table = Table::parse("behaviours", &text).expect("a good table");
            let test = |path: &&str| Test { path: path.split("::").map(str::to_owned).collect() };
            fill(&mut table, &paths.iter().map(test).collect::<Vec<_>>());
            table.rows.iter().map(|row| row.held_by.join(" ")).collect::<Vec<_>>()
        };
        assert_eq!(states(&["k::a::foo"]), ["k::a::foo", "", ""]);
        assert_eq!(states(&["k::a::foo", "l::a::foo"]), ["", "", ""], "two candidates");
        assert_eq!(states(&["k::x::foo"]), ["", "", ""], "another subject");
        assert_eq!(states(&["k::b::bar"]), ["", "k::b::bar", ""]);
        assert_eq!(states(&["k::a::bar"]), ["", "", ""], "the area has two suites with it");
    }

    #[test]
    fn a_case_of_the_wire_may_have_several() {
        let text = "case\tin\tout\tstate\theld_by\n07\tx\ty\tplanned\t\n";
        let mut table = Table::parse("wire-cases", text).expect("a good table");
        let test = |name: &str| Test { path: vec!["c".to_owned(), name.to_owned()] };
        fill(&mut table, &[test("case_07_a"), test("case_07_b"), test("case_70_c")]);
        assert_eq!(table.rows[0].held_by, ["c::case_07_a", "c::case_07_b"]);
    }
}
