//! What an earlier master left: its registry, and the slaves of it that do not come back.
//! Upstream: `Master::recover`, `_recover`, `recoveredSlavesTimeout`,
//! `removeSlave(Registry::Slave)`.

use std::sync::Arc;

use common::ids::SlaveId;
use libprocess::Ctx;
use prost::Message;
use proto::mesos::internal::Registry;
use stout::bytes::Bytes;
use stout::duration;
use tracing::{info, warn};

use crate::fatal::Fatal;
use crate::master::Master;
use crate::phase::Phase;
use crate::refusal::RemovalCause;
use crate::registrar::{Operation, RegistrarError, Strictness};
use crate::state::Machines;

impl Master {
    /// This master leads now.
    pub(crate) fn recover(&mut self, ctx: &mut Ctx<Self>) {
        info!("Recovering from registrar");
        self.phase = Phase::Recovering;
        ctx.then(self.registrar.recover(self.info.clone()), Self::on_recovered);
    }

    fn on_recovered(&mut self, ctx: &mut Ctx<Self>, recovered: Result<Registry, RegistrarError>) {
        let registry = match recovered {
            Ok(registry) => registry,
            Err(error) => return self.fail(ctx, Fatal::Recovery(error)),
        };
        let bytes = Bytes::new(registry.encoded_len() as u64);
        let quotas = registry.quotas.into_iter();
        let quotas = quotas.map(|quota| (quota.info.role().to_owned(), quota.info)).collect();
        let machines = registry.machines.unwrap_or_default().machines;
        self.cluster.machines = Machines::recovered(machines, registry.schedules);
        let slaves = registry.slaves.into_iter().flat_map(|slaves| slaves.slaves);
        self.cluster.slaves.recovered = slaves
            .filter_map(|slave| Some((slave.info.id.as_ref()?.into(), Arc::new(slave.info))))
            .collect();
        let count = self.cluster.slaves.recovered.len();
        let timeout = self.config.slave_reregister_timeout;
        Self::later(ctx, timeout, move |master, ctx| {
            master.on_recovered_slaves_timeout(ctx, count);
        });
        self.allocator.recover(count, quotas);
        info!(
            "Recovered {count} slaves from the Registry ({bytes}) ; allowing {} for slaves to \
             re-register",
            duration::display(timeout)
        );
        self.phase = Phase::Leading;
        self.serve_who_waited(ctx);
    }

    /// Whoever of the registry is not back by now is removed from it.
    fn on_recovered_slaves_timeout(&mut self, ctx: &mut Ctx<Self>, recovered: usize) {
        let (timeout, limit) =
            (self.config.slave_reregister_timeout, self.config.recovery_slave_removal_limit);
        let missing: Vec<SlaveId> = self.cluster.slaves.recovered.keys().cloned().collect();
        if missing.is_empty() {
            return;
        }
        let percentage = missing.len() as f64 * 100.0 / recovered as f64;
        if percentage > limit {
            return self.fail(ctx, Fatal::RemovalLimit { timeout, missing, percentage, limit });
        }
        for id in missing {
            self.metrics.slave_shutdowns_scheduled.increment();
            let Some(limiter) = &self.removal_limiter else {
                self.remove_recovered_slave(ctx, &id);
                continue;
            };
            let permit = limiter.acquire();
            info!(
                "Scheduling removal of slave {id} ({}); did not re-register within {} after \
                 master failover",
                self.hostname_of_recovered(&id),
                duration::display(timeout)
            );
            ctx.then(permit, move |master, ctx, ()| master.remove_recovered_slave(ctx, &id));
        }
    }

    fn hostname_of_recovered(&self, id: &SlaveId) -> &str {
        self.cluster.slaves.recovered.get(id).map_or("", |info| info.hostname.as_str())
    }

    fn remove_recovered_slave(&mut self, ctx: &mut Ctx<Self>, id: &SlaveId) {
        let Some(info) = self.cluster.slaves.recovered.remove(id) else {
            info!("Canceling removal of slave {id} since it re-registered!");
            return self.metrics.slave_shutdowns_canceled.increment();
        };
        warn!(
            "Slave {id} ({}) did not re-register within {} after master failover; removing it \
             from the registrar",
            info.hostname,
            duration::display(self.config.slave_reregister_timeout)
        );
        self.metrics.slave_shutdowns_completed.increment();
        self.metrics.recovery_slave_removals.increment();
        match self.config.registry_strictness {
            Strictness::Strict => {
                self.cluster.slaves.removing.insert(id.clone());
                let removed = self.registrar.apply(Operation::RemoveSlave((*info).clone()));
                ctx.then(removed, move |master, ctx, removed| {
                    let cause = RemovalCause::NotReregistered;
                    master.on_slave_removed(ctx, &info, cause, (Vec::new(), removed));
                });
            }
            // Frameworks are not told: a registry that is not strict is only written.
            Strictness::Lenient => self.forget_slave(ctx, Arc::unwrap_or_clone(info)),
        }
    }
}
