//! Handles on processes of the operating system that stay with them, whatever becomes of their
//! numbers. Called by `reap`. Knows no runtime; what it awaits needs one that watches files.
//!
//! Upstream: the `waitpid` of `ReaperProcess`.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A handle on a process.
pub(crate) struct Handle(OwnedFd);

impl Handle {
    /// Takes hold of the process that has the number now; none if there is none.
    pub(crate) fn open(pid: i32) -> io::Result<Option<Self>> {
        let Some(pid) = Pid::from_raw(pid) else { return Ok(None) };
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(handle) => Ok(Some(Self(handle))),
            Err(Errno::SRCH) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Completes when the process has ended; reaps it and gives its status if it was our child.
    pub(crate) async fn reap(self) -> io::Result<Option<ExitStatus>> {
        // SAFETY: the handle owns its descriptor, always gives the same one, and closes it only
        // when it is dropped, after the registration.
        let watched = unsafe { AsyncFd::register_with_interest(self.0, Interest::READABLE) }?;
        // It stays readable: nothing has to be read for it to be so.
        watched.readable().await?.retain_ready();
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG;
        match waitid(Id::PIDFd(watched.get_ref().as_fd()), flags) {
            Ok(status) => Ok(exit_status(status)),
            Err(nix::errno::Errno::ECHILD) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// The status as the standard library has it.
fn exit_status(status: WaitStatus) -> Option<ExitStatus> {
    const DUMPED_CORE: i32 = 0x80;
    match status {
        WaitStatus::Exited(_, code) => Some(ExitStatus::from_raw(code << 8)),
        WaitStatus::Signaled(_, signal, dumped) => {
            let core = if dumped { DUMPED_CORE } else { 0 };
            Some(ExitStatus::from_raw(signal as i32 | core))
        }
        _ => None,
    }
}
