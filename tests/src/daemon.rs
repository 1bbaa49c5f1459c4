//! A program under test as a child process: started, watched line by line, killed.
//! Called by `cluster` and by tests of single programs. Ends only what it started, by its pid.
//! Waits for lines, never for time to pass; a line that does not come fails the test with all
//! that was printed.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long a line, or an end, may take before the test fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Output {
    lines: Vec<String>,
    open: usize,
}

#[derive(Default)]
struct Watched {
    output: Mutex<Output>,
    changed: Condvar,
}

impl Watched {
    fn lock(&self) -> MutexGuard<'_, Output> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running program; it is killed when this is dropped.
pub struct Daemon {
    name: String,
    child: Child,
    watched: Arc<Watched>,
}

/// Where cargo puts our binaries.
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let folder = test.parent().and_then(Path::parent).expect("tests run from target/*/deps");
    let path = folder.join(name);
    assert!(path.exists(), "{} is not built: run `cargo xtask test`", path.display());
    path
}

impl Daemon {
    /// Starts one of our binaries with `arguments` and an environment without `MESOS_*`.
    pub fn start(name: &str, arguments: &[String]) -> Self {
        let mut command = Command::new(binary(name));
        command.args(arguments);
        Self::spawn(name, command)
    }

    /// Starts any program.
    pub fn spawn(name: &str, mut command: Command) -> Self {
        for (variable, _) in std::env::vars_os() {
            let text = variable.to_string_lossy();
            let is_ours = command.get_envs().any(|(name, _)| name == variable);
            let prefixes = ["MESOS_", "LIBPROCESS_", "GLOG_"];
            if !is_ours && prefixes.iter().any(|prefix| text.starts_with(prefix)) {
                command.env_remove(&variable);
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let watched = Arc::new(Watched::default());
        let streams: [Box<dyn Read + Send>; 2] = [
            Box::new(child.stdout.take().expect("it is piped")),
            Box::new(child.stderr.take().expect("it is piped")),
        ];
        watched.lock().open = streams.len();
        for stream in streams {
            let watched = watched.clone();
            std::thread::spawn(move || follow(stream, &watched));
        }
        Self { name: name.to_owned(), child, watched }
    }

    /// Waits for a line that contains `text`; gives the first.
    pub fn wait_for(&self, text: &str) -> String {
        self.wait_for_after(0, text).1
    }

    /// Waits for a line that contains `text` among those from number `start` on; gives the number
    /// of the line after it, and the line.
    pub fn wait_for_after(&self, start: usize, text: &str) -> (usize, String) {
        let deadline = Instant::now() + PATIENCE;
        let mut output = self.watched.lock();
        loop {
            let lines = output.lines.get(start..).unwrap_or_default();
            if let Some(found) = lines.iter().position(|line| line.contains(text)) {
                return (start + found + 1, lines[found].clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if output.open == 0 || left.is_zero() {
                panic!("{} printed no '{text}':\n{}", self.name, output.lines.join("\n"));
            }
            let waited = self.watched.changed.wait_timeout(output, left);
            output = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// How many lines it has printed so far.
    pub fn line_count(&self) -> usize {
        self.watched.lock().lines.len()
    }

    /// All that it has printed so far, on both streams.
    pub fn printed(&self) -> String {
        self.watched.lock().lines.join("\n")
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a pid fits"))
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).expect("it has not been waited for");
    }

    /// Kills it and waits until it is gone.
    pub fn kill(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        self.child.wait().expect("it is our child");
    }

    /// Waits for its end and for its last line.
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        let mut output = self.watched.lock();
        while output.open > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{} goes on:\n{}", self.name, output.lines.join("\n"));
            let waited = self.watched.changed.wait_timeout(output, left);
            output = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(output);
        self.child.wait().expect("it is our child")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- {} printed:\n{}", self.name, self.printed());
        }
        self.kill();
    }
}

/// How often what cannot be waited for is looked at.
const GLANCE: Duration = Duration::from_millis(10);

/// Looks until there is something to see; `what` names it if it never comes.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(GLANCE);
    }
}

/// Waits until a process that is no child of the test has ended, or is a zombie of its parent.
pub fn wait_for_end(pid: Pid) {
    eventually(&format!("end of process {pid}"), || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let state = stat.rsplit(") ").next().unwrap_or_default();
        (state.is_empty() || state.starts_with('Z')).then_some(())
    });
}

fn follow(stream: impl Read, watched: &Watched) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    while let Ok(1..) = stream.read_until(b'\n', &mut line) {
        let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
        watched.lock().lines.push(text);
        watched.changed.notify_all();
        line.clear();
    }
    watched.lock().open -= 1;
    watched.changed.notify_all();
}
