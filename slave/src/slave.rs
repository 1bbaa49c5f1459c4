//! The slave's actor: what it holds, how it starts and ends. Its handlers are in `handlers`, the
//! table of messages in `messages`, that of endpoints in `routes`.
//! Started by `main` and by clusters in one process, with everything that touches the world handed
//! in. Upstream: `class Slave`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use common::attributes;
use common::ids::{SlaveId, print_list};
use common::resources::{CheckpointedError, Resources};
use containerizer::Containerizer;
use coordination::election::{DetectError, MasterDetector};
use libprocess::clock::{Time, Timer};
use libprocess::files::Files;
use libprocess::runtime::AlreadyRunning;
use libprocess::{Ctx, Pid, Process, Router, Runtime, Upid};
use proto::mesos::SlaveInfo;
use proto::mesos::internal::StatusUpdate;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use stout::Uuid;
use tokio::sync::oneshot;
use tracing::{error, info, warn};

use crate::checkpoint::compatible::Incompatible;
use crate::checkpoint::read::ReadError;
use crate::checkpoint::write;
use crate::config::Config;
use crate::constants::MASTER_PING_TIMEOUT;
use crate::disk::{Disk, Written};
use crate::gc::GarbageCollector;
use crate::metrics::Counters;
use crate::monitor;
use crate::oversubscription::ResourceEstimator;
use crate::phase::Phase;
use crate::state::frameworks::Frameworks;
use crate::status_updates::StatusUpdates;
use crate::storage::{Step, Storage, StorageError};
use crate::{messages, metrics, routes};

/// What a slave works with.
pub struct Parts {
    /// Runs its containers.
    pub containerizer: Arc<dyn Containerizer>,
    /// Finds its master.
    pub detector: Arc<dyn MasterDetector>,
    /// Says what may be lent out of what is used.
    pub estimator: Arc<dyn ResourceEstimator>,
    /// Shows its sandboxes and its log.
    pub files: Files,
    /// Keeps what the next run is to find.
    pub storage: Arc<dyn Storage>,
    /// Names the time since the host has started: no process outlives it.
    pub boot_id: String,
    /// Where waits and ids come from.
    pub seed: [u8; 32],
}

/// Why a slave cannot go on. Its executors are left alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fatal {
    /// No master can be found any more.
    #[error("Failed to detect a master: {0}")]
    Detection(DetectError),
    /// The master takes us for another slave.
    #[error("Registered but got wrong id: {given}(expected: {expected}). Committing suicide")]
    RegisteredWithWrongId {
        /// What the master says.
        given: SlaveId,
        /// What we are.
        expected: SlaveId,
    },
    /// The same after a registration of before.
    #[error("Re-registered but got wrong id: {given}(expected: {expected}). Committing suicide")]
    ReregisteredWithWrongId {
        /// What the master says.
        given: SlaveId,
        /// What we are.
        expected: String,
    },
    /// The master does not believe that we are who we say we are.
    #[error("Master {0} refused authentication")]
    Refused(Upid),
    /// What an earlier run has left cannot be gone on with.
    #[error(
        "Failed to perform recovery: {why}\n\
         To remedy this do as follows:\n\
         Step 1: rm -f {}\n        \
         This ensures slave doesn't recover old live executors.\n\
         Step 2: Restart the slave.",
        latest.display()
    )]
    Recovery {
        /// What is wrong.
        why: RecoveryError,
        /// The link to what is recovered.
        latest: PathBuf,
    },
    /// The next run would not find what the master believes that we know.
    #[error("Failed to checkpoint: {0}")]
    Checkpoint(StorageError),
}

/// Why nothing can be recovered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryError {
    /// A file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Reservations and volumes are of resources that are not there any more.
    #[error(
        "Checkpointed resources {checkpointed} are incompatible with slave resources {resources}: \
         {why}"
    )]
    Resources {
        /// The reservations and volumes.
        checkpointed: String,
        /// What there is.
        resources: String,
        /// What does not fit.
        why: CheckpointedError,
    },
    /// We are not the slave that the master knows.
    #[error("{0}")]
    Incompatible(Incompatible),
    /// Containers cannot be found again; what went wrong is the text.
    #[error("{0}")]
    Containers(String),
    /// The process is ending.
    #[error("interrupted")]
    Interrupted,
}

/// A slave that has been started.
pub struct Started {
    /// Its address.
    pub pid: Pid<Slave>,
    disk: Disk,
    ended: oneshot::Receiver<Fatal>,
}

impl Started {
    /// Waits until what the next run is to find has been kept. False if there is nothing to wait
    /// for.
    pub async fn flushed(&self) -> bool {
        let is_busy = self.disk.is_busy();
        if is_busy {
            self.disk.flushed().await;
        }
        is_busy
    }

    /// Waits until the slave has ended.
    ///
    /// # Errors
    /// If it had to.
    pub async fn ended(self) -> Result<(), Fatal> {
        let outcome = match self.ended.await {
            Ok(fatal) => Err(fatal),
            Err(_) => Ok(()),
        };
        self.pid.wait().await;
        self.disk.flushed().await;
        outcome
    }
}

/// The actor; see the module.
pub struct Slave {
    pub(crate) config: Config,
    pub(crate) pid: Upid,
    /// What masters are told of us; it has an id from the first registration on.
    pub(crate) info: SlaveInfo,
    pub(crate) phase: Phase,
    /// The leading master, as far as we know.
    pub(crate) master: Option<Upid>,
    pub(crate) master_hostname: Option<String>,
    /// Counts how often we have begun to look for a master: what was meant for an earlier one
    /// is out of date.
    pub(crate) detection: u64,
    /// Lets go of the authentication under way when it is dropped.
    pub(crate) authentication: Option<oneshot::Sender<()>>,
    pub(crate) failed_authentications: u32,
    pub(crate) ping_timeout: Duration,
    pub(crate) ping_timer: Option<Timer>,
    pub(crate) frameworks: Frameworks,
    /// Reservations and volumes, as the master told them.
    pub(crate) checkpointed_resources: Resources,
    /// What we offer beyond our resources; none before the first estimate.
    pub(crate) oversubscribed: Option<Resources>,
    /// How old a directory may become, by the last look at the disk.
    pub(crate) directory_age_max: Duration,
    pub(crate) started_at: Time,
    pub(crate) counters: Counters,
    pub(crate) parts: Parts,
    pub(crate) disk: Disk,
    /// Runs out when executors have had the time to come back; there while we recover.
    pub(crate) reregistration_timer: Option<Timer>,
    pub(crate) updates: StatusUpdates,
    pub(crate) gc: GarbageCollector,
    random: StdRng,
    fatal: Option<oneshot::Sender<Fatal>>,
}

impl Slave {
    /// Starts a slave as actor `id`, usually `slave(1)`.
    ///
    /// # Errors
    /// If an actor of that id runs already.
    pub fn start(
        runtime: &Runtime,
        id: impl Into<Arc<str>>,
        config: Config,
        parts: Parts,
    ) -> Result<Started, AlreadyRunning> {
        let (fatal, ended) = oneshot::channel();
        let id = id.into();
        let disk = Disk::new(runtime, parts.storage.clone());
        let slave = Slave {
            pid: Upid::new(id.clone(), runtime.address()),
            info: config.info.clone(),
            phase: Phase::Recovering,
            master: None,
            master_hostname: None,
            detection: 0,
            authentication: None,
            failed_authentications: 0,
            ping_timeout: MASTER_PING_TIMEOUT,
            ping_timer: None,
            frameworks: Frameworks::default(),
            checkpointed_resources: Resources::default(),
            oversubscribed: None,
            directory_age_max: config.directory_age_max(0.0),
            started_at: runtime.clock().now(),
            counters: Counters::new(runtime.metrics()),
            random: StdRng::from_seed(parts.seed),
            updates: StatusUpdates::start(runtime, &disk),
            disk: disk.clone(),
            reregistration_timer: None,
            gc: GarbageCollector::start(runtime),
            fatal: Some(fatal),
            config,
            parts,
        };
        let (updates, gc) = (slave.updates.clone(), slave.gc.clone());
        let pid = runtime.spawn(id, slave).inspect_err(|_| {
            updates.stop();
            gc.stop();
        })?;
        monitor::start(runtime, &pid);
        Ok(Started { pid, disk, ended })
    }

    /// A user asked the process to end (`SIGUSR1`); `user` is who, if that is known.
    pub fn signaled(&mut self, ctx: &mut Ctx<Self>, user: Option<&str>) {
        let by = user.map(|user| format!(" from user {user}")).unwrap_or_default();
        self.shut_down_by_operator(ctx, &format!("Received SIGUSR1 signal{by}"));
    }

    /// Our id, once a master has given us one.
    pub(crate) fn id(&self) -> Option<SlaveId> {
        self.info.id.as_ref().map(SlaveId::from)
    }

    /// A random part of `longest`, to spread what many slaves do at once.
    pub(crate) fn random_part_of(&mut self, longest: Duration) -> Duration {
        longest.mul_f64(self.random.random())
    }

    pub(crate) fn random_uuid(&mut self) -> Uuid {
        stout::uuid::from_random_bytes(self.random.random())
    }

    /// Whether a message comes from the master that leads; says so in the log if it does not.
    pub(crate) fn is_from_master(&self, from: &Upid, what: &str) -> bool {
        if self.master.as_ref() == Some(from) {
            return true;
        }
        warn!(
            "Ignoring {what} message from {from} because it is not the expected master: {}",
            self.master_or_none()
        );
        false
    }

    /// The leading master, or `None`, as log lines show it.
    pub(crate) fn master_or_none(&self) -> String {
        self.master.as_ref().map_or("None".to_owned(), Upid::to_string)
    }

    /// Ends at once, leaving executors alone.
    pub(crate) fn die(&mut self, ctx: &mut Ctx<Self>, fatal: Fatal) {
        if let Some(told) = self.fatal.take() {
            // Nobody may be waiting for the end.
            let _ = told.send(fatal);
        }
        ctx.terminate();
    }

    /// Puts something on the disk for the next run, behind all that was put there before, and goes
    /// on when it is there; in the same order.
    pub(crate) fn checkpoint(
        &self,
        ctx: &Ctx<Self>,
        steps: Vec<Step>,
        then: impl FnOnce(&mut Self, &mut Ctx<Self>, Written) + Send + 'static,
    ) {
        let slave = ctx.pid().clone();
        self.disk.write(steps, move |written| {
            slave.tell(move |slave, ctx| then(slave, ctx, written));
        });
    }

    /// The same for what we cannot do without.
    pub(crate) fn checkpoint_or_die(&self, ctx: &Ctx<Self>, steps: Vec<Step>) {
        self.checkpoint(ctx, steps, |slave, ctx, written| {
            if let Err(why) = written {
                slave.die(ctx, Fatal::Checkpoint(why));
            }
        });
    }
}

impl Process for Slave {
    fn install(&self, router: &mut Router<Self>) {
        messages::install(router);
        routes::install(router);
    }

    fn initialize(&mut self, ctx: &mut Ctx<Self>) {
        let name = ctx.upid().to_string();
        // COMPAT: the first six characters are cut, whatever they are (`Slave::initialize`); held
        // by `a_signal_ends_it`.
        info!("Slave started on {}", name.get(6..).unwrap_or_default());
        info!("Flags at startup: {}", self.config.shown);
        if ctx.upid().address.ip.is_loopback() {
            warn!(
                "\n**************************************************\n\
                 Slave bound to loopback interface! Cannot communicate with remote master(s). \
                 You might want to set '--ip' flag to a routable IP address.\n\
                 **************************************************"
            );
        }
        info!("Slave resources: {}", Resources::from(&self.info.resources));
        let attributes = self.info.attributes.iter().map(attributes::print);
        info!("Slave attributes: {}", print_list(attributes));
        info!("Slave hostname: {}", self.info.hostname);

        let slave = ctx.pid().clone();
        self.updates.forward_to(move |update: StatusUpdate| {
            slave.tell(move |slave, ctx| slave.forward(ctx, update));
        });
        metrics::install(self, ctx);
        if let Some(log) = self.config.log_file.clone() {
            self.attach(ctx, log, "/slave/log".to_owned());
        }
        ctx.after(self.config.disk_watch_interval, Slave::check_disk_usage);
        // Behind whatever is in the mailbox, so that the actor is seen to recover.
        ctx.pid().tell(Slave::recover);
    }

    fn finalize(&mut self, ctx: &mut Ctx<Self>) {
        info!("Slave terminating");
        // Who has to end leaves its executors alone, and the next run finds those of frameworks
        // that checkpoint.
        if self.fatal.is_some() {
            for framework_id in self.frameworks.ids() {
                let framework = self.frameworks.get(&framework_id);
                if framework.is_some_and(|framework| !framework.info.checkpoint()) {
                    self.shut_down_framework(ctx, &framework_id);
                }
            }
        }
        if self.phase == Phase::Terminating {
            let steps = write::no_slave(&self.config.work_dir.meta());
            self.disk.write(steps, |removed| {
                if let Err(why) = removed {
                    error!("The next run may recover what has ended: {why}");
                }
            });
        }
        self.updates.stop();
        self.gc.stop();
    }

    fn exited(&mut self, ctx: &mut Ctx<Self>, pid: Upid) {
        info!("{pid} exited");
        if self.master.as_ref().is_none_or(|master| *master == pid) {
            warn!("Master disconnected! Waiting for a new master to be elected");
            // It may as well be the same again, started anew at once.
            if self.phase == Phase::Running {
                self.redetect(ctx);
            }
        }
    }
}
