//! The first thing that anybody does: a task, and its output.

use std::process::Command;

use tests::cluster::Cluster;
use tests::daemon::{Daemon, binary};

#[test]
fn mesos_execute_on_a_local_cluster_prints_what_the_task_prints() {
    let mut command = Command::new(binary("mesos-execute"));
    command.args(["--master=local", "--name=hello", "--command=echo hello world"]);
    let mut execute = Daemon::spawn("mesos-execute", command);
    assert!(execute.wait().success(), "{}", execute.printed());
    let lines: Vec<_> = execute.printed().lines().map(str::to_owned).collect();
    assert!(lines.iter().any(|line| line == "hello world"), "{lines:#?}");
}

#[test]
fn mesos_execute_prints_the_transcript_of_upstream() {
    let cluster = Cluster::start();
    let slave = cluster.slave().start();
    let name = "my-first-task";
    let mut execute = cluster.execute(&[
        &format!("--name={name}"),
        "--command=echo hello world && sleep 1",
        "--resources=cpus:1;mem:128",
    ]);
    assert!(execute.wait().success(), "{}", execute.printed());
    let printed = execute.printed();
    let lines: Vec<&str> = printed.lines().collect();
    let words = [
        "Framework registered with ",
        "task my-first-task submitted to slave ",
        "Received status update TASK_RUNNING for task my-first-task",
        "Received status update TASK_FINISHED for task my-first-task",
    ];
    let places = words.map(|words| lines.iter().position(|line| line.starts_with(words)));
    assert!(places.iter().all(Option::is_some), "{printed}");
    assert!(places.is_sorted(), "{printed}");

    let stdout = slave.sandbox_file(name, "stdout");
    let pid = stdout.lines().find_map(|line| line.strip_prefix("Forked command at "));
    let pid = pid.unwrap_or_else(|| panic!("{stdout}"));
    let expected = format!(
        "Registered executor on localhost\n\
         Starting task my-first-task\n\
         sh -c 'echo hello world && sleep 1'\n\
         Forked command at {pid}\n\
         hello world\n\
         Command exited with status 0 (pid: {pid})\n"
    );
    assert!(stdout.starts_with(&expected), "{stdout}");
}
