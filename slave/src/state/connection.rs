//! How an executor is spoken to: by messages to its address, or by events on the stream that it
//! has opened. Held by `state::executor`; only handlers send. Knows nothing of tasks.
//! Upstream: `Executor::pid`, `Executor::http`, `struct HttpConnection`.

use common::calls::executor::ExecutorEvent;
use common::content_type::ContentType;
use common::evolve::evolve;
use common::recordio;
use libprocess::Upid;
use libprocess::http::pipe::{Reader, Writer, pipe};
use proto::mesos::executor::Event;
use proto::mesos::v1;

/// How an executor is spoken to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Connection {
    /// It has not come yet; or how it had come was not kept for this run of the slave.
    #[default]
    Unknown,
    /// By messages to this address.
    Pid(Upid),
    /// By events, as soon as it subscribes to this run of the slave.
    Awaited,
    /// By events on this stream, which may have ended: it will subscribe again then.
    Stream(EventStream),
}

impl Connection {
    /// Whether anything sent to it has somewhere to go.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Connection::Pid(_) | Connection::Stream(_))
    }

    /// The executor has ended, and hears nothing any more.
    pub(crate) fn close(&self) {
        if let Connection::Stream(stream) = self {
            stream.close();
        }
    }

    /// Whether the executor speaks HTTP.
    pub(crate) fn is_http(&self) -> bool {
        matches!(self, Connection::Awaited | Connection::Stream(_))
    }
}

/// The writing end of the answer to SUBSCRIBE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventStream {
    writer: Writer,
    content_type: ContentType,
}

impl EventStream {
    /// A stream, and what its events come out of.
    pub(crate) fn new(content_type: ContentType) -> (EventStream, Reader) {
        let (writer, reader) = pipe();
        (EventStream { writer, content_type }, reader)
    }

    /// Adds an event; false if nobody reads it.
    pub(crate) fn send(&self, event: ExecutorEvent) -> bool {
        let event: v1::executor::Event = evolve(&Event::from(event));
        self.writer.write(recordio::encode(&self.content_type.serialize(&event)))
    }

    /// Ends it, behind all that was sent; false if that was done before.
    pub(crate) fn close(&self) -> bool {
        self.writer.close()
    }
}
