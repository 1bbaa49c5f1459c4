//! Becoming the leader, staying it, and what was there before: candidacy, detection, recovery of
//! the registry, and the slaves of the registry that do not come back.
//! Upstream: `Master::contended`, `lostCandidacy`, `detected`, `recover`, `_recover`,
//! `recoveredSlavesTimeout`, `removeSlave(Registry::Slave)`.

use std::collections::BTreeMap;
use std::sync::Arc;

use common::ids::SlaveId;
use common::same::Same;
use coordination::election::{Candidacy, ContendError, DetectError};
use libprocess::Ctx;
use prost::Message;
use proto::mesos::MasterInfo;
use proto::mesos::internal::Registry;
use stout::bytes::Bytes;
use stout::duration;
use tracing::{info, warn};

use crate::fatal::Fatal;
use crate::master::Master;
use crate::phase::Phase;
use crate::registrar::RegistrarError;

impl Master {
    /// Stands for leadership.
    pub(crate) fn contend(&mut self, ctx: &mut Ctx<Self>) {
        ctx.then(self.contender.contend(), Self::on_contended);
    }

    fn on_contended(&mut self, ctx: &mut Ctx<Self>, contended: Result<Candidacy, ContendError>) {
        match contended {
            Ok(candidacy) => ctx.then(candidacy, Self::on_candidacy_lost),
            Err(error) => self.fail(ctx, Fatal::Contend(error)),
        }
    }

    fn on_candidacy_lost(&mut self, ctx: &mut Ctx<Self>, lost: Result<(), ContendError>) {
        match (lost, self.phase) {
            (Err(error), _) => self.fail(ctx, Fatal::Candidacy(error)),
            (Ok(()), Phase::Recovering | Phase::Leading) => self.fail(ctx, Fatal::LostLeadership),
            (Ok(()), Phase::Standby) => {
                info!("Lost candidacy as a follower... Contend again");
                self.contend(ctx);
            }
        }
    }

    /// Asks who leads, if it is not who was last detected.
    pub(crate) fn detect(&mut self, ctx: &mut Ctx<Self>) {
        ctx.then(self.detector.detect(self.leader.clone()), Self::on_detected);
    }

    fn on_detected(
        &mut self,
        ctx: &mut Ctx<Self>,
        detected: Result<Option<MasterInfo>, DetectError>,
    ) {
        self.leader = match detected {
            Ok(leader) => leader,
            Err(error) => return self.fail(ctx, Fatal::Detect(error)),
        };
        match &self.leader {
            Some(leader) => {
                info!("The newly elected leader is {} with id {}", leader.pid(), leader.id);
            }
            None => info!("The newly elected leader is None"),
        }
        let elected = self.leader.as_ref().is_some_and(|leader| leader.is_same(&self.info));
        match (self.phase, elected) {
            (Phase::Standby, false) => {}
            (Phase::Standby, true) => {
                info!("Elected as the leading master!");
                self.elected_time = Some(ctx.now());
                self.recover(ctx);
            }
            (Phase::Recovering | Phase::Leading, true) => {
                info!("Re-elected as the leading master");
                self.elected_time = Some(ctx.now());
            }
            (Phase::Recovering | Phase::Leading, false) => {
                return self.fail(ctx, Fatal::LostLeadership);
            }
        }
        self.detect(ctx);
    }

    fn recover(&mut self, ctx: &mut Ctx<Self>) {
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
        let slaves = registry.slaves.into_iter().flat_map(|slaves| slaves.slaves);
        self.cluster.slaves.recovered = slaves
            .filter_map(|slave| Some((slave.info.id.as_ref()?.into(), Arc::new(slave.info))))
            .collect();
        let count = self.cluster.slaves.recovered.len();
        let timeout = self.config.slave_reregister_timeout;
        ctx.after(timeout, move |master, ctx| master.on_recovered_slaves_timeout(ctx, count));
        self.allocator.recover(count, BTreeMap::new());
        self.phase = Phase::Leading;
        info!(
            "Recovered {count} slaves from the Registry ({bytes}) ; allowing {} for slaves to \
             re-register",
            duration::display(timeout)
        );
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
        // Frameworks are not told: a registry that is not strict is only written.
        self.forget_slave(ctx, Arc::unwrap_or_clone(info));
    }
}
