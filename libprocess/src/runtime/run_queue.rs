//! The actors that wait for a thread, and the threads that wait for an actor.
//! Called by `threads` only. Never knows what an actor does.
//!
//! An actor that another actor has woken is best served by the thread that woke it, next: what
//! was just written is in that processor's cache, and nobody has to be roused. So each worker has
//! a queue of its own, and a sleeping worker is roused at once only for what comes from outside:
//! one at a time, which rouses the next if it finds more than it takes.
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

/// How many actors that have ended a worker keeps, to give back their memory at one go: others,
/// who take memory all the while, would be in the way of each.
const ENDED_MAX: usize = 32;

thread_local! {
    /// The run queue, by its address, that this thread works for, and which of its workers it is.
    static WORKER: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

type Waiting = Arc<dyn AnyCell>;

struct State<T> {
    /// Woken from outside.
    outside: VecDeque<T>,
    /// Woken by each of the workers, and when.
    woken: Vec<VecDeque<(T, Instant)>>,
    /// Workers that sleep and have not been roused.
    asleep: usize,
    /// One has been roused and is not there yet.
    is_coming: bool,
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

/// What a worker has done before it looks for what to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Work,
    Watch,
    Sleep,
}

/// What a worker does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next<T> {
    Run(T),
    /// Something waits that is for another worker, unless it waits for long.
    Watch,
    Sleep,
    End,
}

impl<T> State<T> {
    fn new(workers: usize) -> Self {
        Self {
            outside: VecDeque::new(),
            woken: std::iter::repeat_with(VecDeque::new).take(workers).collect(),
            asleep: 0,
            is_coming: false,
            watch: Watch::Nobody,
            closed: false,
        }
    }

    /// Puts an actor behind those that wait; tells whether a sleeping worker is to be roused.
    fn push(&mut self, worker: Option<usize>, item: T, now: impl FnOnce() -> Instant) -> bool {
        match worker {
            Some(worker) => self.woken[worker].push_back((item, now())),
            None => self.outside.push_back(item),
        }
        self.rouses(worker.is_none())
    }

    /// What `worker` does next, and whether another one is to be roused to watch over the rest.
    fn step(&mut self, worker: usize, turn: u32, after: After) -> (Next<T>, bool) {
        if after == After::Sleep {
            self.is_coming = false;
        }
        let watches =
            after == After::Watch || (after == After::Sleep && self.watch == Watch::Called);
        if watches {
            self.watch = Watch::Nobody;
        }
        let next = self.next(worker, turn);
        match next {
            Next::Watch => self.watch = Watch::Kept,
            Next::Sleep => self.asleep += 1,
            Next::Run(_) | Next::End => {}
        }
        // Whoever has come for more than it takes hands that on: the work may take long.
        let hands_on = after != After::Work && matches!(next, Next::Run(_));
        let calls = hands_on && self.is_anyone_left() && self.rouses(!self.outside.is_empty());
        (next, calls)
    }

    fn next(&mut self, worker: usize, turn: u32) -> Next<T> {
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

    fn look_after_others(&mut self) -> Next<T> {
        let oldest = |queue: &&mut VecDeque<(T, Instant)>| queue.front().map(|(_, at)| *at);
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

    /// Whether a sleeping worker is to be roused for what waits.
    fn rouses(&mut self, from_outside: bool) -> bool {
        if !from_outside {
            let is_nobody_free = self.asleep == 0 && !self.is_coming;
            if self.watch != Watch::Nobody || is_nobody_free {
                return false;
            }
            self.watch = Watch::Called;
        }
        if self.asleep == 0 || self.is_coming {
            return false;
        }
        self.asleep -= 1;
        self.is_coming = true;
        true
    }
}

/// The run queue of one runtime.
pub(super) struct RunQueue {
    state: Mutex<State<Waiting>>,
    /// A permit for each sleeping worker that has been roused.
    rouse: Semaphore,
}

impl RunQueue {
    pub(super) fn new(workers: usize) -> Self {
        Self { state: Mutex::new(State::new(workers)), rouse: Semaphore::new(0) }
    }

    /// Puts an actor behind those that wait; false if nobody runs any more.
    pub(super) fn push(&self, cell: Arc<dyn AnyCell>) -> bool {
        let worker = self.worker_here();
        let mut state = self.state.lock();
        if state.closed {
            return false;
        }
        if state.push(worker, cell, Instant::now) {
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
    /// called before the thread sleeps, and at the end.
    pub(super) async fn work(&self, worker: usize, activity: &Activity, idle: impl Fn()) {
        WORKER.set((self.address(), worker));
        let mut ended = Ended { cells: Vec::with_capacity(ENDED_MAX), activity };
        let mut turn = 0_u32;
        while let Some(cell) = self.next(worker, turn, &mut ended, &idle).await {
            if cell.run() {
                ended.add(cell);
            } else {
                drop(cell);
                activity.end();
            }
            turn = turn.wrapping_add(1);
            if turn.is_multiple_of(TURNS_IN_A_ROW) {
                ended.clear();
                tokio::task::yield_now().await;
            }
        }
        drop(ended);
        idle();
        WORKER.set((0, 0));
    }

    async fn next(
        &self,
        worker: usize,
        turn: u32,
        ended: &mut Ended<'_>,
        idle: &impl Fn(),
    ) -> Option<Waiting> {
        let mut after = After::Work;
        loop {
            let (next, calls) = self.state.lock().step(worker, turn, after);
            if calls {
                self.rouse.add_permits(1);
            }
            after = match next {
                Next::Run(cell) => return Some(cell),
                Next::End => return None,
                Next::Watch => {
                    ended.clear();
                    // On purpose without giving the thread back: it has nothing else to do.
                    std::thread::sleep(WATCH);
                    After::Watch
                }
                Next::Sleep => {
                    ended.clear();
                    idle();
                    // An error means that the queue has been closed, as the next look shows.
                    if let Ok(roused) = self.rouse.acquire().await {
                        roused.forget();
                    }
                    After::Sleep
                }
            };
        }
    }

    /// Ends the workers; what waits is dropped.
    pub(super) fn close(&self) {
        let waiting = {
            let mut state = self.state.lock();
            let workers = state.woken.len();
            std::mem::replace(&mut *state, State { closed: true, ..State::new(workers) })
        };
        self.rouse.close();
        // Only now: an actor that ends here may send.
        drop(waiting);
    }
}

/// Actors that have ended on a worker's thread. Until they are gone for good, that is activity.
struct Ended<'a> {
    cells: Vec<Waiting>,
    activity: &'a Activity,
}

impl Ended<'_> {
    fn add(&mut self, cell: Waiting) {
        self.cells.push(cell);
        if self.cells.len() == ENDED_MAX {
            self.clear();
        }
    }

    fn clear(&mut self) {
        for cell in self.cells.drain(..) {
            drop(cell);
            self.activity.end();
        }
    }
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A moment so long ago that what waits since then is for anybody.
    fn long_ago() -> Instant {
        Instant::now() - 2 * WATCH
    }

    /// A moment that has not come: what waits since then is for its own worker.
    fn just_now() -> Instant {
        Instant::now() + Duration::from_secs(3_600)
    }

    /// Of `workers`, all but the first sleep.
    fn queue(workers: usize) -> State<char> {
        State { asleep: workers - 1, ..State::new(workers) }
    }

    #[test]
    fn a_worker_alternates_between_its_own_and_what_comes_from_outside() {
        let mut state = queue(1);
        for item in ['a', 'b'] {
            assert!(!state.push(Some(0), item, just_now));
        }
        for item in ['x', 'y'] {
            assert!(!state.push(None, item, just_now));
        }
        for (turn, item) in (0..).zip(['a', 'x', 'b', 'y']) {
            assert_eq!(state.step(0, turn, After::Work), (Next::Run(item), false));
        }
        assert_eq!(state.step(0, 4, After::Work), (Next::Sleep, false));
        assert_eq!(state.asleep, 1);
    }

    #[test]
    fn what_comes_from_outside_rouses_one_sleeper_after_the_other() {
        let mut state = queue(3);
        assert!(state.push(None, 'x', just_now));
        for item in ['y', 'z'] {
            assert!(!state.push(None, item, just_now), "one is on its way");
        }
        assert_eq!(state.step(1, 0, After::Sleep), (Next::Run('x'), true));
        assert_eq!(state.step(2, 0, After::Sleep), (Next::Run('y'), false), "nobody sleeps");
        assert_eq!(state.step(2, 1, After::Work), (Next::Run('z'), false));
        assert_eq!(state.step(2, 2, After::Work), (Next::Sleep, false));
        assert!(state.push(None, 'x', just_now), "the other one may be busy for long");
        assert_eq!(state.watch, Watch::Nobody);
    }

    #[test]
    fn one_that_comes_for_another_reason_is_called_to_watch_too() {
        let mut state = State { asleep: 1, ..queue(3) };
        assert!(state.push(None, 'x', just_now));
        assert!(!state.push(Some(0), 'a', just_now), "one is on its way");
        assert_eq!(state.watch, Watch::Called);
        assert_eq!(state.step(1, 0, After::Sleep), (Next::Run('x'), false), "nobody else sleeps");
        assert_eq!(state.step(1, 1, After::Work), (Next::Watch, false));
    }

    #[test]
    fn one_alone_is_called_to_watch_and_leaves_what_is_fresh() {
        // Worker 2 is busy at first.
        let mut state = State { asleep: 1, ..queue(3) };
        assert!(state.push(Some(0), 'a', just_now));
        assert!(!state.push(Some(0), 'b', just_now), "one has been called already");
        assert_eq!(state.step(1, 0, After::Sleep), (Next::Watch, false));
        assert_eq!(state.step(1, 0, After::Watch), (Next::Watch, false));
        // Another need not watch beside it.
        assert_eq!(state.step(2, 0, After::Work), (Next::Sleep, false));
        assert_eq!(state.step(0, 0, After::Work), (Next::Run('a'), false));
        assert_eq!(state.step(0, 1, After::Work), (Next::Run('b'), false));
        assert_eq!(state.step(1, 0, After::Watch), (Next::Sleep, false));
        assert_eq!((state.watch, state.asleep), (Watch::Nobody, 2));
    }

    #[test]
    fn who_finds_work_hands_the_watch_on() {
        for first in [After::Sleep, After::Watch] {
            let mut state = queue(4);
            assert!(state.push(Some(0), 'a', long_ago));
            for item in ['b', 'c'] {
                assert!(!state.push(Some(0), item, long_ago));
            }
            if first == After::Watch {
                (state.is_coming, state.watch) = (false, Watch::Kept);
            }
            // Worker 0 is busy all the while, and so is each of the others from here on.
            assert_eq!(state.step(1, 0, first), (Next::Run('a'), true));
            assert_eq!(state.step(2, 0, After::Sleep), (Next::Run('b'), true));
            assert_eq!(state.step(3, 0, After::Sleep), (Next::Run('c'), false));
            assert_eq!((state.watch, state.asleep), (Watch::Nobody, 0));
        }
    }

    #[test]
    fn what_has_waited_longest_is_taken_first() {
        let mut state = queue(3);
        let oldest = long_ago();
        state.push(Some(1), 'b', || oldest + WATCH / 2);
        state.push(Some(0), 'a', || oldest);
        assert_eq!(state.step(2, 0, After::Work).0, Next::Run('a'));
        assert_eq!(state.step(2, 1, After::Work).0, Next::Run('b'));
    }

    #[test]
    fn a_closed_queue_ends_its_workers_and_takes_no_more() {
        let mut state = queue(1);
        state.push(None, 'x', just_now);
        state.closed = true;
        assert_eq!(state.step(0, 0, After::Work), (Next::End, false));
    }
}
