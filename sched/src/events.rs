//! What a scheduler hears of the master and of executors: one method for each message.
//! Called by the actor layer. Whatever comes from somebody else than the leading master is
//! dropped, save for what executors say; no message, whole or not, ends the process.
//!
//! Upstream: `SchedulerProcess::{receive, registered, resourceOffers, statusUpdate, …}`.

use std::net::Ipv4Addr;

use common::calls::scheduler::SchedulerEvent;
use common::ids::{ExecutorId, FrameworkId, OfferId, SlaveId};
use common::status::print_update;
use libprocess::{Address, Ctx, Upid, vlog};
use proto::mesos::internal::{
    ExecutorToFrameworkMessage, ExitedExecutorMessage, FrameworkErrorMessage,
    FrameworkRegisteredMessage, FrameworkReregisteredMessage, LostSlaveMessage,
    RescindResourceOfferMessage, ResourceOffersMessage, StatusUpdate, StatusUpdateMessage,
};
use proto::mesos::scheduler::event::{self, Type};
use proto::mesos::scheduler::{Event, call};
use proto::mesos::{MasterInfo, Offer, TaskStatus};
use tracing::{info, warn};

use crate::driver::Acknowledgements;
use crate::process::SchedulerProcess;

impl SchedulerProcess {
    fn is_leader(&self, from: &Upid) -> bool {
        self.master.as_ref().is_some_and(|master| master.pid == *from)
    }

    fn leader_pid(&self) -> Upid {
        self.master.as_ref().map_or_else(Upid::empty, |master| master.pid.clone())
    }

    /// Whether `what` does not come from the leading master, or not at a time when it knows us.
    fn drops(&self, from: &Upid, what: &str) -> bool {
        if self.ignores(what) {
            return true;
        }
        if !self.connected {
            vlog!(1, "Ignoring {what} because the driver is disconnected!");
            return true;
        }
        let is_leader = self.is_leader(from);
        if !is_leader {
            vlog!(
                1,
                "Ignoring {what} because it was sent from '{from}' instead of the leading master \
                 '{}'",
                self.leader_pid()
            );
        }
        !is_leader
    }

    /// As [`SchedulerProcess::drops`], for what makes us known.
    fn drops_registration(&self, from: &Upid, what: &str) -> bool {
        if self.ignores(what) {
            return true;
        }
        if self.connected {
            vlog!(1, "Ignoring {what} because the driver is already connected!");
            return true;
        }
        let is_leader = self.is_leader(from);
        if !is_leader {
            warn!(
                "Ignoring {what} because it was sent from '{from}' instead of the leading master \
                 '{}'",
                self.leader_pid()
            );
        }
        !is_leader
    }

    pub(crate) fn framework_registered(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: FrameworkRegisteredMessage,
    ) {
        self.registered(ctx, &from, message.framework_id.into(), message.master_info);
    }

    fn registered(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: &Upid,
        framework_id: FrameworkId,
        master: MasterInfo,
    ) {
        if self.drops_registration(from, "framework registered message") {
            return;
        }
        info!("Framework registered with {framework_id}");
        self.setup.framework.id = Some((&framework_id).into());
        self.on_connected(ctx);
        self.call("Scheduler::registered", |scheduler, driver| {
            scheduler.registered(driver, framework_id, master);
        });
    }

    pub(crate) fn framework_reregistered(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: FrameworkReregisteredMessage,
    ) {
        self.reregistered(ctx, &from, message.framework_id.into(), message.master_info);
    }

    fn reregistered(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: &Upid,
        framework_id: FrameworkId,
        master: MasterInfo,
    ) {
        if self.drops_registration(from, "framework re-registered message") {
            return;
        }
        let own_id = self.framework_id();
        if framework_id != own_id {
            return warn!(
                "Ignoring framework re-registered message for framework '{framework_id}' because \
                 this is framework '{own_id}'"
            );
        }
        info!("Framework re-registered with {framework_id}");
        self.on_connected(ctx);
        self.call("Scheduler::reregistered", |scheduler, driver| {
            scheduler.reregistered(driver, master);
        });
    }

    fn on_connected(&mut self, ctx: &mut Ctx<Self>) {
        self.connected = true;
        self.failover = false;
        if let Some(retry) = self.retry.take() {
            ctx.cancel(retry);
        }
        self.send_saved_kills(ctx);
    }

    pub(crate) fn resource_offers(
        &mut self,
        _: &mut Ctx<Self>,
        from: Upid,
        message: ResourceOffersMessage,
    ) {
        let ResourceOffersMessage { offers, pids, .. } = message;
        if offers.len() != pids.len() {
            warn!("Received {} offers from {from} with {} PIDs", offers.len(), pids.len());
        }
        let pids = pids.iter().map(|pid| match Upid::parse_literal(pid) {
            Ok(upid) => Some(upid),
            Err(_) => {
                vlog!(1, "Failed to parse PID '{pid}'");
                None
            }
        });
        self.offer(&from, offers, pids.collect());
    }

    /// Offers resources; `pids` are where the offers' slaves are, as far as that is known.
    fn offer(&mut self, from: &Upid, offers: Vec<Offer>, pids: Vec<Option<Upid>>) {
        // There may be inverse offers alone, which this API does not know.
        if self.drops(from, "resource offers message") || offers.is_empty() {
            return;
        }
        vlog!(2, "Received {} offers", offers.len());
        for (offer, pid) in offers.iter().zip(pids) {
            let Some(pid) = pid.filter(|pid| !pid.is_empty()) else { continue };
            let slave_id = SlaveId::from(&offer.slave_id);
            vlog!(3, "Saving PID '{pid}'");
            // A slave that came back may have moved.
            if let Some(saved) = self.saved_slave_pids.get_mut(&slave_id) {
                saved.clone_from(&pid);
            }
            self.saved_offers.insert(OfferId::from(&offer.id), (slave_id, pid));
        }
        self.call("Scheduler::resourceOffers", |scheduler, driver| {
            scheduler.resource_offers(driver, offers);
        });
    }

    pub(crate) fn rescind_resource_offer(
        &mut self,
        _: &mut Ctx<Self>,
        from: Upid,
        message: RescindResourceOfferMessage,
    ) {
        self.rescind(&from, message.offer_id.into());
    }

    fn rescind(&mut self, from: &Upid, offer_id: OfferId) {
        if self.drops(from, "rescind offer message") {
            return;
        }
        vlog!(1, "Rescinded offer {offer_id}");
        self.saved_offers.remove(&offer_id);
        self.call("Scheduler::offerRescinded", |scheduler, driver| {
            scheduler.offer_rescinded(driver, offer_id);
        });
    }

    pub(crate) fn status_update(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: StatusUpdateMessage,
    ) {
        let pid = Upid::parse_literal(message.pid()).unwrap_or_default();
        self.update(ctx, &from, message.update, &pid);
    }

    /// News of a task; `pid` is whom the slave has it from, empty if it is from the master.
    fn update(&mut self, ctx: &mut Ctx<Self>, from: &Upid, update: StatusUpdate, pid: &Upid) {
        if self.drops(from, "status update message") {
            return;
        }
        vlog!(2, "Received status update {} from {pid}", print_update(&update));
        if self.framework_id() != update.framework_id {
            return warn!(
                "Ignoring status update {} from {from}: this is framework '{}'",
                print_update(&update),
                self.framework_id()
            );
        }
        let StatusUpdate { mut status, slave_id, uuid, .. } = update;
        let uuid = uuid.filter(|uuid| !uuid.is_empty());
        // COMPAT: masters before 0.23 gave a uuid to updates of their own as well, and are only
        // known by the empty pid; held by `master_updates_look_as_if_they_had_no_uuid`.
        status.uuid = uuid.clone().filter(|_| !pid.is_empty());
        let acknowledge = uuid.zip(slave_id).map(|(uuid, slave_id)| call::Acknowledge {
            slave_id,
            task_id: status.task_id.clone(),
            uuid,
        });
        let implicit = self.setup.acknowledgements == Acknowledgements::Implicit;
        let name = "Scheduler::statusUpdate";
        match acknowledge.filter(|_| implicit) {
            None => self.call(name, |scheduler, driver| scheduler.status_update(driver, status)),
            Some(acknowledge) => self.call_and_then(
                ctx,
                name,
                |scheduler, driver| scheduler.status_update(driver, status),
                |this, ctx| this.acknowledge(ctx, acknowledge),
            ),
        }
    }

    pub(crate) fn lost_slave(&mut self, _: &mut Ctx<Self>, from: Upid, message: LostSlaveMessage) {
        self.lose_slave(&from, message.slave_id.into());
    }

    fn lose_slave(&mut self, from: &Upid, slave_id: SlaveId) {
        if self.drops(from, "lost slave message") {
            return;
        }
        vlog!(1, "Lost slave {slave_id}");
        self.saved_slave_pids.remove(&slave_id);
        self.call("Scheduler::slaveLost", |scheduler, driver| {
            scheduler.slave_lost(driver, slave_id);
        });
    }

    pub(crate) fn exited_executor(
        &mut self,
        _: &mut Ctx<Self>,
        from: Upid,
        message: ExitedExecutorMessage,
    ) {
        let (executor_id, slave_id) = (message.executor_id.into(), message.slave_id.into());
        self.lose_executor(&from, executor_id, slave_id, message.status);
    }

    fn lose_executor(
        &mut self,
        from: &Upid,
        executor_id: ExecutorId,
        slave_id: SlaveId,
        status: i32,
    ) {
        if self.drops(from, "lost executor message") {
            return;
        }
        vlog!(1, "Executor {executor_id} on slave {slave_id} exited with status {status}");
        self.call("Scheduler::executorLost", move |scheduler, driver| {
            scheduler.executor_lost(driver, executor_id, slave_id, status);
        });
    }

    /// Executors' words come through the master, or directly from any slave.
    pub(crate) fn executor_to_framework(
        &mut self,
        _: &mut Ctx<Self>,
        _: Upid,
        message: ExecutorToFrameworkMessage,
    ) {
        let ExecutorToFrameworkMessage { slave_id, executor_id, data, .. } = message;
        self.message(event::Message { slave_id, executor_id, data });
    }

    fn message(&mut self, message: event::Message) {
        if self.ignores("framework message") {
            return;
        }
        vlog!(2, "Received framework message");
        let (executor_id, slave_id) = (message.executor_id.into(), message.slave_id.into());
        self.call("Scheduler::frameworkMessage", |scheduler, driver| {
            scheduler.framework_message(driver, executor_id, slave_id, message.data);
        });
    }

    pub(crate) fn framework_error(
        &mut self,
        _: &mut Ctx<Self>,
        from: Upid,
        message: FrameworkErrorMessage,
    ) {
        self.error(&from, message.message);
    }

    /// It ends the driver for good, so only the leading master may say it.
    fn error(&mut self, from: &Upid, message: String) {
        if !self.is_leader(from) {
            return warn!(
                "Ignoring error '{message}' because it was sent from '{from}' instead of the \
                 leading master '{}'",
                self.leader_pid()
            );
        }
        self.fail(message);
    }

    /// The same in the words of the newer API, which no master sends to a driver.
    pub(crate) fn event(&mut self, ctx: &mut Ctx<Self>, from: Upid, message: Event) {
        let name = Type::try_from(message.r#type).map_or("UNKNOWN", |kind| kind.as_str_name());
        let drop = |why: &dyn std::fmt::Display| warn!("Dropping {name}: {why}");
        match SchedulerEvent::try_from(message) {
            Ok(SchedulerEvent::Subscribed(subscribed)) => match &self.master {
                None => drop(&"No master detected"),
                Some(master) => {
                    let (info, id) = (master.info.clone(), subscribed.framework_id.into());
                    if self.framework_id().as_str().is_empty() || self.failover {
                        self.registered(ctx, &from, id, info);
                    } else {
                        self.reregistered(ctx, &from, id, info);
                    }
                }
            },
            Ok(SchedulerEvent::Offers(offers)) => {
                let pids = offers.offers.iter().map(slave_pid).collect();
                self.offer(&from, offers.offers, pids);
            }
            Ok(SchedulerEvent::Rescind(rescind)) => self.rescind(&from, rescind.offer_id.into()),
            Ok(SchedulerEvent::Update(update)) => {
                let update = self.update_of(update.status);
                self.update(ctx, &from, update, &Upid::empty());
            }
            Ok(SchedulerEvent::Message(message)) => self.message(message),
            Ok(SchedulerEvent::Failure(failure)) => match failure {
                event::Failure { slave_id: Some(slave), executor_id: Some(executor), status } => {
                    let status = status.unwrap_or_default();
                    self.lose_executor(&from, executor.into(), slave.into(), status);
                }
                event::Failure { slave_id: Some(slave), .. } => {
                    self.lose_slave(&from, slave.into());
                }
                event::Failure { .. } => drop(&"Expecting 'slave_id' to be present"),
            },
            Ok(SchedulerEvent::Error(error)) => self.error(&from, error.message),
            Ok(SchedulerEvent::Heartbeat) => drop(&"Unknown event"),
            Err(error) => drop(&error),
        }
    }

    fn update_of(&self, status: TaskStatus) -> StatusUpdate {
        StatusUpdate {
            framework_id: self.framework_id().into(),
            executor_id: status.executor_id.clone(),
            slave_id: status.slave_id.clone(),
            timestamp: status.timestamp(),
            uuid: status.uuid.clone(),
            status,
            ..StatusUpdate::default()
        }
    }
}

/// Where an offer's slave is, by the offer's url.
fn slave_pid(offer: &Offer) -> Option<Upid> {
    let url = offer.url.as_ref()?;
    let id = url.path.as_deref()?.trim_matches('/');
    let ip: Ipv4Addr = url.address.ip.as_deref()?.parse().ok()?;
    Some(Upid::new(id, Address::new(ip, u16::try_from(url.address.port).ok()?)))
}
