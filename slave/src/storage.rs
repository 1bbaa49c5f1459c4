//! What the slave does to its disk so that another run finds it: small steps, each of which either
//! has happened or has not. Made by `checkpoint::write`, done by `disk` in their order; a test may
//! hand in a disk that is full, or that writes down what is asked of it.
//! Upstream: `os::write`, `os::mktemp`, `os::rename` as `state::checkpoint` uses them.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use libprocess::os::describe;
use prost::bytes::Bytes;

/// The mode of files that are written anew: upstream's temporary files have it, and keep it.
const PRIVATE: u32 = 0o600;

/// The mode of files that grow.
const LOG: u32 = 0o644;

/// One thing that is done to the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Makes a directory, and those above it. One that is there is fine.
    MakeDirectory(PathBuf),
    /// Writes a whole file and waits until the disk has it. What was there is gone.
    Write {
        /// The file.
        path: PathBuf,
        /// What it will hold.
        content: Bytes,
    },
    /// Makes a symbolic link; one that is there gives way.
    Link {
        /// The link.
        path: PathBuf,
        /// What it leads to.
        target: PathBuf,
    },
    /// Gives a file or link another name, at once, in the place of what bears that name.
    Rename {
        /// The name so far.
        from: PathBuf,
        /// The new one.
        to: PathBuf,
    },
    /// Waits until the disk knows the names in a directory.
    SyncDirectory(PathBuf),
    /// Adds to the end of a file and waits until the disk has it. Leaves the file as it was if
    /// that fails.
    Append {
        /// The file; it is made if need be.
        path: PathBuf,
        /// What is added.
        content: Bytes,
    },
    /// Removes a file or link. None that is there is fine.
    Remove(PathBuf),
}

impl Step {
    /// What is changed.
    fn path(&self) -> &Path {
        match self {
            Step::MakeDirectory(path) | Step::SyncDirectory(path) | Step::Remove(path) => path,
            Step::Write { path, .. } | Step::Link { path, .. } | Step::Append { path, .. } => path,
            Step::Rename { to, .. } => to,
        }
    }

    fn verb(&self) -> &'static str {
        match self {
            Step::MakeDirectory(_) => "create directory",
            Step::Write { .. } => "write",
            Step::Link { .. } => "link",
            Step::Rename { .. } => "rename to",
            Step::SyncDirectory(_) => "sync directory",
            Step::Append { .. } => "append to",
            Step::Remove(_) => "remove",
        }
    }
}

/// A step that could not be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Failed to {verb} '{}': {why}", path.display())]
pub struct StorageError {
    verb: &'static str,
    path: PathBuf,
    /// What the system said.
    why: String,
}

impl StorageError {
    /// Says of which step `error` is the failure.
    pub fn new(step: &Step, error: &io::Error) -> StorageError {
        StorageError { verb: step.verb(), path: step.path().to_owned(), why: describe(error) }
    }
}

/// Does steps. They come one at a time.
pub trait Storage: Send + Sync {
    /// Does one; blocks until it is done.
    ///
    /// # Errors
    /// It is not done, or nobody knows whether it is.
    fn perform(&self, step: &Step) -> Result<(), StorageError>;
}

/// The disk of this host.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileSystem;

impl Storage for FileSystem {
    fn perform(&self, step: &Step) -> Result<(), StorageError> {
        perform(step).map_err(|error| StorageError::new(step, &error))
    }
}

fn perform(step: &Step) -> io::Result<()> {
    match step {
        Step::MakeDirectory(path) => DirBuilder::new().recursive(true).mode(0o777).create(path),
        Step::Write { path, content } => {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(PRIVATE);
            let mut file = options.open(path)?;
            file.write_all(content)?;
            file.sync_data()
        }
        Step::Link { path, target } => {
            remove(path)?;
            symlink(target, path)
        }
        Step::Rename { from, to } => std::fs::rename(from, to),
        Step::SyncDirectory(path) => File::open(path)?.sync_all(),
        Step::Append { path, content } => {
            let mut file = OpenOptions::new().append(true).create(true).mode(LOG).open(path)?;
            let length = file.metadata()?.len();
            let added = file.write_all(content).and_then(|()| file.sync_data());
            // Half a record would hide all that follow it.
            added.inspect_err(|_| drop(file.set_len(length)))
        }
        Step::Remove(path) => remove(path),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_do_what_they_say() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let steps = [
            Step::MakeDirectory(path("a/b")),
            Step::MakeDirectory(path("a/b")),
            Step::Write { path: path("a/b/x.tmp"), content: "longer".into() },
            Step::Write { path: path("a/b/x.tmp"), content: "x".into() },
            Step::Rename { from: path("a/b/x.tmp"), to: path("a/b/x") },
            Step::SyncDirectory(path("a/b")),
            Step::Append { path: path("log"), content: "1".into() },
            Step::Append { path: path("log"), content: "2".into() },
            Step::Link { path: path("latest"), target: path("a") },
            Step::Link { path: path("latest"), target: path("a/b") },
            Step::Remove(path("none")),
        ];
        steps.iter().for_each(|step| FileSystem.perform(step).unwrap());
        assert_eq!(std::fs::read_to_string(path("latest/x")).unwrap(), "x");
        assert!(!path("a/b/x.tmp").exists());
        assert_eq!(std::fs::read_to_string(path("log")).unwrap(), "12");
        FileSystem.perform(&Step::Remove(path("latest"))).unwrap();
        assert!(path("latest").symlink_metadata().is_err());
        assert!(path("a/b/x").is_file());
    }

    #[test]
    fn a_step_that_fails_is_named() {
        let step = Step::Append { path: "/nowhere/log".into(), content: Bytes::new() };
        let error = FileSystem.perform(&step).unwrap_err().to_string();
        assert_eq!(error, "Failed to append to '/nowhere/log': No such file or directory");
    }
}
