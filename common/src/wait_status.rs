//! How a process ended, in the words that statuses, logs and executors use.
//! Called by whoever reaps a process. Takes the number that `wait` gives.
//! Upstream: `WSTRINGIFY`.

use std::fmt;

/// How a process ended, as `wait` tells it. Prints as `exited with status 1` or
/// `terminated with signal Killed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitStatus(pub i32);

impl WaitStatus {
    /// The exit code, unless a signal ended the process. Upstream: `WIFEXITED`, `WEXITSTATUS`.
    pub fn code(self) -> Option<i32> {
        (self.0 & 0x7f == 0).then_some((self.0 >> 8) & 0xff)
    }

    /// Whether the process ended by itself and without complaint.
    pub fn is_success(self) -> bool {
        self.code() == Some(0)
    }
}

impl fmt::Display for WaitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code() {
            Some(code) => write!(f, "exited with status {code}"),
            None => write!(f, "terminated with signal {}", Signal(self.0 & 0x7f)),
        }
    }
}

/// Prints a signal as the C library names it. Upstream: `strsignal`.
struct Signal(i32);

const FIRST_REAL_TIME_SIGNAL: i32 = 34;

/// The names of Linux's signals, from 1.
const NAMES: [&str; 31] = [
    "Hangup",
    "Interrupt",
    "Quit",
    "Illegal instruction",
    "Trace/breakpoint trap",
    "Aborted",
    "Bus error",
    "Floating point exception",
    "Killed",
    "User defined signal 1",
    "Segmentation fault",
    "User defined signal 2",
    "Broken pipe",
    "Alarm clock",
    "Terminated",
    "Stack fault",
    "Child exited",
    "Continued",
    "Stopped (signal)",
    "Stopped",
    "Stopped (tty input)",
    "Stopped (tty output)",
    "Urgent I/O condition",
    "CPU time limit exceeded",
    "File size limit exceeded",
    "Virtual timer expired",
    "Profiling timer expired",
    "Window changed",
    "I/O possible",
    "Power failure",
    "Bad system call",
];

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = usize::try_from(self.0 - 1).ok().and_then(|place| NAMES.get(place));
        match named {
            Some(name) => f.write_str(name),
            None if self.0 >= FIRST_REAL_TIME_SIGNAL => {
                write!(f, "Real-time signal {}", self.0 - FIRST_REAL_TIME_SIGNAL)
            }
            None => write!(f, "Unknown signal {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_upstream() {
        let check = |raw, text: &str| assert_eq!(WaitStatus(raw).to_string(), text);
        check(0, "exited with status 0");
        check(1 << 8, "exited with status 1");
        check(255 << 8, "exited with status 255");
        check(9, "terminated with signal Killed");
        check(15, "terminated with signal Terminated");
        check(6 | 0x80, "terminated with signal Aborted");
        check(11, "terminated with signal Segmentation fault");
        check(33, "terminated with signal Unknown signal 33");
        check(36, "terminated with signal Real-time signal 2");
    }

    #[test]
    fn only_an_exit_with_zero_is_a_success() {
        assert!(WaitStatus(0).is_success());
        assert!(!WaitStatus(1 << 8).is_success());
        assert!(!WaitStatus(15).is_success());
        assert_eq!(WaitStatus(3 << 8).code(), Some(3));
        assert_eq!(WaitStatus(9).code(), None);
    }
}
