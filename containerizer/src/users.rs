//! Users of the host, and giving files to them. Called by the slave for new sandboxes, by the
//! fetcher and by the launch helper. No shell is involved and no symbolic link is followed.
//! Upstream: `os::chown`, `os::su`.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{User, initgroups, setgid, setuid};

/// Why something could not be done for a user.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The user does not exist or cannot be looked up.
    #[error("Failed to get user information for '{user}': {source}")]
    Unknown {
        /// The name as given.
        user: String,
        /// What the system said; `ENOENT` if there is no such user.
        source: Errno,
    },
    /// A file could not be given away.
    #[error("Failed to chown '{}': {source}", path.display())]
    Chown {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The process could not take on the user's group.
    #[error("Failed to set gid: {0}")]
    Group(Errno),
    /// The process could not take on the user's other groups.
    #[error("Failed to set supplementary groups: {0}")]
    SupplementaryGroups(Errno),
    /// The process could not become the user.
    #[error("Failed to setuid: {0}")]
    User(Errno),
}

/// Gives a file, or a directory with all that is below it, to a user and the user's group.
/// Blocking. Symbolic links are given away themselves, not what they point to.
pub fn chown(user: &str, path: &Path) -> Result<(), UserError> {
    let user = find(user)?;
    chown_to(&user, path)
}

fn chown_to(user: &User, path: &Path) -> Result<(), UserError> {
    let failed = |source| UserError::Chown { path: path.to_owned(), source };
    if fs::symlink_metadata(path).map_err(failed)?.is_dir() {
        for entry in fs::read_dir(path).map_err(failed)? {
            chown_to(user, &entry.map_err(failed)?.path())?;
        }
    }
    lchown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).map_err(failed)
}

/// Turns this process into the user's, groups included, for good.
pub fn become_user(name: &str) -> Result<(), UserError> {
    let user = find(name)?;
    let c_name = CString::new(name)
        .map_err(|_| UserError::Unknown { user: name.to_owned(), source: Errno::ENOENT })?;
    setgid(user.gid).map_err(UserError::Group)?;
    match initgroups(&c_name, user.gid) {
        // Switching to oneself needs no privilege, save for this call.
        Ok(()) | Err(Errno::EPERM) => {}
        Err(source) => return Err(UserError::SupplementaryGroups(source)),
    }
    setuid(user.uid).map_err(UserError::User)
}

/// Looks a user up by name.
pub(crate) fn find(name: &str) -> Result<User, UserError> {
    let unknown = |source| UserError::Unknown { user: name.to_owned(), source };
    User::from_name(name).map_err(unknown)?.ok_or_else(|| unknown(Errno::ENOENT))
}
