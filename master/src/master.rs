//! The master's actor: what it holds, how it starts and ends. All else is in `handlers/`.
//! Never decides anything itself. Upstream: `Master`, its fields, `initialize` and `finalize`.

use std::collections::BTreeMap;
use std::sync::Arc;

use common::ids::{OfferId, SlaveId};
use coordination::election::{MasterContender, MasterDetector};
use libprocess::clock::{Time, Timer};
use libprocess::sync::RateLimiter;
use libprocess::{Ctx, Inject, Pid, Process, Router, Runtime, Upid};
use proto::mesos::{Address, MasterInfo};
use tracing::{info, warn};

use crate::allocator::{self, Allocator};
use crate::authorizer::Authorizer;
use crate::config::Config;
use crate::fatal::Fatal;
use crate::metrics::{Metrics, add_gauges};
use crate::observer::Observer;
use crate::phase::{Phase, Throttles, Waiting};
use crate::registrar::Registrar;
use crate::state::{Cluster, Ids};
use crate::{messages, routes, whitelist};

/// What a master works with.
pub struct Parts {
    /// Decides who is offered what.
    pub allocator: Box<dyn Allocator>,
    /// Keeps who was admitted.
    pub registrar: Box<dyn Registrar>,
    /// Makes it lead.
    pub contender: Arc<dyn MasterContender>,
    /// Tells who leads.
    pub detector: Arc<dyn MasterDetector>,
    /// Decides who may do what; everybody everything if absent.
    pub authorizer: Option<Arc<dyn Authorizer>>,
    /// Ends the process, or the test. The master does nothing more afterwards.
    pub on_fatal: Box<dyn Fn(Fatal) + Send>,
}

/// The actor `master`.
pub struct Master {
    pub(crate) config: Arc<Config>,
    pub(crate) info: MasterInfo,
    pub(crate) phase: Phase,
    pub(crate) cluster: Cluster,
    pub(crate) ids: Ids,
    pub(crate) metrics: Metrics,
    pub(crate) throttles: Throttles,
    pub(crate) waiting: Waiting,
    pub(crate) allocator: Box<dyn Allocator>,
    pub(crate) registrar: Box<dyn Registrar>,
    pub(crate) contender: Arc<dyn MasterContender>,
    pub(crate) detector: Arc<dyn MasterDetector>,
    pub(crate) authorizer: Option<Arc<dyn Authorizer>>,
    pub(crate) on_fatal: Box<dyn Fn(Fatal) + Send>,
    /// Who leads, as last detected.
    pub(crate) leader: Option<MasterInfo>,
    pub(crate) start_time: Time,
    pub(crate) elected_time: Option<Time>,
    pub(crate) observers: BTreeMap<SlaveId, Pid<Observer>>,
    pub(crate) offer_timers: BTreeMap<OfferId, Timer>,
    pub(crate) removal_limiter: Option<RateLimiter>,
}

/// What a master says of itself to those who look for it. Upstream: the constructor of `Master`.
pub fn master_info(id: &str, pid: &Upid, hostname: &str) -> MasterInfo {
    let (ip, port) = (pid.address.ip, u32::from(pid.address.port));
    MasterInfo {
        id: id.to_owned(),
        // In network order: the first octet is the first byte in memory.
        ip: u32::from_ne_bytes(ip.octets()),
        port,
        pid: Some(pid.to_string()),
        hostname: Some(hostname.to_owned()),
        version: Some(common::VERSION.to_owned()),
        address: Some(Address {
            hostname: Some(hostname.to_owned()),
            ip: Some(ip.to_string()),
            port: port.cast_signed(),
        }),
    }
}

impl Master {
    /// A master that does nothing until it is spawned in `runtime`, as `master`, where `info`
    /// says that it is.
    pub fn new(config: Config, info: MasterInfo, parts: Parts, runtime: &Runtime) -> Master {
        let limiter = |interval| RateLimiter::new(runtime.clock(), interval);
        Master {
            phase: Phase::Standby,
            cluster: Cluster::new(config.limits),
            ids: Ids::new(&info.id),
            metrics: Metrics::new(runtime.metrics()),
            throttles: Throttles::new(&config.rate_limits, runtime.clock()),
            waiting: Waiting::new(),
            allocator: parts.allocator,
            registrar: parts.registrar,
            contender: parts.contender,
            detector: parts.detector,
            authorizer: parts.authorizer,
            on_fatal: parts.on_fatal,
            leader: None,
            start_time: Time::from_epoch(std::time::Duration::ZERO),
            elected_time: None,
            observers: BTreeMap::new(),
            offer_timers: BTreeMap::new(),
            removal_limiter: config.slave_removal_interval.map(limiter),
            info,
            config: Arc::new(config),
        }
    }

    /// The tables as they stand, for views and tests.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Ends this master and, outside of tests, its process.
    pub(crate) fn fail(&mut self, ctx: &mut Ctx<Self>, fatal: Fatal) {
        self.phase = Phase::Standby;
        ctx.terminate();
        (self.on_fatal)(fatal);
    }

    fn start_allocator(&mut self, ctx: &mut Ctx<Self>) {
        let (offers, inverse_offers) = (ctx.pid().clone(), ctx.pid().clone());
        self.allocator.initialize(allocator::Options {
            allocation_interval: self.config.allocation_interval,
            weights: self.config.weights.clone(),
            offers: Box::new(move |framework_id, resources| {
                offers.tell(move |master, ctx| master.offer(ctx, framework_id, resources));
            }),
            inverse_offers: Box::new(move |framework_id, resources| {
                inverse_offers
                    .tell(move |master, ctx| master.inverse_offer(ctx, framework_id, resources));
            }),
        });
    }
}

impl Process for Master {
    fn install(&self, router: &mut Router<Self>) {
        messages::install(router);
        routes::install(router, &self.config.webui_dir);
    }

    fn initialize(&mut self, ctx: &mut Ctx<Self>) {
        let address = ctx.upid().address;
        let (id, hostname) = (&self.info.id, self.info.hostname());
        info!("Master {id} ({hostname}) started on {address}");
        info!("Flags at startup: {}", self.config.shown);
        if address.ip.is_loopback() {
            let stars = "*".repeat(50);
            warn!(
                "\n{stars}\nMaster bound to loopback interface! Cannot communicate with remote \
                 schedulers or slaves. You might want to set '--ip' flag to a routable IP \
                 address.\n{stars}"
            );
        }
        self.start_time = ctx.now();
        self.start_allocator(ctx);
        whitelist::watch(self, ctx);
        add_gauges(ctx);
        self.contender.initialize(self.info.clone());
        self.contend(ctx);
        self.detect(ctx);
    }

    fn finalize(&mut self, _: &mut Ctx<Self>) {
        info!("Master terminating");
        for observer in self.observers.values() {
            observer.terminate(Inject::Front);
        }
    }

    fn exited(&mut self, ctx: &mut Ctx<Self>, pid: Upid) {
        self.admit_exited(ctx, pid);
    }
}
