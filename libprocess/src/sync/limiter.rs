//! Permits at a steady rate: one for each interval, in the order of asking, never in bursts.
//! Called by `/metrics/snapshot` and by the master for its principals and for removing slaves.
//!
//! Upstream: `process::RateLimiter`.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::clock::{Clock, Time};

/// Grants permits with an interval between them; clones are the same limiter.
#[derive(Clone)]
pub struct RateLimiter {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Clock,
    interval: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// When the next permit may be granted; at once if absent.
    next: Option<Time>,
    waiting: VecDeque<oneshot::Sender<()>>,
}

impl RateLimiter {
    /// A limiter that grants a permit in each `interval`: `permits` in a `duration` are one in
    /// each `duration / permits`.
    pub fn new(clock: &Clock, interval: Duration) -> Self {
        let shared = Shared { clock: clock.clone(), interval, state: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Completes when a permit is granted. The place in the queue is taken at once, and given up
    /// when the future is dropped.
    #[must_use = "the place is given up with the future"]
    pub fn acquire(&self) -> impl Future<Output = ()> + Send + 'static {
        let (grant, granted) = oneshot::channel();
        let shared = self.shared.clone();
        let mut state = shared.state.lock();
        let now = shared.clock.now();
        if !state.waiting.is_empty() {
            state.waiting.push_back(grant);
        } else if let Some(next) = state.next.filter(|next| *next > now) {
            state.waiting.push_back(grant);
            shared.clone().grant_at(next);
        } else {
            state.next = Some(now + shared.interval);
            // The receiver is at hand, just above.
            let _ = grant.send(());
        }
        drop(state);
        async move {
            // The queue lives as long as this does.
            let _ = (granted.await, shared);
        }
    }
}

impl Shared {
    fn grant_at(self: Arc<Self>, moment: Time) {
        let clock = self.clock.clone();
        clock.at(moment, Box::new(move || self.grant()));
    }

    /// Grants a permit to the first who still waits.
    fn grant(self: Arc<Self>) {
        let mut state = self.state.lock();
        while let Some(first) = state.waiting.pop_front() {
            if first.send(()).is_ok() {
                state.next = Some(self.clock.now() + self.interval);
                break;
            }
        }
        // Who still waits does so behind one who has just been served.
        let next = state.next.filter(|_| !state.waiting.is_empty());
        drop(state);
        if let Some(next) = next {
            self.grant_at(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const INTERVAL: Duration = Duration::from_micros(2_500);

    fn paused() -> (Clock, RateLimiter) {
        let clock = Clock::default();
        clock.pause();
        let limiter = RateLimiter::new(&clock, INTERVAL);
        (clock, limiter)
    }

    #[test]
    fn limiter_test_acquire() {
        let (clock, limiter) = paused();
        let [first, second, third] = [(); 3].map(|()| limiter.acquire().boxed());
        assert!(first.now_or_never().is_some());
        let mut second = second;
        assert!((&mut second).now_or_never().is_none());
        clock.advance(INTERVAL);
        assert!(second.now_or_never().is_some());
        let mut third = third;
        assert!((&mut third).now_or_never().is_none());
        clock.advance(INTERVAL);
        assert!(third.now_or_never().is_some());
    }

    #[test]
    fn limiter_test_discard_middle() {
        let (clock, limiter) = paused();
        let [first, second, third, fourth] = [(); 4].map(|()| limiter.acquire().boxed());
        assert!(first.now_or_never().is_some());
        drop(second);
        clock.advance(INTERVAL);
        assert!(third.now_or_never().is_some());
        clock.advance(INTERVAL);
        assert!(fourth.now_or_never().is_some());
    }

    #[test]
    fn limiter_test_discard_last() {
        let (clock, limiter) = paused();
        let [first, second] = [(); 2].map(|()| limiter.acquire().boxed());
        assert!(first.now_or_never().is_some());
        drop(second);
        let third = limiter.acquire();
        clock.advance(INTERVAL);
        assert!(third.now_or_never().is_some());
    }
}
