//! How long appends of given sizes take. Called by `mesos-log benchmark`.
//! Upstream: `tool::Benchmark`.

use std::fmt::Write;
use std::fs;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use coordination::log::{WriteError, Writer};
use futures_util::future::{Either, select};
use libprocess::Runtime;
use libprocess::clock::Time;
use libprocess::embed::block_on;
use libprocess::os::describe;
use stout::bytes::BytesError;
use stout::number::print_double;
use stout::text::trim;

/// No append may take longer.
const APPEND_TIMEOUT: Duration = Duration::from_secs(10);

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub(super) enum BenchmarkError {
    #[error("Failed to open the trace file {}", .0.display())]
    NoTrace(PathBuf),
    #[error("Failed to parse the trace file: {0}")]
    BadTrace(BytesError),
    #[error("Failed to append: timed out")]
    Timeout,
    #[error("Failed to append: {0}")]
    Append(WriteError),
    #[error("Failed to append: exclusive write promise lost")]
    Demoted,
    #[error("Failed to open the output file {}: {}", path.display(), describe(error))]
    Output { path: PathBuf, error: io::Error },
}

/// What was measured.
pub(super) struct Appended {
    /// All of it.
    pub(super) elapsed: Duration,
    /// When each append was done, and how long it took.
    each: Vec<(Time, Duration)>,
}

/// The sizes that a trace asks for, one in each line.
pub(super) fn sizes(trace: &Path) -> Result<Vec<u64>, BenchmarkError> {
    let no_trace = |_| BenchmarkError::NoTrace(trace.to_owned());
    let text = fs::read_to_string(trace).map_err(no_trace)?;
    let size = |line| trim(line).parse().map(stout::bytes::Bytes::bytes);
    text.lines().map(|line| size(line).map_err(BenchmarkError::BadTrace)).collect()
}

/// Appends entries of these sizes, made of what `kind` says.
pub(super) fn append(
    runtime: &Runtime,
    writer: &Writer,
    sizes: &[u64],
    kind: &str,
) -> Result<Appended, BenchmarkError> {
    let byte = match kind {
        "one" => 0xff,
        // One byte stands for all.
        "random" => runtime.address().port.to_le_bytes()[0],
        _ => 0,
    };
    let clock = runtime.clock();
    let entries: Vec<Bytes> =
        sizes.iter().map(|&size| vec![byte; usize::try_from(size).unwrap_or(0)].into()).collect();
    let begin = clock.now();
    let mut each = Vec::new();
    for entry in entries {
        let start = clock.now();
        let appended = block_on(within(runtime, APPEND_TIMEOUT, writer.append(entry)));
        let position = appended.ok_or(BenchmarkError::Timeout)?.map_err(BenchmarkError::Append)?;
        position.ok_or(BenchmarkError::Demoted)?;
        let now = clock.now();
        each.push((now, now.since(start)));
    }
    Ok(Appended { elapsed: clock.now().since(begin), each })
}

/// Writes a line for each append.
pub(super) fn write(path: &Path, sizes: &[u64], appended: &Appended) -> Result<(), BenchmarkError> {
    const STREAM_DIGITS: usize = 6;
    let mut text = String::new();
    for (size, (time, duration)) in sizes.iter().zip(&appended.each) {
        let millis = print_double(duration.as_secs_f64() * 1_000.0, STREAM_DIGITS);
        writeln!(text, "{time} Appended {size} bytes in {millis} ms").expect("a text takes all");
    }
    fs::write(path, text).map_err(|error| BenchmarkError::Output { path: path.to_owned(), error })
}

/// The outcome of a future, unless it takes longer.
pub(super) async fn within<T>(
    runtime: &Runtime,
    limit: Duration,
    future: impl Future<Output = T>,
) -> Option<T> {
    let limit = std::pin::pin!(runtime.clock().sleep(limit));
    match select(std::pin::pin!(future), limit).await {
        Either::Left((outcome, _)) => Some(outcome),
        Either::Right(_) => None,
    }
}
