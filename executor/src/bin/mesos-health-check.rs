//! Checks the health of one task for the command executor.
//! Upstream: `mesos-health-check`.
#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use executor::health::{HealthChecker, HealthFlags, PROGRAM};
use libprocess::os::program::arguments;
use libprocess::{Config, Runtime, logging};
use stout::flags::BoxedError;
use stout::flags::help::{usage, usage_behind};
use stout::flags::parse::Loader;
use tokio::sync::oneshot;

fn main() -> ExitCode {
    let arguments = arguments();
    let read = |path: &str| std::fs::read_to_string(path).map_err(BoxedError::from);
    let loaded = match Loader::new(&read).load::<HealthFlags>(&arguments) {
        Ok(loaded) => loaded,
        Err(error) => return refuse(&error),
    };
    if loaded.help {
        println!("{}", usage::<HealthFlags>(&loaded.program));
        return ExitCode::SUCCESS;
    }
    let env = |name: &str| std::env::var(name).ok();
    if let Err(error) = logging::init(&logging::Config::default(), PROGRAM, env) {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    let (checker, failure) = match loaded.flags.checker() {
        Ok(started) => started,
        Err(error) => return refuse(&error),
    };
    let config = match Config::from_environment(env) {
        Ok(config) => Config { port: 0, ..config },
        Err(error) => libprocess::fatal!("{error}"),
    };
    match Runtime::start(config) {
        Ok(runtime) => run(&runtime, checker, failure),
        Err(error) => libprocess::fatal!("{error}"),
    }
    ExitCode::FAILURE
}

/// Checks until the task is to be killed, and sees to it that the executor is told.
fn run(runtime: &Runtime, checker: HealthChecker, failure: oneshot::Receiver<String>) {
    let (ended, end) = mpsc::channel();
    let mut checker = Some(checker);
    runtime.spawn_numbered("", || checker.take().expect("the first unnamed actor"));
    let flushing = runtime.clone();
    runtime.run(async move {
        let failure = failure.await;
        flushing.flush(Duration::from_secs(1)).await;
        // The main thread waits just below.
        let _ = ended.send(failure);
    });
    if let Ok(Ok(failure)) = end.recv() {
        tracing::warn!("Health check failed {failure}");
    }
}

fn refuse(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("{}", usage_behind::<HealthFlags>(&error.to_string(), PROGRAM));
    ExitCode::FAILURE
}
