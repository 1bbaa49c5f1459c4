//! What a runtime runs on: threads, sockets and real time, or one node of a simulation.
//! Called by `runtime` and `net`; all that differs between the two is decided here.
//! Never knows what an actor does.
//!
//! Upstream: `ProcessManager::init_threads`, `EventLoop`.

use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::mailbox::AnyCell;
use crate::net::stream::Stream;
use crate::pid::{Address, Upid};
use crate::runtime::threads::Threads;
use crate::simulation::Host;
use crate::tls::Tls;

/// See the module.
pub(crate) enum Engine {
    Threads(Threads),
    Simulated(Host),
}

impl Engine {
    /// The clock of the actors.
    pub(super) fn clock(&self) -> Clock {
        match self {
            Engine::Threads(_) => Clock::default(),
            Engine::Simulated(host) => host.clock().clone(),
        }
    }

    /// Puts an actor into the run queue; false if nobody runs any more.
    pub(super) fn schedule(&self, cell: Arc<dyn AnyCell>) -> bool {
        match self {
            Engine::Threads(threads) => threads.schedule(cell),
            Engine::Simulated(host) => host.schedule(cell),
        }
    }

    /// Runs a future beside the actors.
    pub(super) fn run(&self, future: impl Future<Output = ()> + Send + 'static) {
        match self {
            Engine::Threads(threads) => threads.run(future),
            Engine::Simulated(host) => host.run(Box::pin(future)),
        }
    }

    /// Gives what runs `work` where it may block; `None` if it has panicked.
    pub(super) fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = Option<T>> + Send + 'static {
        let latency = match self {
            Engine::Threads(_) => None,
            Engine::Simulated(host) => Some(host.latency()),
        };
        async move {
            let Some(latency) = latency else {
                return tokio::task::spawn_blocking(work).await.ok();
            };
            latency.await;
            Some(work())
        }
    }

    /// A number that nobody can foresee, except from a simulation's seed.
    pub(super) fn random(&self) -> u64 {
        match self {
            // Its keys are the system's randomness.
            Engine::Threads(_) => RandomState::new().hash_one(()),
            Engine::Simulated(host) => host.random(),
        }
    }

    /// How the patience of connections is measured.
    pub(crate) fn pace(&self) -> Pace {
        match self {
            Engine::Threads(_) => Pace::Real,
            Engine::Simulated(host) => Pace::Virtual(host.clock().clone()),
        }
    }

    /// Opens a connection to a peer.
    pub(crate) fn connect(
        &self,
        peer: Address,
        tls: Option<Tls>,
    ) -> impl Future<Output = io::Result<Stream>> + Send + 'static {
        let simulated = match self {
            Engine::Threads(_) => None,
            Engine::Simulated(host) => Some(host.connect(peer)),
        };
        async move {
            match simulated {
                None => Stream::connect(peer, tls).await,
                Some(connecting) => connecting.await.map(Stream::Simulated),
            }
        }
    }

    /// An actor is about to be told that another one has ended.
    pub(super) fn saw_exited(&self, linker: &str, linkee: &Upid) {
        if let Engine::Simulated(host) = self {
            host.saw_exited(linker, linkee);
        }
    }

    /// A handler of an actor has panicked.
    pub(crate) fn saw_panic(&self, upid: &Upid, what: &str) {
        if let Engine::Simulated(host) = self {
            host.saw_panic(upid, what);
        }
    }

    pub(super) fn stop(&self) {
        match self {
            Engine::Threads(threads) => threads.stop(),
            Engine::Simulated(host) => host.stop(),
        }
    }

    /// Completes when no connection is accepted any more and the port is free.
    pub(super) async fn closed(&self) {
        if let Engine::Threads(threads) = self {
            threads.closed().await;
        }
    }
}

/// How the patience of connections is measured: not by the clock of the actors, which a test may
/// have paused.
#[derive(Clone)]
pub(crate) enum Pace {
    Real,
    Virtual(Clock),
}

impl Pace {
    /// The outcome of `future`, unless that takes longer than `limit`.
    pub(crate) async fn limit<T>(
        &self,
        limit: Duration,
        future: impl Future<Output = T>,
    ) -> Option<T> {
        match self {
            Pace::Real => tokio::time::timeout(limit, future).await.ok(),
            Pace::Virtual(clock) => tokio::select! {
                biased;
                outcome = future => Some(outcome),
                () = clock.sleep(limit) => None,
            },
        }
    }
}
