//! An actor on a runtime of its own that a test speaks through: it sends what the test says and
//! keeps what arrives. Called by tests of drivers and daemons, in the place of the other side.
//! Never answers by itself.
//!
//! Upstream: what tests do with `process::post` and `FUTURE_PROTOBUF` on both sides.

use std::sync::mpsc::{Receiver, channel};

use bytes::Bytes;
use parking_lot::Mutex;

use crate::pid::Upid;
use crate::process::{Ctx, Pid, Process};
use crate::runtime::Runtime;
use crate::runtime::config::Config;
use crate::testing::{Caught, Installed, PATIENCE, Verdict, start, wait};

/// The actor itself: without an ear, since a filter hears for it.
struct Mute;

impl Process for Mute {}

struct Arrived {
    from: Upid,
    name: String,
    body: Bytes,
}

/// A scripted peer.
pub struct Peer {
    runtime: Runtime,
    pid: Pid<Mute>,
    arrived: Mutex<Receiver<Arrived>>,
    _filter: Installed,
}

impl Peer {
    /// A peer called `id` on a port of its own.
    pub fn start(id: &str) -> Self {
        Self::start_at(id, 0)
    }

    /// A peer called `id` on this port, such as that of one that was killed.
    pub fn start_at(id: &str, port: u16) -> Self {
        let runtime = start(Config { port, ..Config::default() });
        let pid = runtime.spawn(id, Mute).expect("a runtime of its own");
        let (tell, arrived) = channel();
        let own = pid.upid().clone();
        let filter = runtime.filter(move |envelope| {
            if *envelope.to != own {
                return Verdict::NotMine;
            }
            let (name, body) = (envelope.name.to_owned(), envelope.body.clone());
            // The peer may be gone already.
            let _ = tell.send(Arrived { from: envelope.from.clone(), name, body });
            Verdict::Drop
        });
        Self { runtime, pid, arrived: Mutex::new(arrived), _filter: filter }
    }

    /// Its address.
    pub fn upid(&self) -> &Upid {
        self.pid.upid()
    }

    /// The runtime that it is alone in.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Sends a message.
    pub fn send<M: prost::Message + prost::Name>(&self, to: &Upid, message: &M) {
        self.runtime.post(self.upid(), to, M::full_name(), message.encode_to_vec().into());
    }

    /// Sends a message of any name and body.
    pub fn send_raw(&self, to: &Upid, name: &str, body: Bytes) {
        self.runtime.post(self.upid(), to, name, body);
    }

    /// Links, so that the other side may rely on one connection for all that is sent.
    pub fn link(&self, to: &Upid) {
        let to = to.clone();
        self.pid.tell(move |_, ctx: &mut Ctx<Mute>| ctx.link(&to));
    }

    /// Waits for the next message.
    ///
    /// # Panics
    /// If it is not an `M`, or does not come in time.
    pub fn expect<M: prost::Message + prost::Name + Default>(&self) -> Caught<M> {
        let arrived = self.arrived.lock().recv_timeout(PATIENCE);
        let arrived = arrived.unwrap_or_else(|_| panic!("no {} came", M::full_name()));
        assert_eq!(arrived.name, M::full_name());
        let message = M::decode(arrived.body).expect("a whole message");
        Caught { from: arrived.from, to: self.upid().clone(), message }
    }

    /// Whether nothing has arrived that was not asked for.
    pub fn is_quiet(&self) -> bool {
        self.arrived.lock().try_recv().is_err()
    }

    /// Ends the peer with its runtime and all its connections, as if its process had been killed.
    pub fn kill(self) {
        wait(self.runtime.shutdown());
    }
}
