//! The master's side of the allocator actor: each call is an event in its mailbox.
//! Upstream: `MesosAllocator`.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::ids::{FrameworkId, SlaveId};
use common::resources::Resources;
use libprocess::{Ctx, Inject, Pid, Runtime};
use proto::mesos::offer::Operation;
use proto::mesos::quota::QuotaInfo;
use proto::mesos::{Filters, FrameworkInfo, Request, Unavailability, WeightInfo};
use tracing::info;

use super::{AddedSlave, AllocatorProcess};
use crate::allocator::{
    Allocator, Answer, InverseOfferStatuses, InverseOfferUpdate, NewSlave, Options,
    UpdateAvailableError,
};

/// The metric that shows how far the allocator lags behind.
const EVENT_QUEUE_DISPATCHES: &str = "allocator/event_queue_dispatches";

/// The allocator that masters use unless they are told otherwise: hierarchical, by dominant
/// resource fairness. Upstream: `HierarchicalDRFAllocator`.
pub struct HierarchicalAllocator {
    runtime: Runtime,
    seed: u64,
    pid: Option<Pid<AllocatorProcess>>,
    /// How many calls the actor has not come to yet.
    waiting: Arc<AtomicUsize>,
}

impl HierarchicalAllocator {
    /// An allocator that will run in `runtime`; `seed` decides in which order it looks at slaves.
    pub fn new(runtime: &Runtime, seed: u64) -> HierarchicalAllocator {
        HierarchicalAllocator { runtime: runtime.clone(), seed, pid: None, waiting: Arc::default() }
    }

    pub(in crate::allocator) fn tell(
        &self,
        call: impl FnOnce(&mut AllocatorProcess, &mut Ctx<AllocatorProcess>) + Send + 'static,
    ) {
        self.pid().tell(self.counted(call));
    }

    fn ask<T: Send + 'static>(
        &self,
        call: impl FnOnce(&mut AllocatorProcess, &mut Ctx<AllocatorProcess>) -> T + Send + 'static,
    ) -> impl Future<Output = Option<T>> + Send + 'static {
        let answer = self.pid().dispatch(self.counted(call));
        async move { answer.await.ok() }
    }

    fn counted<T>(
        &self,
        call: impl FnOnce(&mut AllocatorProcess, &mut Ctx<AllocatorProcess>) -> T + Send + 'static,
    ) -> impl FnOnce(&mut AllocatorProcess, &mut Ctx<AllocatorProcess>) -> T + Send + 'static {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting = self.waiting.clone();
        move |process, ctx| {
            waiting.fetch_sub(1, Ordering::Relaxed);
            call(process, ctx)
        }
    }

    fn pid(&self) -> &Pid<AllocatorProcess> {
        self.pid.as_ref().expect("an allocator is initialized before it is used")
    }
}

impl Drop for HierarchicalAllocator {
    fn drop(&mut self) {
        if let Some(pid) = &self.pid {
            self.runtime.metrics().remove(EVENT_QUEUE_DISPATCHES);
            pid.terminate(Inject::Front);
        }
    }
}

impl Allocator for HierarchicalAllocator {
    fn initialize(&mut self, options: Options) {
        let process = AllocatorProcess::new(options, self.seed);
        let id = self.runtime.generate("hierarchical-allocator");
        let pid = self.runtime.spawn(id, process).expect("nobody else takes ids of this form");
        self.pid = Some(pid);
        let waiting = self.waiting.clone();
        self.runtime.metrics().gauge(EVENT_QUEUE_DISPATCHES, move || {
            Box::pin(std::future::ready(Some(waiting.load(Ordering::Relaxed) as f64)))
        });
    }

    fn recover(&self, expected_slaves: usize, quotas: BTreeMap<String, QuotaInfo>) {
        self.tell(move |this, ctx| this.recover(ctx, expected_slaves, quotas));
    }

    fn add_framework(
        &self,
        id: &FrameworkId,
        info: &FrameworkInfo,
        used: BTreeMap<SlaveId, Resources>,
    ) {
        let (id, info) = (id.clone(), info.clone());
        self.tell(move |this, ctx| this.add_framework(ctx, &id, &info, &used));
    }

    fn remove_framework(&self, id: &FrameworkId) {
        let id = id.clone();
        self.tell(move |this, _| this.remove_framework(&id));
    }

    fn activate_framework(&self, id: &FrameworkId) {
        let id = id.clone();
        self.tell(move |this, ctx| this.activate_framework(ctx, &id));
    }

    fn deactivate_framework(&self, id: &FrameworkId) {
        let id = id.clone();
        self.tell(move |this, _| this.deactivate_framework(&id));
    }

    fn update_framework(&self, id: &FrameworkId, info: &FrameworkInfo) {
        let (id, info) = (id.clone(), info.clone());
        self.tell(move |this, _| this.update_framework(&id, &info));
    }

    fn add_slave(&self, id: &SlaveId, slave: NewSlave<'_>) {
        let id = id.clone();
        let NewSlave { info, unavailability, total, used } = slave;
        let slave = AddedSlave { hostname: info.hostname.clone(), unavailability, total, used };
        self.tell(move |this, ctx| this.add_slave(ctx, id, slave));
    }

    fn remove_slave(&self, id: &SlaveId) {
        let id = id.clone();
        self.tell(move |this, _| this.remove_slave(&id));
    }

    fn update_slave(&self, id: &SlaveId, oversubscribed: Resources) {
        let id = id.clone();
        self.tell(move |this, ctx| this.update_slave(ctx, id, &oversubscribed));
    }

    fn activate_slave(&self, id: &SlaveId) {
        let id = id.clone();
        self.tell(move |this, _| this.activate_slave(&id));
    }

    fn deactivate_slave(&self, id: &SlaveId) {
        let id = id.clone();
        self.tell(move |this, _| this.deactivate_slave(&id));
    }

    fn update_whitelist(&self, hosts: Option<BTreeSet<String>>) {
        self.tell(move |this, _| this.update_whitelist(hosts));
    }

    fn request_resources(&self, id: &FrameworkId, _requests: Vec<Request>) {
        let id = id.clone();
        self.tell(move |_, _| info!("Received resource request from framework {id}"));
    }

    fn update_allocation(
        &self,
        framework_id: &FrameworkId,
        slave_id: &SlaveId,
        operations: Vec<Operation>,
    ) {
        let (framework_id, slave_id) = (framework_id.clone(), slave_id.clone());
        self.tell(move |this, _| this.update_allocation(&framework_id, &slave_id, &operations));
    }

    fn update_available(
        &self,
        slave_id: &SlaveId,
        operations: Vec<Operation>,
    ) -> Answer<Result<(), UpdateAvailableError>> {
        let slave_id = slave_id.clone();
        let answer = self.ask(move |this, _| this.update_available(&slave_id, &operations));
        Box::pin(async move { answer.await.unwrap_or(Err(UpdateAvailableError::Gone)) })
    }

    fn update_unavailability(&self, id: &SlaveId, unavailability: Option<Unavailability>) {
        let id = id.clone();
        self.tell(move |this, ctx| this.update_unavailability(ctx, id, unavailability));
    }

    fn update_inverse_offer(&self, update: InverseOfferUpdate) {
        self.tell(move |this, ctx| this.update_inverse_offer(ctx, update));
    }

    fn inverse_offer_statuses(&self) -> Answer<InverseOfferStatuses> {
        let answer = self.ask(|this, _| this.core.inverse_offer_statuses());
        Box::pin(async move { answer.await.unwrap_or_default() })
    }

    fn recover_resources(
        &self,
        framework_id: &FrameworkId,
        slave_id: &SlaveId,
        resources: Resources,
        filters: Option<Filters>,
    ) {
        let (framework_id, slave_id) = (framework_id.clone(), slave_id.clone());
        self.tell(move |this, ctx| {
            this.recover_resources(ctx, &framework_id, &slave_id, (resources, filters));
        });
    }

    fn suppress_offers(&self, id: &FrameworkId) {
        let id = id.clone();
        self.tell(move |this, _| this.suppress_offers(&id));
    }

    fn revive_offers(&self, id: &FrameworkId) {
        let id = id.clone();
        self.tell(move |this, ctx| this.revive_offers(ctx, &id));
    }

    fn set_quota(&self, role: &str, quota: QuotaInfo) {
        let role = role.to_owned();
        self.tell(move |this, ctx| this.set_quota(ctx, &role, &quota));
    }

    fn remove_quota(&self, role: &str) {
        let role = role.to_owned();
        self.tell(move |this, ctx| this.remove_quota(ctx, &role));
    }

    fn update_weights(&self, weights: Vec<WeightInfo>) {
        self.tell(move |this, ctx| this.update_weights(ctx, &weights));
    }
}
