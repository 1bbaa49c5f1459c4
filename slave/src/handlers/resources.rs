//! Resources that change: reservations and volumes that the master tells us of, and what we could
//! lend out beyond our resources.
//! Upstream: `Slave::checkpointResources`, `forwardOversubscribed`.

use common::resources::Resources;
use libprocess::{Ctx, Upid, vlog};
use proto::mesos::Resource;
use proto::mesos::internal::{CheckpointResourcesMessage, UpdateSlaveMessage};
use tracing::{error, info};

use crate::checkpoint::write;
use crate::phase::Phase;
use crate::slave::Slave;

impl Slave {
    /// The master says so again to a slave that registers again.
    pub(crate) fn checkpoint_resources(
        &mut self,
        ctx: &mut Ctx<Self>,
        from: Upid,
        message: CheckpointResourcesMessage,
    ) {
        if !self.is_from_master(&from, "checkpoint resources") {
            return;
        }
        let told = Resources::from(&message.resources);
        info!("Updated checkpointed resources from {} to {told}", self.checkpointed_resources);
        self.checkpointed_resources = told;
        // Behind it come the tasks that use them.
        let steps = write::resources(&self.config.work_dir.meta(), &message.resources);
        self.checkpoint_or_die(ctx, steps);
        message.resources.iter().for_each(|resource| self.make_volume(ctx, resource));
    }

    /// Makes the directory of a persistent volume. One that cannot be made fails the tasks that use
    /// it, and nothing else.
    fn make_volume(&self, ctx: &Ctx<Self>, resource: &Resource) {
        let path = match self.config.work_dir.persistent_volume(resource) {
            Ok(Some(path)) => path,
            Ok(None) => return,
            Err(why) => return error!("Failed to create a persistent volume: {why}"),
        };
        self.checkpoint(ctx, write::volume(path), |_, _, made| {
            if let Err(why) = made {
                error!("Failed to create a persistent volume: {why}");
            }
        });
    }

    /// Asks for an estimate, now and again after each answer.
    pub(crate) fn estimate_oversubscribed(&mut self, ctx: &mut Ctx<Self>) {
        vlog!(1, "Querying resource estimator for oversubscribable resources");
        let estimate = self.parts.estimator.oversubscribable();
        ctx.then(estimate, |slave, ctx, oversubscribable| {
            slave.on_estimated(ctx, oversubscribable);
        });
    }

    fn on_estimated(&mut self, ctx: &mut Ctx<Self>, oversubscribable: Resources) {
        let total = self.frameworks.resources().revocable() + &oversubscribable;
        if self.oversubscribed.as_ref() != Some(&total) {
            self.oversubscribed = Some(total);
            self.send_oversubscribed(ctx);
        }
        let interval = self.config.oversubscribed_resources_interval;
        ctx.after(interval, Slave::estimate_oversubscribed);
    }

    /// Tells the master of the last estimate, if there are both.
    pub(crate) fn send_oversubscribed(&mut self, ctx: &mut Ctx<Self>) {
        let (Phase::Running, Some(master), Some(total), Some(slave_id)) =
            (self.phase, &self.master, &self.oversubscribed, &self.info.id)
        else {
            return;
        };
        info!("Forwarding total oversubscribed resources {total}");
        let message = UpdateSlaveMessage {
            slave_id: slave_id.clone(),
            oversubscribed_resources: total.to_messages(),
        };
        ctx.send(master, &message);
    }
}
