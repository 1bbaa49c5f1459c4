//! What the host has, where `--resources` does not say: processors, memory, disk; and whether the
//! disks are there that it names. Called by `config`; asks the system.
//! Upstream: `Containerizer::resources`, the disk sources of `Slave::initialize`.

use std::io;
use std::path::{Path, PathBuf};

use common::resources::{ParseError, Resource, Resources, print_message};
use nix::sys::statvfs::statvfs;
use nix::sys::sysinfo::sysinfo;
use nix::unistd::{SysconfVar, sysconf};
use proto::mesos::resource::disk_info::source;
use stout::bytes::Bytes;
use tracing::warn;

use crate::constants::{DEFAULT_CPUS, DEFAULT_DISK, DEFAULT_MEM, DEFAULT_PORTS};

/// Why a disk that `--resources` names cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The directory of a PATH disk cannot be made.
    #[error("Failed to create DiskInfo path directory '{}': {source}", root.display())]
    Create {
        /// The directory.
        root: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The directory of a MOUNT disk is not there.
    #[error(
        "Failed to determine `realpath` for DiskInfo mount in resource '{resource}' with path \
         '{}': {source}",
        root.display()
    )]
    Missing {
        /// The resource.
        resource: String,
        /// The directory.
        root: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The directory of a MOUNT disk is no mount point; the wording is upstream's.
    #[error("Failed to found mount '{}' in /proc/mounts", .0.display())]
    NotMounted(PathBuf),
    /// The table of mounts cannot be read.
    #[error("Failed to open mount table to verify mounts: {0}")]
    Mounts(io::Error),
    /// A disk of another kind, or without a directory.
    #[error("Unsupported 'DiskInfo.Source.Type' in '{0}'")]
    Unsupported(String),
}

/// The resources of `--resources`, and those of the host of which it does not speak.
pub(super) fn resources(
    text: &str,
    default_role: &str,
    work_dir: &Path,
) -> Result<Resources, ParseError> {
    let mut resources = Resources::parse(text, default_role)?;
    // COMPAT: a name counts as spoken of wherever it stands in the text, as in `memory_bw:1`
    // (`Containerizer::resources`); held by `config::tests::a_name_anywhere_is_not_detected`.
    let mut detect = |name: &str, value: &dyn Fn() -> String| {
        if !text.contains(name) {
            resources += Resource::parse(name, &value(), default_role)?;
        }
        Ok::<(), ParseError>(())
    };
    detect("cpus", &|| cpus().to_string())?;
    detect("mem", &|| mem().megabytes().to_string())?;
    detect("disk", &|| disk(work_dir).megabytes().to_string())?;
    detect("ports", &|| DEFAULT_PORTS.to_owned())?;
    Ok(resources)
}

fn cpus() -> u64 {
    match sysconf(SysconfVar::_NPROCESSORS_ONLN) {
        Ok(Some(cpus)) => cpus.unsigned_abs(),
        _ => {
            warn!("Failed to auto-detect the number of cpus to use; defaulting to {DEFAULT_CPUS}");
            DEFAULT_CPUS
        }
    }
}

fn mem() -> Bytes {
    match sysinfo() {
        Ok(info) => {
            let total = Bytes::new(info.ram_total());
            keep_back(total, Bytes::from_gigabytes(2), Bytes::from_gigabytes(1))
        }
        Err(error) => {
            warn!(
                "Failed to auto-detect the size of main memory: '{error}' ; defaulting to \
                 DEFAULT_MEM"
            );
            DEFAULT_MEM
        }
    }
}

fn disk(work_dir: &Path) -> Bytes {
    match statvfs(work_dir) {
        Ok(status) => {
            let total = Bytes::new(status.blocks().saturating_mul(status.fragment_size()));
            keep_back(total, Bytes::from_gigabytes(10), Bytes::from_gigabytes(5))
        }
        Err(error) => {
            warn!("Failed to auto-detect the disk space: '{error}' ; defaulting to {DEFAULT_DISK}");
            DEFAULT_DISK
        }
    }
}

/// What is offered of `total`: all but `reserve` of what is `large`, half of what is not.
fn keep_back(total: Bytes, large: Bytes, reserve: Bytes) -> Bytes {
    if total >= large { total - reserve } else { Bytes::new(total.bytes() / 2) }
}

/// Makes the directories of PATH disks, and looks for those of MOUNT disks.
pub(super) fn check_disks(resources: &Resources) -> Result<(), DiskError> {
    for resource in &resources.to_messages() {
        let disk = resource.disk.as_ref();
        let Some(source) = disk.and_then(|disk| disk.source.as_ref()) else { continue };
        let named = || print_message(resource);
        let path = source.path.as_ref().and_then(|path| path.root.as_ref());
        let mount = source.mount.as_ref().and_then(|mount| mount.root.as_ref());
        match (source.r#type(), path, mount) {
            (source::Type::Path, Some(root), _) => {
                let root = PathBuf::from(root);
                std::fs::create_dir_all(&root)
                    .map_err(|source| DiskError::Create { root, source })?;
            }
            (source::Type::Mount, _, Some(root)) => {
                let root = PathBuf::from(root);
                let real = root.canonicalize().map_err(|source| DiskError::Missing {
                    resource: named(),
                    root,
                    source,
                })?;
                check_mounted(real)?;
            }
            _ => return Err(DiskError::Unsupported(named())),
        }
    }
    Ok(())
}

fn check_mounted(path: PathBuf) -> Result<(), DiskError> {
    let mounts = std::fs::read_to_string("/proc/mounts").map_err(DiskError::Mounts)?;
    let is_mounted = mounts.lines().any(|mount| {
        let directory = mount.split(' ').nth(1).unwrap_or_default();
        Path::new(&directory.replace("\\040", " ")) == path
    });
    if is_mounted { Ok(()) } else { Err(DiskError::NotMounted(path)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_kept_for_the_host() {
        let check = |total: u64, expected: u64| {
            let (total, expected) = (Bytes::from_megabytes(total), Bytes::from_megabytes(expected));
            let offered = keep_back(total, Bytes::from_gigabytes(2), Bytes::from_gigabytes(1));
            assert_eq!(offered, expected);
        };
        check(24_105, 23_081);
        check(2_048, 1_024);
        check(2_046, 1_023);
        check(0, 0);
    }
}
