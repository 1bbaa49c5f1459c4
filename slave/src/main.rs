//! The program mesos-slave: hands the process to `slave::daemon` and prints what comes of it.
//! Upstream: `slave/main.cpp`.

use std::io::Write;
use std::process::ExitCode;

use slave::daemon::{Process, run, seed};

fn main() -> ExitCode {
    let texts = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let process = Process {
        arguments: std::env::args().collect(),
        environment: texts.collect(),
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
