//! The list of flags as `--help` prints it: two columns, sorted by name, each help text with
//! its own line breaks and its default at the end.
//! Called by each program's `main`, for `--help` and behind an error; never prints itself.
//! Upstream: `FlagsBase::usage`, and what `FlagsBase::add` appends to a help text.

use std::iter;

use crate::flags::{Declaration, Flags, declarations};

/// The heading and the list.
pub fn usage<T: Flags>(program: &str) -> String {
    const GAP: usize = 5;
    let rows: Vec<(String, String)> =
        declarations::<T>().values().map(|flag| (typed(flag), help(flag))).collect();
    let width = rows.iter().map(|(typed, _)| typed.len()).max().unwrap_or(0) + GAP;

    let mut text = format!("{}\n\n", T::heading(program));
    for (typed, help) in rows {
        let margins = iter::once(typed.as_str()).chain(iter::repeat(""));
        for (margin, line) in margins.zip(help.split(['\n', '\r'])) {
            text.push_str(&format!("{margin:width$}{line}\n"));
        }
    }
    text
}

/// A message, a blank line, and the usage.
pub fn usage_behind<T: Flags>(message: &str, program: &str) -> String {
    format!("{message}\n\n{}", usage::<T>(program))
}

fn typed(flag: &Declaration) -> String {
    if flag.is_boolean {
        format!("  --[no-]{}", flag.name)
    } else {
        format!("  --{}=VALUE", flag.name)
    }
}

fn help(flag: &Declaration) -> String {
    let Some(default) = &flag.default else { return flag.help.to_string() };
    let on_new_line = flag.help.is_empty() || flag.help.ends_with(['\n', '\r']);
    let separator = if on_new_line { "" } else { " " };
    format!("{}{separator}(default: {default})", flag.help)
}
