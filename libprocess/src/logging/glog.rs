//! One log line: severities, the bytes of glog's prefix, and the `tracing` subscriber that prints
//! events with it. Called by `init.rs`; decides nothing about where a line goes.
//! Upstream: `google::LogMessage::Init`, `google::LogSeverity`.

use std::cell::Cell;
use std::fmt::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

use crate::os::localtime::{Civil, local};

/// How bad a line is; glog's `LogSeverity`, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// `I`: something changed. Verbose lines are of this severity, too.
    Info,
    /// `W`: a peer erred.
    Warning,
    /// `E`: an operator must act.
    Error,
    /// `F`: the last line of a process.
    Fatal,
}

impl Severity {
    /// All severities, the mildest first.
    pub const ALL: [Self; 4] = [Self::Info, Self::Warning, Self::Error, Self::Fatal];

    /// The name in file names and flags, for instance `WARNING`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
        }
    }

    /// The severity of a `tracing` level; glog knows none below INFO, where `vlog!` reigns.
    fn of(level: Level) -> Option<Self> {
        match level {
            Level::ERROR => Some(Self::Error),
            Level::WARN => Some(Self::Warning),
            Level::INFO => Some(Self::Info),
            _ => None,
        }
    }

    /// The filter that lets this severity and all above it pass.
    fn filter(self) -> LevelFilter {
        match self {
            Self::Info => LevelFilter::INFO,
            Self::Warning => LevelFilter::WARN,
            Self::Error => LevelFilter::ERROR,
            Self::Fatal => LevelFilter::OFF,
        }
    }

    fn letter(self) -> char {
        char::from(self.name().as_bytes()[0])
    }
}

/// Where and when a line was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin<'a> {
    pub(super) severity: Severity,
    /// The path of the source file as the compiler knows it.
    pub(super) file: &'a str,
    pub(super) line: u32,
    pub(super) at: SystemTime,
}

/// Puts a line together in a buffer of this thread and hands it, newline included, to `sink`.
///
/// `text` may log in its turn (a `Display` that warns): the inner line gets a buffer of its own.
pub(super) fn compose(origin: Origin<'_>, text: impl FnOnce(&mut String), sink: impl FnOnce(&str)) {
    let mut scratch = SCRATCH.try_with(Cell::take).ok().flatten().unwrap_or_default();
    scratch.line.clear();
    scratch.push_prefix(origin);
    text(&mut scratch.line);
    if !scratch.line.ends_with('\n') {
        scratch.line.push('\n');
    }
    sink(&scratch.line);
    scratch.line.shrink_to(LINE_KEPT_BYTES);
    // The thread may be at its end, its locals gone: then the buffer goes as well.
    let _ = SCRATCH.try_with(|slot| slot.set(Some(scratch)));
}

thread_local! {
    static SCRATCH: Cell<Option<Box<Scratch>>> = const { Cell::new(None) };
}

/// A giant line must not pin its memory to the thread for ever.
const LINE_KEPT_BYTES: usize = 4096;

/// What a thread keeps from line to line.
#[derive(Default)]
struct Scratch {
    line: String,
    /// The second that `clock` shows.
    second: Option<i64>,
    /// `mmdd hh:mm:ss.`, local time.
    clock: String,
    /// The thread's id, right-aligned to five.
    thread: String,
}

impl Scratch {
    fn push_prefix(&mut self, origin: Origin<'_>) {
        let (second, micros) = split(origin.at);
        if self.second != Some(second) {
            self.tell_time(second);
        }
        if self.thread.is_empty() {
            self.thread = format!("{:5}", nix::unistd::gettid());
        }
        self.line.push(origin.severity.letter());
        self.line.push_str(&self.clock);
        // A `String` takes whatever is written to it.
        let _ = write!(
            self.line,
            "{micros:06} {} {}:{}] ",
            self.thread,
            basename(origin.file),
            origin.line
        );
    }

    fn tell_time(&mut self, second: i64) {
        let Civil { month, day, hour, minute, second: shown, .. } = local(second);
        self.clock.clear();
        let _ = write!(self.clock, "{month:02}{day:02} {hour:02}:{minute:02}:{shown:02}.");
        self.second = Some(second);
    }
}

/// Seconds since 1970 and the microseconds into that second; a clock before 1970 reads as 1970.
pub(super) fn split(at: SystemTime) -> (i64, u32) {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    (i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_micros())
}

/// What follows the last slash.
pub(super) fn basename(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// The process-wide `tracing` subscriber: events become lines, spans are nothing.
pub(super) struct Glog {
    /// The mildest severity that goes anywhere.
    pub(super) from: Severity,
}

impl Glog {
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let floor =
            if is_foreign(metadata.target()) { LevelFilter::WARN } else { LevelFilter::INFO };
        metadata.is_event() && *metadata.level() <= self.from.filter() && *metadata.level() <= floor
    }
}

/// Libraries that speak at INFO of what operators of Mesos never saw.
fn is_foreign(target: &str) -> bool {
    target.starts_with("actix")
}

impl Subscriber for Glog {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.wants(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.wants(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.from.filter())
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let Some(severity) = Severity::of(*metadata.level()) else { return };
        let (file, line) = (metadata.file().unwrap_or_default(), metadata.line().unwrap_or(0));
        super::init::emit(severity, file, line, |text| event.record(&mut Fields { text }));
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

/// Prints an event's message as it is and any further field as ` name=value`.
struct Fields<'a> {
    text: &'a mut String,
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.text, "{value:?}"),
            name => write!(self.text, " {name}={value:?}"),
        };
    }
}
