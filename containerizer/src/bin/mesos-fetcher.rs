//! `mesos-fetcher`: started by the slave for a container with URIs; fetches them, logs to standard
//! error. Upstream: `main` in `launcher/fetcher.cpp`.

#![allow(clippy::print_stderr, reason = "the program's output")]

use std::process::ExitCode;

use containerizer::fetcher::worker;
use libprocess::logging;

fn main() -> ExitCode {
    let variable = |name: &str| std::env::var(name).ok();
    let program = std::env::args().next().unwrap_or_default();
    if let Err(error) = logging::init(&logging::Config::default(), &program, variable) {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    let order = variable("MESOS_FETCHER_INFO");
    let hadoop_home = variable("HADOOP_HOME").map(Into::into);
    match worker::run(order.as_deref(), hadoop_home) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
