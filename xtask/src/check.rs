//! `check`: all that can be said of the sources without running a test, cheapest first.

use std::io;

use crate::shell::{cargo, succeeds};
use crate::{ledger, tidy, workspace};

pub(crate) fn run() -> io::Result<bool> {
    let clippy = ["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"];
    let results = [
        ("tidy", tidy::run(workspace::root())?),
        ("ledger", ledger::run(&["--check".to_owned()])?),
        ("formatting", succeeds(&mut cargo(&["fmt", "--all", "--check"]))?),
        ("clippy", succeeds(&mut cargo(&clippy))?),
    ];
    for (name, _) in results.iter().filter(|(_, passed)| !passed) {
        eprintln!("check: {name} found faults");
    }
    Ok(results.iter().all(|(_, passed)| *passed))
}
