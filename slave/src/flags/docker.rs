//! Flags of the docker containerizer.
//! Declared here, read by `main`. Upstream: `slave::Flags`.

use std::time::Duration;

use stout::flags::{Flag, Flags};

/// The docker containerizer.
#[derive(Clone, Debug)]
pub struct DockerFlags {
    /// `--docker`.
    pub docker: String,
    /// `--docker_remove_delay`.
    pub docker_remove_delay: Duration,
    /// `--docker_kill_orphans`.
    pub docker_kill_orphans: bool,
    /// `--docker_mesos_image`.
    pub docker_mesos_image: Option<String>,
    /// `--docker_socket`.
    pub docker_socket: String,
    /// `--docker_stop_timeout`.
    pub docker_stop_timeout: Duration,
    /// `--sandbox_directory`.
    pub sandbox_directory: String,
}

impl Default for DockerFlags {
    fn default() -> Self {
        Self {
            docker: "docker".to_owned(),
            docker_remove_delay: Duration::from_secs(6 * 3600),
            docker_kill_orphans: true,
            docker_mesos_image: None,
            docker_socket: "/var/run/docker.sock".to_owned(),
            docker_stop_timeout: Duration::ZERO,
            sandbox_directory: "/mnt/mesos/sandbox".to_owned(),
        }
    }
}

impl Flags for DockerFlags {
    const FLAGS: &'static [Flag<Self>] = &[
        Flag::new("docker", "The docker client.", |flags| &mut flags.docker),
        Flag::new("docker_remove_delay", "How long ended docker containers are kept.", |flags| {
            &mut flags.docker_remove_delay
        }),
        Flag::new(
            "docker_kill_orphans",
            "Whether docker containers of no known executor are removed at start.\n\
             Not to be used with several slaves on a host.",
            |flags| &mut flags.docker_kill_orphans,
        ),
        Flag::new(
            "docker_mesos_image",
            "The image that we run in, if we do; executors are then started in\n\
             containers of it.",
            |flags| &mut flags.docker_mesos_image,
        ),
        Flag::new("docker_socket", "The socket of the docker daemon.", |flags| {
            &mut flags.docker_socket
        }),
        Flag::new(
            "docker_stop_timeout",
            "How long a docker container may take to stop before it is killed.",
            |flags| &mut flags.docker_stop_timeout,
        ),
        Flag::new(
            "sandbox_directory",
            "Where the sandbox is inside a container that has an image.",
            |flags| &mut flags.sandbox_directory,
        ),
    ];
}
