//! From a task to a process: which program runs with which arguments, and how it is started in
//! a session of its own. The first half runs in the executor; the second, [`become_task`], in
//! the child, which is the executor's program once more under another name, since a process
//! with many threads can do little between fork and exec.
//! Never gives text to a shell but where the command says that it is for the shell.
//!
//! Upstream: `CommandExecutorProcess::launchTask`, `os::su`.

use std::convert::Infallible;
use std::ffi::CString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};

use common::json::protobuf;
use nix::errno::Errno;
use nix::unistd::{AccessFlags, Uid, User, access, chdir, initgroups, setgid, setsid, setuid};
use proto::mesos::{CommandInfo, TaskInfo};
use stout::json;

use crate::command::executor::say;
use crate::command::rootfs::{self, RootfsError};

/// The name under which the executor's program is [`become_task`].
pub const CHILD_NAME: &str = "mesos-executor-task";

/// Why a task cannot be started; the scheduler is told so.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LaunchError {
    /// `--task_command` is no JSON object.
    #[error("Failed to parse JSON: {0}")]
    Json(#[from] json::ParseError),
    /// `--task_command` is no `CommandInfo`.
    #[error("Failed to parse protobuf: {0}")]
    Protobuf(#[from] protobuf::ParseError),
    /// There is nothing to run.
    #[error("Expecting task '{0}' to have a command!")]
    NoCommand(String),
    /// The command is for the shell and empty.
    #[error("Shell command of task '{0}' is not specified!")]
    NoShellCommand(String),
    /// The command names no program.
    #[error("Executable of task '{0}' is not specified!")]
    NoExecutable(String),
    /// Only root may change the root directory.
    #[error("The command executor requires root with rootfs")]
    NotRoot,
    /// With `--rootfs`, one of these says where the task starts.
    #[error("Expecting --working_directory or --sandbox_directory with --rootfs")]
    NoDirectory,
    /// The program is not there, or not to be run.
    #[error("Failed to exec '{program}': {}", .source.desc())]
    Exec {
        /// The program.
        program: String,
        /// What the system says.
        source: Errno,
    },
    /// No process can be made.
    #[error("Failed to fork to run {command}: {}", .source.desc())]
    Fork {
        /// What was to be run.
        command: String,
        /// What the system says.
        source: Errno,
    },
}

impl LaunchError {
    /// No process was made for a command.
    pub(crate) fn fork(command: &str, error: &io::Error) -> Self {
        Self::Fork { command: command.to_owned(), source: errno(error) }
    }
}

/// Another root directory for the task, and who it runs as there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rootfs {
    pub(crate) root: String,
    pub(crate) directory: String,
    /// Empty: stay who we are.
    pub(crate) user: String,
}

/// What is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Launch {
    /// As it is printed.
    pub(crate) text: String,
    pub(crate) program: String,
    /// All of them; the first is the name that the program sees.
    pub(crate) arguments: Vec<String>,
    pub(crate) rootfs: Option<Rootfs>,
}

/// What a task runs: what was put in its place on our command line, or its own command.
/// An empty `instead` is none.
pub(crate) fn plan(
    task: &TaskInfo,
    instead: &[String],
    task_command: Option<&str>,
) -> Result<Launch, LaunchError> {
    if let Some(program) = instead.first() {
        return Ok(Launch {
            text: instead.iter().map(|argument| format!("{argument} ")).collect(),
            program: program.clone(),
            arguments: instead.to_vec(),
            rootfs: None,
        });
    }
    let task_id = || task.task_id.value.clone();
    let command = match (task_command, &task.command) {
        (Some(text), _) => protobuf::parse(&json::parse_object(text)?.into())?,
        (None, Some(command)) => command.clone(),
        (None, None) => return Err(LaunchError::NoCommand(task_id())),
    };
    let CommandInfo { value, arguments, .. } = &command;
    if command.shell() {
        let value = value.as_deref().ok_or_else(|| LaunchError::NoShellCommand(task_id()))?;
        return Ok(Launch {
            text: format!("sh -c '{value}'"),
            program: "sh".to_owned(),
            arguments: ["sh", "-c", value].map(str::to_owned).into(),
            rootfs: None,
        });
    }
    let program = value.clone().ok_or_else(|| LaunchError::NoExecutable(task_id()))?;
    let text = format!("[{program}, {}]", arguments.join(", "));
    // A program always has a name; upstream starts it without one if there are no arguments.
    let arguments = if arguments.is_empty() { vec![program.clone()] } else { arguments.clone() };
    Ok(Launch { text, program, arguments, rootfs: None })
}

impl Launch {
    /// Starts the child.
    pub(crate) fn spawn(&self, path: Option<&str>) -> Result<Child, LaunchError> {
        if self.rootfs.is_none() {
            find_program(&self.program, path)?;
        } else if !Uid::effective().is_root() {
            return Err(LaunchError::NotRoot);
        }
        let fork_failed = |error| LaunchError::fork(&self.text, &error);
        let rootfs = self.rootfs.clone().unwrap_or_default();
        // The program that runs, even if its file has been replaced meanwhile.
        Command::new("/proc/self/exe")
            .arg0(CHILD_NAME)
            .args([&rootfs.root, &rootfs.directory, &rootfs.user, &self.program])
            .args(&self.arguments)
            .spawn()
            .map_err(fork_failed)
    }
}

/// Looks where `exec` will look, to know before a task is said to run that it cannot.
fn find_program(program: &str, path: Option<&str>) -> Result<(), LaunchError> {
    let exec_failed = |source| LaunchError::Exec { program: program.to_owned(), source };
    let is_program = |file: &Path| {
        let metadata = file.metadata().map_err(|error| errno(&error))?;
        if metadata.is_dir() { Err(Errno::EACCES) } else { access(file, AccessFlags::X_OK) }
    };
    if program.contains('/') {
        return is_program(Path::new(program)).map_err(exec_failed);
    }
    let mut folders = path.unwrap_or("/bin:/usr/bin").split(':');
    if !program.is_empty()
        && folders.any(|folder| is_program(&Path::new(folder).join(program)).is_ok())
    {
        return Ok(());
    }
    Err(exec_failed(Errno::ENOENT))
}

/// What the system says; an argument that holds a NUL never reaches it.
fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EINVAL, Errno::from_raw)
}

/// Why the child did not become the task. Its parent only sees that it was aborted.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// Not called as the command executor does.
    #[error("Expecting to be called by the command executor")]
    Arguments,
    /// We lead a group already.
    #[error("Could not put command in its own session, setsid: {}", .0.desc())]
    Session(Errno),
    /// The other root directory cannot be entered.
    #[error("Failed to enter chroot '{root}': {source}")]
    Chroot {
        /// The directory.
        root: String,
        /// What failed.
        source: RootfsError,
    },
    /// There is no such directory in there.
    #[error("Failed to chdir into current working directory '{directory}': {}", .source.desc())]
    Directory {
        /// The directory.
        directory: String,
        /// What the system says.
        source: Errno,
    },
    /// We cannot be that user.
    #[error("Failed to change user to '{user}': {}", .source.desc())]
    User {
        /// The user's name.
        user: String,
        /// What the system says; `ENOENT` if there is no such user.
        source: Errno,
    },
    /// The program cannot be run.
    #[error("Failed to exec: {}", .0.desc())]
    Exec(Errno),
}

/// Becomes the task that the arguments (without our own name) describe. Returns only if that
/// fails, with the reason.
pub fn become_task(arguments: &[String]) -> ChildError {
    match try_become_task(arguments) {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

fn try_become_task(arguments: &[String]) -> Result<Infallible, ChildError> {
    let [root, directory, user, program, name, rest @ ..] = arguments else {
        return Err(ChildError::Arguments);
    };
    setsid().map_err(ChildError::Session)?;
    // Said here, not by the parent as upstream has it, so that it always precedes what the task
    // prints.
    say(format_args!("Forked command at {}", std::process::id()));
    if !root.is_empty() {
        // Before the user database is out of sight.
        let found = if user.is_empty() { None } else { Some(find_user(user)?) };
        rootfs::enter(Path::new(root))
            .map_err(|source| ChildError::Chroot { root: root.clone(), source })?;
        chdir(directory.as_str())
            .map_err(|source| ChildError::Directory { directory: directory.clone(), source })?;
        if let Some(found) = found {
            switch(&found).map_err(|source| ChildError::User { user: user.clone(), source })?;
        }
    }
    Err(ChildError::Exec(errno(&Command::new(program).arg0(name).args(rest).exec())))
}

fn find_user(name: &str) -> Result<User, ChildError> {
    let failed = |source| ChildError::User { user: name.to_owned(), source };
    User::from_name(name).map_err(failed)?.ok_or_else(|| failed(Errno::ENOENT))
}

fn switch(user: &User) -> Result<(), Errno> {
    let name = CString::new(user.name.as_str()).map_err(|_| Errno::EINVAL)?;
    initgroups(&name, user.gid)?;
    setgid(user.gid)?;
    setuid(user.uid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(command: Option<CommandInfo>) -> TaskInfo {
        let mut task = TaskInfo { command, ..TaskInfo::default() };
        task.task_id.value = "t".to_owned();
        task
    }

    fn command(shell: Option<bool>, value: Option<&str>, arguments: &[&str]) -> CommandInfo {
        CommandInfo {
            shell,
            value: value.map(str::to_owned),
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            ..CommandInfo::default()
        }
    }

    fn planned(launch: Result<Launch, LaunchError>) -> String {
        match launch {
            Ok(Launch { text, program, arguments, .. }) => {
                format!("{text} | {program} {arguments:?}")
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn only_what_is_for_the_shell_reaches_a_shell() {
        let check = |command: CommandInfo, expected: &str| {
            assert_eq!(planned(plan(&task(Some(command)), &[], None)), expected);
        };
        check(
            command(None, Some("echo $X; rm 'y'"), &[]),
            r#"sh -c 'echo $X; rm 'y'' | sh ["sh", "-c", "echo $X; rm 'y'"]"#,
        );
        check(
            command(Some(false), Some("/bin/echo"), &["echo", "$(reboot)"]),
            r#"[/bin/echo, echo, $(reboot)] | /bin/echo ["echo", "$(reboot)"]"#,
        );
        check(command(Some(false), Some("/bin/a"), &[]), r#"[/bin/a, ] | /bin/a ["/bin/a"]"#);
        check(command(None, None, &[]), "Shell command of task 't' is not specified!");
        check(command(Some(false), None, &[]), "Executable of task 't' is not specified!");
    }

    #[test]
    fn slave_test_command_executor_with_override() {
        let instead = ["/bin/sh", "-c", "a b"].map(str::to_owned);
        assert_eq!(
            planned(plan(&task(None), &instead, None)),
            r#"/bin/sh -c a b  | /bin/sh ["/bin/sh", "-c", "a b"]"#
        );
        assert_eq!(planned(plan(&task(None), &[], None)), "Expecting task 't' to have a command!");
    }

    #[test]
    fn a_task_command_from_the_slave_goes_before_the_tasks_own() {
        let own = task(Some(command(None, Some("own"), &[])));
        let check = |text, expected: &str| {
            assert_eq!(planned(plan(&own, &[], Some(text))), expected);
        };
        check(r#"{"shell":true,"value":"other"}"#, r#"sh -c 'other' | sh ["sh", "-c", "other"]"#);
        check("[]", "Failed to parse JSON: Unexpected JSON type parsed");
        check(
            r#"{"shell":7}"#,
            "Failed to parse protobuf: Not expecting a JSON number for field 'shell'",
        );
    }

    #[test]
    fn programs_are_looked_for_as_exec_does() {
        let check = |program, path, expected: &str| {
            let found = find_program(program, path);
            let text = found.map_or_else(|error| error.to_string(), |()| "found".to_owned());
            assert_eq!(text, expected);
        };
        check("sh", Some("/nowhere:/bin"), "found");
        check("sh", None, "found");
        check("/bin/sh", Some(""), "found");
        check("sh", Some("/nowhere"), "Failed to exec 'sh': No such file or directory");
        check("/none", None, "Failed to exec '/none': No such file or directory");
        check("/tmp", None, "Failed to exec '/tmp': Permission denied");
        check("", None, "Failed to exec '': No such file or directory");
    }
}
