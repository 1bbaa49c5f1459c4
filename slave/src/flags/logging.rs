//! Flags of the logs, over the settings that `libprocess::logging` takes.
//! Declared here, read by `main`. Upstream: `logging::Flags`.

use libprocess::logging::Config;
use stout::flags::{Flag, Flags};

/// What is logged, and where.
#[derive(Clone, Debug, Default)]
pub struct LoggingFlags(pub Config);

impl Flags for LoggingFlags {
    const FLAGS: &'static [Flag<Self>] = &[
        Flag::new("quiet", "Whether nothing goes to stderr.", |flags| &mut flags.0.quiet),
        Flag::new(
            "logging_level",
            "The least severity that is logged: INFO, WARNING or ERROR.",
            |flags| &mut flags.0.logging_level,
        ),
        Flag::new("log_dir", "The directory for log files; there are none if unset.", |flags| {
            &mut flags.0.log_dir
        }),
        Flag::new("logbufsecs", "How many seconds log lines may wait in memory.", |flags| {
            &mut flags.0.logbufsecs
        }),
        Flag::new(
            "initialize_driver_logging",
            "Whether scheduler and executor drivers set up logging.",
            |flags| &mut flags.0.initialize_driver_logging,
        ),
        Flag::new(
            "external_log_file",
            "A log file that somebody else writes, to be shown by the endpoints.\n\
             It comes before --log_dir there.",
            |flags| &mut flags.0.external_log_file,
        ),
    ];
}
