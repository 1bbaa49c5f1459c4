//! Starting other programs. Called by the commands; each start is printed first.

use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::workspace;

/// Cargo, at the workspace's root.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(workspace::root()).args(arguments);
    command
}

/// Runs to the end without input; says whether the program succeeded.
pub(crate) fn succeeds(command: &mut Command) -> io::Result<bool> {
    announce(command);
    Ok(command
        .stdin(Stdio::null())
        .status()
        .map_err(|error| unstartable(command, &error))?
        .success())
}

/// Prints what is about to start.
pub(crate) fn announce(command: &Command) {
    eprintln!("$ {}", text(command));
}

/// An error that says which program could not be started.
pub(crate) fn unstartable(command: &Command, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot start `{}`: {error}", text(command)))
}

fn text(command: &Command) -> String {
    let name = PathBuf::from(command.get_program());
    let name = name.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let arguments = command.get_args().map(|argument| argument.to_string_lossy().into_owned());
    std::iter::once(name).chain(arguments).collect::<Vec<_>>().join(" ")
}

/// Whether a probe runs and succeeds; it prints nothing.
pub(crate) fn probe(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The folder that holds `debug` and `release`, wherever cargo was told to put it.
pub(crate) fn target_folder() -> io::Result<PathBuf> {
    let own = std::env::current_exe()?;
    Ok(own.ancestors().nth(2).expect("cargo puts programs two folders deep").to_owned())
}
