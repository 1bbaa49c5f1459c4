//! A new slave is admitted. Upstream: `Master::registerSlave`, `_registerSlave`, `addSlave`.

use common::ids::SlaveId;
use common::resources::Resources;
use libprocess::{Ctx, Upid};
use proto::mesos::SlaveInfo;
use proto::mesos::internal::{MasterSlaveConnection, RegisterSlaveMessage, SlaveRegisteredMessage};
use tracing::{error, info, warn};

use crate::allocator;
use crate::fatal::Fatal;
use crate::master::Master;
use crate::observer::{Counters, Observer, Watch};
use crate::refusal::{RemovalCause, SlaveRefusal};
use crate::registrar::{Admission, Operation, RegistrarError};
use crate::state::{Machine, NewSlave, Slave};

impl Master {
    /// A slave without an id wants to be admitted.
    pub(crate) fn register_slave(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: RegisterSlaveMessage,
    ) {
        self.metrics.messages_register_slave.increment();
        if self.refuses_machine(ctx, &from, &message.slave, "registration") {
            return;
        }
        if let Some(slave) = self.cluster.slaves.at(&from) {
            if slave.connected {
                info!("Slave {slave} already registered, resending acknowledgement");
                return self.tell_slave_registered(ctx, slave);
            }
            info!(
                "Removing old disconnected slave {slave} because a registration attempt occurred"
            );
            let id = slave.id.clone();
            self.remove_slave(ctx, &id, RemovalCause::Replaced);
        }
        let hostname = &message.slave.hostname;
        if !self.cluster.slaves.registering.insert(from.clone()) {
            return info!(
                "Ignoring register slave message from {from} ({hostname}) as admission is already \
                 in progress"
            );
        }
        let id = self.ids.next_slave();
        info!("Registering slave at {from} ({hostname}) with id {id}");
        let info = SlaveInfo { id: Some((&id).into()), ..message.slave };
        let new = NewSlave {
            id,
            info: info.clone(),
            pid: from,
            version: message.version.unwrap_or_default(),
            checkpointed: Resources::from(&message.checkpointed_resources),
        };
        let admitted = self.registrar.apply(Operation::AdmitSlave(info));
        ctx.then(admitted, |master, ctx, admitted| master.on_slave_admitted(ctx, new, admitted));
    }

    /// Whether a slave may not be admitted since its machine is down; it is told so.
    pub(super) fn refuses_machine(
        &self,
        ctx: &Ctx<Self>,
        from: &Upid,
        slave: &SlaveInfo,
        attempt: &str,
    ) -> bool {
        let machine = Machine::of_slave(&slave.hostname, from);
        let is_down = self.cluster.machines.is_down(&machine);
        if is_down {
            warn!(
                "Refusing {attempt} of slave at {from} because the machine '{machine}' that it is \
                 running on is `DOWN`"
            );
            self.refuse_slave(ctx, from, &SlaveRefusal::MachineDown);
        }
        is_down
    }

    fn on_slave_admitted(
        &mut self,
        ctx: &mut Ctx<Self>,
        new: NewSlave,
        admitted: Result<Admission, RegistrarError>,
    ) {
        self.cluster.slaves.registering.remove(&new.pid);
        let (id, pid) = (new.id.clone(), new.pid.clone());
        let slave = format!("{id} at {pid} ({})", new.info.hostname);
        match admitted {
            Err(error) => {
                return self.fail(ctx, Fatal::Registrar { action: "admit", slave, error });
            }
            Ok(Admission::Refused) => {
                error!("Slave {slave} was not admitted, asking to shut down");
                self.cluster.slaves.mark_removed(id.clone());
                return self.refuse_slave(ctx, &pid, &SlaveRefusal::DuplicateId(id));
            }
            Ok(Admission::Accepted) => {}
        }
        match Slave::new(new, ctx.now()) {
            Ok(slave) => {
                self.metrics.slave_registrations.increment();
                self.add_slave(ctx, slave);
                let Some(slave) = self.cluster.slaves.get(&id) else { return };
                self.tell_slave_registered(ctx, slave);
                let resources = Resources::from(&slave.info.resources);
                info!("Registered slave {slave} with {resources}");
            }
            Err(error) => self.refuse_admitted_slave(ctx, &id, &pid, error.into()),
        }
    }

    /// The registry took a slave that turns out not to hold together.
    pub(super) fn refuse_admitted_slave(
        &mut self,
        ctx: &mut Ctx<Self>,
        id: &SlaveId,
        pid: &Upid,
        refusal: SlaveRefusal,
    ) {
        warn!("Refusing slave {id} at {pid}: {refusal}");
        self.cluster.slaves.mark_removed(id.clone());
        self.refuse_slave(ctx, pid, &refusal);
        let info = SlaveInfo { id: Some(id.into()), ..SlaveInfo::default() };
        self.forget_slave(ctx, info);
    }

    /// A slave that was admitted takes part from now on.
    pub(super) fn add_slave(&mut self, ctx: &mut Ctx<Self>, slave: Slave) {
        // The old one is gone without a word if another answers at its address.
        if let Some(old) = self.cluster.slaves.at(&slave.pid).map(|old| old.id.clone()) {
            self.remove_slave(ctx, &old, RemovalCause::Replaced);
        }
        ctx.link(&slave.pid);
        self.observe(ctx, &slave);
        let id = slave.id.clone();
        self.cluster.add_slave(slave);
        let Some(slave) = self.cluster.slaves.get(&id) else { return };
        let new = allocator::NewSlave {
            info: &slave.info,
            unavailability: self.cluster.machines.unavailability(&slave.machine()),
            total: slave.total.clone(),
            used: slave.used.clone(),
        };
        self.allocator.add_slave(&id, new);
    }

    fn observe(&mut self, ctx: &mut Ctx<Self>, slave: &Slave) {
        let watch = || Watch {
            slave_id: slave.id.clone(),
            slave: slave.pid.clone(),
            master: ctx.pid().clone(),
            ping_timeout: self.config.slave_ping_timeout,
            ping_timeouts_max: self.config.slave_ping_timeouts_max,
            limiter: self.removal_limiter.clone(),
            counters: Counters {
                scheduled: self.metrics.slave_shutdowns_scheduled.clone(),
                completed: self.metrics.slave_shutdowns_completed.clone(),
                canceled: self.metrics.slave_shutdowns_canceled.clone(),
            },
        };
        let observer = ctx.runtime().spawn_numbered("slave-observer", || Observer::new(watch()));
        self.observers.insert(slave.id.clone(), observer);
    }

    fn tell_slave_registered(&self, ctx: &Ctx<Self>, slave: &Slave) {
        let message = SlaveRegisteredMessage {
            slave_id: (&slave.id).into(),
            connection: Some(self.slave_connection()),
        };
        ctx.send(&slave.pid, &message);
    }

    /// How long a slave may be silent, which it has to know.
    pub(super) fn slave_connection(&self) -> MasterSlaveConnection {
        let pings = self.config.slave_ping_timeouts_max as f64;
        let total = self.config.slave_ping_timeout.as_secs_f64() * pings;
        MasterSlaveConnection { total_ping_timeout_seconds: Some(total) }
    }
}
