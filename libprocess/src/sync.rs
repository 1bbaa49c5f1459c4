//! What actors need to take turns and tokio lacks, on the runtime's clock.
//! Called by actors; everything here also works while the clock is paused.
//! Never blocks a thread.

mod limiter;
mod sequence;

pub use limiter::RateLimiter;
pub use sequence::{Discarded, Sequence, Turn};
