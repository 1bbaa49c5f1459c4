//! Connections that this runtime opens: short-lived ones for messages, lasting ones for links.
//! Called by the runtime for every message to another address and for every link.
//! Nothing is acknowledged or sent twice: what a lost connection had queued is lost with it, and
//! only those who linked are told.
//!
//! Upstream: `SocketManager`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use foldhash::HashMap;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::Notify;

use crate::event::Message;
use crate::net::stream::Stream;
use crate::pid::{Address, Upid};
use crate::runtime::engine::Pace;
use crate::runtime::{Linking, WeakRuntime};
use crate::trace::{self, Outcome, Passed, Tracer, cause};
use crate::wire::encode;

/// The most that may wait for one peer, in bytes; what comes beyond is dropped and logged.
/// Upstream has no limit.
const QUEUED_BYTES_MAX: usize = 512 << 20;

/// The largest buffer that an idle connection keeps, in bytes.
const IDLE_BUFFER_BYTES_MAX: usize = 64 << 10;

/// How long a connection opened by a send waits for another message. Upstream closes it at once,
/// so that a chatty actor opens one connection after the other.
const LINGER: Duration = Duration::from_millis(10);

/// Whether a connection ends when it has nothing more to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Opened by a send; closed soon after it has sent everything.
    Ephemeral,
    /// Opened by a link; closed only by the other side.
    Persistent,
}

#[derive(Default)]
struct Queue {
    bytes: BytesMut,
    /// Takes nothing more: done, failed or replaced.
    closed: bool,
    /// The limit was hit and logged; cleared when the queue has been sent.
    overflown: bool,
    /// What was taken is not with the system yet.
    sending: bool,
}

struct Connection {
    peer: Address,
    kind: Kind,
    queue: Mutex<Queue>,
    changed: Notify,
    /// Told when nothing waits or is being sent any more.
    flushed: Notify,
}

/// What became of a message that was put on a connection.
enum Queued {
    Yes,
    /// Too much waits for the peer.
    Dropped,
    /// The connection is over; another one is needed.
    Closed,
}

impl Connection {
    fn new(peer: Address, kind: Kind, bytes: BytesMut) -> Arc<Self> {
        let queue = Mutex::new(Queue { bytes, ..Queue::default() });
        Arc::new(Self { peer, kind, queue, changed: Notify::new(), flushed: Notify::new() })
    }

    fn push(&self, message: &Message, to: &Upid, cause: Option<Passed>) -> Queued {
        let mut queue = self.queue.lock();
        if queue.closed {
            return Queued::Closed;
        }
        if queue.bytes.len() + message.body.len() > QUEUED_BYTES_MAX {
            if !queue.overflown {
                tracing::warn!(
                    "Dropping messages to {}: more than {QUEUED_BYTES_MAX} bytes wait for it",
                    self.peer
                );
            }
            queue.overflown = true;
            return Queued::Dropped;
        }
        // Otherwise the task comes back by itself.
        let may_wait = queue.bytes.is_empty() && !queue.sending;
        let out = &mut queue.bytes;
        encode::encode_message_head(to, &message.name, &message.from, out);
        if let Some(cause) = cause {
            encode::encode_field(cause::FIELD, &cause, out);
        }
        encode::encode_message_body(&message.body, out);
        drop(queue);
        if may_wait {
            self.changed.notify_one();
        }
        Queued::Yes
    }

    /// Swaps what waits into `sent`, which is empty; false when there will be nothing more.
    fn take(&self, sent: &mut BytesMut) -> bool {
        let mut queue = self.queue.lock();
        queue.overflown = false;
        queue.sending = !queue.bytes.is_empty();
        if !queue.sending {
            self.flushed.notify_waiters();
        }
        std::mem::swap(&mut queue.bytes, sent);
        !queue.closed
    }

    /// Waits for more to send; false if the connection ends instead, because it is closed or has
    /// had nothing to send for a while.
    async fn wait(&self, pace: &Pace) -> bool {
        match self.kind {
            Kind::Persistent => self.changed.notified().await,
            Kind::Ephemeral => {
                if pace.limit(LINGER, self.changed.notified()).await.is_none() {
                    let mut queue = self.queue.lock();
                    queue.closed |= queue.bytes.is_empty();
                }
            }
        }
        !self.queue.lock().closed
    }

    /// Ends the connection for its task and for those who would send; gives what still waited.
    fn close(&self) -> BytesMut {
        let mut queue = self.queue.lock();
        queue.closed = true;
        let rest = std::mem::take(&mut queue.bytes);
        drop(queue);
        self.changed.notify_one();
        self.flushed.notify_waiters();
        rest
    }

    fn is_flushed(&self) -> bool {
        let queue = self.queue.lock();
        queue.closed || (queue.bytes.is_empty() && !queue.sending)
    }

    /// Completes when everything has been given to the system, or is lost.
    async fn flush(&self) {
        let flushed = self.flushed.notified();
        tokio::pin!(flushed);
        flushed.as_mut().enable();
        if !self.is_flushed() {
            flushed.await;
        }
    }
}

/// A linkee and the id of the local linker.
type Link = (Upid, Arc<str>);

/// All that is known of one address.
#[derive(Default)]
struct Peer {
    persistent: Option<Arc<Connection>>,
    ephemeral: Option<Arc<Connection>>,
    links: BTreeSet<Link>,
}

impl Peer {
    fn is_unused(&self) -> bool {
        self.persistent.is_none() && self.ephemeral.is_none() && self.links.is_empty()
    }
}

#[derive(Default)]
struct Table {
    peers: HashMap<Address, Peer>,
    /// Where each local linker has links, to forget them when it ends.
    linked: HashMap<Arc<str>, BTreeSet<Address>>,
}

impl Table {
    /// Takes a connection out, unless it has been replaced; gives the links that end with it.
    fn remove(&mut self, connection: &Arc<Connection>) -> BTreeSet<Link> {
        let Some(peer) = self.peers.get_mut(&connection.peer) else { return BTreeSet::new() };
        let place = match connection.kind {
            Kind::Ephemeral => &mut peer.ephemeral,
            Kind::Persistent => &mut peer.persistent,
        };
        if !place.as_ref().is_some_and(|current| Arc::ptr_eq(current, connection)) {
            return BTreeSet::new();
        }
        *place = None;
        let ended = match connection.kind {
            Kind::Ephemeral => BTreeSet::new(),
            Kind::Persistent => std::mem::take(&mut peer.links),
        };
        if peer.is_unused() {
            self.peers.remove(&connection.peer);
        }
        for (_, linker) in &ended {
            if let Some(addresses) = self.linked.get_mut(linker) {
                addresses.remove(&connection.peer);
                if addresses.is_empty() {
                    self.linked.remove(linker);
                }
            }
        }
        ended
    }
}

/// The connections of one runtime to others.
pub(crate) struct Outgoing {
    runtime: WeakRuntime,
    tracer: Arc<Tracer>,
    table: Mutex<Table>,
}

impl Outgoing {
    pub(crate) fn new(runtime: WeakRuntime, tracer: Arc<Tracer>) -> Self {
        Self { runtime, tracer, table: Mutex::default() }
    }

    /// Sends on the lasting connection to the address, else on the short-lived one, else on a
    /// new short-lived one.
    pub(crate) fn send(&self, message: Message, to: &Upid) {
        let record = self.tracer.note(cause::current(), || message.record(trace::Kind::Send, to));
        let cause = record.as_ref().and_then(|record| self.tracer.passed_by(record.id));
        loop {
            let (connection, is_new) = self.connection(to.address);
            let queued = connection.push(&message, to, cause);
            if is_new {
                // Only now: with nothing to send it would soon end.
                self.open(connection.clone());
            }
            match queued {
                Queued::Yes => return record.into_iter().for_each(|it| self.tracer.keep(it)),
                Queued::Dropped => return self.tracer.lose(record, Outcome::PeerBehind),
                Queued::Closed => self.end(&connection),
            }
        }
    }

    /// The connection to the address that takes messages, and whether it is still to be opened.
    fn connection(&self, address: Address) -> (Arc<Connection>, bool) {
        let mut table = self.table.lock();
        let peer = table.peers.entry(address).or_default();
        if let Some(connection) = peer.persistent.as_ref().or(peer.ephemeral.as_ref()) {
            return (connection.clone(), false);
        }
        let connection = Connection::new(address, Kind::Ephemeral, BytesMut::new());
        peer.ephemeral = Some(connection.clone());
        (connection, true)
    }

    /// Records the link and sees to it that a lasting connection exists.
    pub(crate) fn link(&self, linker: &Upid, to: &Upid, linking: Linking) {
        let mut table = self.table.lock();
        table.linked.entry(linker.id.clone()).or_default().insert(to.address);
        let peer = table.peers.entry(to.address).or_default();
        peer.links.insert((to.clone(), linker.id.clone()));
        let rest = match (&peer.persistent, linking) {
            (Some(_), Linking::Reuse) => return,
            // The old one ends without a word to those who linked: they are on the new one.
            (Some(old), Linking::Reconnect) => old.close(),
            (None, _) => BytesMut::new(),
        };
        let connection = Connection::new(to.address, Kind::Persistent, rest);
        peer.persistent = Some(connection.clone());
        drop(table);
        self.open(connection);
    }

    /// Forgets the links of an actor that has ended.
    pub(crate) fn unlink(&self, linker: &Upid) {
        let mut table = self.table.lock();
        for address in table.linked.remove(&linker.id).unwrap_or_default() {
            if let Some(peer) = table.peers.get_mut(&address) {
                peer.links.retain(|(_, id)| *id != linker.id);
            }
        }
    }

    /// Completes when everything has been given to the system, or is lost.
    pub(crate) async fn flush(&self) {
        while let Some(connection) = self.unflushed() {
            connection.flush().await;
        }
    }

    fn unflushed(&self) -> Option<Arc<Connection>> {
        let table = self.table.lock();
        let connections = table.peers.values().flat_map(|peer| [&peer.persistent, &peer.ephemeral]);
        connections.flatten().find(|connection| !connection.is_flushed()).cloned()
    }

    fn open(&self, connection: Arc<Connection>) {
        let Some(runtime) = self.runtime.upgrade() else { return };
        let weak = self.runtime.clone();
        let (connecting, pace) =
            (runtime.engine().connect(connection.peer, runtime.tls()), runtime.engine().pace());
        runtime.run(async move {
            match connecting.await {
                Ok(stream) => drive(&connection, stream, &pace).await,
                Err(error) => log_no_connection(&connection, &error),
            }
            if let Some(runtime) = weak.upgrade() {
                runtime.outgoing().end(&connection);
            }
        });
    }

    /// A connection is over: it leaves the table, and those who linked through it are told.
    fn end(&self, connection: &Arc<Connection>) {
        connection.close();
        let ended = self.table.lock().remove(connection);
        let Some(runtime) = self.runtime.upgrade() else { return };
        for (linkee, linker) in ended {
            runtime.tell_exited(&linker, &linkee);
        }
    }
}

/// Sends what is queued, and throws away what comes back, until one side has had enough.
async fn drive(connection: &Connection, stream: Stream, pace: &Pace) {
    let (read, write) = tokio::io::split(stream);
    tokio::select! {
        biased;
        () = drain(read) => {}
        () = send_queued(connection, write, pace) => {}
    }
}

fn log_no_connection(connection: &Connection, error: &std::io::Error) {
    match connection.kind {
        Kind::Persistent => {
            crate::vlog!(1, "Failed to link, connect: {error} ({})", connection.peer);
        }
        Kind::Ephemeral => {
            crate::vlog!(1, "Failed to send to '{}', connect: {error}", connection.peer);
        }
    }
}

/// Reads answers that nobody waits for: it is how the peer's end is noticed, and it keeps the
/// peer able to send.
async fn drain(mut read: ReadHalf<Stream>) {
    let mut discarded = [0; 4096];
    while let Ok(1..) = read.read(&mut discarded).await {}
}

async fn send_queued(connection: &Connection, mut write: WriteHalf<Stream>, pace: &Pace) {
    let mut sent = BytesMut::new();
    while connection.take(&mut sent) {
        if sent.is_empty() {
            if connection.wait(pace).await {
                continue;
            }
            break;
        }
        // What is encrypted may wait for room in the system.
        let written = match write.write_all(&sent).await {
            Ok(()) => write.flush().await,
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            return crate::vlog!(1, "Socket error while sending: {error}");
        }
        sent.clear();
        if sent.capacity() > IDLE_BUFFER_BYTES_MAX {
            sent = BytesMut::new();
        }
    }
    // The peer may have closed first; then there is nothing left to end.
    let _ = write.shutdown().await;
}
