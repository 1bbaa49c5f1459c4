//! The states of a task: which one may follow which, and their names.
//! Called by master, slave and drivers, so that no one decides this twice.
//! Upstream: `protobuf::isTerminalState`, `TaskState_Name`, `Master::updateTask`.

use proto::mesos::TaskState;

/// What a report of a state does to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// The task is in the new state now.
    Taken(TaskState),
    /// It was in that state already.
    Repeated,
    /// It has ended before; what ended stays as it is.
    AlreadyTerminal,
}

/// Whether a task in this state has ended and holds no resources.
pub fn is_terminal(state: TaskState) -> bool {
    match state {
        TaskState::TaskStaging
        | TaskState::TaskStarting
        | TaskState::TaskRunning
        | TaskState::TaskKilling
        | TaskState::TaskUnreachable
        | TaskState::TaskUnknown => false,
        TaskState::TaskFinished
        | TaskState::TaskFailed
        | TaskState::TaskKilled
        | TaskState::TaskLost
        | TaskState::TaskError
        | TaskState::TaskDropped
        | TaskState::TaskGone
        | TaskState::TaskGoneByOperator => true,
    }
}

/// What becomes of a task in `from` of which `to` is reported: any state may follow any other
/// as long as the task has not ended.
pub fn transition(from: TaskState, to: TaskState) -> Transition {
    match (is_terminal(from), from == to) {
        (true, _) => Transition::AlreadyTerminal,
        (false, true) => Transition::Repeated,
        (false, false) => Transition::Taken(to),
    }
}

/// `TASK_RUNNING` and so on.
pub fn name(state: TaskState) -> &'static str {
    state.as_str_name()
}

#[cfg(test)]
mod tests {
    use super::{Transition, is_terminal, name, transition};
    use proto::mesos::TaskState;

    fn all() -> impl Iterator<Item = TaskState> {
        (0..14).map(|number| TaskState::try_from(number).expect("0 to 13 are states"))
    }

    #[test]
    fn terminal_states() {
        let terminal: Vec<_> = all().filter(|&state| is_terminal(state)).map(name).collect();
        let expected = [
            "TASK_FINISHED",
            "TASK_FAILED",
            "TASK_KILLED",
            "TASK_LOST",
            "TASK_ERROR",
            "TASK_DROPPED",
            "TASK_GONE",
            "TASK_GONE_BY_OPERATOR",
        ];
        assert_eq!(terminal, expected);
    }

    #[test]
    fn every_pair_of_states() {
        for from in all() {
            for to in all() {
                let expected = match (is_terminal(from), from == to) {
                    (true, _) => Transition::AlreadyTerminal,
                    (_, true) => Transition::Repeated,
                    _ => Transition::Taken(to),
                };
                assert_eq!(transition(from, to), expected, "{} to {}", name(from), name(to));
            }
        }
    }
}
