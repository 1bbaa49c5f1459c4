//! `test`: one build of everything, then the tests of one group under nextest, or under cargo
//! where nextest is not installed. At the end it lists the tests that were skipped and repeats the
//! runner's closing lines.
//!
//! A test that lacks something appends `SKIPPED <test>: needs <what>` to the file named by
//! `MESOS_TEST_SKIPS` and passes.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::process::{Command, Stdio};

use crate::shell::{self, announce, cargo, probe, succeeds, unstartable};

const SKIPS_VARIABLE: &str = "MESOS_TEST_SKIPS";

#[derive(Clone, Copy, PartialEq, Debug)]
enum Runner {
    Cargo,
    Nextest,
}

#[derive(PartialEq, Debug)]
struct Request {
    runner: Option<Runner>,
    group: String,
    /// Handed to the runner as they are.
    filters: Vec<String>,
}

/// Builds, runs and reports; says whether every test passed.
pub(crate) fn run(arguments: &[String]) -> io::Result<bool> {
    let request = Request::parse(arguments)?;
    if !succeeds(&mut cargo(&["build", "--workspace", "--bins", "--tests"]))? {
        return Ok(false);
    }
    let skips = shell::target_folder()?.join("test-skips.txt");
    fs::write(&skips, "")?;
    let runner = request.runner.unwrap_or_else(installed_runner);
    let mut command = command(runner, &request);
    let (passed, closing) = watch(runner, command.env(SKIPS_VARIABLE, &skips))?;
    print_skips(&fs::read_to_string(&skips)?);
    closing.iter().for_each(|line| println!("{line}"));
    Ok(passed)
}

impl Request {
    fn parse(arguments: &[String]) -> io::Result<Request> {
        let (options, mut words): (Vec<String>, Vec<String>) =
            arguments.iter().cloned().partition(|argument| argument.starts_with("--"));
        let runner = match options.first().map(String::as_str) {
            None => None,
            Some("--runner=cargo") => Some(Runner::Cargo),
            Some("--runner=nextest") => Some(Runner::Nextest),
            Some(other) => return Err(io::Error::other(format!("unknown option {other}"))),
        };
        let group = if words.is_empty() { "all".to_owned() } else { words.remove(0) };
        Ok(Request { runner, group, filters: words })
    }
}

fn installed_runner() -> Runner {
    if probe("cargo", &["nextest", "--version"]) { Runner::Nextest } else { Runner::Cargo }
}

/// A group is `all`, `unit` (every crate but `tests`) or a test target of the crate `tests`.
fn command(runner: Runner, request: &Request) -> Command {
    let mut command = match runner {
        Runner::Nextest => {
            let expression = match request.group.as_str() {
                "all" => "all()".to_owned(),
                "unit" => "not package(tests)".to_owned(),
                target => format!("package(tests) & binary({target})"),
            };
            let color = if io::stderr().is_terminal() { "always" } else { "auto" };
            cargo(&["nextest", "run", "--workspace", "--color", color, "-E", &expression])
        }
        Runner::Cargo => match request.group.as_str() {
            "all" => cargo(&["test", "--workspace", "--no-fail-fast", "--tests"]),
            "unit" => {
                cargo(&["test", "--workspace", "--exclude", "tests", "--no-fail-fast", "--tests"])
            }
            target => cargo(&["test", "--package", "tests", "--no-fail-fast", "--test", target]),
        },
    };
    command.args(&request.filters);
    command
}

/// Runs to the end, passing on all output; returns the lines in which the runner sums up.
fn watch(runner: Runner, command: &mut Command) -> io::Result<(bool, Vec<String>)> {
    announce(command);
    command.stdin(Stdio::null());
    match runner {
        Runner::Nextest => command.stderr(Stdio::piped()),
        Runner::Cargo => command.stdout(Stdio::piped()),
    };
    let mut child = command.spawn().map_err(|error| unstartable(command, &error))?;
    let mut closing = Vec::new();
    if let Some(output) = child.stderr.take() {
        for line in BufReader::new(output).lines() {
            let line = line?;
            eprintln!("{line}");
            if line.contains("Summary") || !closing.is_empty() {
                closing.push(line);
            }
        }
    }
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines() {
            let line = line?;
            println!("{line}");
            if line.starts_with("test result:") {
                closing.push(line);
            }
        }
    }
    Ok((child.wait()?.success(), closing))
}

fn print_skips(text: &str) {
    let skipped: BTreeSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("SKIPPED ")).collect();
    if skipped.is_empty() {
        println!("\nNo test was skipped.");
        return;
    }
    println!("\n{} tests were skipped, because something is missing here:", skipped.len());
    skipped.iter().for_each(|line| println!("  {line}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_parsed() {
        let check = |words: &[&str], runner: Option<Runner>, group: &str, filters: &[&str]| {
            let arguments: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            let request = Request::parse(&arguments).expect("a good request");
            let filters = filters.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(request, Request { runner, group: group.to_owned(), filters });
        };
        check(&[], None, "all", &[]);
        check(&["unit", "--runner=cargo", "wire"], Some(Runner::Cargo), "unit", &["wire"]);
        check(&["--runner=nextest"], Some(Runner::Nextest), "all", &[]);
        assert!(Request::parse(&["--fast".to_owned()]).is_err());
    }

    #[test]
    fn groups_are_selected() {
        let words = |runner: Runner, group: &str| {
            let request = Request { runner: None, group: group.to_owned(), filters: vec![] };
            let command = command(runner, &request);
            let words = command.get_args().map(|word| word.to_string_lossy().into_owned());
            words.collect::<Vec<_>>().join(" ")
        };
        assert!(words(Runner::Nextest, "unit").ends_with("-E not package(tests)"));
        assert!(words(Runner::Nextest, "root").ends_with("-E package(tests) & binary(root)"));
        assert!(words(Runner::Cargo, "root").contains("--package tests"));
        assert!(words(Runner::Cargo, "all").starts_with("test --workspace"));
    }
}
