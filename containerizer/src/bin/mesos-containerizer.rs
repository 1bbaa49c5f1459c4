//! `mesos-containerizer launch`: started by the slave as the first process of a container, and
//! turned into the executor. Upstream: `mesos/main.cpp`.

#![allow(clippy::print_stderr, clippy::print_stdout, reason = "the program's output")]

use std::process::ExitCode;

use containerizer::mesos::helper;
use libprocess::os::program::arguments;
use stout::flags::help;
use stout::flags::parse::program_name;

fn main() -> ExitCode {
    let mut arguments = arguments();
    let is_launch = arguments.get(1).is_some_and(|argument| argument == helper::SUBCOMMAND);
    let asks_for_help = arguments.iter().any(|argument| argument == "--help");
    if asks_for_help || !is_launch {
        let usage = help::usage::<helper::LaunchFlags>(program_name(&arguments));
        if asks_for_help {
            print!("{usage}");
            return ExitCode::SUCCESS;
        }
        eprint!("{usage}");
        return ExitCode::FAILURE;
    }
    arguments.remove(1);
    eprintln!("{}", helper::run(&arguments));
    ExitCode::FAILURE
}
