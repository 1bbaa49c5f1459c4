//! The actors that wait for a thread, and the threads that wait for an actor.
//! Called by `threads` only. Never knows what an actor does.
//!
//! An actor that another actor has woken is best served by the thread that woke it, next: what
//! was just written is in that processor's cache, and nobody has to be roused. So each worker has
//! a queue of its own, and a sleeping worker is roused at once only for what comes from outside.
//! For the rest one worker keeps watch over the others: it takes what has waited for a while,
//! because they have more to do than they can, or do something long.
//!
//! Upstream: `ProcessManager::runq`, `ProcessManager::enqueue` and `dequeue`.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::mailbox::AnyCell;
use crate::runtime::activity::Activity;

/// How long an actor that a worker has woken may wait for that worker.
const WATCH: Duration = Duration::from_micros(50);

/// How many turns a worker gives to actors before it looks after its own tasks.
const TURNS_IN_A_ROW: u32 = 64;

thread_local! {
    /// The run queue, by its address, that this thread works for, and which of its workers it is.
    static WORKER: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

type Waiting = Arc<dyn AnyCell>;

#[derive(Default)]
struct State {
    /// Woken from outside.
    outside: VecDeque<Waiting>,
    /// Woken by each of the workers, and when.
    woken: Vec<VecDeque<(Waiting, Instant)>>,
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

/// What a worker does next.
enum Next {
    Run(Waiting),
    /// Something waits that is for another worker, unless it waits for long.
    Watch,
    Sleep,
    End,
}

impl State {
    fn next(&mut self, worker: usize, turn: u32) -> Next {
        if self.closed {
            return Next::End;
        }
        let own = |state: &mut Self| state.woken[worker].pop_front().map(|(cell, _)| cell);
        // Neither may keep the other waiting.
        let found = if turn.is_multiple_of(2) {
            own(self).or_else(|| self.outside.pop_front())
        } else {
            self.outside.pop_front().or_else(|| own(self))
        };
        match found {
            Some(cell) => Next::Run(cell),
            None => self.look_after_others(),
        }
    }

    fn look_after_others(&mut self) -> Next {
        let oldest = |queue: &&mut VecDeque<(Waiting, Instant)>| queue.front().map(|(_, at)| *at);
        let queues = self.woken.iter_mut().filter(|queue| !queue.is_empty());
        let Some(queue) = queues.min_by_key(oldest) else { return Next::Sleep };
        let taken = queue.pop_front_if(|(_, since)| since.elapsed() >= WATCH);
        if let Some((cell, _)) = taken {
            return Next::Run(cell);
        }
        if self.watch == Watch::Kept { Next::Sleep } else { Next::Watch }
    }

    fn is_anyone_left(&self) -> bool {
        !self.outside.is_empty() || self.woken.iter().any(|queue| !queue.is_empty())
    }

    /// Whether a sleeping worker is to be roused for an actor just put in.
    fn rouses(&mut self, from_outside: bool) -> bool {
        if self.asleep == 0 || (!from_outside && self.watch != Watch::Nobody) {
            return false;
        }
        if !from_outside {
            self.watch = Watch::Called;
        }
        self.asleep -= 1;
        true
    }
}

/// The run queue of one runtime.
pub(super) struct RunQueue {
    state: Mutex<State>,
    /// A permit for each sleeping worker that has been roused.
    rouse: Semaphore,
}

impl RunQueue {
    pub(super) fn new(workers: usize) -> Self {
        let woken = std::iter::repeat_with(VecDeque::new).take(workers).collect();
        Self { state: Mutex::new(State { woken, ..State::default() }), rouse: Semaphore::new(0) }
    }

    /// Puts an actor behind those that wait; false if nobody runs any more.
    pub(super) fn push(&self, cell: Arc<dyn AnyCell>) -> bool {
        let worker = self.worker_here();
        let mut state = self.state.lock();
        if state.closed {
            return false;
        }
        match worker {
            Some(worker) => state.woken[worker].push_back((cell, Instant::now())),
            None => state.outside.push_back(cell),
        }
        if state.rouses(worker.is_none()) {
            drop(state);
            self.rouse.add_permits(1);
        }
        true
    }

    /// Which of the queue's workers this thread is, if any.
    fn worker_here(&self) -> Option<usize> {
        let (queue, worker) = WORKER.get();
        (queue == self.address()).then_some(worker)
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Serves actors on this thread, as the given worker, until the queue is closed. `idle` is
    /// called before the thread sleeps.
    pub(super) async fn work(&self, worker: usize, activity: &Activity, idle: impl Fn()) {
        WORKER.set((self.address(), worker));
        let mut turn = 0_u32;
        while let Some(cell) = self.next(worker, turn, &idle).await {
            cell.run();
            activity.end();
            turn = turn.wrapping_add(1);
            if turn.is_multiple_of(TURNS_IN_A_ROW) {
                tokio::task::yield_now().await;
            }
        }
        WORKER.set((0, 0));
    }

    async fn next(&self, worker: usize, turn: u32, idle: &impl Fn()) -> Option<Waiting> {
        let (mut keeps_watch, mut was_roused) = (false, false);
        loop {
            let (next, calls) = {
                let mut state = self.state.lock();
                if keeps_watch || (was_roused && state.watch == Watch::Called) {
                    state.watch = Watch::Nobody;
                }
                let next = state.next(worker, turn);
                match next {
                    Next::Watch => state.watch = Watch::Kept,
                    Next::Sleep => state.asleep += 1,
                    Next::Run(_) | Next::End => {}
                }
                // Somebody else is to watch over what is left.
                let is_left = keeps_watch && matches!(next, Next::Run(_)) && state.is_anyone_left();
                (next, is_left && state.rouses(false))
            };
            if calls {
                self.rouse.add_permits(1);
            }
            (keeps_watch, was_roused) = (matches!(next, Next::Watch), matches!(next, Next::Sleep));
            match next {
                Next::Run(cell) => return Some(cell),
                Next::End => return None,
                // On purpose without giving the thread back: it has nothing else to do.
                Next::Watch => std::thread::sleep(WATCH),
                Next::Sleep => {
                    idle();
                    // An error means that the queue has been closed, as the next look shows.
                    if let Ok(roused) = self.rouse.acquire().await {
                        roused.forget();
                    }
                }
            }
        }
    }

    /// Ends the workers; what waits is dropped.
    pub(super) fn close(&self) {
        let waiting = {
            let mut state = self.state.lock();
            let workers = state.woken.len();
            let woken = std::iter::repeat_with(VecDeque::new).take(workers).collect();
            std::mem::replace(&mut *state, State { woken, closed: true, ..State::default() })
        };
        self.rouse.close();
        // Only now: an actor that ends here may send.
        drop(waiting);
    }
}
