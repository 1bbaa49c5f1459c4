//! Enters the root directory that an image was unpacked to, with the special file systems and
//! devices that programs expect. Called in the child that becomes the task, in a mount namespace
//! that an isolator made. Never undoes anything: the namespace ends with the task.
//!
//! Upstream: `fs::chroot::enter`.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::{Mode, SFlag, mknod};
use nix::unistd::{chdir, chroot, mkdtemp, pivot_root};

/// What could not be done.
#[derive(Debug, thiserror::Error)]
#[error("Failed to {what} '{}': {source}", .path.display())]
pub struct RootfsError {
    /// The step.
    what: &'static str,
    /// What it was about.
    path: PathBuf,
    /// What the system says.
    source: io::Error,
}

/// Names the step and the file that an error is about.
trait During<T> {
    fn during(self, what: &'static str, path: &Path) -> Result<T, RootfsError>;
}

impl<T, E: Into<io::Error>> During<T> for Result<T, E> {
    fn during(self, what: &'static str, path: &Path) -> Result<T, RootfsError> {
        self.map_err(|error| RootfsError { what, path: path.to_owned(), source: error.into() })
    }
}

/// One special file system: source, target below the root, type, options, flags.
type Special =
    (Option<&'static str>, &'static str, Option<&'static str>, Option<&'static str>, MsFlags);

/// In the order in which they are mounted.
fn special_filesystems() -> [Special; 7] {
    use MsFlags as F;
    let silent = F::MS_NOSUID | F::MS_NOEXEC | F::MS_NODEV;
    [
        (Some("proc"), "proc", Some("proc"), None, silent),
        (Some("proc/sys"), "proc/sys", None, None, F::MS_BIND),
        (None, "proc/sys", None, None, F::MS_BIND | F::MS_RDONLY | F::MS_REMOUNT),
        (Some("sysfs"), "sys", Some("sysfs"), None, silent | F::MS_RDONLY),
        (Some("tmpfs"), "dev", Some("tmpfs"), Some("mode=755"), F::MS_NOSUID | F::MS_STRICTATIME),
        (
            Some("devpts"),
            "dev/pts",
            Some("devpts"),
            Some("newinstance,ptmxmode=0666"),
            F::MS_NOSUID | F::MS_NOEXEC,
        ),
        (
            Some("tmpfs"),
            "dev/shm",
            Some("tmpfs"),
            Some("mode=1777"),
            F::MS_NOSUID | F::MS_NODEV | F::MS_STRICTATIME,
        ),
    ]
}

const DEVICES: [&str; 6] = ["full", "null", "random", "tty", "urandom", "zero"];

const LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
];

/// Makes `root` the root directory of this process. Needs to be root.
///
/// # Errors
/// The first step that failed.
pub(crate) fn enter(root: &Path) -> Result<(), RootfsError> {
    const NONE: Option<&str> = None;
    let top = Path::new("/");
    mount(NONE, top, NONE, MsFlags::MS_REC | MsFlags::MS_SLAVE, NONE)
        .during("make slave mounts of", top)?;
    // Only a mount can be pivoted to.
    mount(Some(root), root, NONE, MsFlags::MS_REC | MsFlags::MS_BIND, NONE)
        .during("bind mount", root)?;
    mount_special_filesystems(root)?;
    make_devices(&root.join("dev"))?;
    // The root may be read-only, so the old one's place is in a tmpfs.
    let tmp = root.join("tmp");
    fs::create_dir_all(&tmp).during("create mount point", &tmp)?;
    let silent = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | MsFlags::MS_NODEV;
    mount(Some("tmpfs"), &tmp, Some("tmpfs"), silent, Some("mode=1777")).during("mount", &tmp)?;
    let old = tmp.join("._old_root_.XXXXXX");
    let old = mkdtemp(&old).during("create mount point", &old)?;
    chdir(root).during("chdir to", root)?;
    pivot_root(root, &old).during("pivot to", root)?;
    chroot(".").during("chroot to", root)?;
    chdir(top).during("chdir to", root)?;
    leave_behind(&top.join(old.strip_prefix(root).unwrap_or(&old)))
}

fn mount_special_filesystems(root: &Path) -> Result<(), RootfsError> {
    for (source, target, kind, options, flags) in special_filesystems() {
        let target = root.join(target);
        fs::create_dir_all(&target).during("create mount point", &target)?;
        let is_bind = flags.contains(MsFlags::MS_BIND);
        let source =
            source.map(|source| if is_bind { root.join(source) } else { PathBuf::from(source) });
        mount(source.as_deref(), &target, kind, flags, options).during("mount", &target)?;
    }
    Ok(())
}

/// Copies the devices of the host, whose permissions count, not our umask.
fn make_devices(dev: &Path) -> Result<(), RootfsError> {
    for name in DEVICES {
        let (host, device) = (Path::new("/dev").join(name), dev.join(name));
        let metadata = host.metadata().during("look at", &host)?;
        let mode = Mode::from_bits_truncate(metadata.mode());
        mknod(&device, SFlag::S_IFCHR, mode, metadata.rdev()).during("create device", &device)?;
        let permissions = fs::Permissions::from_mode(metadata.mode() & 0o7777);
        fs::set_permissions(&device, permissions).during("chmod device", &device)?;
    }
    for (target, name) in LINKS {
        let link = dev.join(name);
        symlink(target, &link).during("create link", &link)?;
    }
    Ok(())
}

/// Unmounts all that is mounted below the old root.
fn leave_behind(old: &Path) -> Result<(), RootfsError> {
    let table = Path::new("/proc/mounts");
    let mounts = fs::read_to_string(table).during("read", table)?;
    for place in mounts.lines().filter_map(|line| line.split(' ').nth(1)) {
        if Path::new(place).starts_with(old) {
            // Lazily, in any order: what is still in use goes with its last user.
            let _ = umount2(place, MntFlags::MNT_DETACH);
        }
    }
    // As long as something is still in use, an empty directory stays, which harms nobody.
    let _ = fs::remove_dir(old);
    let tmp = Path::new("/tmp");
    umount2(tmp, MntFlags::empty()).during("unmount", tmp)
}
