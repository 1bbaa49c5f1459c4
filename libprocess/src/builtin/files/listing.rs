//! A folder as JSON, in the manner of `ls -l`.
//! Called by `/files/browse`, where it may block. What vanishes meanwhile is left out.
//!
//! Upstream: `FilesProcess::browse`, `jsonFileInfo`.

use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use nix::unistd::{Gid, Group, Uid, User};
use stout::json::{self, Object};

/// The entries of the folder at `path`, in order; `shown` is what the client calls it. Empty for
/// anything but a folder.
pub(super) fn list(path: &Path, shown: &str) -> Vec<u8> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    let shown = shown.strip_suffix('/').unwrap_or(shown);
    json::array(|listing| {
        for path in paths {
            match std::fs::metadata(&path) {
                Ok(metadata) => listing.object(|entry| {
                    let name = path.file_name().unwrap_or_default().to_string_lossy();
                    describe(entry, &format!("{shown}/{name}"), &metadata);
                }),
                Err(error) => {
                    tracing::warn!("Found {} in ls but stat failed: {error}", path.display())
                }
            }
        }
    })
}

fn describe(entry: &mut Object<'_>, shown: &str, metadata: &Metadata) {
    let (uid, gid) = (metadata.uid(), metadata.gid());
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name);
    let group = Group::from_gid(Gid::from_raw(gid)).ok().flatten().map(|group| group.name);
    entry.field("gid", group.unwrap_or_else(|| gid.to_string()));
    entry.field("mode", mode(metadata));
    entry.field("mtime", metadata.mtime());
    entry.field("nlink", metadata.nlink());
    entry.field("path", shown);
    entry.field("size", metadata.len());
    entry.field("uid", user.unwrap_or_else(|| uid.to_string()));
}

/// `drwxr-xr-x`
fn mode(metadata: &Metadata) -> String {
    let kind = metadata.file_type();
    let first = match () {
        () if kind.is_dir() => 'd',
        () if kind.is_char_device() => 'c',
        () if kind.is_block_device() => 'b',
        () if kind.is_fifo() => 'p',
        () if kind.is_symlink() => 'l',
        () if kind.is_socket() => 's',
        () => '-',
    };
    let bits = metadata.mode();
    let letters = "rwxrwxrwx".chars().enumerate();
    let permissions =
        letters.map(|(place, letter)| if bits & (0o400 >> place) == 0 { '-' } else { letter });
    std::iter::once(first).chain(permissions).collect()
}
