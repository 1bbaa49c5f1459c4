//! The actor that writes the registry: what comes while a write is under way goes into the next
//! one, all together. Its first failure is its last word.
//! Called through `RegistrarHandle`; never sees what the registry is kept in.
//! Upstream: `RegistrarProcess`.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use common::json::protobuf::SortedProtobuf;
use coordination::store::{State, StoreError, Variable};
use futures_util::FutureExt;
use futures_util::future::{Either, select};
use libprocess::clock::Time;
use libprocess::http::help::{self, Page};
use libprocess::http::{Failed, Reply, Request, Response};
use libprocess::metrics::Timer;
use libprocess::process::Gone;
use libprocess::{Ctx, Pid, Process, Router, Runtime};
use prost::Message;
use proto::initialized::Checker;
use proto::mesos::MasterInfo;
use proto::mesos::internal::Registry;
use stout::bytes::Bytes;
use stout::{duration, json};
use tokio::sync::oneshot;
use tracing::{error, info};

use super::document::{Document, Strictness};
use super::operations::{Admission, Operation};
use super::{Answer, Registrar, RegistrarError, Trouble};

/// The name of the variable.
pub const VARIABLE: &str = "registry";

/// For how long the percentiles of a write count.
const STORE_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// How the registry is kept.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// `--registry_strict`.
    pub strictness: Strictness,
    /// `--registry_fetch_timeout`.
    pub fetch_timeout: Duration,
    /// `--registry_store_timeout`.
    pub store_timeout: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            strictness: Strictness::Lenient,
            fetch_timeout: Duration::from_secs(60),
            store_timeout: Duration::from_secs(20),
        }
    }
}

/// Where somebody waits.
type Done<T> = oneshot::Sender<Result<T, RegistrarError>>;

/// The actor `registrar(N)`.
struct RegistrarProcess {
    state: State,
    options: Options,
    phase: Phase,
    /// As it was last stored.
    stored: Option<Variable>,
    /// As it will be stored.
    registry: Document,
    queue: Vec<(Operation, Done<Admission>)>,
    recovering: Vec<Done<Registry>>,
    fetch_timer: Timer,
    store_timer: Timer,
}

/// What it is doing.
enum Phase {
    /// Nobody has asked for the registry.
    Idle,
    /// Reading it, or writing who leads now.
    Recovering,
    Recovered,
    Updating,
    Failed(RegistrarError),
}

/// What a write is for.
enum Batch {
    MasterInfo,
    Operations(Vec<(Admission, Done<Admission>)>),
}

/// Starts the actor on what `state` keeps.
pub fn start(runtime: &Runtime, state: State, options: Options) -> RegistrarHandle {
    let metrics = runtime.metrics();
    let process = || RegistrarProcess {
        state: state.clone(),
        options,
        phase: Phase::Idle,
        stored: None,
        registry: Document::default(),
        queue: Vec::new(),
        recovering: Vec::new(),
        fetch_timer: metrics.timer("registrar/state_fetch"),
        store_timer: metrics.timer_with_window("registrar/state_store", STORE_WINDOW),
    };
    RegistrarHandle(runtime.spawn_numbered("registrar", process))
}

impl RegistrarProcess {
    fn recover(
        &mut self,
        ctx: &mut Ctx<Self>,
        master: MasterInfo,
    ) -> oneshot::Receiver<Result<Registry, RegistrarError>> {
        let (done, recovered) = oneshot::channel();
        match &self.phase {
            Phase::Idle => {
                info!("Recovering registrar");
                self.phase = Phase::Recovering;
                self.recovering.push(done);
                let state = self.state.clone();
                let fetched = async move { state.fetch(VARIABLE).await };
                let fetched = within(ctx, ("fetch", self.options.fetch_timeout), fetched);
                let start = ctx.now();
                ctx.then(fetched, move |registrar, ctx, fetched| {
                    registrar.on_fetched(ctx, start, master, fetched);
                });
            }
            Phase::Recovering => self.recovering.push(done),
            Phase::Recovered | Phase::Updating => answer(done, self.decode()),
            Phase::Failed(error) => answer(done, Err(error.clone())),
        }
        recovered
    }

    fn on_fetched(
        &mut self,
        ctx: &mut Ctx<Self>,
        start: Time,
        master: MasterInfo,
        fetched: Result<Variable, Trouble>,
    ) {
        let read = fetched.and_then(|variable| {
            let registry = Document::decode(variable.value())?;
            Ok((variable, registry))
        });
        let (variable, registry) = match read {
            Ok(read) => read,
            Err(trouble) => return self.fail(RegistrarError::Fetch(trouble)),
        };
        let took = ctx.now().since(start);
        self.fetch_timer.record(took);
        let size = Bytes::new(variable.value().len() as u64);
        info!("Successfully fetched the registry ({size}) in {}", duration::display(took));
        (self.stored, self.registry) = (Some(variable), registry);
        let start = ctx.now();
        self.registry.set_master(master);
        self.store(ctx, (1, start), Batch::MasterInfo);
    }

    fn apply(
        &mut self,
        ctx: &mut Ctx<Self>,
        operation: Operation,
    ) -> oneshot::Receiver<Result<Admission, RegistrarError>> {
        let (done, applied) = oneshot::channel();
        match &self.phase {
            Phase::Idle => answer(done, Err(RegistrarError::NotRecovered)),
            Phase::Failed(error) => answer(done, Err(error.clone())),
            Phase::Recovering | Phase::Updating => self.queue.push((operation, done)),
            Phase::Recovered => {
                self.queue.push((operation, done));
                self.update(ctx);
            }
        }
        applied
    }

    /// Writes all that waits.
    fn update(&mut self, ctx: &mut Ctx<Self>) {
        if self.queue.is_empty() {
            return;
        }
        self.phase = Phase::Updating;
        let start = ctx.now();
        let operations = std::mem::take(&mut self.queue);
        let strictness = self.options.strictness;
        let perform = |(operation, done): (Operation, _)| {
            (operation.perform(&mut self.registry, strictness), done)
        };
        let batch: Vec<_> = operations.into_iter().map(perform).collect();
        self.store(ctx, (batch.len(), start), Batch::Operations(batch));
    }

    fn store(&mut self, ctx: &mut Ctx<Self>, (count, start): (usize, Time), batch: Batch) {
        let stored = self.stored.as_ref().expect("fetched before the first operation");
        let variable = stored.mutate(self.registry.encode());
        info!(
            "Applied {count} operations in {}; attempting to update the 'registry'",
            duration::display(ctx.now().since(start))
        );
        let (state, start) = (self.state.clone(), ctx.now());
        let stored = async move { state.store(variable).await };
        let stored = within(ctx, ("store", self.options.store_timeout), stored);
        ctx.then(stored, move |registrar, ctx, stored| {
            let stored = stored.and_then(|stored| stored.ok_or(Trouble::VersionMismatch));
            registrar.on_stored(ctx, start, batch, stored);
        });
    }

    fn on_stored(
        &mut self,
        ctx: &mut Ctx<Self>,
        start: Time,
        batch: Batch,
        stored: Result<Variable, Trouble>,
    ) {
        let stored = match stored {
            Ok(stored) => stored,
            Err(trouble) => return self.abort(batch, RegistrarError::Update(trouble)),
        };
        let took = ctx.now().since(start);
        self.store_timer.record(took);
        info!("Successfully updated the 'registry' in {}", duration::display(took));
        self.stored = Some(stored);
        self.phase = Phase::Recovered;
        match batch {
            Batch::MasterInfo => {
                info!("Successfully recovered registrar");
                for done in std::mem::take(&mut self.recovering) {
                    answer(done, self.decode());
                }
            }
            Batch::Operations(batch) => {
                for (admission, done) in batch {
                    answer(done, Ok(admission));
                }
            }
        }
        self.update(ctx);
    }

    fn abort(&mut self, batch: Batch, error: RegistrarError) {
        error!("Registrar aborting: {error}");
        match batch {
            Batch::MasterInfo => self.fail(RegistrarError::MasterInfo(Box::new(error))),
            Batch::Operations(batch) => {
                for (_, done) in batch {
                    answer(done, Err(error.clone()));
                }
                self.fail(error);
            }
        }
    }

    /// From now on nothing else is answered: who cannot be sure of what is stored must not go on.
    fn fail(&mut self, error: RegistrarError) {
        for done in std::mem::take(&mut self.recovering) {
            answer(done, Err(error.clone()));
        }
        for (_, done) in std::mem::take(&mut self.queue) {
            answer(done, Err(error.clone()));
        }
        self.phase = Phase::Failed(error);
    }

    /// The registry as it was last stored.
    fn decode(&self) -> Result<Registry, RegistrarError> {
        let stored = self.stored.as_ref().map(Variable::value).cloned().unwrap_or_default();
        let registry = Checker::of::<Registry>().decode(stored);
        registry.map_err(|incomplete| RegistrarError::Fetch(incomplete.into()))
    }

    fn registry_endpoint(&mut self, ctx: &mut Ctx<Self>, request: &Request) -> Reply {
        let stored = self.stored.as_ref().map(|stored| stored.value().clone());
        let jsonp = request.jsonp().map(str::to_owned);
        let written = ctx.runtime().blocking(move || {
            // It was decoded before.
            let registry = stored.and_then(|stored| Registry::decode(stored).ok());
            let document = match &registry {
                Some(registry) => json::to_string(&SortedProtobuf(registry)),
                None => "{}".to_owned(),
            };
            Response::json(document, jsonp.as_deref())
        });
        let failed = || Failed("the answer's writer ended".to_owned());
        Reply::later(async move { written.await.ok_or_else(failed) })
    }
}

/// Nobody may be waiting any more.
fn answer<T>(done: Done<T>, outcome: Result<T, RegistrarError>) {
    let _ = done.send(outcome);
}

/// Gives up after a while.
fn within<T: Send + 'static>(
    ctx: &Ctx<RegistrarProcess>,
    (operation, limit): (&'static str, Duration),
    future: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> impl Future<Output = Result<T, Trouble>> + Send + 'static {
    let late = ctx.runtime().clock().sleep(limit);
    async move {
        match select(pin!(future), pin!(late)).await {
            Either::Left((outcome, _)) => outcome.map_err(Trouble::Store),
            Either::Right(_) => Err(Trouble::Timeout { operation, limit }),
        }
    }
}

fn help() -> Page {
    help::tldr("Shows the registry: what masters hand down to one another.").description(&[
        "An object with the `master` that leads, the admitted `slaves`, and the `machines`,",
        "`schedules` and `quotas` that operators have set; empty until this master has led.",
    ])
}

impl Process for RegistrarProcess {
    fn install(&self, router: &mut Router<Self>) {
        router.route("/registry", help().into(), |registrar: &mut Self, ctx, request| {
            registrar.registry_endpoint(ctx, &request)
        });
    }

    fn initialize(&mut self, ctx: &mut Ctx<Self>) {
        ctx.gauge("registrar/queued_operations", |registrar, _| registrar.queue.len() as f64);
        let pid = ctx.pid().clone();
        ctx.runtime().metrics().gauge("registrar/registry_size_bytes", move || {
            let size = |registrar: &mut Self, _: &mut Ctx<Self>| {
                registrar.stored.as_ref().map(|stored| stored.value().len() as f64)
            };
            pid.dispatch(size).map(|size| size.ok().flatten()).boxed()
        });
    }
}

/// The registrar, as the master sees it.
#[derive(Clone)]
pub struct RegistrarHandle(Pid<RegistrarProcess>);

impl Registrar for RegistrarHandle {
    fn recover(&self, master: MasterInfo) -> Answer<Registry> {
        let recovered = self.0.dispatch_then(move |registrar, ctx| registrar.recover(ctx, master));
        Box::pin(async move { answered(recovered.await) })
    }

    fn apply(&self, operation: Operation) -> Answer<Admission> {
        let applied = self.0.dispatch_then(move |registrar, ctx| registrar.apply(ctx, operation));
        Box::pin(async move { answered(applied.await) })
    }
}

/// What an actor says that may have gone before it could, or while it was about to.
type Said<T> = Result<Result<Result<T, RegistrarError>, oneshot::error::RecvError>, Gone>;

fn answered<T>(said: Said<T>) -> Result<T, RegistrarError> {
    match said {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) | Err(Gone) => Err(RegistrarError::Gone),
    }
}
