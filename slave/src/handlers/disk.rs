//! The disk: how full it is, how old directories may therefore become, and which of them are open
//! to be browsed.
//! Upstream: `Slave::checkDiskUsage`, `age`, `fileAttached`, `detachFile`.

use std::io;
use std::path::{Path, PathBuf};

use libprocess::{Ctx, vlog};
use nix::sys::statvfs::statvfs;
use tracing::{error, info};

use crate::slave::Slave;

impl Slave {
    /// Looks at the disk, now and again.
    pub(crate) fn check_disk_usage(&mut self, ctx: &mut Ctx<Self>) {
        let work_dir = self.config.work_dir.0.clone();
        let usage = ctx.runtime().blocking(move || usage(&work_dir));
        ctx.then(usage, |slave, ctx, usage| {
            match usage {
                Some(Ok(usage)) => slave.on_disk_usage(usage),
                Some(Err(error)) => error!("Failed to get disk usage: {error}"),
                None => error!("Failed to get disk usage: interrupted"),
            }
            ctx.after(slave.config.disk_watch_interval, Slave::check_disk_usage);
        });
    }

    /// Removes at once what is older than the disk allows.
    fn on_disk_usage(&mut self, usage: f64) {
        self.directory_age_max = self.config.directory_age_max(usage);
        info!(
            "Current disk usage {:.2}%. Max allowed age: {}",
            100.0 * usage,
            stout::duration::display(self.directory_age_max)
        );
        // What was put up for removal at least so long ago is due within the rest of the delay.
        self.gc.prune(self.config.gc_delay.saturating_sub(self.directory_age_max));
    }
}

impl Slave {
    /// Lets a file or directory be seen under `name` by `/files`.
    pub(crate) fn attach(&self, ctx: &Ctx<Self>, path: PathBuf, name: String) {
        let attached = self.parts.files.attach(path.clone(), name);
        ctx.then(attached, move |_, _, attached| match attached {
            Ok(()) => vlog!(1, "Successfully attached file '{}'", path.display()),
            Err(why) => error!("Failed to attach file '{}': {why}", path.display()),
        });
    }
}

/// The used share of the file system that holds a path. Upstream: `fs::usage`.
fn usage(path: &Path) -> io::Result<f64> {
    let status = statvfs(path)?;
    let (blocks, free) = (status.blocks() as f64, status.blocks_free() as f64);
    if blocks == 0.0 { Ok(0.0) } else { Ok((blocks - free) / blocks) }
}
