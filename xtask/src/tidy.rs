//! House rules as a failing check: sizes, headers, banned words and calls, the quarantine of
//! `unsafe`, the order of layers, comments and documents that name the test which holds them.
//! Called by `check` and, as an ordinary test, by `cargo test`. It never changes a file.

mod documents;
mod layout;
mod rules;

use std::fmt;
use std::io;
use std::path::Path;

use crate::source::Source;
use crate::test_index::{self, Test};
use crate::workspace;

/// A place that breaks a rule.
#[derive(Debug, PartialEq)]
struct Finding {
    path: String,
    /// Counted from one.
    line: usize,
    rule: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.rule)
    }
}

/// Prints what breaks a rule; says whether nothing does.
pub(crate) fn run(root: &Path) -> io::Result<bool> {
    let findings = findings(root)?;
    findings.iter().for_each(|finding| println!("{finding}"));
    match findings.len() {
        0 => println!("tidy: nothing to say"),
        count => println!("tidy: {count} places break a rule"),
    }
    Ok(findings.is_empty())
}

fn findings(root: &Path) -> io::Result<Vec<Finding>> {
    let sources = workspace::sources(root)?;
    let tests = test_index::tests(&sources);
    let mut findings = layout::check(root)?;
    findings.extend(documents::check(root, &tests)?);
    findings.extend(sources.iter().flat_map(|source| check_source(source, &tests)));
    Ok(findings)
}

/// A rule gets a file and reports line (counted from zero) and fault.
type Report<'a> = dyn FnMut(usize, String) + 'a;

fn check_source(source: &Source, tests: &[Test]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut report = |line: usize, rule: String| {
        findings.push(Finding { path: source.path.clone(), line: line + 1, rule });
    };
    rules::header(source, &mut report);
    rules::file_length(source, &mut report);
    rules::function_length(source, &mut report);
    rules::line_width(source, &mut report);
    rules::banned_words(source, &mut report);
    rules::banned_calls(source, &mut report);
    rules::glob_imports(source, &mut report);
    rules::unsafe_quarantine(source, &mut report);
    rules::compat_comments(source, tests, &mut report);
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_tidy() {
        let findings = findings(workspace::root()).expect("the sources are readable");
        let text: Vec<String> = findings.iter().map(Finding::to_string).collect();
        assert!(text.is_empty(), "\n{}", text.join("\n"));
    }
}
