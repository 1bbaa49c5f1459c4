//! The program `mesos-containerizer launch` by itself, and with a fetch before it.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

use containerizer::Containerizer;
use proto::mesos::command_info::Uri;

use crate::support::{Host, is_root, message_of_end, shell};

fn launch(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_mesos-containerizer");
    Command::new(program).args(arguments).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn what_is_missing_is_named() {
    let check = |arguments: &[&str], expected: &str| {
        let output = launch(&[&["launch"], arguments].concat());
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), format!("{expected}\n"));
    };
    check(&[], "Flag --command is not specified");
    check(&["--command={}"], "Flag --sandbox is not specified");
    check(&["--command={}", "--sandbox=/"], "Flag --pipe_read is not specified");
    check(&["--foo"], "Failed to load unknown flag 'foo'");
    let all = |command| [command, "--sandbox=/", "--pipe_read=0"];
    check(&all("--command={}"), "Shell command is not specified");
    check(&all("--command={\"shell\":false}"), "Executable path is not specified");
    check(
        &all("--command={\"value\":1}"),
        "Failed to parse the command: Not expecting a JSON number for field 'value'",
    );
    // Standard input is at its end: nobody says that the process may go on.
    check(
        &all("--command={\"value\":\"echo never\"}"),
        "Failed to synchronize with slave (it's probably exited)",
    );
}

#[test]
fn usage() {
    let output = launch(&["--help"]);
    assert!(output.status.success());
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(stdout.starts_with("Usage: mesos-containerizer launch [options]\n"), "{stdout}");
    let output = launch(&["mount"]);
    assert_eq!((output.status.code(), output.stderr), (Some(1), stdout.into_bytes()));
}

#[tokio::test]
async fn what_was_fetched_is_there_when_the_executor_starts() {
    let host = Host::new();
    let containerizer = host.containerizer();
    let source = host.path().join("tool");
    std::fs::write(&source, "#!/bin/sh\necho fetched; id -un\n").unwrap();
    std::fs::set_permissions(host.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = shell("./tool");
    let value = source.to_str().unwrap().to_owned();
    command.uris.push(Uri { value, executable: Some(true), ..Uri::default() });
    let mut spec = host.spec("c", command);
    spec.user = Some(if is_root() { "nobody" } else { return }.into());
    containerizer.launch(spec).await.unwrap();
    assert_eq!(message_of_end(&containerizer, "c").await, "Executor terminated");
    assert_eq!(host.read("c", "stdout"), "fetched\nnobody\n");
    // The fetcher's log, in glog's form, comes first in what the executor appends to.
    let stderr = host.read("c", "stderr");
    let first = stderr.lines().next().unwrap();
    assert!(first.starts_with('I') && first.contains("] Fetcher Info: {"), "{first}");
    assert!(stderr.contains("] Fetched '"), "{stderr}");
}

#[tokio::test]
async fn a_failing_fetch_fails_the_launch() {
    let host = Host::new();
    let containerizer = host.containerizer();
    let launch = |name: &str, value: &str, user: Option<&str>| {
        let mut command = shell("echo never");
        command.uris.push(Uri { value: value.into(), ..Uri::default() });
        let mut spec = host.spec(name, command);
        spec.user = user.map(Into::into);
        containerizer.launch(spec)
    };
    let failure = launch("status", "/does/not/exist", None).await.unwrap_err();
    // Upstream says no more; whoever has no access to the sandbox would not know why.
    let (text, start) = (failure.to_string(), "Failed to fetch all URIs for container 'status' ");
    let why =
        text.strip_prefix(start).and_then(|rest| rest.strip_prefix("with exit status: 256: "));
    let why = why.unwrap_or_else(|| panic!("{text}"));
    assert!(why.starts_with("Failed to fetch '/does/not/exist': Failed to copy "), "{text}");
    let stderr = host.read("status", "stderr");
    assert!(stderr.contains(&format!("\n{why}\n")), "{stderr}");

    let failure = launch("path", "http://x", None).await.unwrap_err();
    assert_eq!(failure.to_string(), "Could not fetch: Malformed URI (missing path): http://x");
    let failure = launch("user", "/etc/passwd", Some("no such user")).await.unwrap_err();
    let expected = format!(
        "Failed to chown directory: {} to user: no such user with error: Failed to get user \
         information for 'no such user'",
        host.path().join("user").display()
    );
    assert!(failure.to_string().starts_with(&expected), "{failure}");

    for name in ["status", "path", "user"] {
        containerizer.destroy(&name.into());
        assert_eq!(message_of_end(&containerizer, name).await, "Executor terminated");
        assert!(!host.read(name, "stdout").contains("never"));
    }
}
