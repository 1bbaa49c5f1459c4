//! Runs a cluster in one process.
//! Upstream: `mesos-local`.

use std::process::ExitCode;

use libprocess::os::program::{arguments, variables};

fn main() -> ExitCode {
    let variables: Vec<_> = variables().collect();
    cli::local::run(&arguments(), &variables)
}
