//! Runs one command for a slave; and, under another name, becomes that command.
//! Upstream: `mesos-executor`.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use executor::command::executor::Options;
use executor::command::flags::CommandFlags;
use executor::command::{CHILD_NAME, CommandExecutor, become_task};
use executor::{ExecutorDriver, Status};
use libprocess::os::program::{arguments, variables};
use stout::flags::BoxedError;
use stout::flags::help::{usage, usage_behind};
use stout::flags::parse::{Loader, program_name};

fn main() -> ExitCode {
    let arguments = arguments();
    let program = arguments.first().cloned().unwrap_or_default();
    if program == CHILD_NAME {
        eprintln!("{}", become_task(&arguments[1..]));
        std::process::abort();
    }
    let read = |path: &str| std::fs::read_to_string(path).map_err(BoxedError::from);
    let loaded = match Loader::new(&read).load::<CommandFlags>(&arguments) {
        Ok(loaded) if loaded.help => {
            println!("{}", usage::<CommandFlags>(&loaded.program));
            return ExitCode::SUCCESS;
        }
        Ok(loaded) => loaded,
        Err(error) => {
            eprintln!(
                "{}",
                usage_behind::<CommandFlags>(&error.to_string(), program_name(&arguments))
            );
            return ExitCode::FAILURE;
        }
    };
    let variables: Vec<_> = variables().collect();
    let executor = CommandExecutor::new(Options {
        flags: loaded.flags,
        arguments: loaded.arguments,
        launcher_dir: launcher_dir(&program),
        path: std::env::var("PATH").ok(),
    });
    match ExecutorDriver::new(executor, &variables) {
        Ok(driver) if driver.run() == Status::DriverStopped => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Where our other programs are: as the slave says, or beside this one.
fn launcher_dir(program: &str) -> PathBuf {
    let beside = || {
        let here = Path::new(program).parent().map(Path::to_path_buf).unwrap_or_default();
        std::fs::canonicalize(&here).unwrap_or(here)
    };
    std::env::var_os("MESOS_LAUNCHER_DIR").map_or_else(beside, PathBuf::from)
}
