//! The actors that wait for a thread, in order, and the threads that wait for an actor.
//! Called by `mailbox` through the runtime's cells, and by the workers that `threads` starts.
//! Never runs an actor itself.
//!
//! An actor that another actor has woken is best served by the thread that woke it, next: what
//! was just written is in that processor's cache, and nobody has to be roused. So a sleeping
//! worker is roused at once only for what comes from outside the workers. For the rest one worker
//! keeps watch: it takes what has waited for a while, because the others have more to do than
//! they can, or one of them does something long.
//!
//! Upstream: `ProcessManager::runq`, `ProcessManager::enqueue` and `dequeue`.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::mailbox::AnyCell;
use crate::runtime::activity::Activity;

/// How long an actor that a worker has woken may wait for that worker.
const WATCH: Duration = Duration::from_micros(50);

/// How many turns a worker gives to actors before it looks after its own tasks.
const TURNS_IN_A_ROW: u32 = 64;

thread_local! {
    /// The queue, by its address, that this thread takes actors from.
    static WORKS_FOR: Cell<usize> = const { Cell::new(0) };
}

#[derive(Default)]
struct State {
    cells: VecDeque<Arc<dyn AnyCell>>,
    /// How many actors have been taken out so far.
    taken: u64,
    /// Workers that sleep and have not been roused.
    asleep: usize,
    watch: Watch,
    closed: bool,
}

/// Whether a worker keeps watch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Watch {
    #[default]
    Nobody,
    /// One that has been roused for it, and is not there yet.
    Called,
    Kept,
}

impl State {
    fn take(&mut self) -> Option<Arc<dyn AnyCell>> {
        let cell = self.cells.pop_front()?;
        self.taken += 1;
        Some(cell)
    }

    /// How many actors have been put in so far.
    fn added(&self) -> u64 {
        self.taken + self.cells.len() as u64
    }
}

/// The run queue of one runtime.
pub(super) struct RunQueue {
    state: Mutex<State>,
    /// A permit for each sleeping worker that has been roused.
    rouse: Semaphore,
}

impl Default for RunQueue {
    fn default() -> Self {
        Self { state: Mutex::default(), rouse: Semaphore::new(0) }
    }
}

impl RunQueue {
    /// Puts an actor behind all that wait; false if nobody runs any more.
    pub(super) fn push(&self, cell: Arc<dyn AnyCell>) -> bool {
        let mut state = self.state.lock();
        if state.closed {
            return false;
        }
        state.cells.push_back(cell);
        if state.asleep == 0 {
            return true;
        }
        if self.is_worked_here() {
            if state.watch != Watch::Nobody {
                return true;
            }
            state.watch = Watch::Called;
        }
        state.asleep -= 1;
        drop(state);
        self.rouse.add_permits(1);
        true
    }

    /// Whether this thread is one of the queue's workers.
    fn is_worked_here(&self) -> bool {
        WORKS_FOR.get() == self.address()
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Serves actors on this thread until the queue is closed. `idle` is called before the thread
    /// sleeps.
    pub(super) async fn work(&self, activity: &Activity, idle: impl Fn()) {
        WORKS_FOR.set(self.address());
        let mut turns = 0;
        while let Some(cell) = self.next(&idle).await {
            cell.run();
            activity.end();
            turns += 1;
            if turns % TURNS_IN_A_ROW == 0 {
                tokio::task::yield_now().await;
            }
        }
        WORKS_FOR.set(0);
    }

    async fn next(&self, idle: &impl Fn()) -> Option<Arc<dyn AnyCell>> {
        loop {
            {
                let mut state = self.state.lock();
                if state.closed {
                    return None;
                }
                if let Some(cell) = state.take() {
                    return Some(cell);
                }
                state.asleep += 1;
            }
            idle();
            // An error means that the queue has been closed, as seen above.
            if let Ok(roused) = self.rouse.acquire().await {
                roused.forget();
            }
            if let Some(cell) = self.keep_watch() {
                return Some(cell);
            }
        }
    }

    /// If called to keep watch, does so until nobody waits, or somebody has waited too long.
    fn keep_watch(&self) -> Option<Arc<dyn AnyCell>> {
        let mut seen = {
            let mut state = self.state.lock();
            if state.watch != Watch::Called {
                return None;
            }
            state.watch = Watch::Kept;
            state.added()
        };
        loop {
            // On purpose without giving the thread back: it has nothing else to do.
            std::thread::sleep(WATCH);
            let mut state = self.state.lock();
            if state.taken < seen || state.cells.is_empty() || state.closed {
                state.watch = Watch::Nobody;
                return state.take();
            }
            seen = state.added();
        }
    }

    /// Ends the workers; what waits is dropped.
    pub(super) fn close(&self) {
        let waiting = {
            let mut state = self.state.lock();
            state.closed = true;
            state.asleep = 0;
            std::mem::take(&mut state.cells)
        };
        self.rouse.close();
        // Only now: an actor that ends here may send.
        drop(waiting);
    }
}
