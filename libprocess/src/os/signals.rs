//! Handlers of signals and of the process's end. Called by `logging/init.rs`.
//! Handlers do what a handler may: write(2), no memory, no locks. They are inherited by no program
//! that is executed, and no signal is blocked, so children start with theirs as they should be.
//! Upstream: the `handler` of `src/logging/logging.cpp`, glog's `signalhandler.cc`.
#![allow(unsafe_code)]

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::IntoRawFd;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc::{self, c_int, c_void, siginfo_t};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};
use nix::unistd::pipe2;

/// Who sent a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sender {
    pub(crate) pid: i32,
    pub(crate) uid: u32,
}

/// Runs `f` on a thread of its own when SIGTERM comes, then ends the process by SIGTERM's default
/// action. A second SIGTERM ends it at once, should `f` hang. Called once per process.
///
/// `f` gets `None` if no process sent the signal.
///
/// # Errors
/// The system refused a pipe, a thread or the handler.
pub(crate) fn before_termination(
    f: impl FnOnce(Option<Sender>) + Send + 'static,
) -> io::Result<()> {
    let (receive, send) = pipe2(OFlag::O_CLOEXEC)?;
    OWNER.store(std::process::id().cast_signed(), Ordering::Relaxed);
    NOTE_FD.store(send.into_raw_fd(), Ordering::Relaxed);
    thread::Builder::new().name("sigterm".to_owned()).spawn(move || {
        let mut note = [0; NOTE_BYTES];
        if File::from(receive).read_exact(&mut note).is_ok() {
            f(decode(note));
            die_of(Signal::SIGTERM);
        }
    })?;
    install(Signal::SIGTERM, on_terminate, SaFlags::SA_RESTART)
}

/// Says on stderr, in glog's form, which fatal signal ends the process; then it does.
///
/// # Errors
/// The system refused a handler.
pub(crate) fn report_crashes() -> io::Result<()> {
    for signal in CRASHES {
        // The thread's own stack may be what is broken. The second time, the default is in place.
        install(signal, on_crash, SaFlags::SA_ONSTACK | SaFlags::SA_RESETHAND)?;
    }
    Ok(())
}

/// Runs `f` when the process ends by `exit` or by the end of `main`.
pub(crate) fn at_exit(f: extern "C" fn()) {
    // SAFETY: `f` is a plain function that lives as long as the program. A refusal (no memory)
    // leaves things as they were.
    let _ = unsafe { libc::atexit(f) };
}

const CRASHES: [Signal; 5] =
    [Signal::SIGSEGV, Signal::SIGILL, Signal::SIGFPE, Signal::SIGABRT, Signal::SIGBUS];

type Handler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);

fn install(signal: Signal, handler: Handler, flags: SaFlags) -> io::Result<()> {
    let handler = SigHandler::SigAction(handler);
    let action = SigAction::new(handler, flags | SaFlags::SA_SIGINFO, SigSet::empty());
    // SAFETY: the handlers of this file keep to what is allowed inside of one.
    unsafe { sigaction(signal, &action) }?;
    Ok(())
}

/// The process that the handler serves: not a child between fork and exec.
static OWNER: AtomicI32 = AtomicI32::new(0);
static NOTE_FD: AtomicI32 = AtomicI32::new(-1);
static TERMINATING: AtomicBool = AtomicBool::new(false);

/// `si_code`, `si_pid`, `si_uid`.
const NOTE_BYTES: usize = 12;

extern "C" fn on_terminate(_: c_int, info: *mut siginfo_t, _: *mut c_void) {
    let errno = Errno::last_raw();
    let mine = nix::unistd::getpid().as_raw() == OWNER.load(Ordering::Relaxed);
    if !mine || TERMINATING.swap(true, Ordering::Relaxed) {
        die_of(Signal::SIGTERM);
    }
    // SAFETY: the kernel hands a valid `siginfo_t` to a handler installed with SA_SIGINFO; the pipe
    // is open as long as the process, and the note fits into it.
    unsafe {
        let note = encode((*info).si_code, (*info).si_pid(), (*info).si_uid());
        libc::write(NOTE_FD.load(Ordering::Relaxed), note.as_ptr().cast(), note.len());
    }
    Errno::set_raw(errno);
}

fn encode(code: i32, pid: i32, uid: u32) -> [u8; NOTE_BYTES] {
    let mut note = [0; NOTE_BYTES];
    note[0..4].copy_from_slice(&code.to_ne_bytes());
    note[4..8].copy_from_slice(&pid.to_ne_bytes());
    note[8..12].copy_from_slice(&uid.to_ne_bytes());
    note
}

fn decode(note: [u8; NOTE_BYTES]) -> Option<Sender> {
    let [c0, c1, c2, c3, p0, p1, p2, p3, u0, u1, u2, u3] = note;
    let sent_by_process = i32::from_ne_bytes([c0, c1, c2, c3]) <= 0;
    sent_by_process.then_some(Sender {
        pid: i32::from_ne_bytes([p0, p1, p2, p3]),
        uid: u32::from_ne_bytes([u0, u1, u2, u3]),
    })
}

/// Ends the process by the signal's default action, from a handler or from anywhere else.
fn die_of(signal: Signal) -> ! {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    // SAFETY: the default action runs no code of ours.
    let _ = unsafe { sigaction(signal, &default) };
    let mut unblocked = SigSet::empty();
    unblocked.add(signal);
    let _ = raise(signal);
    let _ = unblocked.thread_unblock();
    // Still here: the first process of a container, which default actions do not end.
    // SAFETY: `_exit` has no conditions.
    unsafe { libc::_exit(128 + signal as c_int) }
}

extern "C" fn on_crash(number: c_int, info: *mut siginfo_t, _: *mut c_void) {
    let name = Signal::try_from(number).map_or("Signal", Signal::as_str);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    // SAFETY: the kernel hands a valid `siginfo_t`; `si_addr` and `si_pid` read plain memory of it,
    // meaningful or not, as upstream prints both of any signal. `pthread_self` has no conditions.
    let (address, thread, sender) =
        unsafe { ((*info).si_addr() as usize, libc::pthread_self() as usize, (*info).si_pid()) };
    let pid = nix::unistd::getpid();
    let mut text = StackText { bytes: [0; 512], length: 0 };
    let _ = write!(
        text,
        "*** Aborted at {now} (unix time) try \"date -d @{now}\" if you are using GNU date ***\n\
         *** {name} (@{address:#x}) received by PID {pid} (TID {thread:#x}) \
         from PID {sender}; stack trace: ***\n"
    );
    let _ = nix::unistd::write(io::stderr(), &text.bytes[..text.length]);
    // SA_RESETHAND has put the default back: it acts when this handler returns.
    let _ = Signal::try_from(number).map(raise);
}

/// Text in memory that a handler has: on its stack. What does not fit is cut off.
struct StackText {
    bytes: [u8; 512],
    length: usize,
}

impl fmt::Write for StackText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = &mut self.bytes[self.length..];
        let taken = text.len().min(room.len());
        room[..taken].copy_from_slice(&text.as_bytes()[..taken]);
        self.length += taken;
        Ok(())
    }
}
