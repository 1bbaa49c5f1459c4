//! Says where the leading master is: what `mesos-resolve` is.
//! Called by the program's `main`. What it prints and its exit codes are interface.
//!
//! Upstream: `src/cli/resolve.cpp`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command's output")]

use std::process::ExitCode;
use std::time::Duration;

use coordination::election::{DetectError, Mechanism, MechanismError};
use libprocess::Config;
use libprocess::embed::{Embedded, block_on};
use libprocess::logging;
use libprocess::runtime::config::{ConfigError, StartError};
use stout::duration;
use stout::flags::help::{usage, usage_behind};
use stout::flags::parse::{Loader, program_name};
use stout::flags::{BoxedError, Flag, Flags};

/// The exit code when nobody leads.
const NOBODY: u8 = 255;

/// What may be typed behind `mesos-resolve`.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolveFlags {
    /// How long a leader is waited for.
    pub timeout: Duration,
    /// Whether it is told what goes on.
    pub verbose: bool,
}

impl Default for ResolveFlags {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(5), verbose: false }
    }
}

impl Flags for ResolveFlags {
    const FLAGS: &'static [Flag<Self>] = &[
        Flag::new("timeout", "How long to wait for a leading master.", |flags| &mut flags.timeout),
        Flag::new("verbose", "Whether to log what goes on.", |flags| &mut flags.verbose),
    ];

    fn heading(program: &str) -> String {
        format!("Usage: {program} <master>")
    }
}

/// Why it is not known where the master is.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("Failed to create a master detector: {0}")]
    Detector(#[from] MechanismError),
    #[error(transparent)]
    Environment(#[from] ConfigError),
    #[error(transparent)]
    Runtime(#[from] StartError),
    #[error("Failed to detect master from '{0}': {1}")]
    Detection(String, DetectError),
    #[error("Failed to detect master from '{master}' within {}", duration::display(*timeout))]
    Nobody { master: String, timeout: Duration },
}

/// Does what the arguments say; the first one is the program.
pub fn run(arguments: &[String], variables: &[(String, String)]) -> ExitCode {
    let program = program_name(arguments);
    let refuse = |why: &str| {
        eprintln!("{}", usage_behind::<ResolveFlags>(why, program));
        ExitCode::FAILURE
    };
    let read = |path: &str| std::fs::read_to_string(path).map_err(BoxedError::from);
    let loaded = match Loader::new(&read).load::<ResolveFlags>(arguments) {
        Ok(loaded) if loaded.help => {
            println!("{}", usage::<ResolveFlags>(program));
            return ExitCode::SUCCESS;
        }
        Ok(loaded) => loaded,
        Err(error) => return refuse(&error.to_string()),
    };
    let [master] = &*loaded.arguments else {
        return refuse("There must be only one argument: <master>");
    };
    match resolve(master, &loaded.flags, variables) {
        Ok(address) => {
            println!("{address}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{failure}");
            match failure {
                Failure::Nobody { .. } => ExitCode::from(NOBODY),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

/// The address of the master that leads: `ip:port`.
fn resolve(
    master: &str,
    flags: &ResolveFlags,
    variables: &[(String, String)],
) -> Result<String, Failure> {
    let variable = |name: &str| {
        let found = variables.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.clone())
    };
    if flags.verbose {
        // What is logged is an extra: without a place for it, the answer is as good.
        let _ = logging::init(&logging::Config::default(), "mesos-resolve", variable);
    }
    let mechanism = Mechanism::parse(master)?;
    if let Mechanism::Fixed(leader) = mechanism {
        return Ok(address(leader.pid()));
    }
    let runtime = Embedded::start(Config::from_environment(variable)?)?;
    let detector = mechanism.detector(&runtime);
    let nobody = || Failure::Nobody { master: master.to_owned(), timeout: flags.timeout };
    let (detected, patience) = (detector.detect(None), runtime.clock().sleep(flags.timeout));
    let leader = block_on(async {
        tokio::select! {
            detected = detected => detected.map_err(|e| Failure::Detection(master.to_owned(), e)),
            () = patience => Err(nobody()),
        }
    })?;
    Ok(address(leader.ok_or_else(nobody)?.pid()))
}

fn address(pid: &str) -> String {
    pid.strip_prefix("master@").unwrap_or(pid).to_owned()
}
