//! The stages of a container's life and what its end is called. Pure. Used by `mesos`.
//! Upstream: `MesosContainerizerProcess::State`, `_____destroy`.

use std::fmt;

use proto::mesos::TaskState;
use proto::mesos::containerizer::Termination;
use proto::mesos::slave::ContainerLimitation;

/// Where a container is in its life. Stages follow one another in this order; the last one may
/// follow any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Its image is brought here.
    Provisioning,
    /// Isolators make ready; nothing runs yet.
    Preparing,
    /// Its first process is started and waits, while isolators take hold of it.
    Isolating,
    /// The files of its URIs are brought here.
    Fetching,
    /// The executor runs.
    Running,
    /// It is going, whatever it was.
    Destroying,
}

impl Stage {
    /// Whether a container may go from this stage to another one.
    pub fn leads_to(self, next: Stage) -> bool {
        match self {
            Stage::Provisioning => matches!(next, Stage::Preparing | Stage::Destroying),
            Stage::Preparing => matches!(next, Stage::Isolating | Stage::Destroying),
            Stage::Isolating => matches!(next, Stage::Fetching | Stage::Destroying),
            Stage::Fetching => matches!(next, Stage::Running | Stage::Destroying),
            Stage::Running => next == Stage::Destroying,
            Stage::Destroying => false,
        }
    }
}

impl Stage {
    /// The stage that a launch leaves when it enters this one.
    pub(super) fn previous(self) -> Stage {
        match self {
            Stage::Provisioning | Stage::Preparing => Stage::Provisioning,
            Stage::Isolating => Stage::Preparing,
            Stage::Fetching => Stage::Isolating,
            Stage::Running => Stage::Fetching,
            Stage::Destroying => Stage::Running,
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Provisioning => "provisioning",
            Stage::Preparing => "preparing",
            Stage::Isolating => "isolating",
            Stage::Fetching => "fetching",
            Stage::Running => "running",
            Stage::Destroying => "destroying",
        })
    }
}

/// How far a container got before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Its image was not there yet.
    WhileProvisioning,
    /// Nothing had been started.
    WhilePreparing,
    /// Its first process had been started; the raw wait status, if it is known.
    AfterFork(Option<i32>),
}

/// What the slave is told of a container's end.
pub(super) fn termination(ending: Ending, limitations: &[ContainerLimitation]) -> Termination {
    let mut termination = Termination::default();
    let message = match ending {
        Ending::WhileProvisioning => "Container destroyed while provisioning images",
        Ending::WhilePreparing => "Container destroyed while preparing isolators",
        Ending::AfterFork(status) => {
            termination.status = status;
            "Executor terminated"
        }
    };
    termination.message = Some(message.to_owned());
    if !limitations.is_empty() {
        let messages: Vec<&str> = limitations.iter().map(ContainerLimitation::message).collect();
        termination.message = Some(messages.join("; "));
        termination.state = Some(TaskState::TaskFailed.into());
        termination.reasons = limitations.iter().filter_map(|limit| limit.reason).collect();
    }
    termination
}

#[cfg(test)]
mod tests {
    use proto::mesos::TaskState;
    use proto::mesos::slave::ContainerLimitation;
    use proto::mesos::task_status::Reason;

    use super::{Ending, Stage, termination};

    #[test]
    fn stages_follow_one_another() {
        use Stage::{Destroying, Fetching, Isolating, Preparing, Provisioning, Running};
        let all = [Provisioning, Preparing, Isolating, Fetching, Running, Destroying];
        for (i, from) in all.into_iter().enumerate() {
            for (j, to) in all.into_iter().enumerate() {
                let expected = from != Destroying && (j == i + 1 || to == Destroying);
                assert_eq!(from.leads_to(to), expected, "{from} {to}");
            }
        }
    }

    #[test]
    fn what_the_end_is_called() {
        let check = |ending, message: &str, status| {
            let found = termination(ending, &[]);
            assert_eq!(found.message.as_deref(), Some(message));
            assert_eq!((found.status, found.state), (status, None));
            assert!(found.reasons.is_empty());
        };
        check(Ending::WhileProvisioning, "Container destroyed while provisioning images", None);
        check(Ending::WhilePreparing, "Container destroyed while preparing isolators", None);
        check(Ending::AfterFork(Some(9)), "Executor terminated", Some(9));
        check(Ending::AfterFork(None), "Executor terminated", None);
    }

    #[test]
    fn limits_are_the_reason() {
        let limit = |message: &str, reason: Option<Reason>| ContainerLimitation {
            message: Some(message.into()),
            reason: reason.map(Into::into),
            ..ContainerLimitation::default()
        };
        let memory = Reason::ContainerLimitationMemory;
        let limits = [limit("too much", Some(memory)), limit("too often", None)];
        let found = termination(Ending::AfterFork(Some(9)), &limits);
        assert_eq!(found.message.as_deref(), Some("too much; too often"));
        assert_eq!(found.state, Some(TaskState::TaskFailed.into()));
        assert_eq!(found.reasons, [i32::from(memory)]);
        assert_eq!(found.status, Some(9));
    }
}
