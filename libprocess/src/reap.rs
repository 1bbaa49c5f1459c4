//! The end of processes of the operating system: our own children and any others.
//! Called by `subprocess` and by whoever has only a number. Sees an end when it happens, where
//! upstream looks now and then.
//!
//! Upstream: `process::reap`, `ReaperProcess`.

use std::future::Future;
use std::io;
use std::process::ExitStatus;

use tokio::sync::oneshot;

use crate::os::pidfd::Handle;
use crate::runtime::Runtime;

impl Runtime {
    /// Completes when the process has ended, with its status if it was our child, which is reaped
    /// then; without one for any other process and if there is none of that number. The process is
    /// the one that has the number now, whatever becomes of that. Of those who ask for the same
    /// child, one gets the status. Upstream: `process::reap`.
    ///
    /// # Errors
    /// When the system cannot tell, or the runtime ends before the process.
    pub fn reap(
        &self,
        pid: i32,
    ) -> impl Future<Output = io::Result<Option<ExitStatus>>> + Send + 'static {
        let (done, outcome) = oneshot::channel();
        match Handle::open(pid) {
            // The receiver is at hand, just below.
            Err(error) => drop(done.send(Err(error))),
            Ok(None) => drop(done.send(Ok(None))),
            Ok(Some(handle)) => self.run(async move {
                // Nobody may want to know; a child is reaped all the same.
                drop(done.send(handle.reap().await));
            }),
        }
        async move { outcome.await.unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into())) }
    }
}
