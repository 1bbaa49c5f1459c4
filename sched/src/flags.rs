//! What a scheduler's environment may say: how the driver logs, and how it registers.
//! Called by `driver`; the variables are handed in.
//!
//! Upstream: `internal::scheduler::Flags`, `local::Flags`.

use std::time::Duration;

use libprocess::logging;
use serde_json::{Map, Value};
use stout::flags::parse::{LoadError, Loader};
use stout::flags::{BoxedError, Flag, Flags, Group};

/// What the authenticatee is that needs no module. Upstream: `DEFAULT_AUTHENTICATEE`.
pub(crate) const DEFAULT_AUTHENTICATEE: &str = "crammd5";

/// What is read when a driver is made. The number of slaves is that of a local cluster, which
/// the driver does not start; a bad one is still an error.
pub(crate) struct ConstructorFlags {
    pub(crate) logging: logging::Config,
    num_slaves: i32,
}

impl Default for ConstructorFlags {
    fn default() -> Self {
        Self { logging: logging::Config::default(), num_slaves: 1 }
    }
}

impl Flags for ConstructorFlags {
    const FLAGS: &'static [Flag<Self>] =
        &[Flag::new("num_slaves", "Number of slaves to launch for local cluster", |flags| {
            &mut flags.num_slaves
        })];

    fn groups(&mut self) -> Vec<&mut dyn Group> {
        vec![&mut self.logging]
    }
}

/// What is read when a driver is started.
pub(crate) struct SchedulerFlags {
    pub(crate) authentication_backoff_factor: Duration,
    pub(crate) registration_backoff_factor: Duration,
    pub(crate) modules: Option<Map<String, Value>>,
    pub(crate) authenticatee: String,
    logging: logging::Config,
}

impl Default for SchedulerFlags {
    fn default() -> Self {
        Self {
            authentication_backoff_factor: Duration::from_secs(1),
            registration_backoff_factor: Duration::from_secs(2),
            modules: None,
            authenticatee: DEFAULT_AUTHENTICATEE.to_owned(),
            logging: logging::Config::default(),
        }
    }
}

impl Flags for SchedulerFlags {
    const FLAGS: &'static [Flag<Self>] = &[
        Flag::new(
            "authentication_backoff_factor",
            "After the Nth failed authentication the driver waits for a random\n\
             time up to this one times 2^N, but no longer than 1mins",
            |flags| &mut flags.authentication_backoff_factor,
        ),
        Flag::new(
            "registration_backoff_factor",
            "After the Nth attempt to register the driver waits for a random\n\
             time up to this one times 2^(N-1), but no longer than 1mins, nor than\n\
             a tenth of the framework's failover timeout",
            |flags| &mut flags.registration_backoff_factor,
        ),
        Flag::new("modules", "Modules to load, as JSON or in a file that holds it", |flags| {
            &mut flags.modules
        }),
        Flag::new(
            "authenticatee",
            "How to authenticate with the master: `crammd5`, or what a module\n\
             from `modules` offers",
            |flags| &mut flags.authenticatee,
        ),
    ];

    fn groups(&mut self) -> Vec<&mut dyn Group> {
        vec![&mut self.logging]
    }
}

/// Loads flags from the `MESOS_*` variables.
pub(crate) fn load<T: Flags>(variables: &[(String, String)]) -> Result<T, LoadError> {
    let read = |path: &str| std::fs::read_to_string(path).map_err(BoxedError::from);
    let loader = Loader::new(&read).environment("MESOS_", variables.iter().cloned());
    Ok(loader.load::<T>(&[])?.flags)
}
