//! The only task runner of this workspace: one command a module, listed in [`COMMANDS`].
//! It starts other programs and reads files of the workspace; it knows no crate of it.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command speaks on its streams")]

mod check;
mod ledger;
mod run;
mod setup;
mod shell;
mod source;
mod test;
mod test_index;
mod tidy;
mod workspace;

use std::io;
use std::process::ExitCode;

struct Command {
    name: &'static str,
    arguments: &'static str,
    purpose: &'static str,
    /// Says whether all went well; what did not is already printed.
    run: fn(&[String]) -> io::Result<bool>,
}

const COMMANDS: [Command; 11] = [
    Command {
        name: "check",
        arguments: "",
        purpose: "tidy, ledger, formatting and clippy: all that needs no test run",
        run: |_| check::run(),
    },
    Command {
        name: "tidy",
        arguments: "",
        purpose: "the house rules alone, in a second",
        run: |_| tidy::run(workspace::root()),
    },
    Command {
        name: "test",
        arguments: "[all|unit|cluster|root] [--runner=cargo|nextest] [filter]",
        purpose: "build everything once, run the tests, list what was skipped",
        run: test::run,
    },
    Command {
        name: "ledger",
        arguments: "[--check] [--areas]",
        purpose: "bring docs/ledger up to date with the tests and count",
        run: ledger::run,
    },
    Command {
        name: "setup",
        arguments: "",
        purpose: "install what the tests need, by apt and by tests/clients/setup",
        run: |_| setup::run(),
    },
    Command { name: "ci", arguments: "", purpose: "setup, check and test all", run: |_| ci() },
    Command {
        name: "run",
        arguments: "[--release] <binary> [arguments]",
        purpose: "build all binaries and become the named one",
        run: run::binary,
    },
    Command {
        name: "bench",
        arguments: "<benchmark> [arguments]",
        purpose: "run one benchmark in release mode",
        run: run::bench,
    },
    Command {
        name: "simulate",
        arguments: "[seeds] [packages]",
        purpose: "run the seeded simulations in release mode, each with all its seeds unless told",
        run: run::simulate,
    },
    Command {
        name: "drill",
        arguments: "[filter]",
        purpose: "the drills in their full form, one after the other, for some minutes",
        run: run::drill,
    },
    Command {
        name: "fuzz",
        arguments: "<target> [seconds]",
        purpose: "run one target of tests/fuzz, for a minute unless told",
        run: run::fuzz,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let named = |name: &String| COMMANDS.iter().find(|command| command.name == name);
    let Some(command) = arguments.first().and_then(named) else {
        print_usage();
        return ExitCode::from(2);
    };
    match (command.run)(&arguments[1..]) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask {}: {error}", command.name);
            ExitCode::FAILURE
        }
    }
}

fn print_usage() {
    println!("Usage: cargo xtask <command>\n");
    for Command { name, arguments, purpose, .. } in &COMMANDS {
        println!("  {name} {arguments}\n      {purpose}");
    }
}

/// Everything from nothing, unattended. What cannot be installed only skips tests, aloud.
fn ci() -> io::Result<bool> {
    if !setup::run()? {
        eprintln!("setup is incomplete: tests that need more will be skipped");
    }
    let checked = check::run()?;
    let tested = test::run(&[])?;
    if !checked {
        eprintln!("The tests ran, but `cargo xtask check` had found faults: see above.");
    }
    Ok(checked && tested)
}
