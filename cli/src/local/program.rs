//! The program `mesos-local`: its flags, and its life.
//! Called by its `main`. What it prints and its exit code are interface.
//!
//! Upstream: `local/main.cpp`, `local/flags.hpp`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command's output")]

use std::process::ExitCode;

use libprocess::logging;
use stout::flags::help::{usage, usage_behind};
use stout::flags::parse::{Loader, program_name};
use stout::flags::{BoxedError, Flag, Flags, Group};

use crate::local::launch_slaves;

/// The program's flags; those of master and slaves come from the environment.
#[derive(Clone, Debug)]
struct LocalFlags {
    num_slaves: usize,
    port: u16,
    ip: Option<String>,
    logging: logging::Config,
}

impl Default for LocalFlags {
    fn default() -> Self {
        Self { num_slaves: 1, port: 5050, ip: None, logging: logging::Config::default() }
    }
}

impl Flags for LocalFlags {
    const FLAGS: &'static [Flag<Self>] = &[
        Flag::new("num_slaves", "How many slaves the cluster has.", |flags| &mut flags.num_slaves),
        Flag::new("port", "The port to listen on.", |flags| &mut flags.port),
        Flag::new("ip", "The address to listen on.", |flags| &mut flags.ip),
    ];

    fn groups(&mut self) -> Vec<&mut dyn Group> {
        vec![&mut self.logging]
    }

    fn heading(program: &str) -> String {
        format!(
            "Usage: {program} [options]\n\nRuns a whole cluster in this process. Its master and \
             its slaves take their\nflags from MESOS_* variables."
        )
    }
}

/// Runs a cluster until it has to end; the first argument is the program.
pub fn run(arguments: &[String], variables: &[(String, String)]) -> ExitCode {
    let read = |path: &str| std::fs::read_to_string(path).map_err(BoxedError::from);
    let loader = Loader::new(&read).environment("MESOS_", variables.to_vec()).ignore_unknown();
    let loaded = match loader.load::<LocalFlags>(arguments) {
        Ok(loaded) => loaded,
        Err(error) => {
            let program = program_name(arguments);
            eprintln!("{}", usage_behind::<LocalFlags>(&error.to_string(), program));
            return ExitCode::FAILURE;
        }
    };
    if loaded.help {
        println!("{}", usage::<LocalFlags>(&loaded.program));
        return ExitCode::SUCCESS;
    }
    let flags = loaded.flags;
    let mut variables: std::collections::BTreeMap<_, _> = variables.iter().cloned().collect();
    let environment = |name: &str| variables.get(name).cloned();
    if let Err(error) = logging::init(&flags.logging, &loaded.program, environment) {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    variables.insert("LIBPROCESS_PORT".to_owned(), flags.port.to_string());
    if let Some(ip) = &flags.ip {
        variables.insert("LIBPROCESS_IP".to_owned(), ip.clone());
    }
    match launch_slaves(variables, flags.num_slaves) {
        Ok(mut cluster) => match cluster.wait() {
            Some(fatal) => {
                eprintln!("{fatal}");
                ExitCode::FAILURE
            }
            None => ExitCode::SUCCESS,
        },
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
