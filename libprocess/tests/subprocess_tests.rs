//! Programs beside the actors, and the end of any process. Named after upstream's tests.

use std::fs;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};

use libprocess::Runtime;
use libprocess::http::pipe::Reader;
use libprocess::os::processes::ProcessTable;
use libprocess::subprocess::{Input, Output, Program, SpawnError, Subprocess};
use libprocess::testing::{runtime, wait};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn spawn(runtime: &Runtime, program: Program) -> Subprocess {
    wait(program.spawn(runtime)).expect("a program that runs")
}

fn end(subprocess: Subprocess) -> ExitStatus {
    wait(subprocess.status).expect("an end that can be seen").expect("our own child")
}

fn text(reader: &mut Option<Reader>) -> String {
    let reader = reader.as_mut().expect("a pipe");
    let mut text = Vec::new();
    while let Some(chunk) = wait(reader.read()).expect("an open pipe") {
        text.extend_from_slice(&chunk);
    }
    String::from_utf8(text).expect("text")
}

fn signal(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).expect("a process that runs");
}

/// What a shell prints for `command`.
fn printed(runtime: &Runtime, program: Program) -> String {
    let mut subprocess = spawn(runtime, program.stdout(Output::Pipe));
    let printed = text(&mut subprocess.stdout);
    assert!(end(subprocess).success());
    printed
}

#[test]
fn subprocess_test_status() {
    let runtime = runtime();
    let shell = |command: &str| spawn(&runtime, Program::shell(command));
    assert_eq!(end(shell("exit 0")).code(), Some(0));
    assert_eq!(end(shell("exit 1")).code(), Some(1));
    for fatal in [Signal::SIGTERM, Signal::SIGKILL] {
        let sleeper = shell("exec sleep 60");
        signal(sleeper.pid, fatal);
        assert_eq!(end(sleeper).signal(), Some(fatal as i32));
    }
    wait(runtime.shutdown());
}

#[test]
fn subprocess_test_pipe_output() {
    let runtime = runtime();
    let mut hello = spawn(&runtime, Program::shell("echo hello").stdout(Output::Pipe));
    assert_eq!(text(&mut hello.stdout), "hello\n");
    let mut hello = spawn(&runtime, Program::shell("echo hello 1>&2").stderr(Output::Pipe));
    assert_eq!(text(&mut hello.stderr), "hello\n");
    assert_eq!(end(hello).code(), Some(0));
    wait(runtime.shutdown());
}

#[test]
fn subprocess_test_pipe_input() {
    let runtime = runtime();
    let echo = Program::shell("cat").stdin(Input::Pipe).stdout(Output::Pipe);
    let mut echo = spawn(&runtime, echo);
    let stdin = echo.stdin.take().expect("a pipe");
    let much = "hello\n".repeat(100_000);
    assert!(stdin.write(much.clone()) && stdin.close());
    assert_eq!(text(&mut echo.stdout), much);
    assert!(end(echo).success());
    wait(runtime.shutdown());
}

#[test]
fn subprocess_test_path_output() {
    let (runtime, folder) = (runtime(), tempfile::tempdir().unwrap());
    let path = folder.path().join("stdout");
    for _ in 0..2 {
        let out = Output::Path(path.clone());
        assert!(end(spawn(&runtime, Program::shell("echo hello").stdout(out))).success());
    }
    let err = Output::Path(path.clone());
    assert!(end(spawn(&runtime, Program::shell("echo world 1>&2").stderr(err))).success());
    assert_eq!(fs::read_to_string(&path).unwrap(), "hello\nhello\nworld\n");
    wait(runtime.shutdown());
}

#[test]
fn subprocess_test_path_input() {
    let (runtime, folder) = (runtime(), tempfile::tempdir().unwrap());
    let path = folder.path().join("stdin");
    fs::write(&path, "hello\n").unwrap();
    let program = || Program::shell("read word; echo $word");
    assert_eq!(printed(&runtime, program().stdin(Input::Path(path))), "hello\n");
    let none = folder.path().join("none");
    let refused = wait(program().stdin(Input::Path(none.clone())).spawn(&runtime)).err().unwrap();
    let expected = format!("Failed to open '{}': No such file or directory", none.display());
    assert_eq!(refused.to_string(), expected);
    wait(runtime.shutdown());
}

#[test]
fn subprocess_test_fd_output_and_fd_input() {
    let runtime = runtime();
    let mut file = tempfile::tempfile().unwrap();
    let fd = || OwnedFd::from(file.try_clone().unwrap());
    let (out, err) = (Output::Fd(fd()), Output::Fd(fd()));
    let program = Program::shell("echo hello; echo world 1>&2").stdout(out).stderr(err);
    assert!(end(spawn(&runtime, program)).success());
    use std::io::Seek;
    let input = Input::Fd(fd());
    file.rewind().unwrap();
    assert_eq!(printed(&runtime, Program::shell("cat").stdin(input)), "hello\nworld\n");
    wait(runtime.shutdown());
}

#[test]
fn subprocess_test_default() {
    // What is not said is inherited: this test starts itself, and looks at what comes through.
    let mut whole = Command::new("/bin/sh")
        .args(["-c", "read word; echo $word; echo error 1>&2"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    whole.stdin.take().unwrap().write_all(b"hello\n").unwrap();
    assert_eq!(whole.wait_with_output().unwrap().stdout, b"hello\n");
    let runtime = runtime();
    let plain = spawn(&runtime, Program::shell("test -e /proc/self/fd/2"));
    assert!(plain.stdin.is_none() && plain.stdout.is_none() && plain.stderr.is_none());
    assert!(end(plain).success());
    wait(runtime.shutdown());
}

#[test]
fn subprocess_test_flags() {
    let runtime = runtime();
    let flags = [("b", "true"), ("s2", "we're"), ("s3", "\"geek\""), ("j", "{\"a\": [1]}")];
    let program = Program::new("/bin/echo").flags(flags);
    let expected = "--b=true --s2=we're --s3=\"geek\" --j={\"a\": [1]}\n";
    assert_eq!(printed(&runtime, program), expected);
    wait(runtime.shutdown());
}

#[test]
fn subprocess_test_environment() {
    let runtime = runtime();
    let program = Program::shell("echo $MESSAGE0 $MESSAGE1");
    let program = program.variable("MESSAGE0", "hello").variable("MESSAGE1", "world");
    assert_eq!(printed(&runtime, program), "hello world\n");
    let program = Program::shell("echo ${PATH:-none}${MESSAGE}").without_environment();
    // A shell that is given no PATH has one of its own, which it does not pass on.
    let program = program.variable("MESSAGE", "!").variable("PATH", "");
    assert_eq!(printed(&runtime, program), "none!\n");
    wait(runtime.shutdown());
}

#[test]
fn subprocess_test_environment_with_spaces() {
    let runtime = runtime();
    let program = Program::shell("echo $MESSAGE").variable("MESSAGE", "hello world");
    assert_eq!(printed(&runtime, program), "hello world\n");
    wait(runtime.shutdown());
}

#[test]
fn subprocess_test_environment_with_spaces_and_quotes() {
    let runtime = runtime();
    let program = Program::shell("echo $MESSAGE").variable("MESSAGE", "\"hello world\"");
    assert_eq!(printed(&runtime, program), "\"hello world\"\n");
    wait(runtime.shutdown());
}

#[test]
fn subprocess_test_environment_override() {
    // cargo sets CARGO_PKG_NAME for every test.
    let runtime = runtime();
    let program = || Program::shell("echo $CARGO_PKG_NAME $CARGO_PKG_VERSION");
    let overridden = program().variable("CARGO_PKG_NAME", "goodbye");
    let expected = format!("goodbye {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(printed(&runtime, overridden), expected);
    wait(runtime.shutdown());
}

#[test]
fn subprocess_test_setup() {
    let (runtime, folder) = (runtime(), tempfile::tempdir().unwrap());
    let program = Program::shell("pwd -P; ps -o pgid= -p $$").folder(folder.path()).own_group();
    let mut subprocess = spawn(&runtime, program.stdout(Output::Pipe));
    let printed = text(&mut subprocess.stdout);
    let words: Vec<_> = printed.split_whitespace().collect();
    let expected = folder.path().canonicalize().unwrap();
    assert_eq!(words, [expected.to_str().unwrap(), &subprocess.pid.to_string()]);
    wait(runtime.shutdown());
}

#[test]
fn a_program_that_cannot_be_run_is_named() {
    let runtime = runtime();
    let refused = wait(Program::new("/no/such/program").spawn(&runtime)).err().unwrap();
    assert!(matches!(refused, SpawnError::Spawn { .. }));
    let expected = "Failed to run '/no/such/program': No such file or directory";
    assert_eq!(refused.to_string(), expected);
    wait(runtime.shutdown());
}

/// The number of a child that nobody else waits for.
fn child(command: &str) -> i32 {
    let spawn = |words: Vec<&str>| Command::new(words[0]).args(&words[1..]).spawn();
    spawn(command.split(' ').collect()).expect("a program").id().cast_signed()
}

#[test]
fn reap_test_child_process() {
    let runtime = runtime();
    let pid = child("sleep 60");
    // No timer takes part: the end itself is what is seen.
    runtime.clock().pause();
    let ended = runtime.reap(pid);
    signal(pid, Signal::SIGKILL);
    let status = wait(ended).unwrap().expect("our own child");
    assert_eq!(status.signal(), Some(Signal::SIGKILL as i32));
    assert!(!ProcessTable::read().unwrap().0.contains_key(&pid), "it has been reaped");
    wait(runtime.shutdown());
}

#[test]
fn reap_test_terminated_child_process() {
    let runtime = runtime();
    let pid = child("true");
    let flags = nix::sys::wait::WaitPidFlag::WEXITED | nix::sys::wait::WaitPidFlag::WNOWAIT;
    nix::sys::wait::waitid(nix::sys::wait::Id::Pid(Pid::from_raw(pid)), flags).unwrap();
    assert_eq!(wait(runtime.reap(pid)).unwrap().unwrap().code(), Some(0));
    assert!(wait(runtime.reap(pid)).unwrap().is_none(), "there is none of that number");
    wait(runtime.shutdown());
}

#[test]
fn reap_test_non_child_process() {
    let runtime = runtime();
    let grandchild = Program::shell("sleep 60 >/dev/null 2>&1 & echo $!");
    let pid: i32 = printed(&runtime, grandchild).trim().parse().unwrap();
    // No timer takes part: the end itself is what is seen.
    runtime.clock().pause();
    let ended = runtime.reap(pid);
    signal(pid, Signal::SIGKILL);
    assert!(wait(ended).unwrap().is_none(), "its status is its parent's");
    wait(runtime.shutdown());
}
