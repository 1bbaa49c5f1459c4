//! A small disk of a test's own, which can be filled to the last byte.
//! Called by drills that may mount (`needs::mounts`). The thread that makes it, and all that it
//! starts, see it; it ends with them.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

/// What a disk holds.
const SIZE: &str = "size=64m";

/// A disk in the place of a folder.
pub struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// Puts an empty disk in the place of a folder, which need not be there.
    pub fn mount(folder: &Path) -> Self {
        // Mounts of a namespace of its own are nobody else's, and go with its last process.
        unshare(CloneFlags::CLONE_NEWNS).expect("root may have mounts of its own");
        let (nothing, private) = (None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE);
        mount(nothing, "/", nothing, private, nothing).expect("they are its own");
        fs::create_dir_all(folder).expect("a folder");
        let (kind, flags) = (Some("tmpfs"), MsFlags::empty());
        mount(kind, folder, kind, flags, Some(SIZE)).expect("root may mount");
        Self { folder: folder.to_owned() }
    }

    /// Leaves room for nothing more, but in the last blocks of files that are there.
    pub fn fill(&self) {
        let mut ballast = File::create(self.ballast()).expect("there is room for a name");
        let error = loop {
            if let Err(error) = ballast.write_all(&[0; 4_096]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
    }

    /// Makes room again.
    pub fn free(&self) {
        fs::remove_file(self.ballast()).expect("it was filled");
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What still uses it may go on to do so.
        let _ = umount2(&self.folder, MntFlags::MNT_DETACH);
    }
}
