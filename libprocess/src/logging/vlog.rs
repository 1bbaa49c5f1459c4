//! Verbose lines: the sites of `vlog!`, the global level, and `GLOG_vmodule`.
//! Called by the macros, by `init.rs` and by `/logging/toggle`; writes no line itself.
//!
//! Each site knows whether it is on; when the level changes, the sites that have run so far are
//! told. So a site that is off costs one atomic load and a comparison.
//! Upstream: `VLOG`, `VLOG_IS_ON`, `google::InitVLOG3__`, `SafeFNMatch_`, `FLAGS_v`.

use std::sync::atomic::{AtomicU8, Ordering};

use parking_lot::Mutex;

use super::glog::basename;

/// Writes an INFO line if this place's verbose level is on: `vlog!(2, "Spawned process {pid}")`.
///
/// The level is a constant `i32`; the arguments are evaluated only when the line is written.
#[macro_export]
macro_rules! vlog {
    ($level:expr, $($text:tt)+) => {
        if $crate::vlog_is_on!($level) {
            $crate::logging::write(
                $crate::logging::Severity::Info, file!(), line!(), format_args!($($text)+),
            );
        }
    };
}

/// Whether `vlog!` of this level would write here: for what is dear to prepare.
#[macro_export]
macro_rules! vlog_is_on {
    ($level:expr) => {{
        static SITE: $crate::logging::Site = $crate::logging::Site::new($level, file!());
        SITE.is_on()
    }};
}

/// One `vlog!` in the source, made by the macro.
#[derive(Debug)]
pub struct Site {
    level: i32,
    file: &'static str,
    state: AtomicU8,
}

/// A site's states: not seen yet, silent, speaking.
const UNKNOWN: u8 = 0;
const OFF: u8 = 1;
const ON: u8 = 2;

impl Site {
    /// A site of this level in this source file.
    #[must_use]
    pub const fn new(level: i32, file: &'static str) -> Self {
        Self { level, file, state: AtomicU8::new(UNKNOWN) }
    }

    /// Whether this site speaks.
    #[inline]
    pub fn is_on(&'static self) -> bool {
        match self.state.load(Ordering::Relaxed) {
            OFF => false,
            ON => true,
            _ => self.register(),
        }
    }

    #[cold]
    fn register(&'static self) -> bool {
        let mut levels = LEVELS.lock();
        // Another thread may have come first.
        if self.state.load(Ordering::Relaxed) == UNKNOWN {
            levels.sites.push(self);
            levels.decide(self);
        }
        self.state.load(Ordering::Relaxed) == ON
    }
}

static LEVELS: Mutex<Levels> = Mutex::new(Levels {
    global: 0,
    original: 0,
    vmodule: VModule { rules: Vec::new() },
    sites: Vec::new(),
});

struct Levels {
    global: i32,
    original: i32,
    vmodule: VModule,
    sites: Vec<&'static Site>,
}

impl Levels {
    fn decide(&self, site: &Site) {
        let level = self.vmodule.level(site.file).unwrap_or(self.global);
        let state = if site.level <= level { ON } else { OFF };
        site.state.store(state, Ordering::Relaxed);
    }

    fn decide_all(&self) {
        self.sites.iter().for_each(|site| self.decide(site));
    }
}

/// The global verbose level, glog's `FLAGS_v`.
#[must_use]
pub fn verbosity() -> i32 {
    LEVELS.lock().global
}

/// The global verbose level that the process started with, to which a toggle returns.
#[must_use]
pub fn original_verbosity() -> i32 {
    LEVELS.lock().original
}

/// Changes the global verbose level at once; files that `GLOG_vmodule` names keep theirs.
pub fn set_verbosity(level: i32) {
    let mut levels = LEVELS.lock();
    levels.global = level;
    levels.decide_all();
}

/// What the process starts with.
pub(super) fn start(level: i32, vmodule: VModule) {
    let mut levels = LEVELS.lock();
    (levels.global, levels.original, levels.vmodule) = (level, level, vmodule);
    levels.decide_all();
}

/// The parsed `GLOG_vmodule`: patterns for file names, with the level of each.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct VModule {
    rules: Vec<(String, i32)>,
}

impl VModule {
    /// Reads `pattern=level,…`; a rule whose level is no number is passed over, as glog does.
    pub(super) fn parse(text: &str) -> Self {
        let mut rules = Vec::new();
        let mut rest = text;
        while let Some((pattern, after)) = rest.split_once('=') {
            let (level, next) = after.split_once(',').unwrap_or((after, ""));
            if let Some(level) = leading_int(level) {
                rules.push((pattern.to_owned(), level));
            }
            rest = next;
        }
        Self { rules }
    }

    /// The level of the first rule that matches the file's name up to its first dot.
    pub(super) fn level(&self, file: &str) -> Option<i32> {
        let name = basename(file);
        let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
        let rule = self.rules.iter().find(|(pattern, _)| matches(pattern.as_bytes(), stem));
        rule.map(|(_, level)| *level)
    }
}

/// glog's file name patterns: `*` is any text, `?` any one byte, all else itself.
fn matches(pattern: &[u8], name: &str) -> bool {
    let name = name.as_bytes();
    let (mut p, mut n) = (0, 0);
    // Where to go on when what followed the last star did not match.
    let mut retry = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, n));
                p += 1;
            }
            Some(&c) if c == b'?' || c == name[n] => (p, n) = (p + 1, n + 1),
            _ => {
                let Some((after_star, from)) = retry else { return false };
                retry = Some((after_star, from + 1));
                (p, n) = (after_star, from + 1);
            }
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

/// The number at the start of a text, after blanks, as C's `%d` reads it; what follows is ignored.
pub(super) fn leading_int(text: &str) -> Option<i32> {
    let text = text.trim_start();
    let sign = usize::from(text.starts_with(['-', '+']));
    let digits = text[sign..].bytes().take_while(u8::is_ascii_digit).count();
    text[..sign + digits].parse().ok()
}
