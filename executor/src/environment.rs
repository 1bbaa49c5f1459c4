//! What the slave tells an executor by the environment, read and checked.
//! Called by `driver`; the variables are handed in. Looks up a host name if it must.
//!
//! Upstream: the first half of `MesosExecutorDriver::start`.

use std::time::Duration;

use common::ids::{ExecutorId, FrameworkId, SlaveId};
use libprocess::Upid;
use libprocess::os::hostname;
use libprocess::pid::{Address, Parsed};
use stout::duration::{self, DurationError};

/// How long an executor waits for its slave to come back. Upstream: `RECOVERY_TIMEOUT`.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// How long an executor may live on after it was asked to shut down. Upstream:
/// `EXECUTOR_SHUTDOWN_GRACE_PERIOD`.
const SHUTDOWN_GRACE_PERIOD: Duration = Duration::from_secs(5);

/// A variable that is missing or cannot be used; the executor cannot start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// The slave always sets it.
    #[error("Expecting '{0}' to be set in the environment")]
    Missing(&'static str),
    /// Not the address of an actor.
    #[error("Cannot parse MESOS_SLAVE_PID '{0}'")]
    SlavePid(String),
    /// No length of time.
    #[error("Cannot parse MESOS_RECOVERY_TIMEOUT '{text}': {error}")]
    RecoveryTimeout {
        /// The value.
        text: String,
        /// What is wrong with it.
        error: DurationError,
    },
}

/// What an executor knows of itself and of its slave when it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Whom to register with.
    pub slave: Upid,
    /// The slave's id.
    pub slave_id: SlaveId,
    /// The framework that the executor belongs to.
    pub framework_id: FrameworkId,
    /// The executor's own id.
    pub executor_id: ExecutorId,
    /// The sandbox.
    pub directory: String,
    /// Whether the executor outlives its slave.
    pub checkpoint: bool,
    /// How long it does.
    pub recovery_timeout: Duration,
    /// How long the process may live on after it was asked to shut down.
    pub shutdown_grace_period: Duration,
    /// Runs inside of some other program, which must not be killed.
    pub local: bool,
}

impl Environment {
    /// Reads the variables through `get`.
    ///
    /// # Errors
    /// The first variable, in upstream's order, that is missing or cannot be used.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, EnvironmentError> {
        let required = |name| get(name).ok_or(EnvironmentError::Missing(name));
        let slave_pid = required("MESOS_SLAVE_PID")?;
        let slave = resolve(&slave_pid).ok_or(EnvironmentError::SlavePid(slave_pid))?;
        let slave_id = required("MESOS_SLAVE_ID")?.into();
        let framework_id = required("MESOS_FRAMEWORK_ID")?.into();
        let executor_id = required("MESOS_EXECUTOR_ID")?.into();
        let directory = required("MESOS_DIRECTORY")?;
        let checkpoint = get("MESOS_CHECKPOINT").as_deref() == Some("1");
        let recovery_timeout = match get("MESOS_RECOVERY_TIMEOUT").filter(|_| checkpoint) {
            None => RECOVERY_TIMEOUT,
            Some(text) => duration::parse(&text)
                .map_err(|error| EnvironmentError::RecoveryTimeout { text, error })?,
        };
        let grace_period = get("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD");
        Ok(Self {
            slave,
            slave_id,
            framework_id,
            executor_id,
            directory,
            checkpoint,
            recovery_timeout,
            shutdown_grace_period: grace_period
                .and_then(|text| duration::parse(&text).ok())
                .unwrap_or(SHUTDOWN_GRACE_PERIOD),
            local: get("MESOS_LOCAL").is_some(),
        })
    }
}

fn resolve(text: &str) -> Option<Upid> {
    let upid = match Upid::parse(text).ok()? {
        Parsed::Upid(upid) => upid,
        Parsed::NeedsDns { id, host, port } => {
            Upid::new(id, Address::new(hostname::to_ip(&host).ok()?, port))
        }
    };
    upid.is_valid().then_some(upid)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPLETE: [(&str, &str); 5] = [
        ("MESOS_SLAVE_PID", "slave(1)@127.0.0.1:5051"),
        ("MESOS_SLAVE_ID", "S0"),
        ("MESOS_FRAMEWORK_ID", "F0"),
        ("MESOS_EXECUTOR_ID", "E0"),
        ("MESOS_DIRECTORY", "/sandbox"),
    ];

    fn read(changes: &[(&str, Option<&str>)]) -> Result<Environment, String> {
        let get = |name: &str| {
            let changed = changes.iter().find(|(changed, _)| *changed == name);
            let given = || COMPLETE.iter().find(|(given, _)| *given == name).map(|(_, text)| *text);
            changed.map_or_else(given, |(_, text)| *text).map(str::to_owned)
        };
        Environment::read(get).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_missing_or_wrong_is_named_in_upstreams_order() {
        let check = |changes: &[(&str, Option<&str>)], text: &str| {
            assert_eq!(read(changes), Err(text.to_owned()));
        };
        for (name, _) in COMPLETE {
            check(&[(name, None)], &format!("Expecting '{name}' to be set in the environment"));
        }
        check(
            &[("MESOS_SLAVE_ID", None), ("MESOS_DIRECTORY", None)],
            "Expecting 'MESOS_SLAVE_ID' to be set in the environment",
        );
        check(&[("MESOS_SLAVE_PID", Some("x"))], "Cannot parse MESOS_SLAVE_PID 'x'");
        check(
            &[("MESOS_SLAVE_PID", Some("@0.0.0.0:0"))],
            "Cannot parse MESOS_SLAVE_PID '@0.0.0.0:0'",
        );
        check(
            &[("MESOS_CHECKPOINT", Some("1")), ("MESOS_RECOVERY_TIMEOUT", Some("zz"))],
            "Cannot parse MESOS_RECOVERY_TIMEOUT 'zz': Failed to convert '' to number",
        );
    }

    #[test]
    fn checkpointing_is_on_for_exactly_1() {
        let environment = read(&[("MESOS_RECOVERY_TIMEOUT", Some("zz"))]).expect("unused");
        assert!(!environment.checkpoint);
        assert_eq!(environment.recovery_timeout, RECOVERY_TIMEOUT);
        assert!(!read(&[("MESOS_CHECKPOINT", Some("true"))]).expect("complete").checkpoint);
        let changes = [("MESOS_CHECKPOINT", Some("1")), ("MESOS_RECOVERY_TIMEOUT", Some("2secs"))];
        let environment = read(&changes).expect("complete");
        assert!(environment.checkpoint);
        assert_eq!(environment.recovery_timeout, Duration::from_secs(2));
    }

    #[test]
    fn the_slaves_grace_period_is_respected_where_it_can_be_read() {
        let check = |text, expected| {
            let environment = read(&[("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", text)]);
            assert_eq!(environment.expect("complete").shutdown_grace_period, expected);
        };
        check(None, SHUTDOWN_GRACE_PERIOD);
        check(Some("soon"), SHUTDOWN_GRACE_PERIOD);
        check(Some("1mins"), Duration::from_secs(60));
    }
}
