//! The two clocks of the trace: a fine one for what is recorded, and a coarse one, five times as
//! cheap, for everything else. Both count nanoseconds from the same moment.
//! Called by `trace`. Never the clock that actors see: tests may stop that one.

use nix::time::{ClockId, clock_getres, clock_gettime};

fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock).expect("every Linux has these clocks");
    // Since boot: neither part is negative.
    time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
}

/// To the nanosecond.
pub(super) fn fine() -> u64 {
    read(ClockId::CLOCK_MONOTONIC)
}

/// As of the last tick of the system.
pub(super) fn coarse() -> u64 {
    read(ClockId::CLOCK_MONOTONIC_COARSE)
}

/// How far apart two ticks are.
pub(super) fn coarse_step() -> u64 {
    let step = clock_getres(ClockId::CLOCK_MONOTONIC_COARSE).expect("every Linux has this clock");
    step.tv_sec() as u64 * 1_000_000_000 + step.tv_nsec() as u64
}

/// What makes a reading one of nanoseconds since the epoch.
pub(super) fn to_unix() -> u64 {
    read(ClockId::CLOCK_REALTIME).saturating_sub(fine())
}
