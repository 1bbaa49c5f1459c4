//! Runs one command on a cluster.
//! Upstream: `mesos-execute`.

use std::process::ExitCode;

use libprocess::os::program::{arguments, variables};

fn main() -> ExitCode {
    let variables: Vec<_> = variables().collect();
    cli::execute::run(&arguments(), &variables, cli::local::launch)
}
