//! The network between simulated nodes: connections as TCP has them, whose packets take their
//! time, are held up, and are lost with their connection; all of it by the seed.
//! Called by sockets, by the simulation that lets packets arrive, and by faults. Pure but for the
//! wakers of those who wait.
//!
//! What holds, as over TCP: bytes of one direction arrive in order, without gaps, once; the end of
//! a process ends its connections, the end of a machine does not; what is lost is lost with its
//! connection, and the two ends may learn of that at different times, or one of them never.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::ops::Range;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use rand::RngExt;
use rand::rngs::SmallRng;
use tokio::io::ReadBuf;

use crate::clock::Time;
use crate::pid::Address;
use crate::simulation::Node;
use crate::simulation::host::Life;
use crate::simulation::trace::{Trace, What};

/// How many bytes may be under way or unread in one direction.
const WINDOW_BYTES: usize = 256 << 10;

/// How long a system asks for a connection. Linux: `tcp_syn_retries` of 6.
const CONNECTING_AT_MOST: Duration = Duration::from_secs(127);

/// How long a system repeats what nobody acknowledges. Linux: `tcp_retries2` of 15.
const REPEATING_AT_MOST: Duration = Duration::from_millis(924_600);

/// How much later a lost packet arrives that is sent again. Linux: `TCP_RTO_MIN`.
const REPEATED_AFTER: Duration = Duration::from_millis(200);

/// One in so many writes travels as two packets.
const DIVIDED_ONE_IN: u32 = 4;

/// What every change of the network needs beside it.
pub(super) struct Moment<'a> {
    pub(super) now: Time,
    pub(super) random: &'a mut SmallRng,
    pub(super) trace: &'a mut Trace,
}

/// How packets travel while nobody interferes.
#[derive(Clone, Debug)]
pub(super) struct Weather {
    pub(super) delay: Range<Duration>,
    /// The part of packets that has to be sent again.
    pub(super) loss: f64,
}

enum Packet {
    Syn,
    SynAck,
    Data(Bytes),
    Fin,
    Rst,
}

/// One direction of a connection, named by the end that sends.
#[derive(Default)]
struct Way {
    /// What is under way, with the time of its arrival.
    queue: VecDeque<(Time, Packet)>,
    latest: Option<Time>,
    /// The head of the queue is on the agenda.
    timed: bool,
    /// Nothing has got through since then.
    held_since: Option<Time>,
    /// Bytes that are under way or unread.
    outstanding: usize,
    /// Those of them that were read, of which the sender cannot hear.
    unacknowledged: usize,
}

#[derive(Default)]
struct End {
    /// A socket or, before it is accepted, the system of its machine holds it.
    open: bool,
    received: BytesMut,
    /// The other end sends nothing more.
    eof: bool,
    /// This end sends nothing more.
    shut: bool,
    failed: Option<io::ErrorKind>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl End {
    fn wake(&mut self) {
        self.reader.take().into_iter().chain(self.writer.take()).for_each(Waker::wake);
    }
}

/// The end that asked for the connection.
pub(super) const CLIENT: usize = 0;

/// The end that accepted it.
pub(super) const SERVER: usize = 1;

struct Connection {
    nodes: [Node; 2],
    ends: [End; 2],
    ways: [Way; 2],
    connected: bool,
}

struct Machine {
    address: Address,
    powered: bool,
    /// The process that listens.
    listener: Option<Life>,
}

enum Due {
    /// The head of a way's queue arrives.
    Arrival { connection: u64, way: usize },
    /// Patience with a way that has been held since then is at its end.
    GiveUp { connection: u64, way: usize, since: Time },
    /// There is nobody at the address that was asked for.
    Unreachable { connection: u64 },
}

/// A connection that waits to be served.
pub(super) struct Accepted {
    pub(super) connection: u64,
    pub(super) by: Life,
    pub(super) peer: Address,
}

pub(super) struct Network {
    weather: Weather,
    machines: Vec<Machine>,
    /// From whom to whom nothing gets.
    cuts: BTreeSet<(Node, Node)>,
    connections: BTreeMap<u64, Connection>,
    agenda: BTreeMap<(Time, u64), Due>,
    serial: u64,
}

impl Network {
    pub(super) fn new(weather: Weather) -> Self {
        Self {
            weather,
            machines: Vec::new(),
            cuts: BTreeSet::new(),
            connections: BTreeMap::new(),
            agenda: BTreeMap::new(),
            serial: 0,
        }
    }

    pub(super) fn add_machine(&mut self, address: Address) {
        self.machines.push(Machine { address, powered: true, listener: None });
    }

    pub(super) fn set_listener(&mut self, node: Node, listener: Option<Life>) {
        self.machines[node.0].listener = listener;
    }

    // === what sockets do

    /// Asks for a connection; its client end is open at once.
    pub(super) fn connect(&mut self, from: Node, to: Address, moment: &mut Moment<'_>) -> u64 {
        self.serial += 1;
        let id = self.serial;
        let found = self.machines.iter().position(|machine| machine.address == to).map(Node);
        let nodes = [from, found.unwrap_or(from)];
        let mut connection = Connection {
            nodes,
            ends: Default::default(),
            ways: Default::default(),
            connected: false,
        };
        connection.ends[CLIENT].open = true;
        self.connections.insert(id, connection);
        match found {
            Some(to) => {
                moment.trace.add(moment.now, What::Connecting { connection: id, from, to });
                self.send(id, CLIENT, Packet::Syn, moment);
            }
            None => {
                let after = moment.now + self.travel(moment);
                self.put(after, Due::Unreachable { connection: id });
            }
        }
        id
    }

    pub(super) fn poll_connected(
        &mut self,
        id: u64,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(connection) = self.connections.get_mut(&id) else { return gone() };
        let end = &mut connection.ends[CLIENT];
        match end.failed {
            Some(failed) => Poll::Ready(Err(failed.into())),
            None if connection.connected => Poll::Ready(Ok(())),
            None => {
                end.reader = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    pub(super) fn poll_read(
        &mut self,
        (id, side): (u64, usize),
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(connection) = self.connections.get_mut(&id) else { return gone() };
        let end = &mut connection.ends[side];
        if end.received.is_empty() {
            return match end.failed {
                Some(failed) => Poll::Ready(Err(failed.into())),
                None if end.eof => Poll::Ready(Ok(())),
                None => {
                    end.reader = Some(context.waker().clone());
                    Poll::Pending
                }
            };
        }
        let count = buffer.remaining().min(end.received.len());
        buffer.put_slice(&end.received[..count]);
        end.received.advance(count);
        let other = 1 - side;
        let way = &mut connection.ways[other];
        if self.cuts.contains(&(connection.nodes[side], connection.nodes[other])) {
            way.unacknowledged += count;
        } else {
            way.outstanding -= count;
            connection.ends[other].wake();
        }
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_write(
        &mut self,
        (id, side): (u64, usize),
        context: &mut Context<'_>,
        bytes: &[u8],
        moment: &mut Moment<'_>,
    ) -> Poll<io::Result<usize>> {
        let Some(connection) = self.connections.get_mut(&id) else { return gone() };
        let end = &mut connection.ends[side];
        if let Some(failed) = end.failed {
            return Poll::Ready(Err(failed.into()));
        }
        if end.shut {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let way = &mut connection.ways[side];
        let count = bytes.len().min(WINDOW_BYTES.saturating_sub(way.outstanding));
        if count == 0 {
            end.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        way.outstanding += count;
        let mut rest = Bytes::copy_from_slice(&bytes[..count]);
        if count > 1 && moment.random.random_ratio(1, DIVIDED_ONE_IN) {
            let first = rest.split_to(moment.random.random_range(1..count));
            self.send(id, side, Packet::Data(first), moment);
        }
        self.send(id, side, Packet::Data(rest), moment);
        Poll::Ready(Ok(count))
    }

    /// Ends what this end sends.
    pub(super) fn shutdown(&mut self, (id, side): (u64, usize), moment: &mut Moment<'_>) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let end = &mut connection.ends[side];
        if !end.shut && end.failed.is_none() {
            end.shut = true;
            self.send(id, side, Packet::Fin, moment);
        }
    }

    /// The socket is gone. What was not read makes the system answer with a reset.
    pub(super) fn close(&mut self, (id, side): (u64, usize), moment: &mut Moment<'_>) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let node = connection.nodes[side];
        let end = &mut connection.ends[side];
        end.open = false;
        let unread = !end.received.is_empty();
        let is_over = !connection.connected || !connection.ends[1 - side].open;
        moment.trace.add(moment.now, What::Closed { connection: id, node });
        if is_over {
            self.connections.remove(&id);
        } else if !self.machines[node.0].powered {
            // Nobody is told.
        } else if unread {
            self.send(id, side, Packet::Rst, moment);
        } else {
            self.shutdown((id, side), moment);
        }
    }

    // === packets

    fn put(&mut self, at: Time, due: Due) {
        self.serial += 1;
        self.agenda.insert((at, self.serial), due);
    }

    fn travel(&self, moment: &mut Moment<'_>) -> Duration {
        let Weather { delay, loss } = &self.weather;
        let mut travel = moment.random.random_range(delay.clone());
        let mut again = REPEATED_AFTER;
        while *loss > 0.0 && moment.random.random_bool(*loss) {
            travel += again;
            again *= 2;
        }
        travel
    }

    fn send(&mut self, id: u64, side: usize, packet: Packet, moment: &mut Moment<'_>) {
        let travel = self.travel(moment);
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let way = &mut connection.ways[side];
        let at = way.latest.unwrap_or(moment.now).max(moment.now + travel);
        way.latest = Some(at);
        way.queue.push_back((at, packet));
        if !way.timed && way.held_since.is_none() {
            way.timed = true;
            self.put(at, Due::Arrival { connection: id, way: side });
        }
    }

    /// When the next thing happens here.
    pub(super) fn next(&self) -> Option<Time> {
        self.agenda.keys().next().map(|&(at, _)| at)
    }

    /// Lets one thing happen that is due.
    pub(super) fn fire(&mut self, moment: &mut Moment<'_>) -> Option<Accepted> {
        if self.next()? > moment.now {
            return None;
        }
        let (_, due) = self.agenda.pop_first()?;
        match due {
            Due::Arrival { connection, way } => self.arrive(connection, way, moment),
            Due::GiveUp { connection, way, since } => {
                let way_now = &mut self.connections.get_mut(&connection)?.ways[way];
                if way_now.held_since == Some(since) {
                    way_now.queue.clear();
                    self.fail(connection, way, io::ErrorKind::TimedOut, moment);
                }
                None
            }
            Due::Unreachable { connection } => {
                self.fail(connection, CLIENT, io::ErrorKind::ConnectionRefused, moment);
                None
            }
        }
    }

    fn is_held(&self, from: Node, to: Node) -> bool {
        self.cuts.contains(&(from, to)) || !self.machines[to.0].powered
    }

    fn arrive(&mut self, id: u64, side: usize, moment: &mut Moment<'_>) -> Option<Accepted> {
        let nodes = self.connections.get(&id)?.nodes;
        let is_held = self.is_held(nodes[side], nodes[1 - side]);
        let way = &mut self.connections.get_mut(&id)?.ways[side];
        way.timed = false;
        if is_held {
            let patience = match way.queue.front()? {
                (_, Packet::Syn | Packet::SynAck) => CONNECTING_AT_MOST,
                _ => REPEATING_AT_MOST,
            };
            way.held_since = Some(moment.now);
            let give_up = Due::GiveUp { connection: id, way: side, since: moment.now };
            self.put(moment.now + patience, give_up);
            return None;
        }
        let (_, packet) = way.queue.pop_front()?;
        if let Some(&(next, _)) = way.queue.front() {
            way.timed = true;
            self.put(next.max(moment.now), Due::Arrival { connection: id, way: side });
        }
        self.deliver(id, 1 - side, packet, moment)
    }

    /// A packet has come to the end `side` of a connection.
    fn deliver(
        &mut self,
        id: u64,
        side: usize,
        packet: Packet,
        moment: &mut Moment<'_>,
    ) -> Option<Accepted> {
        let connection = self.connections.get_mut(&id)?;
        let end = &mut connection.ends[side];
        match packet {
            Packet::Syn => {
                end.open = self.machines[connection.nodes[side].0].listener.is_some();
                let reply = if end.open { Packet::SynAck } else { Packet::Rst };
                self.send(id, side, reply, moment);
            }
            Packet::SynAck => return self.establish(id, moment),
            Packet::Data(_) if !end.open || end.failed.is_some() => {
                self.send(id, side, Packet::Rst, moment);
            }
            Packet::Data(bytes) => {
                end.received.extend_from_slice(&bytes);
                end.wake();
            }
            Packet::Fin => {
                end.eof = true;
                end.wake();
            }
            Packet::Rst => {
                let why = match connection.connected {
                    true => io::ErrorKind::ConnectionReset,
                    false => io::ErrorKind::ConnectionRefused,
                };
                self.fail(id, side, why, moment);
            }
        }
        None
    }

    fn establish(&mut self, id: u64, moment: &mut Moment<'_>) -> Option<Accepted> {
        let connection = self.connections.get_mut(&id)?;
        connection.connected = true;
        connection.ends[CLIENT].wake();
        let [client, server] = connection.nodes;
        moment.trace.add(moment.now, What::Connected { connection: id });
        let Some(by) = self.machines[server.0].listener else {
            // It has ended since it was asked.
            connection.ends[SERVER].open = false;
            self.send(id, SERVER, Packet::Rst, moment);
            return None;
        };
        Some(Accepted { connection: id, by, peer: self.machines[client.0].address })
    }

    fn fail(&mut self, id: u64, side: usize, why: io::ErrorKind, moment: &mut Moment<'_>) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let node = connection.nodes[side];
        let end = &mut connection.ends[side];
        if end.open && end.failed.is_none() {
            end.failed = Some(why);
            end.wake();
            moment.trace.add(moment.now, What::Failed { connection: id, node, why });
        }
    }

    // === faults

    /// Lets nothing get from one node to another any more.
    pub(super) fn cut(&mut self, from: Node, to: Node) -> bool {
        self.cuts.insert((from, to))
    }

    /// Lets everything through again; what was held up is sent once more.
    pub(super) fn mend(&mut self, from: Node, to: Node, moment: &mut Moment<'_>) -> bool {
        let was_cut = self.cuts.remove(&(from, to));
        self.resume(moment);
        was_cut
    }

    fn resume(&mut self, moment: &mut Moment<'_>) {
        let mut resumed = Vec::new();
        for (&id, connection) in &mut self.connections {
            for side in [CLIENT, SERVER] {
                let (from, to) = (connection.nodes[side], connection.nodes[1 - side]);
                let way = &mut connection.ways[side];
                if !self.cuts.contains(&(to, from)) {
                    way.outstanding -= std::mem::take(&mut way.unacknowledged);
                    connection.ends[side].wake();
                }
                let is_held = self.cuts.contains(&(from, to)) || !self.machines[to.0].powered;
                if way.held_since.is_some() && !is_held {
                    way.held_since = None;
                    way.timed = !way.queue.is_empty();
                    resumed.extend(way.timed.then_some((id, side)));
                }
            }
        }
        for (connection, way) in resumed {
            let at = moment.now + self.travel(moment);
            self.put(at, Due::Arrival { connection, way });
        }
    }

    /// Ends the connections between two nodes: each end learns of it in its time, and what was
    /// under way is lost from some point on.
    pub(super) fn reset(&mut self, one: Node, other: Node, moment: &mut Moment<'_>) {
        let between = |nodes: [Node; 2]| nodes == [one, other] || nodes == [other, one];
        let concerned = self.connections.iter().filter(|(_, c)| c.connected && between(c.nodes));
        for id in concerned.map(|(&id, _)| id).collect::<Vec<_>>() {
            for side in [CLIENT, SERVER] {
                self.lose(id, side, moment);
                self.send(id, side, Packet::Rst, moment);
            }
        }
    }

    /// Takes the last packets of a way off, as many as chance wants.
    fn lose(&mut self, id: u64, side: usize, moment: &mut Moment<'_>) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let queue = &mut connection.ways[side].queue;
        let arriving = moment.random.random_range(0..=queue.len());
        queue.truncate(arriving);
    }

    /// Turns a machine off or on. Off, its connections are silent; on again, it knows none.
    pub(super) fn set_power(&mut self, node: Node, powered: bool, moment: &mut Moment<'_>) {
        self.machines[node.0].powered = powered;
        if powered {
            return self.resume(moment);
        }
        let concerned = self.connections.iter().filter(|(_, c)| c.nodes.contains(&node));
        for id in concerned.map(|(&id, _)| id).collect::<Vec<_>>() {
            let Some(connection) = self.connections.get_mut(&id) else { continue };
            let dark = if connection.nodes[CLIENT] == node { CLIENT } else { SERVER };
            let lit = 1 - dark;
            if !connection.connected && dark == SERVER {
                // The other end goes on asking.
                connection.ends[SERVER].open = false;
                connection.ways[SERVER].queue.clear();
                self.send(id, CLIENT, Packet::Syn, moment);
            } else if connection.connected {
                let waits_for_room = connection.ways[lit].outstanding >= WINDOW_BYTES;
                self.lose(id, dark, moment);
                if waits_for_room {
                    // The other end asks for it.
                    self.send(id, lit, Packet::Data(Bytes::new()), moment);
                }
            }
        }
    }
}

/// Nothing is known of the connection any more.
fn gone<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
}
