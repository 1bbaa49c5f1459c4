//! Seconds since 1970 to what a clock on the wall shows. Called by the logs; keeps no state.
//! Upstream: glog's use of `localtime_r`.
#![allow(unsafe_code)]

use nix::libc;

/// A moment in local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i32,
    /// 1 to 12.
    pub(crate) month: i32,
    pub(crate) day: i32,
    pub(crate) hour: i32,
    pub(crate) minute: i32,
    pub(crate) second: i32,
}

/// The local time of so many seconds after 1970; of 1970 itself if the year does not fit.
pub(crate) fn local(seconds: i64) -> Civil {
    let mut tm = std::mem::MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are valid for the call, and `localtime_r` keeps neither. An all-zero
    // `tm` is a valid one, so it may be read even if the call failed.
    let tm = unsafe {
        libc::localtime_r(&seconds, tm.as_mut_ptr());
        tm.assume_init()
    };
    Civil {
        year: 1900 + tm.tm_year,
        month: 1 + tm.tm_mon,
        day: tm.tm_mday,
        hour: tm.tm_hour,
        minute: tm.tm_min,
        second: tm.tm_sec,
    }
}
