//! How handlers speak: to a framework, however it is reached, and to every slave.
//! Never decides whether to. Upstream: `Framework::send`.

use libprocess::{Ctx, Upid};
use prost::{Message, Name};
use proto::mesos::internal::ShutdownMessage;
use tracing::warn;

use crate::master::Master;
use crate::refusal::SlaveRefusal;
use crate::state::{Connection, Framework};

impl Master {
    /// Sends a message to a framework's scheduler, connected or not.
    pub(crate) fn tell_framework<M: Message + Name>(
        &self,
        ctx: &Ctx<Self>,
        framework: &Framework,
        message: &M,
    ) {
        if !framework.connected {
            warn!("Master attempted to send message to disconnected framework {framework}");
        }
        match &framework.connection {
            Connection::Pid(pid) => ctx.send(pid, message),
        }
    }

    /// Sends a message to all registered slaves, connected or not.
    pub(crate) fn tell_slaves<M: Message + Name>(&self, ctx: &Ctx<Self>, message: &M) {
        let (name, body) = (M::full_name(), bytes::Bytes::from(message.encode_to_vec()));
        for slave in self.cluster.slaves.iter() {
            ctx.send_raw(&slave.pid, name.as_str(), body.clone());
        }
    }

    /// Asks a slave to end.
    pub(crate) fn refuse_slave(&self, ctx: &Ctx<Self>, slave: &Upid, refusal: &SlaveRefusal) {
        ctx.send(slave, &ShutdownMessage { message: Some(refusal.to_string()) });
    }
}
