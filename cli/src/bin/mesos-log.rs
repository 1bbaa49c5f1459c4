//! Looks after the files of a replicated log.
//! Upstream: `mesos-log`.

use std::process::ExitCode;

use libprocess::os::program::{arguments, variables};

fn main() -> ExitCode {
    let variables: Vec<_> = variables().collect();
    cli::log::run(&arguments(), &variables)
}
