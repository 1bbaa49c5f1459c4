//! Programs that are run beside the actors, with what they read and write as pipes.
//! Called by actors, by way of `Ctx::then`. Starting one takes file and process work, which never
//! runs on a thread of actors.
//!
//! Upstream: `process::subprocess`, `process::Subprocess`.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

use bytes::BytesMut;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe::{Receiver, Sender};

use crate::http::pipe::{Reader, Writer, pipe};
use crate::runtime::Runtime;

/// Where a program reads from.
#[derive(Debug, Default)]
pub enum Input {
    /// Where this process does.
    #[default]
    Inherited,
    /// Nowhere.
    Null,
    /// What is written to [`Subprocess::stdin`]. Upstream: `Subprocess::PIPE`.
    Pipe,
    /// A file. Upstream: `Subprocess::PATH`.
    Path(PathBuf),
    /// An open file. Upstream: `Subprocess::FD`.
    Fd(OwnedFd),
}

/// Where a program writes to.
#[derive(Debug, Default)]
pub enum Output {
    /// Where this process does.
    #[default]
    Inherited,
    /// Nowhere.
    Null,
    /// Into [`Subprocess::stdout`] or [`Subprocess::stderr`]. Upstream: `Subprocess::PIPE`.
    Pipe,
    /// Behind what a file has, which is made if need be. Upstream: `Subprocess::PATH`.
    Path(PathBuf),
    /// An open file. Upstream: `Subprocess::FD`.
    Fd(OwnedFd),
}

/// A program to run.
#[derive(Debug)]
pub struct Program {
    command: Command,
    name: OsString,
    stdin: Input,
    stdout: Output,
    stderr: Output,
}

/// Why a program does not run.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// A file to read from or to write to cannot be opened.
    #[error("Failed to open '{}': {}", path.display(), crate::os::describe(source))]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no such program, or the system has no room for it.
    #[error("Failed to run '{}': {}", program.display(), crate::os::describe(source))]
    Spawn {
        /// The program.
        program: OsString,
        /// What the system said.
        source: io::Error,
    },
    /// The runtime has ended.
    #[error("the runtime has ended")]
    NoRuntime,
}

/// A program that runs. It goes on if this is dropped, and is reaped when it ends.
pub struct Subprocess {
    /// Its number.
    pub pid: i32,
    /// What it reads, if that is a pipe; closing it is the end of its input.
    pub stdin: Option<Writer>,
    /// What it writes, if that is a pipe; dropping it breaks the pipe.
    pub stdout: Option<Reader>,
    /// What it writes as errors, if that is a pipe.
    pub stderr: Option<Reader>,
    /// Completes when it has ended.
    pub status: BoxFuture<'static, io::Result<Option<ExitStatus>>>,
}

impl Program {
    /// A program by its path, or by its name if it is in one of the usual places.
    pub fn new(program: impl Into<OsString>) -> Self {
        let name = program.into();
        Self {
            command: Command::new(&name),
            name,
            stdin: Input::default(),
            stdout: Output::default(),
            stderr: Output::default(),
        }
    }

    /// A command line for the shell.
    pub fn shell(command: &str) -> Self {
        Self::new("/bin/sh").argument("-c").argument(command)
    }

    /// The same with another argument.
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.command.arg(argument.into());
        self
    }

    /// The same with flags, each as `--name=value`, as upstream passes them.
    pub fn flags<'a>(self, flags: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        flags
            .into_iter()
            .fold(self, |this, (name, value)| this.argument(format!("--{name}={value}")))
    }

    /// The same with a variable set beside those that it inherits.
    pub fn variable(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.command.env(name.into(), value.into());
        self
    }

    /// The same without any variables but those that are set from here on.
    pub fn without_environment(mut self) -> Self {
        self.command.env_clear();
        self
    }

    /// The same in another folder.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.command.current_dir(folder.into());
        self
    }

    /// The same as the head of a process group of its own.
    pub fn own_group(mut self) -> Self {
        self.command.process_group(0);
        self
    }

    /// The same, reading from there.
    pub fn stdin(self, stdin: Input) -> Self {
        Self { stdin, ..self }
    }

    /// The same, writing to there.
    pub fn stdout(self, stdout: Output) -> Self {
        Self { stdout, ..self }
    }

    /// The same, with errors going there.
    pub fn stderr(self, stderr: Output) -> Self {
        Self { stderr, ..self }
    }

    /// Starts it. Its files are opened and its program is found when this completes.
    ///
    /// # Errors
    /// When it does not run.
    pub fn spawn(
        self,
        runtime: &Runtime,
    ) -> impl Future<Output = Result<Subprocess, SpawnError>> + Send + 'static {
        let spawned = runtime.blocking(move || self.start());
        let runtime = runtime.clone();
        async move {
            let mut child = spawned.await.ok_or(SpawnError::NoRuntime)??;
            let pid = child.id().cast_signed();
            Ok(Subprocess {
                pid,
                stdin: child.stdin.take().map(|stdin| feed(&runtime, stdin.into())),
                stdout: child.stdout.take().map(|stdout| draw(&runtime, stdout.into())),
                stderr: child.stderr.take().map(|stderr| draw(&runtime, stderr.into())),
                status: runtime.reap(pid).boxed(),
            })
        }
    }

    fn start(self) -> Result<std::process::Child, SpawnError> {
        let Self { mut command, name, stdin, stdout, stderr } = self;
        command.stdin(match stdin {
            Input::Inherited => Stdio::inherit(),
            Input::Null => Stdio::null(),
            Input::Pipe => Stdio::piped(),
            Input::Path(path) => open(path, OpenOptions::new().read(true))?,
            Input::Fd(fd) => fd.into(),
        });
        command.stdout(output(stdout)?).stderr(output(stderr)?);
        command.spawn().map_err(|source| SpawnError::Spawn { program: name, source })
    }
}

fn output(output: Output) -> Result<Stdio, SpawnError> {
    Ok(match output {
        Output::Inherited => Stdio::inherit(),
        Output::Null => Stdio::null(),
        Output::Pipe => Stdio::piped(),
        Output::Path(path) => open(path, OpenOptions::new().append(true).create(true))?,
        Output::Fd(fd) => fd.into(),
    })
}

fn open(path: PathBuf, options: &OpenOptions) -> Result<Stdio, SpawnError> {
    let opened: io::Result<File> = options.open(&path);
    opened.map(Stdio::from).map_err(|source| SpawnError::Open { path, source })
}

/// What is written to the pipe goes into `fd`.
fn feed(runtime: &Runtime, fd: OwnedFd) -> Writer {
    let (writer, mut reader) = pipe();
    runtime.run(async move {
        let Ok(mut sender) = unblocked(&fd).and_then(|()| Sender::from_owned_fd(fd)) else {
            return;
        };
        // A program that reads no more, and a writer that is gone, end the pipe for the other.
        while let Ok(Some(chunk)) = reader.read().await {
            if sender.write_all(&chunk).await.is_err() {
                return;
            }
        }
    });
    writer
}

/// What comes out of `fd` goes into the pipe.
fn draw(runtime: &Runtime, fd: OwnedFd) -> Reader {
    let (writer, reader) = pipe();
    runtime.run(async move {
        match pump(fd, &writer).await {
            Ok(()) => writer.close(),
            Err(error) => writer.fail(crate::os::describe(&error)),
        };
    });
    reader
}

async fn pump(fd: OwnedFd, writer: &Writer) -> io::Result<()> {
    /// How much is read at a time.
    const READ_BYTES: usize = 16 << 10;
    unblocked(&fd)?;
    let mut receiver = Receiver::from_owned_fd(fd)?;
    loop {
        let mut buffer = BytesMut::with_capacity(READ_BYTES);
        if receiver.read_buf(&mut buffer).await? == 0 || !writer.write(buffer) {
            return Ok(());
        }
        writer.ready().await;
    }
}

/// Lets a pipe be watched instead of waited for.
fn unblocked(fd: &OwnedFd) -> io::Result<()> {
    rustix::io::ioctl_fionbio(fd, true).map_err(io::Error::from)
}
