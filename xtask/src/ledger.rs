//! `ledger`: what upstream has against what we have. The tables in `docs/ledger` list upstream's
//! items; people write state and test, this command checks both against the sources, fills in
//! tests that bear an upstream test's name, counts, and brings README's numbers up to date.
//! The format and the naming rule are told in `docs/ledger/README.md`.

mod naming;
mod table;

use std::fs;
use std::io;
use std::path::Path;

use self::table::{Count, Table};
use crate::test_index::{self, Test};
use crate::workspace;

const FOLDER: &str = "docs/ledger";
const BLOCK_START: &str = "<!-- ledger: written by `cargo xtask ledger` -->\n";
const BLOCK_END: &str = "<!-- /ledger -->";

/// What to do with a file that would change.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Write,
    Check,
}

/// `--check` changes nothing and fails where something would change; `--areas` counts in detail.
pub(crate) fn run(arguments: &[String]) -> io::Result<bool> {
    let has = |option: &str| arguments.iter().any(|argument| argument == option);
    let mode = if has("--check") { Mode::Check } else { Mode::Write };
    let root = workspace::root();
    let tests = test_index::tests(&workspace::sources(root)?);

    let mut tables = tables(root)?;
    let mut faults = Vec::new();
    let mut is_fresh = true;
    for table in &mut tables {
        naming::fill(table, &tests);
        faults.extend(table.faults(&tests));
        let path = format!("{FOLDER}/{}.tsv", table.name);
        is_fresh &= settle(root, &path, &table.text(), mode)?;
    }
    let readme = workspace::read(&root.join("README.md"))?;
    let block = block(&tables);
    let readme = with_block(&readme, &block)
        .ok_or_else(|| io::Error::other("README.md has no place for the ledger's numbers"))?;
    is_fresh &= settle(root, "README.md", &readme, mode)?;

    faults.iter().for_each(|fault| println!("{FOLDER}/{fault}"));
    if has("--areas") {
        tables.iter().for_each(print_areas);
    }
    println!("{block}");
    Ok(faults.is_empty() && (is_fresh || mode == Mode::Write))
}

fn tables(root: &Path) -> io::Result<Vec<Table>> {
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(root.join(FOLDER))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".tsv").map(str::to_owned));
    }
    names.sort();
    let read = |name: &String| {
        let text = workspace::read(&root.join(FOLDER).join(format!("{name}.tsv")))?;
        Table::parse(name, &text).map_err(|fault| io::Error::other(format!("{FOLDER}/{fault}")))
    };
    names.iter().map(read).collect()
}

/// Writes or compares; says whether the file already was as it should be.
fn settle(root: &Path, path: &str, text: &str, mode: Mode) -> io::Result<bool> {
    let file = root.join(path);
    if workspace::read(&file)? == text {
        return Ok(true);
    }
    match mode {
        Mode::Write => fs::write(&file, text)?,
        Mode::Check => println!("{path}: stale, run `cargo xtask ledger`"),
    }
    Ok(false)
}

fn block(tables: &[Table]) -> String {
    let head = "| of upstream | in all | held by our tests | planned | not applicable |\n\
                |---|---|---|---|---|\n";
    let line = |table: &Table| {
        let Count { held, planned, not_applicable } = table.count();
        let all = held + planned + not_applicable;
        format!("| {} | {all} | {held} | {planned} | {not_applicable} |\n", table.title())
    };
    head.to_owned() + &tables.iter().map(line).collect::<String>()
}

fn with_block(readme: &str, block: &str) -> Option<String> {
    let (before, rest) = readme.split_once(BLOCK_START)?;
    let (_, after) = rest.split_once(BLOCK_END)?;
    Some(format!("{before}{BLOCK_START}{block}{BLOCK_END}{after}"))
}

fn print_areas(table: &Table) {
    println!("{}, held of all, without those not applicable:", table.title());
    for (area, count) in table.areas() {
        println!("{:>5} of {:<5} {area}", count.held, count.held + count.planned);
    }
    println!();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_ledger_is_true() {
        let root = workspace::root();
        let tests = test_index::tests(&workspace::sources(root).expect("readable sources"));
        let tables = tables(root).expect("tables that parse");
        let faults: Vec<String> = tables.iter().flat_map(|table| table.faults(&tests)).collect();
        assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    }

    #[test]
    fn the_block_is_replaced() {
        let readme = format!("a\n{BLOCK_START}old\n{BLOCK_END}\nb\n");
        let expected = format!("a\n{BLOCK_START}new\n{BLOCK_END}\nb\n");
        assert_eq!(with_block(&readme, "new\n"), Some(expected));
        assert_eq!(with_block("a\n", "new\n"), None);
    }
}
