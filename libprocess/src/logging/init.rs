//! Start-up of the logs, the one place that a line passes, and how a process ends with a word.
//! Called by `main` functions, drivers and the macros.
//! Upstream: `logging::initialize`, `google::InitGoogleLogging`,
//! `google::InstallFailureSignalHandler`, `LOG(FATAL)`.

use std::backtrace::Backtrace;
use std::fmt::{self, Write as _};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};
use std::{fs, io, thread};

use parking_lot::Mutex;

use super::flags::{Config, InvalidLevel, Plan};
use super::glog::{Glog, Origin, Severity, basename, compose};
use super::sink::{Identity, SeverityFiles, Sinks, write_stderr};
use super::vlog;
use crate::os::describe;
use crate::os::signals;

static SINKS: OnceLock<Sinks> = OnceLock::new();

/// Why [`init`] did nothing. A library may ignore the last two.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The flag's value is no level; upstream's text.
    #[error(transparent)]
    InvalidLevel(#[from] InvalidLevel),
    /// `--log_dir` neither exists nor can be made; upstream's text.
    #[error("Could not initialize logging: Failed to create directory {dir}: {reason}")]
    LogDir {
        /// The directory as the flag gave it.
        dir: String,
        /// The system's reason.
        reason: String,
    },
    /// The process logs already, as its first call of [`init`] said.
    #[error("logging is initialized already")]
    AlreadyInitialized,
    /// The program that embeds us has a `tracing` subscriber of its own, which gets our events.
    #[error("a tracing subscriber is installed already")]
    ForeignSubscriber,
}

/// Starts logging for the whole process; the first call counts.
///
/// `program` is `argv[0]` (a driver: the framework's name); what follows its last slash names the
/// log files. `env` looks up the environment: `|name| std::env::var(name).ok()`. It is asked for
/// glog's variables, `USER`, and `MESOS_VERBOSE`: if true, all severities go to stderr, whatever
/// `--quiet` and `--logging_level` say.
///
/// # Errors
/// See [`InitError`]; nothing has changed then.
pub fn init(
    config: &Config,
    program: &str,
    env: impl Fn(&str) -> Option<String>,
) -> Result<(), InitError> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock();
    if SINKS.get().is_some() {
        return Err(InitError::AlreadyInitialized);
    }
    let plan = Plan::new(config, &env)?;
    if let Some(dir) = &config.log_dir {
        fs::create_dir_all(dir)
            .map_err(|e| InitError::LogDir { dir: dir.clone(), reason: describe(&e) })?;
    }
    tracing::subscriber::set_global_default(Glog { from: plan.from() })
        .map_err(|_| InitError::ForeignSubscriber)?;
    let files_from = plan.files.as_ref().map(|files| files.from);
    start(plan, identity(program, &env));
    if let Some(from) = files_from {
        // Makes the file, too.
        write(from, file!(), line!(), format_args!("{} level logging started!", from.name()));
    }
    crate::vlog!(1, "Logging to {}", config.log_dir.as_deref().unwrap_or("STDERR"));
    Ok(())
}

fn start(plan: Plan, identity: Identity) {
    let from = plan.from();
    let buffer = plan.files.as_ref().map_or(Duration::ZERO, |files| files.buffer);
    let files = plan.files.map(|files| SeverityFiles::new(identity, files));
    SINKS.get_or_init(|| Sinks { stderr_from: plan.stderr_from, files, from });
    vlog::start(plan.verbosity, plan.vmodule);
    if buffer > Duration::ZERO {
        signals::at_exit(flush_at_exit);
        // Without this thread, a quiet process would keep its last lines to itself. If it cannot
        // start, lines still appear with the ones that follow.
        let _ = thread::Builder::new().name("log-flush".to_owned()).spawn(move || {
            loop {
                thread::sleep(buffer);
                flush();
            }
        });
    }
}

fn identity(program: &str, env: &dyn Fn(&str) -> Option<String>) -> Identity {
    let hostname = nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned();
    Identity {
        program: basename(program).to_owned(),
        hostname: if hostname.is_empty() { "(unknown)".to_owned() } else { hostname },
        user: env("USER").filter(|user| !user.is_empty()).unwrap_or("invalid-user".to_owned()),
        pid: std::process::id(),
    }
}

/// Writes one line; what `vlog!` and `fatal!` come to. Before [`init`] only FATAL is heard.
pub fn write(severity: Severity, file: &str, line: u32, text: fmt::Arguments<'_>) {
    // A `String` takes whatever is written to it; a `Display` that fails has said what it could.
    emit(severity, file, line, |buffer| {
        let _ = buffer.write_fmt(text);
    });
}

/// The one place that every line passes.
pub(super) fn emit(severity: Severity, file: &str, line: u32, text: impl FnOnce(&mut String)) {
    let at = SystemTime::now();
    let origin = Origin { severity, file, line, at };
    match SINKS.get() {
        Some(sinks) if severity >= sinks.from => {
            compose(origin, text, |line| sinks.write(severity, at, line));
        }
        None if severity == Severity::Fatal => compose(origin, text, write_stderr),
        _ => {}
    }
}

/// Writes to disk what `--logbufsecs` still holds back. The end of a process does so by itself.
pub fn flush() {
    if let Some(sinks) = SINKS.get() {
        sinks.flush();
    }
}

extern "C" fn flush_at_exit() {
    flush();
}

/// Ends the process with a FATAL line: `fatal!("Failed to bind: {error}")`. For `main` functions:
/// libraries return errors.
#[macro_export]
macro_rules! fatal {
    ($($text:tt)+) => {
        $crate::logging::fatal(file!(), line!(), format_args!($($text)+))
    };
}

/// Writes a FATAL line and a stack trace, and aborts; what `fatal!` comes to.
pub fn fatal(file: &str, line: u32, text: fmt::Arguments<'_>) -> ! {
    write(Severity::Fatal, file, line, text);
    let trace = Backtrace::force_capture();
    write_stderr(&format!("*** Check failure stack trace: ***\n{trace}"));
    std::process::abort()
}

/// Gives SIGTERM and crashes their lines; for the daemons' `main`, after [`init`].
///
/// SIGTERM: a WARNING that names the sender, then the signal's default action. SIGSEGV, SIGILL,
/// SIGFPE, SIGABRT and SIGBUS: a note on stderr in glog's form, then the same. A panic: an ERROR
/// line, beside the usual text on stderr.
///
/// # Errors
/// The system refused a pipe, a thread or a handler.
pub fn handle_signals() -> io::Result<()> {
    handle_signals_with(|| {})
}

/// As [`handle_signals`]; `farewell` runs on a thread of its own when SIGTERM has come, before the
/// process ends of it. Another SIGTERM cuts it short.
///
/// # Errors
/// The system refused a pipe, a thread or a handler.
pub fn handle_signals_with(farewell: impl FnOnce() + Send + 'static) -> io::Result<()> {
    signals::report_crashes()?;
    signals::before_termination(|sender| {
        farewell();
        match sender {
            Some(signals::Sender { pid, uid }) => tracing::warn!(
                "RAW: Received signal SIGTERM from process {pid} of user {uid}; exiting"
            ),
            None => tracing::warn!("RAW: Received signal SIGTERM; exiting"),
        }
        flush();
    })?;
    log_panics();
    Ok(())
}

fn log_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let (file, line) = info.location().map_or(("", 0), |at| (at.file(), at.line()));
        let what = info.payload_as_str().unwrap_or("(no text)");
        write(Severity::Error, file, line, format_args!("Panic: {what}"));
        before(info);
    }));
}
