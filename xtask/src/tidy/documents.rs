//! What the documents must keep: a map short enough to be read that names no path which is gone,
//! and a test for every difference from upstream. Called by `tidy` only.

use std::io;
use std::path::Path;

use super::Finding;
use crate::test_index::{self, Test};
use crate::workspace;

const MAP: &str = "ARCHITECTURE.md";
const MAP_LINES_MAX: usize = 400;
const DIFFERENCES: &str = "docs/differences.md";

pub(super) fn check(root: &Path, tests: &[Test]) -> io::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let map = workspace::read(&root.join(MAP))?;
    let lines = map.lines().count();
    if lines > MAP_LINES_MAX {
        let rule = format!("{lines} lines, {MAP_LINES_MAX} are allowed");
        findings.push(Finding { path: MAP.to_owned(), line: 1, rule });
    }
    for (number, path) in paths(&map).filter(|(_, path)| !root.join(path).exists()) {
        let rule = format!("names a path that does not exist: {path}");
        findings.push(Finding { path: MAP.to_owned(), line: number + 1, rule });
    }
    let differences = workspace::read(&root.join(DIFFERENCES))?;
    findings.extend(
        differences_faults(&differences, tests).into_iter().map(|(number, rule)| Finding {
            path: DIFFERENCES.to_owned(),
            line: number + 1,
            rule,
        }),
    );
    Ok(findings)
}

/// Words in backticks that start like a path from the root: `xtask/src/main.rs`.
fn paths(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().flat_map(|(number, line)| {
        let words = line.split('`').skip(1).step_by(2);
        let is_path = |word: &&str| {
            let part = |character: char| character.is_alphanumeric() || "_-./".contains(character);
            word.contains('/') && !word.starts_with("src/") && word.chars().all(part)
        };
        words.filter(is_path).map(move |word| (number, word))
    })
}

/// The last cell of each row of the table names the tests that show the difference.
fn differences_faults(text: &str, tests: &[Test]) -> Vec<(usize, String)> {
    let rows = text.lines().enumerate().skip_while(|(_, line)| !line.starts_with("|---")).skip(1);
    let cells = rows.filter_map(|(number, line)| {
        let (_, last) = line.strip_suffix('|')?.rsplit_once('|')?;
        Some((number, last))
    });
    cells
        .filter_map(|(number, last)| Some((number, test_index::named_fault(last, tests)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found() {
        let text = "a `xtask/src` b\n`POST /<id>/x` `src/os/` `one` `docs/ledger/`";
        assert_eq!(paths(text).collect::<Vec<_>>(), [(0, "xtask/src"), (1, "docs/ledger/")]);
    }

    #[test]
    fn every_difference_names_its_test() {
        let tests = [Test { path: ["m", "shown"].map(str::to_owned).to_vec() }];
        let text =
            "| what | test |\n|---|---|\n| a | `shown` |\n| b `c` | `gone` |\n| d | none |\n";
        let lines: Vec<usize> =
            differences_faults(text, &tests).into_iter().map(|(number, _)| number).collect();
        assert_eq!(lines, [3, 4]);
    }
}
