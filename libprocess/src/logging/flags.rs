//! What may be configured: the daemons' logging flags and glog's `GLOG_*` variables, and what
//! follows from both. Called by `init.rs`, and as a group of flags by daemons and drivers; pure.
//! Upstream: `logging::Flags`, the first half of `logging::initialize`, `getLogFile`,
//! `getLogSeverity`, glog's `GLOG_DEFINE_*`.

use std::path::PathBuf;
use std::time::Duration;

use stout::flags::{Flag, Flags};

use super::glog::{Severity, basename};
use super::vlog::{VModule, leading_int};

/// The logging flags of every daemon and driver, as given by the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `--quiet`: nothing but FATAL on stderr.
    pub quiet: bool,
    /// `--logging_level`: `INFO`, `WARNING` or `ERROR`; checked by `init`.
    pub logging_level: String,
    /// `--log_dir`: where severity files go; none are written without it.
    pub log_dir: Option<String>,
    /// `--logbufsecs`: for how many seconds INFO lines may wait in memory; 0: not at all.
    pub logbufsecs: i32,
    /// `--initialize_driver_logging`: whether a driver calls `init` with this.
    pub initialize_driver_logging: bool,
    /// `--external_log_file`: a file that somebody else writes, shown in `/files`.
    pub external_log_file: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            quiet: false,
            logging_level: "INFO".to_owned(),
            log_dir: None,
            logbufsecs: 0,
            initialize_driver_logging: true,
            external_log_file: None,
        }
    }
}

impl Flags for Config {
    const FLAGS: &'static [Flag<Self>] = &[
        Flag::new("quiet", "Write no log lines to stderr", |flags| &mut flags.quiet),
        Flag::new(
            "logging_level",
            "The mildest severity that is logged: `INFO`, `WARNING` or `ERROR`.\n\
             With `--quiet` this is about the files in `--log_dir` only.",
            |flags| &mut flags.logging_level,
        ),
        Flag::new(
            "log_dir",
            "Where to write log files; without it there are none.\n\
             Has no influence on stderr. The log file appears in the web UI.",
            |flags| &mut flags.log_dir,
        ),
        Flag::new(
            "logbufsecs",
            "For how many seconds lines may wait in memory before they are\n\
             written to a file; 0 writes each at once.",
            |flags| &mut flags.logbufsecs,
        ),
        Flag::new(
            "initialize_driver_logging",
            "Whether scheduler and executor drivers log as described here.\n\
             Their logs are apart from those of master and slave. Of no\n\
             consequence for users of the HTTP APIs.",
            |flags| &mut flags.initialize_driver_logging,
        ),
        Flag::new(
            "external_log_file",
            "A log file that something else writes, such as syslog, to be shown\n\
             in the web UI and over HTTP; it goes before `--log_dir` there.\n\
             Pointless together with `--quiet`.",
            |flags| &mut flags.external_log_file,
        ),
    ];
}

/// `--logging_level` is none of the three names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not a valid logging level. Possible values for 'logging_level' flag are:  \
     'INFO', 'WARNING', 'ERROR'."
)]
pub struct InvalidLevel(pub String);

impl Config {
    /// The file that `/files` shows as the daemon's log: the external one, else the link to the
    /// newest file of the configured level; `program` is the daemon's `argv[0]`.
    #[must_use]
    pub fn attached_log_file(&self, program: &str) -> Option<PathBuf> {
        if let Some(file) = &self.external_log_file {
            return Some(PathBuf::from(file));
        }
        let level = self.severity().unwrap_or(Severity::Info);
        let link = format!("{}.{}", basename(program), level.name());
        self.log_dir.as_ref().map(|dir| PathBuf::from(dir).join(link))
    }

    fn severity(&self) -> Result<Severity, InvalidLevel> {
        match self.logging_level.as_str() {
            "INFO" => Ok(Severity::Info),
            "WARNING" => Ok(Severity::Warning),
            "ERROR" => Ok(Severity::Error),
            other => Err(InvalidLevel(other.to_owned())),
        }
    }
}

/// What the process does with its lines.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// The mildest severity that goes to stderr.
    pub(super) stderr_from: Severity,
    /// The severity files, if any.
    pub(super) files: Option<Files>,
    pub(super) verbosity: i32,
    pub(super) vmodule: VModule,
}

/// The severity files of a process.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Files {
    pub(super) dir: PathBuf,
    /// The mildest severity that is written.
    pub(super) from: Severity,
    /// A file that has grown to this many bytes is followed by a new one.
    pub(super) roll_bytes: u64,
    /// How long INFO lines may wait in memory.
    pub(super) buffer: Duration,
}

impl Plan {
    /// `Config` decides, as in upstream, over what glog's own variables would say; what is left of
    /// them: `GLOG_v`, `GLOG_vmodule`, `GLOG_max_log_size`, `GLOG_alsologtostderr`.
    /// `GLOG_minloglevel` raises the level, which upstream overwrites.
    pub(super) fn new(
        config: &Config,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, InvalidLevel> {
        let int = |name, default| env(name).map_or(default, |v| leading_int(&v).unwrap_or(0));
        let level = config.severity()?.max(clamped(int("GLOG_minloglevel", 0)));
        let also_stderr = flag(env("GLOG_alsologtostderr").or(env("GOOGLE_ALSOLOGTOSTDERR")));
        let stderr_from = if flag(env("MESOS_VERBOSE")) {
            Severity::Info
        } else if config.quiet && !(also_stderr && config.log_dir.is_some()) {
            Severity::Fatal
        } else {
            level
        };
        let files = config.log_dir.as_ref().map(|dir| Files {
            dir: PathBuf::from(dir),
            from: level,
            roll_bytes: u64::from(int("GLOG_max_log_size", 1800).max(1).unsigned_abs()) << 20,
            buffer: Duration::from_secs(u64::try_from(config.logbufsecs).unwrap_or(0)),
        });
        Ok(Self {
            stderr_from,
            files,
            verbosity: int("GLOG_v", 0),
            vmodule: VModule::parse(&env("GLOG_vmodule").unwrap_or_default()),
        })
    }

    /// The mildest severity that goes anywhere.
    pub(super) fn from(&self) -> Severity {
        let files_from = self.files.as_ref().map_or(Severity::Fatal, |files| files.from);
        self.stderr_from.min(files_from)
    }
}

fn clamped(level: i32) -> Severity {
    match level {
        ..=0 => Severity::Info,
        1 => Severity::Warning,
        2 => Severity::Error,
        3.. => Severity::Fatal,
    }
}

/// glog's truth: the first character is one of `tTyY1`.
/// COMPAT: a variable that is set but empty is true as well (`EnvToBool` looks at the closing NUL);
/// held by `logging::tests::booleans_of_the_environment`.
fn flag(value: Option<String>) -> bool {
    value.is_some_and(|value| value.is_empty() || value.starts_with(['t', 'T', 'y', 'Y', '1']))
}
