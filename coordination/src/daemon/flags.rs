//! The flags that master and slave have in common. What is made of them is in `daemon`.
//! Part of the flags of both daemons, which say what the port is unless it is typed.
//! Upstream: the flags of `master/main.cpp` and `slave/main.cpp`, and what `master::Flags` and
//! `slave::Flags` both have.

use common::json::JsonFlag;
use libprocess::logging;
use proto::mesos::Modules;
use proto::mesos::internal::Firewall;
use stout::flags::{Flag, Flags, Group};

/// What may be typed for either daemon.
#[derive(Clone, Debug)]
pub struct DaemonFlags {
    /// `--version`.
    pub version: bool,
    /// `--ip`.
    pub ip: Option<String>,
    /// `--port`.
    pub port: u16,
    /// `--advertise_ip`.
    pub advertise_ip: Option<String>,
    /// `--advertise_port`.
    pub advertise_port: Option<String>,
    /// `--ip_discovery_command`.
    pub ip_discovery_command: Option<String>,
    /// `--hostname`.
    pub hostname: Option<String>,
    /// `--hostname_lookup`.
    pub hostname_lookup: bool,
    /// `--modules`.
    pub modules: Option<JsonFlag<Modules>>,
    /// `--hooks`.
    pub hooks: Option<String>,
    /// `--firewall_rules`.
    pub firewall_rules: Option<JsonFlag<Firewall>>,
    /// What is logged, and where.
    pub logging: logging::Config,
}

impl DaemonFlags {
    /// Nothing typed, for a daemon that listens on this port then.
    pub fn of_port(port: u16) -> DaemonFlags {
        DaemonFlags {
            version: false,
            ip: None,
            port,
            advertise_ip: None,
            advertise_port: None,
            ip_discovery_command: None,
            hostname: None,
            hostname_lookup: true,
            modules: None,
            hooks: None,
            firewall_rules: None,
            logging: logging::Config::default(),
        }
    }
}

/// Listens on any port.
impl Default for DaemonFlags {
    fn default() -> DaemonFlags {
        DaemonFlags::of_port(0)
    }
}

impl Flags for DaemonFlags {
    const FLAGS: &'static [Flag<Self>] = &[
        Flag::new("version", "Prints the version.", |flags| &mut flags.version),
        Flag::new(
            "ip",
            "The address to listen on. Not together with\n\
             `--ip_discovery_command`.",
            |flags| &mut flags.ip,
        ),
        Flag::new("port", "The port to listen on.", |flags| &mut flags.port),
        Flag::new(
            "advertise_ip",
            "The address that others are told to reach us by, if it is not the one\n\
             that we listen on.",
            |flags| &mut flags.advertise_ip,
        ),
        Flag::new(
            "advertise_port",
            "The port that others are told to reach us by, together with\n\
             `--advertise_ip`.",
            |flags| &mut flags.advertise_port,
        ),
        Flag::new(
            "ip_discovery_command",
            "A command that prints the address to listen on. Not together with\n\
             `--ip`.",
            |flags| &mut flags.ip_discovery_command,
        ),
        Flag::new(
            "hostname",
            "The host name that is published. Without it the name of the address\n\
             that we listen on is looked up, or with `--no-hostname_lookup` the\n\
             address itself is published.",
            |flags| &mut flags.hostname,
        ),
        Flag::new(
            "hostname_lookup",
            "Whether to look up the host name if `--hostname` does not give it.",
            |flags| &mut flags.hostname_lookup,
        ),
        Flag::new(
            "modules",
            "Modules to load: JSON of a Modules message, here or in a file.\n\
             Not supported: modules are libraries for upstream's own daemons.",
            |flags| &mut flags.modules,
        ),
        Flag::new("hooks", "Hook modules to install, with commas between.", |flags| {
            &mut flags.hooks
        }),
        Flag::new(
            "firewall_rules",
            "Which endpoints do not answer: JSON of a Firewall message, here or in\n\
             a file (`file:///path` or `/path`).\n\
             Example:\n\
             {\n\
             \x20 \"disabled_endpoints\": {\n\
             \x20   \"paths\": [ \"/files/browse\", \"/metrics/snapshot\" ]\n\
             \x20 }\n\
             }",
            |flags| &mut flags.firewall_rules,
        ),
    ];

    fn groups(&mut self) -> Vec<&mut dyn Group> {
        vec![&mut self.logging]
    }
}
