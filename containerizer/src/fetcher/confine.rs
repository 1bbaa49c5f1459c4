//! Turning names from outside into paths that lie in the sandbox. Called by `worker` and
//! `archive` for each file they write: the fetcher runs with all privileges, and an archive may
//! hold `../x`, or a link to `/etc` and then a file below that link.
//! Upstream leaves this to `tar` and `unzip`.

use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};

/// Why a file cannot be written under its name.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// The name, or a link on the way, leads elsewhere.
    #[error("'{}' would lie outside of the sandbox", .0.display())]
    Outside(PathBuf),
    /// The way cannot be made or looked at.
    #[error("Failed to prepare '{}': {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The path of `name` below `root`. Missing directories on the way are made; whatever bears the
/// name already, unless it is a directory, is removed, so that nothing is written through a link.
pub(super) fn place(root: &Path, name: &Path) -> Result<PathBuf, ConfineError> {
    let outside = || ConfineError::Outside(name.to_owned());
    let mut parts: Vec<Component<'_>> =
        name.components().filter(|part| *part != Component::CurDir).collect();
    if !parts.iter().all(|part| matches!(part, Component::Normal(_))) {
        return Err(outside());
    }
    let last = parts.pop().ok_or_else(outside)?;
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| ConfineError::Io { path, source }
    };
    let root = root.canonicalize().map_err(io(root))?;
    let mut directory = root.clone();
    for part in parts {
        let next = directory.join(part);
        if fs::symlink_metadata(&next).is_err() {
            fs::create_dir(&next).map_err(io(&next))?;
        }
        directory = next.canonicalize().map_err(io(&next))?;
        if !directory.starts_with(&root) {
            return Err(outside());
        }
    }
    let path = directory.join(last);
    match fs::symlink_metadata(&path) {
        Ok(metadata) if !metadata.is_dir() => fs::remove_file(&path).map_err(io(&path))?,
        _ => {}
    }
    Ok(path)
}

/// As `place`, and opens the new file.
pub(super) fn create(root: &Path, name: &Path) -> Result<File, ConfineError> {
    let path = place(root, name)?;
    File::create_new(&path).map_err(|source| ConfineError::Io { path, source })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::{create, place};

    #[test]
    fn names_outside_are_refused() {
        let sandbox = tempfile::tempdir().unwrap();
        symlink("/", sandbox.path().join("root")).unwrap();
        symlink("..", sandbox.path().join("up")).unwrap();
        for name in ["/etc/x", "../x", "a/../../x", "", ".", "root/x", "up/x"] {
            let found = place(sandbox.path(), Path::new(name));
            assert!(found.is_err(), "{name:?}: {found:?}");
        }
    }

    #[test]
    fn links_inside_are_followed() {
        let sandbox = tempfile::tempdir().unwrap();
        fs::create_dir(sandbox.path().join("there")).unwrap();
        symlink("there", sandbox.path().join("here")).unwrap();
        create(sandbox.path(), Path::new("./here/deep/x")).unwrap();
        assert!(sandbox.path().join("there/deep/x").is_file());
    }

    #[test]
    fn a_link_that_bears_the_name_is_replaced() {
        let sandbox = tempfile::tempdir().unwrap();
        let outside = tempfile::NamedTempFile::new().unwrap();
        fs::write(outside.path(), "precious").unwrap();
        symlink(outside.path(), sandbox.path().join("x")).unwrap();
        create(sandbox.path(), Path::new("x")).unwrap();
        assert_eq!(fs::read_to_string(outside.path()).unwrap(), "precious");
        assert!(sandbox.path().join("x").symlink_metadata().unwrap().is_file());
    }
}
