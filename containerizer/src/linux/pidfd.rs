//! Process handles (`pidfd`): signals that cannot hit a stranger under a reused number, and an
//! end that can be awaited of processes that are not our children. Called by `launcher`.
//! Never reaps: that is the parent's right. Upstream: `os::kill`, `process::reap` (which polls).

use std::io;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A handle that stays with one process, whatever happens to its number.
pub(crate) struct ProcessHandle(OwnedFd);

impl ProcessHandle {
    /// Opens a handle on a running or unreaped process; `None` if there is none of that number.
    pub(crate) fn open(pid: i32) -> io::Result<Option<ProcessHandle>> {
        let Some(number) = Pid::from_raw(pid) else { return Ok(None) };
        match pidfd_open(number, PidfdFlags::empty()) {
            Ok(descriptor) => Ok(Some(ProcessHandle(descriptor))),
            Err(Errno::SRCH) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Sends SIGSTOP, so that the process forks no more. A process that has ended is no error.
    pub(crate) fn stop(&self) -> io::Result<()> {
        self.signal(Signal::STOP)
    }

    /// Sends SIGKILL. A process that has ended is no error.
    pub(crate) fn kill(&self) -> io::Result<()> {
        self.signal(Signal::KILL)
    }

    /// Waits until the process has ended, reaped or not. Blocking.
    pub(crate) fn wait(&self) -> io::Result<()> {
        let mut watched = [PollFd::new(&self.0, PollFlags::IN)];
        retry_on_intr(|| poll(&mut watched, None))?;
        Ok(())
    }

    /// As [`ProcessHandle::wait`], without blocking. To be called in the runtime that will poll it.
    pub(crate) fn ended(self) -> io::Result<impl Future<Output = io::Result<()>> + Send + 'static> {
        #[expect(deprecated, reason = "unsound for other types; this one owns its descriptor")]
        let watched = AsyncFd::with_interest(self.0, Interest::READABLE)?;
        Ok(async move { watched.readable().await.map(drop) })
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.0, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
