//! The files below LevelDB: what the library asks of a file system, with upstream's names for
//! tables, upstream's lock, real synchronization, and no error forgotten.
//! Called by the library on behalf of `leveldb`. Knows nothing of records.
//!
//! The library keeps errors of reads and of some writes to itself and goes on as if what it could
//! not read were empty. So the first error of any file is kept here and, from then on, nothing more
//! can be read or written: whoever opened the files asks for it and opens them anew. That a file is
//! damaged is such an error, so all that is read is checked here.
//!
//! Upstream: `PosixEnv` of LevelDB 1.4.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Cursor, ErrorKind, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use libprocess::os::describe;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use rusty_leveldb::env::{Env, FileLock, Logger, RandomAccess};
use rusty_leveldb::{Status, StatusCode};
use tracing::info;

use super::checked::{self, Damage, FOOTER, TRAILER};

type Result<T> = rusty_leveldb::Result<T>;

/// What the files and their owner tell each other.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// The first error of any file.
    fault: Mutex<Option<String>>,
    /// Whether what is written to logs may stay in the system's memory for now.
    lazy: AtomicBool,
}

impl Shared {
    /// The error after which nothing was done any more.
    pub(crate) fn fault(&self) -> Option<String> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets writes to logs return before they are on disk, or forbids it.
    pub(super) fn set_lazy(&self, lazy: bool) {
        self.lazy.store(lazy, Ordering::Relaxed);
    }

    fn check(&self) -> io::Result<()> {
        self.fault().map_or(Ok(()), |fault| Err(io::Error::other(fault)))
    }

    /// Keeps an error, unless an earlier one is kept.
    fn keep<T>(&self, path: &Path, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result {
            let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
            fault.get_or_insert_with(|| text(path, error));
        }
        result
    }
}

/// As LevelDB prints it.
fn text(path: &Path, error: &io::Error) -> String {
    let kind = if error.kind() == ErrorKind::InvalidData { "Corruption" } else { "IO error" };
    format!("{kind}: {}: {}", path.display(), describe(error))
}

fn status(path: &Path, error: &io::Error) -> Status {
    let code = match error.kind() {
        ErrorKind::NotFound => StatusCode::NotFound,
        _ => StatusCode::IOError,
    };
    Status { code, err: text(path, error) }
}

/// The file system as the library sees it.
pub(super) struct Files {
    shared: Arc<Shared>,
    locks: RefCell<HashMap<String, File>>,
}

impl Files {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, locks: RefCell::default() }
    }

    /// Does something with a file that ought to succeed.
    fn must<T>(&self, path: &Path, act: impl FnOnce(&Path) -> io::Result<T>) -> Result<T> {
        let path = &on_disk(path);
        let result = self.shared.check().and_then(|()| self.shared.keep(path, act(path)));
        result.map_err(|error| status(path, &error))
    }

    fn output(&self, path: &Path, options: &OpenOptions) -> Result<Box<dyn Write>> {
        let file = self.must(path, |path| options.open(path))?;
        let is_log = path.extension().is_some_and(|extension| extension == "log");
        let shared = self.shared.clone();
        Ok(Box::new(Output { file, path: on_disk(path), is_log, shared }))
    }
}

/// COMPAT: LevelDB 1.4 calls tables `.sst` and does not see `.ldb`, as the library and later
/// versions call them; held by `log_storage_tables_are_named_as_upstream_names_them`.
fn on_disk(path: &Path) -> PathBuf {
    match path.extension() {
        Some(extension) if extension == "ldb" => path.with_extension("sst"),
        _ => path.to_owned(),
    }
}

impl Env for Files {
    fn open_sequential_file(&self, path: &Path) -> Result<Box<dyn Read>> {
        // That CURRENT is not there is how a new log is known.
        let found = path.exists() || !path.ends_with("CURRENT");
        let missing = || status(path, &ErrorKind::NotFound.into());
        let path = found.then_some(path).ok_or_else(missing)?;
        Ok(Box::new(Cursor::new(self.must(path, read)?)))
    }

    fn open_random_access_file(&self, path: &Path) -> Result<Box<dyn RandomAccess>> {
        let (file, size) = self.must(path, open_table)?;
        Ok(Box::new(Table { file, size, path: on_disk(path), shared: self.shared.clone() }))
    }

    fn open_writable_file(&self, path: &Path) -> Result<Box<dyn Write>> {
        if path.ends_with("LOG") {
            // The library's own journal, which nothing depends on.
            let file = File::create(path).map_err(|error| status(path, &error))?;
            return Ok(Box::new(file));
        }
        self.output(path, OpenOptions::new().create(true).truncate(true).write(true))
    }

    fn open_appendable_file(&self, path: &Path) -> Result<Box<dyn Write>> {
        self.output(path, OpenOptions::new().create(true).append(true))
    }

    fn exists(&self, path: &Path) -> Result<bool> {
        Ok(on_disk(path).exists())
    }

    fn children(&self, path: &Path) -> Result<Vec<PathBuf>> {
        let entries =
            self.must(path, |path| fs::read_dir(path)?.collect::<io::Result<Vec<_>>>())?;
        let names = entries.into_iter().map(|entry| PathBuf::from(entry.file_name()));
        // The library takes names for text.
        Ok(names.filter(|name| name.to_str().is_some()).collect())
    }

    fn size_of(&self, path: &Path) -> Result<usize> {
        let length = self.must(path, |path| Ok(fs::metadata(path)?.len()))?;
        Ok(usize::try_from(length).unwrap_or(usize::MAX))
    }

    fn delete(&self, path: &Path) -> Result<()> {
        // A file that stays is no fault: it is tried again.
        let path = on_disk(path);
        let deleted = self.shared.check().and_then(|()| fs::remove_file(&path));
        deleted.map_err(|error| status(&path, &error))
    }

    fn mkdir(&self, path: &Path) -> Result<()> {
        // COMPAT: LevelDB makes the last folder alone, and the lock shows what is wrong; held by
        // `a_log_without_a_parent_folder_is_refused`.
        fs::create_dir(path).map_err(|error| status(path, &error))
    }

    fn rmdir(&self, path: &Path) -> Result<()> {
        fs::remove_dir(path).map_err(|error| status(path, &error))
    }

    fn rename(&self, old: &Path, new: &Path) -> Result<()> {
        if new.ends_with("LOG.old") {
            return fs::rename(old, new).map_err(|error| status(old, &error));
        }
        self.must(old, |old| {
            File::open(old)?.sync_all()?;
            fs::rename(old, on_disk(new))?;
            // The folder has the name, on disk, only now.
            new.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
        })
    }

    fn lock(&self, path: &Path) -> Result<FileLock> {
        let open = OpenOptions::new().create(true).truncate(false).write(true).open(path);
        let file = open.map_err(|error| status(path, &error))?;
        let whole = libc::flock {
            l_type: libc::F_WRLCK as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        // Stands in the way of upstream's `F_SETLK`, and of this process's other logs.
        fcntl(&file, FcntlArg::F_OFD_SETLK(&whole)).map_err(|errno| Status {
            code: StatusCode::IOError,
            err: format!("IO error: lock {}: {}", path.display(), describe(&errno.into())),
        })?;
        if let Some(folder) = path.parent() {
            self.must(folder, adopt)?;
        }
        let id = path.display().to_string();
        self.locks.borrow_mut().insert(id.clone(), file);
        Ok(FileLock { id })
    }

    fn unlock(&self, lock: FileLock) -> Result<()> {
        self.locks.borrow_mut().remove(&lock.id);
        Ok(())
    }

    fn new_logger(&self, path: &Path) -> Result<Logger> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        Ok(Logger::new(Box::new(file.map_err(|error| status(path, &error))?)))
    }

    /// Only for the library's own journal, which can do without.
    fn micros(&self) -> u64 {
        0
    }

    /// The library never asks for it.
    fn sleep_for(&self, _: u32) {}
}

/// Takes over what another LevelDB has written, whose lock is held: tables get the names that all
/// versions read. Without CURRENT the library would begin anew, so that must be right.
fn adopt(folder: &Path) -> io::Result<()> {
    let is_new = !folder.join("CURRENT").exists();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if is_new && matches!(extension, Some("log" | "ldb" | "sst")) {
            let file = path.file_name().unwrap_or_default().display();
            return Err(io::Error::other(format!("There is {file}, but no CURRENT")));
        }
        if extension == Some("ldb") {
            fs::rename(&path, on_disk(&path))?;
        }
    }
    Ok(())
}

/// What is to be read of CURRENT, a manifest or a log.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = fs::read(path)?;
    if !path.ends_with("CURRENT") {
        let written = checked::written(&bytes)?;
        if bytes[written..].iter().any(|byte| *byte != 0) {
            info!("Passing over the end of {}, whose last write was cut off", path.display());
        }
        bytes.truncate(written);
    }
    Ok(bytes)
}

fn open_table(path: &Path) -> io::Result<(File, u64)> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut footer = [0; FOOTER];
    let offset = size.saturating_sub(FOOTER as u64);
    let read = fill(&file, offset, &mut footer)?;
    let is_whole = read == FOOTER && checked::is_footer(&footer, size);
    if is_whole { Ok((file, size)) } else { Err(Damage(offset).into()) }
}

/// Reads all that fits or is left.
fn fill(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match FileExt::read_at(file, &mut buffer[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

struct Table {
    file: File,
    size: u64,
    path: PathBuf,
    shared: Arc<Shared>,
}

impl Table {
    fn read(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let done = fill(&self.file, offset, buffer)?;
        let end = offset + done as u64;
        // The footer was seen when it was opened.
        if done == buffer.len() && (end == self.size || self.is_intact(end, buffer)?) {
            return Ok(done);
        }
        Err(Damage(offset).into())
    }

    /// Whether a block has its checksum: the library reads all but filters with their trailers.
    fn is_intact(&self, end: u64, block: &[u8]) -> io::Result<bool> {
        if checked::is_block(block) {
            return Ok(true);
        }
        let mut trailer = [0; TRAILER];
        let read = fill(&self.file, end, &mut trailer)?;
        Ok(checked::is_block(&[block, &trailer[..read]].concat()))
    }
}

impl RandomAccess for Table {
    fn read_at(&self, offset: usize, buffer: &mut [u8]) -> Result<usize> {
        let read = self.shared.check().and_then(|()| self.read(offset as u64, buffer));
        self.shared.keep(&self.path, read).map_err(|error| status(&self.path, &error))
    }
}

struct Output {
    file: File,
    path: PathBuf,
    is_log: bool,
    shared: Arc<Shared>,
}

impl Write for Output {
    /// All of it: the library counts what it hands over, not what was taken.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.shared.check()?;
        self.shared.keep(&self.path, self.file.write_all(bytes))?;
        Ok(bytes.len())
    }

    /// To the disk itself, which the library means by it.
    fn flush(&mut self) -> io::Result<()> {
        self.shared.check()?;
        if self.is_log && self.shared.lazy.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.shared.keep(&self.path, self.file.sync_data())
    }
}
