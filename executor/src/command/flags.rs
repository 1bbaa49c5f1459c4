//! What may be typed behind `mesos-executor`, as the slave does.
//! Upstream: `Flags` in `launcher/executor.cpp`.

use stout::flags::{Flag, Flags};

/// The program's flags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandFlags {
    /// Whether what follows is run instead of the task's command.
    pub r#override: bool,
    /// Where the task's root directory is.
    pub rootfs: Option<String>,
    /// Where the sandbox is in there.
    pub sandbox_directory: Option<String>,
    /// Where the task starts in there, instead of the sandbox.
    pub working_directory: Option<String>,
    /// Who the task runs as in there.
    pub user: Option<String>,
    /// The command, as JSON, instead of the task's.
    pub task_command: Option<String>,
}

impl Flags for CommandFlags {
    const FLAGS: &'static [Flag<Self>] = &[
        Flag::new(
            "override",
            "Whether to run the arguments behind this flag instead of the task's\n\
             command. Only this flag is expected on the command line then.",
            |flags| &mut flags.r#override,
        ),
        Flag::new("rootfs", "The path to the root filesystem for the task", |flags| {
            &mut flags.rootfs
        }),
        Flag::new(
            "sandbox_directory",
            "The absolute path, inside the root filesystem, of the sandbox",
            |flags| &mut flags.sandbox_directory,
        ),
        Flag::new(
            "working_directory",
            "The directory, inside the root filesystem, that the task starts in.",
            |flags| &mut flags.working_directory,
        ),
        Flag::new("user", "The user that the task runs as.", |flags| &mut flags.user),
        Flag::new(
            "task_command",
            "The command to run, as JSON, instead of the one that the task has.",
            |flags| &mut flags.task_command,
        ),
    ];
}
