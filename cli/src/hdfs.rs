//! Files in HDFS, by the `hadoop` program. Called by `execute`. Blocking.
//! Never gives a path to a shell.
//!
//! Upstream: `HDFS`.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Why a file was not dealt with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HdfsError {
    /// The program is not there, or does not work.
    #[error(
        "Failed to execute '{program} version'; the command was either not found or exited with \
         a non-zero exit status"
    )]
    NoClient {
        /// The program.
        program: String,
    },
    /// The program cannot be started any more.
    #[error("Failed to execute the subprocess: {0}")]
    Execute(#[from] io::Error),
    /// The file that is to be copied is not there.
    #[error("Failed to find '{}'", .0.display())]
    NoFile(PathBuf),
    /// The program failed.
    #[error(
        "Unexpected result from the subprocess: status='{status}', stdout='{stdout}', \
         stderr='{stderr}'"
    )]
    Unexpected {
        /// As `wait` gives it.
        status: i32,
        /// What it printed.
        stdout: String,
        /// What it complained about.
        stderr: String,
    },
}

/// The client.
pub(crate) struct Hdfs {
    program: String,
}

impl Hdfs {
    /// A client that uses this program, which must work.
    pub(crate) fn new(program: &str) -> Result<Self, HdfsError> {
        let version = Command::new(program).arg("version").stdin(Stdio::null()).output();
        match version {
            Ok(output) if output.status.success() => Ok(Self { program: program.to_owned() }),
            Ok(_) | Err(_) => Err(HdfsError::NoClient { program: program.to_owned() }),
        }
    }

    /// Whether a file is there.
    pub(crate) fn exists(&self, path: &str) -> Result<bool, HdfsError> {
        let output = self.run(&["-test", "-e", path])?;
        match output.status.code() {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(unexpected(&output)),
        }
    }

    /// Removes a file.
    pub(crate) fn rm(&self, path: &str) -> Result<(), HdfsError> {
        succeeded(&self.run(&["-rm", path])?)
    }

    /// Copies a local file there.
    pub(crate) fn copy_from_local(&self, from: &str, to: &str) -> Result<(), HdfsError> {
        if !Path::new(from).exists() {
            return Err(HdfsError::NoFile(from.into()));
        }
        succeeded(&self.run(&["-copyFromLocal", from, to])?)
    }

    fn run(&self, arguments: &[&str]) -> io::Result<Output> {
        Command::new(&self.program).arg("fs").args(arguments).stdin(Stdio::null()).output()
    }
}

fn succeeded(output: &Output) -> Result<(), HdfsError> {
    if output.status.success() { Ok(()) } else { Err(unexpected(output)) }
}

fn unexpected(output: &Output) -> HdfsError {
    HdfsError::Unexpected {
        status: output.status.into_raw(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
