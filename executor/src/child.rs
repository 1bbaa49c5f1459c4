//! Children of this process: telling an actor of their end at once, with their number still
//! taken, so that a signal cannot hit a stranger. Called by the command executor and the health
//! checker.
//!
//! Upstream: `process::reap`, which polls.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::{io, thread};

use common::wait_status::WaitStatus;
use libprocess::{Ctx, Pid, Process};
use nix::errno::Errno;
use nix::sys::wait::{Id, WaitPidFlag, waitid};

/// The number of a child.
pub(crate) fn pid_of(child: &Child) -> i32 {
    i32::try_from(child.id()).expect("process numbers are small")
}

/// Calls `ended` in the actor when the child has ended. It stays to be reaped, by [`reap`].
pub(crate) fn watch<P: Process>(
    child: &Child,
    actor: &Pid<P>,
    ended: impl FnOnce(&mut P, &mut Ctx<P>) + Send + 'static,
) -> io::Result<()> {
    let pid = nix::unistd::Pid::from_raw(pid_of(child));
    let actor = actor.clone();
    let wait = move || {
        // Only an interruption can make it fail: the child is ours and nobody else reaps it.
        let ending = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        while waitid(Id::Pid(pid), ending) == Err(Errno::EINTR) {}
        actor.tell(ended);
    };
    thread::Builder::new().name("wait".to_owned()).spawn(wait).map(drop)
}

/// Reaps a child that has ended.
pub(crate) fn reap(child: &mut Child) -> io::Result<WaitStatus> {
    child.wait().map(ExitStatus::into_raw).map(WaitStatus)
}
