//! Where lines go: stderr and the severity files with their names, links and sizes.
//! Called by `init.rs`; formats no line and knows no flags. Trouble with a file is told once on
//! stderr, lines for it are dropped, and the process goes on.
//! Upstream: glog's `LogDestination`, `LogFileObject`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;

use super::flags::Files;
use super::glog::{Severity, split};
use crate::os::describe;
use crate::os::localtime::local;

/// What a process's log files are named after.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) program: String,
    pub(super) hostname: String,
    pub(super) user: String,
    pub(super) pid: u32,
}

/// All places that a line may go to.
#[derive(Debug)]
pub(super) struct Sinks {
    pub(super) stderr_from: Severity,
    pub(super) files: Option<SeverityFiles>,
    /// The mildest severity that goes anywhere.
    pub(super) from: Severity,
}

impl Sinks {
    /// Writes a finished line wherever its severity belongs.
    pub(super) fn write(&self, severity: Severity, at: SystemTime, line: &str) {
        if severity >= self.stderr_from {
            write_stderr(line);
        }
        if let Some(files) = &self.files {
            files.write(severity, at, line);
        }
    }

    /// Writes what waits in memory.
    pub(super) fn flush(&self) {
        if let Some(files) = &self.files {
            files.open.lock().iter_mut().for_each(LogFile::flush);
        }
    }
}

/// One write(2) for the line; if stderr is gone there is nobody to tell.
pub(super) fn write_stderr(line: &str) {
    let _ = io::stderr().write_all(line.as_bytes());
}

/// The four files of a process.
#[derive(Debug)]
pub(super) struct SeverityFiles {
    identity: Identity,
    plan: Files,
    open: Mutex<[LogFile; 4]>,
}

impl SeverityFiles {
    pub(super) fn new(identity: Identity, plan: Files) -> Self {
        Self { identity, plan, open: Mutex::new([const { LogFile::unopened() }; 4]) }
    }

    /// A line goes to its own severity's file and to those of all milder ones.
    pub(super) fn write(&self, severity: Severity, at: SystemTime, line: &str) {
        if severity < self.plan.from {
            return;
        }
        let urgent = severity > Severity::Info || self.plan.buffer == Duration::ZERO;
        let mut open = self.open.lock();
        let milder = Severity::ALL.into_iter().take_while(|&of| of <= severity);
        for (file, of) in open.iter_mut().zip(milder) {
            if file.wants_successor(self.plan.roll_bytes) {
                file.open(of, &self.plan.dir, &self.identity, at);
            }
            file.append(line);
            if urgent || file.is_overdue(at, self.plan.buffer) {
                file.flush();
            }
        }
    }
}

/// After a file could not be made, the next attempt comes with the so-manieth line.
const LINES_PER_ATTEMPT: u32 = 32;

/// So much waits in memory at most, however long lines may be buffered.
const PENDING_BYTES_MAX: usize = 1_000_000;

/// The newest file of one severity.
#[derive(Debug)]
struct LogFile {
    file: Option<File>,
    path: PathBuf,
    bytes: u64,
    pending: Vec<u8>,
    pending_since: Option<SystemTime>,
    lines_until_attempt: u32,
    /// Trouble was told on stderr and has not ended.
    failing: bool,
}

impl LogFile {
    const fn unopened() -> Self {
        Self {
            file: None,
            path: PathBuf::new(),
            bytes: 0,
            pending: Vec::new(),
            pending_since: None,
            lines_until_attempt: 0,
            failing: false,
        }
    }

    /// Whether this line is due to begin a new file.
    fn wants_successor(&mut self, roll_bytes: u64) -> bool {
        if self.file.is_some() {
            return self.bytes >= roll_bytes;
        }
        let due = self.lines_until_attempt == 0;
        self.lines_until_attempt =
            if due { LINES_PER_ATTEMPT } else { self.lines_until_attempt } - 1;
        due
    }

    /// Begins a new file, unless it would bear the same name: names tell seconds apart, no less.
    fn open(&mut self, of: Severity, dir: &Path, identity: &Identity, at: SystemTime) {
        let name = file_name(identity, of, at);
        let path = dir.join(&name);
        if path == self.path && self.file.is_some() {
            return;
        }
        self.flush();
        match create(&path, identity, at) {
            Ok((file, bytes)) => {
                (self.file, self.bytes, self.failing) = (Some(file), bytes, false);
                link(&dir.join(format!("{}.{}", identity.program, of.name())), &name);
            }
            Err(error) => {
                self.file = None;
                self.complain("create", &path, &error);
            }
        }
        self.path = path;
    }

    fn append(&mut self, line: &str) {
        if self.file.is_some() {
            self.bytes += line.len() as u64;
            self.pending.extend_from_slice(line.as_bytes());
        }
    }

    fn is_overdue(&mut self, now: SystemTime, buffer: Duration) -> bool {
        let since = *self.pending_since.get_or_insert(now);
        self.pending.len() >= PENDING_BYTES_MAX
            || now.duration_since(since).is_ok_and(|waited| waited >= buffer)
    }

    /// Writes what waits, in one write(2) where the system takes it whole; a full disk drops it.
    fn flush(&mut self) {
        self.pending_since = None;
        let Some(file) = &mut self.file else { return };
        let written = file.write_all(&self.pending);
        self.pending.clear();
        match written {
            Ok(()) => self.failing = false,
            Err(error) => {
                let path = self.path.clone();
                self.complain("write to", &path, &error);
            }
        }
    }

    fn complain(&mut self, what: &str, path: &Path, error: &io::Error) {
        if !self.failing {
            let (path, why) = (path.display(), describe(error));
            write_stderr(&format!("Could not {what} log file '{path}': {why}\n"));
        }
        self.failing = true;
    }
}

/// `<program>.<hostname>.<user>.log.<SEVERITY>.<yyyymmdd-hhmmss>.<pid>`
fn file_name(identity: &Identity, of: Severity, at: SystemTime) -> String {
    let Identity { program, hostname, user, pid } = identity;
    let t = local(split(at).0);
    format!(
        "{program}.{hostname}.{user}.log.{}.{}{:02}{:02}-{:02}{:02}{:02}.{pid}",
        of.name(),
        t.year,
        t.month,
        t.day,
        t.hour,
        t.minute,
        t.second,
    )
}

/// A new file with its header, and how many bytes it has.
fn create(path: &Path, identity: &Identity, at: SystemTime) -> io::Result<(File, u64)> {
    let mut file = OpenOptions::new().append(true).create_new(true).mode(0o664).open(path)?;
    let t = local(split(at).0);
    let header = format!(
        "Log file created at: {}/{:02}/{:02} {:02}:{:02}:{:02}\n\
         Running on machine: {}\n\
         Log line format: [IWEF]mmdd hh:mm:ss.uuuuuu threadid file:line] msg\n",
        t.year, t.month, t.day, t.hour, t.minute, t.second, identity.hostname,
    );
    file.write_all(header.as_bytes())?;
    Ok((file, header.len() as u64))
}

/// Points the link to the newest file; it is a convenience, so failure is silent as in glog.
fn link(at: &Path, file_name: &str) {
    let _ = fs::remove_file(at);
    let _ = symlink(file_name, at);
}

#[cfg(test)]
mod tests;
