//! The watched file of hosts whose slaves may be offered. Read every five seconds, beside the
//! master; the allocator is told of changes. Upstream: `WhitelistWatcher`.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use libprocess::{Ctx, vlog};
use tracing::{error, warn};

use crate::constants::WHITELIST_WATCH_INTERVAL;
use crate::master::Master;

/// The hosts as last read; none if the file could not be read yet.
type Hosts = Option<BTreeSet<String>>;

/// Begins to watch the file of `--whitelist`, if there is one.
pub(crate) fn watch(master: &Master, ctx: &mut Ctx<Master>) {
    match &master.config.whitelist {
        None => vlog!(1, "No whitelist given"),
        Some(path) if path == Path::new("*") => warn!(
            "Explicitly specifying '*' for the whitelist in order to \"accept all\" is deprecated \
             and will be removed in a future release; simply don't specify the whitelist flag in \
             order to \"accept all\" slaves"
        ),
        Some(path) => read(ctx, path.as_path().into(), None),
    }
}

fn read(ctx: &mut Ctx<Master>, path: Arc<Path>, last: Hosts) {
    let file = path.clone();
    let reading = ctx.runtime().blocking(move || std::fs::read_to_string(file));
    ctx.then(reading, move |master, ctx, text| {
        // `None` when the reader's thread died, which is as good as unreadable.
        let text = text.unwrap_or_else(|| Err(io::Error::other("interrupted")));
        let hosts = hosts(&path, text, &last);
        if hosts != last {
            master.allocator.update_whitelist(hosts.clone());
        }
        ctx.after(WHITELIST_WATCH_INTERVAL, move |_, ctx| read(ctx, path, hosts));
    });
}

fn hosts(path: &Path, text: io::Result<String>, last: &Hosts) -> Hosts {
    match text {
        Err(error) => {
            error!("Error reading whitelist file: {error}. Retrying");
            last.clone()
        }
        Ok(text) => {
            if text.is_empty() {
                vlog!(1, "Empty whitelist file {}", path.display());
            }
            Some(stout::text::tokenize(&text, "\n").into_iter().map(str::to_owned).collect())
        }
    }
}

/// The path that `--whitelist` names: `file:///path` or `/path`.
pub(crate) fn path(typed: &Path) -> PathBuf {
    let text = typed.to_str().and_then(|text| text.strip_prefix("file://"));
    text.map_or_else(|| typed.to_owned(), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use super::{Hosts, hosts, path};

    #[test]
    fn whitelist_test_whitelist_slave() {
        let check = |text: io::Result<&str>, last: Hosts, expected: Option<&[&str]>| {
            let read = hosts(Path::new("/w"), text.map(str::to_owned), &last);
            let expected = expected.map(|hosts| hosts.iter().map(ToString::to_string).collect());
            assert_eq!(read, expected);
        };
        check(Ok("b\na\n\n"), None, Some(&["a", "b"]));
        // Empty is nobody, and unreadable is whoever it was before.
        check(Ok(""), Some(["a".to_owned()].into()), Some(&[]));
        let unreadable = || Err(io::Error::other("gone"));
        check(unreadable(), Some(["a".to_owned()].into()), Some(&["a"]));
        check(unreadable(), None, None);
    }

    #[test]
    fn a_whitelist_is_named_by_path_or_uri() {
        for typed in ["/etc/hosts", "file:///etc/hosts"] {
            assert_eq!(path(Path::new(typed)), Path::new("/etc/hosts"));
        }
    }
}
