//! What may be typed behind `mesos-execute`.
//! Upstream: `Flags` in `cli/execute.cpp`.

use serde_json::{Map, Value};
use stout::flags::{Flag, Flags};

/// The program's flags.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecuteFlags {
    /// Where the leading master is.
    pub master: Option<String>,
    /// The task's name and id.
    pub name: Option<String>,
    /// Whether the command is for the shell.
    pub shell: bool,
    /// What to run.
    pub command: Option<String>,
    /// The command's environment, besides what it gets anyhow.
    pub env: Option<Map<String, Value>>,
    /// What the command needs.
    pub resources: String,
    /// The `hadoop` program.
    pub hadoop: String,
    /// Where the NameNode is: `host:port`.
    pub hdfs: String,
    /// A file to be fetched into the sandbox, by way of HDFS.
    pub package: Option<String>,
    /// Whether a package in HDFS may be replaced.
    pub overwrite: bool,
    /// Whether the command outlives its slave.
    pub checkpoint: bool,
    /// The image to run the command in.
    pub docker_image: Option<String>,
    /// Who runs the image.
    pub containerizer: String,
}

impl Default for ExecuteFlags {
    fn default() -> Self {
        Self {
            master: None,
            name: None,
            shell: true,
            command: None,
            env: None,
            resources: "cpus:1;mem:128".to_owned(),
            hadoop: "hadoop".to_owned(),
            hdfs: "localhost:9000".to_owned(),
            package: None,
            overwrite: false,
            checkpoint: false,
            docker_image: None,
            containerizer: "mesos".to_owned(),
        }
    }
}

impl Flags for ExecuteFlags {
    const FLAGS: &'static [Flag<Self>] = &[
        Flag::new(
            "master",
            "Mesos master (e.g., IP1:PORT1), or `local` for a cluster of one\n\
             slave in this process",
            |flags| &mut flags.master,
        ),
        Flag::new("name", "Name for the command", |flags| &mut flags.name),
        Flag::new(
            "shell",
            "Whether the command is for the shell. If not, it is the path of a\n\
             program, which gets no arguments.",
            |flags| &mut flags.shell,
        ),
        Flag::new("command", "Command to launch", |flags| &mut flags.command),
        Flag::new(
            "env",
            "Environment variables of the command, as JSON, e.g.\n\
             {\"name1\": \"value1\"}, or the path of a file that holds it, as\n\
             'file:///path/to/file' or '/path/to/file'.",
            |flags| &mut flags.env,
        ),
        Flag::new("resources", "Resources for the command", |flags| &mut flags.resources),
        Flag::new("hadoop", "Path to the `hadoop' program, which copies packages", |flags| {
            &mut flags.hadoop
        }),
        Flag::new("hdfs", "The ip:port of the NameNode service", |flags| &mut flags.hdfs),
        Flag::new(
            "package",
            "File to upload into HDFS and to copy into the command's working\n\
             directory (needs `hadoop', see --hadoop)",
            |flags| &mut flags.package,
        ),
        Flag::new("overwrite", "Overwrite the package in HDFS if it already exists", |flags| {
            &mut flags.overwrite
        }),
        Flag::new("checkpoint", "Enable checkpointing for the framework", |flags| {
            &mut flags.checkpoint
        }),
        Flag::new(
            "docker_image",
            "Docker image to run the command in, named as <image>:<tag>\n\
             (e.g., ubuntu, busybox:latest).",
            |flags| &mut flags.docker_image,
        ),
        Flag::new("containerizer", "Containerizer to be used (docker or mesos)", |flags| {
            &mut flags.containerizer
        }),
    ];
}
