//! What happens between the fork of a container's first process and the start of the executor:
//! the body of `mesos-containerizer launch`, and the arguments it is called with. `launch` makes
//! the arguments; the program runs the body, alone in its process.
//! Upstream: `MesosContainerizerLaunch`, `childSetup` of the posix launcher, `os::su`.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use common::json::protobuf::{self, Protobuf};
use nix::errno::Errno;
use proto::mesos::CommandInfo;
use serde_json::{Map, Value};
use stout::flags::parse::{LoadError, Loader};
use stout::flags::{BoxedError, Flag, Flags};

use crate::users::{self, UserError};

/// The program that runs [`run`].
pub const PROGRAM: &str = "mesos-containerizer";
/// Its subcommand.
pub const SUBCOMMAND: &str = "launch";

/// What the program is to do.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// What becomes of the process in the end.
    pub(crate) command: CommandInfo,
    /// What runs before, in the shell, as the user that the slave runs as.
    pub(crate) commands: Vec<CommandInfo>,
    /// The directory to start in.
    pub(crate) sandbox: PathBuf,
    /// The user to become; ours if unset.
    pub(crate) user: Option<String>,
    /// The descriptor that gives a byte once the process may go on.
    pub(crate) pipe_read: i32,
}

/// The program's arguments, for all that must be done.
pub(crate) fn arguments(launch: &Launch) -> Vec<String> {
    let commands = stout::json::object(|object| {
        object.array("commands", |array| {
            for command in &launch.commands {
                array.element(Protobuf(command));
            }
        });
    });
    let command = stout::json::to_string(&Protobuf(&launch.command));
    let mut arguments = vec![
        SUBCOMMAND.to_owned(),
        format!("--command={command}"),
        format!("--commands={}", String::from_utf8_lossy(&commands)),
        format!("--pipe_read={}", launch.pipe_read),
        format!("--sandbox={}", launch.sandbox.display()),
    ];
    arguments.extend(launch.user.iter().map(|user| format!("--user={user}")));
    arguments
}

/// The program's flags.
#[derive(Debug, Default)]
pub struct LaunchFlags {
    command: Option<Map<String, Value>>,
    commands: Option<Map<String, Value>>,
    sandbox: Option<PathBuf>,
    user: Option<String>,
    pipe_read: Option<i32>,
    pipe_write: Option<i32>,
}

impl Flags for LaunchFlags {
    const FLAGS: &'static [Flag<LaunchFlags>] = &[
        Flag::new("command", "The command to execute.", |flags| &mut flags.command),
        Flag::new(
            "commands",
            "The additional preparation commands to execute before\nexecuting the command.",
            |flags| &mut flags.commands,
        ),
        Flag::new("sandbox", "The sandbox for the executor.", |flags| &mut flags.sandbox),
        Flag::new("user", "The user to change to.", |flags| &mut flags.user),
        Flag::new("pipe_read", "The read end of the control pipe.", |flags| &mut flags.pipe_read),
        Flag::new("pipe_write", "The write end of the control pipe.", |flags| {
            &mut flags.pipe_write
        }),
    ];

    fn heading(program: &str) -> String {
        format!("Usage: {program} {SUBCOMMAND} [options]")
    }
}

/// Why no executor was started. Printed to standard error; the exit code is 1.
#[derive(Debug, thiserror::Error)]
pub enum HelperError {
    /// The arguments are no flags.
    #[error(transparent)]
    Flags(#[from] LoadError),
    /// A flag is missing that must be there.
    #[error("Flag --{0} is not specified")]
    Missing(&'static str),
    /// The process leads its group already.
    #[error("Failed to put child in a new session: {0}")]
    Session(Errno),
    /// `--command` is no `CommandInfo`.
    #[error("Failed to parse the command: {0}")]
    Command(protobuf::ParseError),
    /// There is nothing for the shell to run.
    #[error("Shell command is not specified")]
    NoShellCommand,
    /// There is nothing to run.
    #[error("Executable path is not specified")]
    NoExecutable,
    /// There is no such descriptor.
    #[error("Failed to close {name}: {source}")]
    Close {
        /// `pipe[0]` or `pipe[1]`.
        name: &'static str,
        /// What the system said.
        source: Errno,
    },
    /// The slave went away, or gave up.
    #[error("Failed to synchronize with slave (it's probably exited)")]
    Abandoned,
    /// `--commands` has no list of commands.
    #[error("Invalid JSON format for flag --commands")]
    NoPreparations,
    /// One of `--commands` is no `CommandInfo`.
    #[error("Failed to parse a preparation command: {0}")]
    Preparation(protobuf::ParseError),
    /// One of `--commands` is not for the shell.
    #[error("Preparation commands need to be shell commands")]
    PreparationWithoutShell,
    /// One of `--commands` is empty.
    #[error("The 'value' of a preparation command is not specified")]
    EmptyPreparation,
    /// One of `--commands` could not be started.
    #[error("Failed to execute a preparation shell command: {0}")]
    PreparationNotStarted(io::Error),
    /// One of `--commands` failed.
    #[error("Failed to execute a preparation shell command: {0}")]
    PreparationFailed(ExitStatus),
    /// The process could not become the user's.
    #[error("Failed to change user to '{user}': {source}")]
    User {
        /// The user.
        user: String,
        /// What went wrong.
        source: UserError,
    },
    /// The sandbox cannot be entered.
    #[error("Failed to chdir into current working directory '{}': {source}", path.display())]
    Directory {
        /// The sandbox.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The executor could not be started.
    #[error("Failed to execute command: {0}")]
    Exec(io::Error),
}

/// Turns this process into the executor's; returns only if it cannot. `arguments` are those of
/// the program behind its subcommand, with the program's name in front.
pub fn run(arguments: &[String]) -> HelperError {
    match prepare(arguments) {
        Ok(mut command) => HelperError::Exec(command.exec()),
        Err(error) => error,
    }
}

fn prepare(arguments: &[String]) -> Result<Command, HelperError> {
    let flags = Loader::new(&no_files).load::<LaunchFlags>(arguments)?.flags;
    let command = flags.command.ok_or(HelperError::Missing("command"))?;
    let sandbox = flags.sandbox.ok_or(HelperError::Missing("sandbox"))?;
    let pipe_read = flags.pipe_read.ok_or(HelperError::Missing("pipe_read"))?;
    let command: CommandInfo =
        protobuf::parse(&Value::Object(command)).map_err(HelperError::Command)?;
    let command = executable(&command)?;
    nix::unistd::setsid().map_err(HelperError::Session)?;
    if let Some(pipe_write) = flags.pipe_write {
        close("pipe[1]", pipe_write)?;
    }
    await_go(pipe_read)?;
    for preparation in preparations(flags.commands)? {
        run_preparation(&preparation)?;
    }
    if let Some(user) = flags.user {
        users::become_user(&user).map_err(|source| HelperError::User { user, source })?;
    }
    match std::env::set_current_dir(&sandbox) {
        Ok(()) => Ok(command),
        Err(source) => Err(HelperError::Directory { path: sandbox, source }),
    }
}

/// Refuses what flags say of files: their values are what frameworks wrote.
fn no_files(path: &str) -> Result<String, BoxedError> {
    Err(format!("'{path}' is not read").into())
}

/// The command as the kernel takes it: by the shell, or with a first argument of its own.
fn executable(info: &CommandInfo) -> Result<Command, HelperError> {
    let value = info.value.as_ref();
    if info.shell() {
        let mut command = Command::new("sh");
        command.arg("-c").arg(value.ok_or(HelperError::NoShellCommand)?);
        return Ok(command);
    }
    let mut command = Command::new(value.ok_or(HelperError::NoExecutable)?);
    if let Some((name, arguments)) = info.arguments.split_first() {
        command.arg0(name).args(arguments);
    }
    Ok(command)
}

/// Waits for the byte that the slave writes once the process is isolated.
fn await_go(pipe_read: i32) -> Result<(), HelperError> {
    let mut go = [0];
    let pipe = Path::new("/proc/self/fd").join(pipe_read.to_string());
    let read = File::open(pipe).and_then(|mut pipe| pipe.read_exact(&mut go));
    read.map_err(|_| HelperError::Abandoned)?;
    close("pipe[0]", pipe_read)
}

fn close(name: &'static str, descriptor: i32) -> Result<(), HelperError> {
    nix::unistd::close(descriptor).map_err(|source| HelperError::Close { name, source })
}

fn preparations(flag: Option<Map<String, Value>>) -> Result<Vec<CommandInfo>, HelperError> {
    let Some(mut flag) = flag else { return Ok(Vec::new()) };
    let commands = flag.remove("commands").ok_or(HelperError::NoPreparations)?;
    protobuf::parse_array(&commands).map_err(HelperError::Preparation)
}

fn run_preparation(info: &CommandInfo) -> Result<(), HelperError> {
    if !info.shell() {
        return Err(HelperError::PreparationWithoutShell);
    }
    let value = info.value.as_ref().ok_or(HelperError::EmptyPreparation)?;
    let status = Command::new("sh").arg("-c").arg(value).status();
    match status.map_err(HelperError::PreparationNotStarted)? {
        status if status.success() => Ok(()),
        status => Err(HelperError::PreparationFailed(status)),
    }
}
