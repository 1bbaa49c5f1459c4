//! The program mesos-master: hands the process to `master::daemon` and prints what comes of it.
//! Upstream: `master/main.cpp`.

#![allow(clippy::print_stderr, clippy::print_stdout, reason = "the program's output")]

use std::process::ExitCode;

use libprocess::os::program::{arguments, variables};
use master::daemon::{Process, run};

fn main() -> ExitCode {
    let process = Process {
        arguments: arguments(),
        environment: variables().collect(),
        id: uuid::Uuid::new_v4(),
    };
    match run(process) {
        Ok(text) => {
            print!("{}", text.unwrap_or_default());
            ExitCode::SUCCESS
        }
        Err(error) if error.aborts() => libprocess::fatal!("{error}"),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
