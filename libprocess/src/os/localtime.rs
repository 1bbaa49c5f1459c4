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

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::local;

    /// Not a test of its own: shows `SECONDS` in the zone `TZ`, which a process reads once.
    #[test]
    fn program() {
        if let Ok(seconds) = std::env::var("SECONDS") {
            let t = local(seconds.parse().unwrap());
            eprintln!("{}/{}/{} {}:{}:{}", t.year, t.month, t.day, t.hour, t.minute, t.second);
        }
    }

    fn check(zone: &str, seconds: i64, expected: &str) {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "os::localtime::tests::program", "--nocapture"])
            .env("TZ", zone)
            .env("SECONDS", seconds.to_string())
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(output.stderr).unwrap().trim_end(), expected, "{zone}");
    }

    #[test]
    fn zones_and_summer() {
        check("UTC", 0, "1970/1/1 0:0:0");
        check("UTC", 1_451_428_958, "2015/12/29 22:42:38");
        let europe = "CET-1CEST,M3.5.0,M10.5.0/3";
        check(europe, 1_451_428_958, "2015/12/29 23:42:38");
        check(europe, 1_459_040_399, "2016/3/27 1:59:59");
        check(europe, 1_459_040_400, "2016/3/27 3:0:0");
        check(europe, 1_477_789_200, "2016/10/30 2:0:0");
    }
}
