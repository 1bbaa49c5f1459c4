//! What may be typed behind each command of `mesos-log`.
//! Upstream: the `Flags` of the tools in `src/log/tool`.

use std::path::PathBuf;
use std::time::Duration;

use libprocess::logging;
use stout::flags::{Flag, Flags, Group};

/// The flags of one command.
pub(super) trait Tool: Flags {
    /// As it is typed.
    const NAME: &'static str;

    /// What is logged, and where.
    fn logging(&self) -> &logging::Config;
}

/// What is said of a flag that must be typed and was not.
pub(super) fn missing(what: &str, name: &str) -> String {
    format!("Missing required {what} --{name}")
}

/// Flags of `initialize`.
#[derive(Default)]
pub(super) struct InitializeFlags {
    pub(super) path: Option<PathBuf>,
    pub(super) timeout: Option<Duration>,
    logging: logging::Config,
}

const PATH: &str = "Path to the log";
const TIMEOUT: &str = "Maximum time allowed for the command to finish\n(e.g., 500ms, 1sec, etc.)";

impl Flags for InitializeFlags {
    const FLAGS: &'static [Flag<Self>] = &[
        Flag::new("path", PATH, |flags| &mut flags.path),
        Flag::new("timeout", TIMEOUT, |flags| &mut flags.timeout),
    ];

    fn groups(&mut self) -> Vec<&mut dyn Group> {
        vec![&mut self.logging]
    }

    fn heading(_: &str) -> String {
        "Usage: initialize [option]\n\nThis command is used to initialize the log.\n\n".to_owned()
    }
}

impl Tool for InitializeFlags {
    const NAME: &'static str = "initialize";

    fn logging(&self) -> &logging::Config {
        &self.logging
    }
}

/// Flags of `read`.
#[derive(Default)]
pub(super) struct ReadFlags {
    pub(super) path: Option<PathBuf>,
    pub(super) from: Option<u64>,
    pub(super) to: Option<u64>,
    pub(super) timeout: Option<Duration>,
    pub(super) logging: logging::Config,
}

impl Flags for ReadFlags {
    const FLAGS: &'static [Flag<Self>] = &[
        Flag::new("path", PATH, |flags| &mut flags.path),
        Flag::new("from", "Position from which to start reading the log", |flags| &mut flags.from),
        Flag::new("to", "Position from which to stop reading the log", |flags| &mut flags.to),
        Flag::new("timeout", TIMEOUT, |flags| &mut flags.timeout),
    ];

    fn groups(&mut self) -> Vec<&mut dyn Group> {
        vec![&mut self.logging]
    }

    fn heading(_: &str) -> String {
        "Usage: read [options]\n\nThis command is used to read the log.\n\n".to_owned()
    }
}

impl Tool for ReadFlags {
    const NAME: &'static str = "read";

    fn logging(&self) -> &logging::Config {
        &self.logging
    }
}

/// Flags that say where a replica is.
pub(super) struct PlaceFlags {
    quorum: Option<usize>,
    path: Option<PathBuf>,
    servers: Option<String>,
    znode: Option<String>,
    initialize: bool,
}

/// Where a replica is.
pub(super) struct Place {
    pub(super) quorum: usize,
    pub(super) path: PathBuf,
    pub(super) servers: String,
    pub(super) znode: String,
    pub(super) initialize: bool,
}

impl Default for PlaceFlags {
    fn default() -> Self {
        Self { quorum: None, path: None, servers: None, znode: None, initialize: true }
    }
}

impl PlaceFlags {
    /// All of it, or what is missing.
    pub(super) fn complete(&self) -> Result<Place, String> {
        let missing = |name| missing("option", name);
        Ok(Place {
            quorum: self.quorum.ok_or_else(|| missing("quorum"))?,
            path: self.path.clone().ok_or_else(|| missing("path"))?,
            servers: self.servers.clone().ok_or_else(|| missing("servers"))?,
            znode: self.znode.clone().ok_or_else(|| missing("znode"))?,
            initialize: self.initialize,
        })
    }
}

impl Flags for PlaceFlags {
    const FLAGS: &'static [Flag<Self>] = &[
        Flag::new("quorum", "Quorum size", |flags| &mut flags.quorum),
        Flag::new("path", PATH, |flags| &mut flags.path),
        Flag::new("servers", "ZooKeeper servers", |flags| &mut flags.servers),
        Flag::new("znode", "ZooKeeper znode", |flags| &mut flags.znode),
        Flag::new("initialize", "Whether to initialize the log", |flags| &mut flags.initialize),
    ];
}

/// Flags of `replica`.
#[derive(Default)]
pub(super) struct ReplicaFlags {
    pub(super) place: PlaceFlags,
    logging: logging::Config,
}

impl Flags for ReplicaFlags {
    const FLAGS: &'static [Flag<Self>] = &[];

    fn groups(&mut self) -> Vec<&mut dyn Group> {
        vec![&mut self.place, &mut self.logging]
    }

    fn heading(_: &str) -> String {
        "Usage: replica [options]\n\nThis command is used to start a replica server.\n\n".to_owned()
    }
}

impl Tool for ReplicaFlags {
    const NAME: &'static str = "replica";

    fn logging(&self) -> &logging::Config {
        &self.logging
    }
}

/// Flags of `benchmark`.
pub(super) struct BenchmarkFlags {
    pub(super) place: PlaceFlags,
    pub(super) input: Option<PathBuf>,
    pub(super) output: Option<PathBuf>,
    pub(super) r#type: String,
    logging: logging::Config,
}

impl Default for BenchmarkFlags {
    fn default() -> Self {
        let (place, logging) = (PlaceFlags::default(), logging::Config::default());
        Self { place, input: None, output: None, r#type: "random".to_owned(), logging }
    }
}

impl Flags for BenchmarkFlags {
    const FLAGS: &'static [Flag<Self>] = &[
        Flag::new(
            "input",
            "Path to the input trace file. Each line in the trace file\n\
             specifies the size of the append (e.g. 100B, 2MB, etc.)",
            |flags| &mut flags.input,
        ),
        Flag::new("output", "Path to the output file", |flags| &mut flags.output),
        Flag::new(
            "type",
            "Type of data to be written (zero, one, random)\n\
             \x20 zero:   all bits are 0\n\
             \x20 one:    all bits are 1\n\
             \x20 random: all bits are randomly chosen\n",
            |flags| &mut flags.r#type,
        ),
    ];

    fn groups(&mut self) -> Vec<&mut dyn Group> {
        vec![&mut self.place, &mut self.logging]
    }

    fn heading(_: &str) -> String {
        "Usage: benchmark [options]\n\nThis command is used to do performance test on the\n\
         replicated log. It takes a trace file of write sizes\nand replay that trace to measure \
         the latency of each\nwrite. The data to be written for each write can be\nspecified using \
         the --type flag.\n\n"
            .to_owned()
    }
}

impl Tool for BenchmarkFlags {
    const NAME: &'static str = "benchmark";

    fn logging(&self) -> &logging::Config {
        &self.logging
    }
}
