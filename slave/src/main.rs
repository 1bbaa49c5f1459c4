//! The program mesos-slave: hands the process to `slave::daemon` and prints what comes of it.
//! Upstream: `slave/main.cpp`.

use std::io::Write;
use std::process::ExitCode;

use libprocess::os::program::{arguments, variables};
use slave::daemon::{Process, run, seed};

fn main() -> ExitCode {
    let process = Process {
        arguments: arguments(),
        environment: variables().collect(),
        executable: std::env::current_exe().unwrap_or_default(),
        seed: seed(),
    };
    // Whoever reads what we print may have gone.
    match run(process) {
        Ok(text) => {
            let _ = write!(std::io::stdout(), "{}", text.unwrap_or_default());
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}
