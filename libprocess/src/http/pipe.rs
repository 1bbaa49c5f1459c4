//! A body that is written and read over time: what goes in at one end comes out at the other, in
//! order, and each end learns what becomes of the other one.
//! Called by handlers that stream, by the server and by the client. Writing never waits, so that
//! an actor may do it; who can wait asks [`Writer::ready`] first, which bounds what is kept.
//!
//! Upstream: `process::http::Pipe`.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::stream::Stream;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// How much may wait for the reader before [`Writer::ready`] does, in bytes.
const AHEAD_BYTES_MAX: usize = 256 << 10;

/// Why nothing more can be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PipeError {
    /// The writer failed, and says why.
    #[error("{0}")]
    Failed(String),
    /// The last writer was dropped before the end.
    #[error("the writer is gone")]
    Abandoned,
    /// This end was closed.
    #[error("closed")]
    Closed,
}

/// How the writing end is.
#[derive(Debug)]
enum WriteEnd {
    Open,
    Closed,
    Failed(PipeError),
}

#[derive(Debug)]
struct State {
    chunks: VecDeque<Bytes>,
    /// The sum of the chunks.
    bytes: usize,
    write_end: WriteEnd,
    is_read: bool,
    /// The reader was closed while the writing end was open.
    is_deserted: bool,
    reading: Option<Waker>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Told when the reader closes or has made room.
    changed: Notify,
}

/// Makes a pipe.
pub fn pipe() -> (Writer, Reader) {
    let state = State {
        chunks: VecDeque::new(),
        bytes: 0,
        write_end: WriteEnd::Open,
        is_read: true,
        is_deserted: false,
        reading: None,
    };
    let shared = Arc::new(Shared { state: Mutex::new(state), changed: Notify::new() });
    (Writer { end: Arc::new(LastWriter(shared.clone())) }, Reader { shared })
}

/// The writing end; clones are the same end. When the last one is dropped without a
/// [`Writer::close`], the reader gets an error: half a body must not look like a whole one.
#[derive(Clone, Debug)]
pub struct Writer {
    end: Arc<LastWriter>,
}

#[derive(Debug)]
struct LastWriter(Arc<Shared>);

impl Drop for LastWriter {
    fn drop(&mut self) {
        self.0.end(WriteEnd::Failed(PipeError::Abandoned));
    }
}

impl PartialEq for Writer {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.end, &other.end)
    }
}

impl Eq for Writer {}

impl Shared {
    /// Ends the writing end; false if it has ended before.
    fn end(&self, how: WriteEnd) -> bool {
        let mut state = self.state.lock();
        let was_open = matches!(state.write_end, WriteEnd::Open);
        if was_open {
            state.write_end = how;
            wake(state.reading.take());
        }
        was_open
    }
}

fn wake(reading: Option<Waker>) {
    if let Some(waker) = reading {
        waker.wake();
    }
}

impl Writer {
    /// Adds to what can be read; false if either end has been closed. Nothing has no effect.
    pub fn write(&self, chunk: impl Into<Bytes>) -> bool {
        let mut state = self.end.0.state.lock();
        if !matches!(state.write_end, WriteEnd::Open) {
            return false;
        }
        let chunk = chunk.into();
        if state.is_read && !chunk.is_empty() {
            state.bytes += chunk.len();
            state.chunks.push_back(chunk);
            wake(state.reading.take());
        }
        state.is_read
    }

    /// Ends the body; false if that has been done before.
    pub fn close(&self) -> bool {
        self.end.0.end(WriteEnd::Closed)
    }

    /// Ends the body before its time: the reader gets what was written, then this error. False if
    /// it has ended before.
    pub fn fail(&self, why: impl Into<String>) -> bool {
        self.end.0.end(WriteEnd::Failed(PipeError::Failed(why.into())))
    }

    /// Completes when the reader has closed its end before this one was closed; never otherwise.
    pub fn reader_closed(&self) -> impl Future<Output = ()> + Send + 'static {
        let shared = self.end.0.clone();
        async move { shared.until(|state| state.is_deserted).await }
    }

    /// Completes when there is room for more, or nothing more can be written.
    pub fn ready(&self) -> impl Future<Output = ()> + Send + 'static {
        let shared = self.end.0.clone();
        let is_ready = |state: &State| {
            let is_open = state.is_read && matches!(state.write_end, WriteEnd::Open);
            state.bytes < AHEAD_BYTES_MAX || !is_open
        };
        async move { shared.until(is_ready).await }
    }
}

impl Shared {
    async fn until(&self, holds: impl Fn(&State) -> bool) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if holds(&self.state.lock()) {
                return;
            }
            changed.await;
        }
    }
}

/// The reading end; closed when dropped. As a stream it gives chunks, never empty ones, and ends
/// after the first error.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
}

impl Reader {
    /// Gives the next chunk; none at the end of the body.
    ///
    /// # Errors
    /// When the writer has failed, or this end has been closed.
    pub async fn read(&mut self) -> Result<Option<Bytes>, PipeError> {
        std::future::poll_fn(|context| self.poll_read(context)).await
    }

    /// As [`Reader::read`], for those who poll.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, PipeError>> {
        let mut state = self.shared.state.lock();
        if !state.is_read {
            return Poll::Ready(Err(PipeError::Closed));
        }
        if let Some(chunk) = state.chunks.pop_front() {
            state.bytes -= chunk.len();
            self.shared.changed.notify_waiters();
            return Poll::Ready(Ok(Some(chunk)));
        }
        match &state.write_end {
            WriteEnd::Closed => Poll::Ready(Ok(None)),
            WriteEnd::Failed(error) => Poll::Ready(Err(error.clone())),
            WriteEnd::Open => {
                state.reading = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Says that nothing more will be read and throws away what waits; false if that has been
    /// said before.
    pub fn close(&mut self) -> bool {
        let mut state = self.shared.state.lock();
        let was_read = std::mem::replace(&mut state.is_read, false);
        if was_read {
            state.chunks.clear();
            state.bytes = 0;
            state.is_deserted = matches!(state.write_end, WriteEnd::Open);
            self.shared.changed.notify_waiters();
        }
        was_read
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.close();
    }
}

impl Stream for Reader {
    type Item = Result<Bytes, PipeError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match std::task::ready!(self.poll_read(cx)) {
            Err(PipeError::Closed) => Poll::Ready(None),
            Err(error) => {
                self.close();
                Poll::Ready(Some(Err(error)))
            }
            Ok(chunk) => Poll::Ready(chunk.map(Ok)),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn now(reader: &mut Reader) -> Option<Result<Option<Bytes>, PipeError>> {
        reader.read().now_or_never()
    }

    fn read(reader: &mut Reader, expected: &'static str) {
        assert_eq!(now(reader), Some(Ok(Some(expected.into()))));
    }

    #[test]
    fn http_test_pipe_eof() {
        let (writer, mut reader) = pipe();
        assert_eq!(now(&mut reader), None);
        assert!(writer.write(""));
        assert_eq!(now(&mut reader), None);
        for chunk in ["hello", "world", "!"] {
            assert!(writer.write(chunk));
        }
        assert!(writer.close());
        for chunk in ["hello", "world", "!"] {
            read(&mut reader, chunk);
        }
        assert_eq!(now(&mut reader), Some(Ok(None)));
        assert_eq!(now(&mut reader), Some(Ok(None)));
        assert!(!writer.write("!"));
        assert!(!writer.close());
        assert!(reader.close());
        assert!(writer.reader_closed().now_or_never().is_none());
    }

    #[test]
    fn http_test_pipe_failure() {
        let (writer, mut reader) = pipe();
        assert!(writer.write("hello"));
        assert!(writer.fail("disconnected!"));
        read(&mut reader, "hello");
        let failed = PipeError::Failed("disconnected!".to_owned());
        assert_eq!(now(&mut reader), Some(Err(failed)));
        assert!(!writer.close());
        assert!(!writer.fail("not again"));
        assert!(reader.close());
        assert!(writer.reader_closed().now_or_never().is_none());
    }

    #[test]
    fn http_test_pipe_reader_closes() {
        let (writer, mut reader) = pipe();
        assert!(writer.write("hello"));
        let mut told = writer.reader_closed().boxed();
        assert!((&mut told).now_or_never().is_none());
        assert!(reader.close());
        assert!(told.now_or_never().is_some());
        assert_eq!(now(&mut reader), Some(Err(PipeError::Closed)));
        assert!(!writer.write("!"));
        assert!(!reader.close());
        assert!(writer.close());
        assert_eq!(now(&mut reader), Some(Err(PipeError::Closed)));
    }

    #[test]
    fn http_test_pipe_equality() {
        let [(one, _), (two, _)] = [pipe(), pipe()];
        assert_eq!(one, one.clone());
        assert_ne!(one, two);
    }

    #[test]
    fn a_pipe_that_is_full_says_so_until_it_is_read() {
        let (writer, mut reader) = pipe();
        assert!(writer.write(vec![0; AHEAD_BYTES_MAX]));
        let mut room = writer.ready().boxed();
        assert!((&mut room).now_or_never().is_none());
        assert!(matches!(now(&mut reader), Some(Ok(Some(_)))));
        assert!(room.now_or_never().is_some());
    }

    #[test]
    fn a_writer_that_is_dropped_before_the_end_is_an_error() {
        let (writer, mut reader) = pipe();
        drop(writer.clone());
        assert!(writer.write("hello"));
        drop(writer);
        read(&mut reader, "hello");
        assert_eq!(now(&mut reader), Some(Err(PipeError::Abandoned)));
    }
}
