//! The containerizer that a slave's settings ask for. Called once by the slave at start-up.
//! Upstream: `Containerizer::create`.

use std::sync::Arc;

use crate::Containerizer;
use crate::config::Config;
use crate::isolators::UnknownIsolator;
use crate::mesos::MesosContainerizer;

/// Why a slave cannot start with its settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// `--containerizers` names one that does not exist here.
    #[error("Unknown or unsupported containerizer: {0}")]
    UnknownContainerizer(String),
    /// `--launcher` names one that does not exist here.
    #[error(
        "Could not create MesosContainerizer: Failed to create launcher: \
         Unknown or unsupported launcher: {0}"
    )]
    UnknownLauncher(String),
    /// `--isolation` names one that does not exist here.
    #[error("Could not create MesosContainerizer: {0}")]
    UnknownIsolator(#[from] UnknownIsolator),
}

/// Makes what `config` asks for. There is one kind so far, so that it may be named only once.
pub fn create(config: Config) -> Result<Arc<dyn Containerizer>, CreateError> {
    match config.containerizers.as_str() {
        "mesos" => Ok(Arc::new(MesosContainerizer::new(config)?)),
        names => {
            let unknown = names.split(',').find(|name| *name != "mesos").unwrap_or(names);
            Err(CreateError::UnknownContainerizer(unknown.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::create;
    use crate::config::Config;

    #[test]
    fn settings_that_cannot_be_met() {
        let check = |config: Config, expected: &str| {
            let error = create(config).err().map(|error| error.to_string());
            assert_eq!(error.as_deref(), Some(expected));
        };
        let default = Config::default;
        check(
            Config { containerizers: "foo".into(), ..default() },
            "Unknown or unsupported containerizer: foo",
        );
        check(
            Config { containerizers: "mesos,docker".into(), ..default() },
            "Unknown or unsupported containerizer: docker",
        );
        check(
            Config { launcher: Some("foo".into()), ..default() },
            "Could not create MesosContainerizer: Failed to create launcher: \
             Unknown or unsupported launcher: foo",
        );
        check(
            Config { isolation: "foo".into(), ..default() },
            "Could not create MesosContainerizer: Could not create isolator 'foo': \
             Unknown or unsupported isolator",
        );
    }
}
