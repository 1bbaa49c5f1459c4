//! The threads of a runtime: actix arbiters for the actors, and the thread of their system for
//! sockets, timers and futures.
//! Called by `runtime` only. Never knows what an actor does.
//!
//! Upstream: `ProcessManager::init_threads`, `EventLoop::run`.

use std::future::Future;
use std::net::TcpListener;
use std::sync::Arc;

use actix::{Arbiter, ArbiterHandle, System};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::mailbox::AnyCell;
use crate::net::listener;
use crate::runtime::WeakRuntime;
use crate::runtime::activity::Activity;
use crate::runtime::config::StartError;
use crate::runtime::run_queue::RunQueue;

pub(crate) struct Threads {
    system: System,
    io: ArbiterHandle,
    workers: Vec<ArbiterHandle>,
    run_queue: Arc<RunQueue>,
    /// Held by the task that accepts connections, from its start on.
    open: Mutex<Option<watch::Sender<()>>>,
    /// Closed when that task has ended and its socket with it.
    closed: watch::Receiver<()>,
}

impl Threads {
    /// Starts one thread for input and output and `workers` for actors.
    pub(crate) fn start(workers: usize) -> Result<Self, StartError> {
        let (started, start) = std::sync::mpsc::channel();
        let run = move || {
            let system = System::new();
            let arbiters: Vec<_> = (0..workers).map(|_| Arbiter::new().handle()).collect();
            let io = Arbiter::current();
            // The receiver waits just below.
            let _ = started.send((System::current(), io, arbiters));
            system.run()
        };
        let thread = std::thread::Builder::new().name("libprocess-io".to_owned());
        thread.spawn(run).map_err(StartError::Threads)?;
        let (system, io, workers) = start.recv().map_err(|_| StartError::NoThreads)?;
        let (open, closed) = watch::channel(());
        let open = Mutex::new(Some(open));
        let run_queue = Arc::new(RunQueue::new(workers.len()));
        Ok(Self { system, io, workers, run_queue, open, closed })
    }

    /// Lets every worker serve actors for as long as the runtime lives.
    pub(crate) fn work(&self, activity: &Activity, runtime: &WeakRuntime) {
        for (number, worker) in self.workers.iter().enumerate() {
            let (queue, activity) = (self.run_queue.clone(), activity.clone());
            let runtime = runtime.clone();
            worker.spawn(async move {
                let idle = || {
                    if let Some(runtime) = runtime.upgrade() {
                        runtime.clear_at_hand();
                    }
                };
                queue.work(number, &activity, idle).await;
            });
        }
    }

    /// Serves connections to `listener` for as long as the runtime lives.
    pub(crate) fn listen(&self, listener: TcpListener, runtime: WeakRuntime) {
        let open = self.open.lock().take();
        self.io.spawn_fn(move || {
            actix::spawn(async move {
                let _open = open;
                listener::accept_all(listener, runtime).await;
            });
        });
    }

    /// Puts an actor into the run queue; false if nobody runs any more.
    pub(crate) fn schedule(&self, cell: Arc<dyn AnyCell>) -> bool {
        self.run_queue.push(cell)
    }

    pub(crate) fn run(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.io.spawn(future);
    }

    /// Completes when no connection is accepted any more and the port is free.
    pub(crate) async fn closed(&self) {
        // Nothing is ever sent: this ends with an error when the sender is dropped.
        let _ = self.closed.clone().changed().await;
    }

    pub(crate) fn stop(&self) {
        self.run_queue.close();
        self.workers.iter().for_each(|worker| {
            worker.stop();
        });
        self.system.stop();
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.stop();
    }
}
