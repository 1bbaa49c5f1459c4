//! Unpacking archives into the sandbox, by libraries and never beyond it. Called by `worker`.
//! Upstream: `extract` in `launcher/fetcher.cpp`, which runs `tar`, `gzip` and `unzip`.

use std::fs::{self, File, Permissions};
use std::io::{self, BufReader, Read, Seek};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use zip::ZipArchive;
use zip::result::ZipError;

use super::confine::{self, ConfineError};

const TAR: [&str; 7] = [".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz"];
const GZIP: [u8; 2] = [0x1f, 0x8b];
const BZIP2: &[u8; 3] = b"BZh";
const XZ: &[u8; 6] = b"\xfd7zXZ\0";

/// Why an archive could not be unpacked. What was unpacked before stays.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The archive cannot be read, or a member cannot be written.
    #[error("Failed to extract '{}': {source}", archive.display())]
    Io {
        /// The archive.
        archive: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// It is no zip file, or a broken one.
    #[error("Failed to extract '{}': {source}", archive.display())]
    Zip {
        /// The archive.
        archive: PathBuf,
        /// What went wrong.
        source: ZipError,
    },
    /// A member would be written elsewhere.
    #[error("Failed to extract '{}': {source}", archive.display())]
    Confine {
        /// The archive.
        archive: PathBuf,
        /// Which member, and why.
        source: ConfineError,
    },
}

/// Why, before it is known of which archive.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Zip(#[from] ZipError),
    #[error(transparent)]
    Confine(#[from] ConfineError),
}

/// Whether a file was an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extraction {
    /// It was, and its members are in the directory now.
    Done,
    /// Its name does not say so.
    NotAnArchive,
}

/// Unpacks `archive` into `directory` if its name says that it is an archive.
pub(super) fn extract(archive: &Path, directory: &Path) -> Result<Extraction, ArchiveError> {
    let name = archive.file_name().unwrap_or_default().to_string_lossy();
    let unpacked = if TAR.iter().any(|suffix| name.ends_with(suffix)) {
        untar(archive, directory)
    } else if let Some(plain) = name.strip_suffix(".gz") {
        gunzip(archive, directory, Path::new(plain))
    } else if name.ends_with(".zip") {
        unzip(archive, directory)
    } else {
        return Ok(Extraction::NotAnArchive);
    };
    let archive = archive.to_owned();
    match unpacked {
        Ok(()) => Ok(Extraction::Done),
        Err(Failure::Io(source)) => Err(ArchiveError::Io { archive, source }),
        Err(Failure::Zip(source)) => Err(ArchiveError::Zip { archive, source }),
        Err(Failure::Confine(source)) => Err(ArchiveError::Confine { archive, source }),
    }
}

/// Like `tar -x`: the content, not the name, tells the compression; a leading `/` is dropped.
fn untar(archive: &Path, directory: &Path) -> Result<(), Failure> {
    let mut members = tar::Archive::new(decompressed(archive)?);
    members.set_overwrite(true);
    let mut directories = Vec::new();
    for member in members.entries()? {
        let mut member = member?;
        let path = member.path()?.into_owned();
        if path.components().any(|part| part == Component::ParentDir) {
            return Err(ConfineError::Outside(path).into());
        }
        // A directory that nobody may write must not be closed before it is full.
        if member.header().entry_type().is_dir() {
            directories.push(member);
        } else {
            member.unpack_in(directory)?;
        }
    }
    directories.sort_by(|a, b| b.path_bytes().cmp(&a.path_bytes()));
    for mut member in directories {
        member.unpack_in(directory)?;
    }
    Ok(())
}

fn decompressed(archive: &Path) -> io::Result<Box<dyn Read>> {
    let mut file = File::open(archive)?;
    let mut start = Vec::new();
    file.by_ref().take(XZ.len() as u64).read_to_end(&mut start)?;
    file.rewind()?;
    let file = BufReader::new(file);
    Ok(if start.starts_with(&GZIP) {
        Box::new(flate2::bufread::MultiGzDecoder::new(file))
    } else if start.starts_with(BZIP2) {
        Box::new(bzip2::bufread::MultiBzDecoder::new(file))
    } else if start.starts_with(XZ) {
        Box::new(lzma_rust2::XzReader::new(file, true))
    } else {
        Box::new(file)
    })
}

fn gunzip(archive: &Path, directory: &Path, name: &Path) -> Result<(), Failure> {
    let file = BufReader::new(File::open(archive)?);
    let mut plain = confine::create(directory, name)?;
    io::copy(&mut flate2::bufread::MultiGzDecoder::new(file), &mut plain)?;
    Ok(())
}

/// Like `unzip -o`: of two members with one name, the later one stays.
fn unzip(archive: &Path, directory: &Path) -> Result<(), Failure> {
    let mut members = ZipArchive::new(File::open(archive)?)?;
    for index in 0..members.len() {
        let mut member = members.by_index(index)?;
        let name = PathBuf::from(member.name()?.trim_start_matches('/'));
        let path = confine::place(directory, &name)?;
        if member.is_dir() {
            match fs::create_dir(&path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(error.into());
                }
                _ => continue,
            }
        }
        if member.is_symlink() {
            let mut target = String::new();
            member.read_to_string(&mut target)?;
            symlink(target, path)?;
            continue;
        }
        let mut file = File::create_new(&path)?;
        io::copy(&mut member, &mut file)?;
        if let Some(mode) = member.unix_mode() {
            file.set_permissions(Permissions::from_mode(mode & 0o777))?;
        }
    }
    Ok(())
}
