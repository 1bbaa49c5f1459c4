//! Says where the leading master is.
//! Upstream: `mesos-resolve`.

use std::process::ExitCode;

use libprocess::os::program::{arguments, variables};

fn main() -> ExitCode {
    let variables: Vec<_> = variables().collect();
    cli::resolve::run(&arguments(), &variables)
}
