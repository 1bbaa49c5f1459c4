//! Frameworks that others wrote, on libraries that others wrote, unmodified.

use std::process::Command;

use tests::cluster::Cluster;
use tests::daemon::Daemon;
use tests::needs;

/// Runs the pesos framework with ten tasks; gives what it printed.
fn run_pesos(mode: &str, test: &str) -> Option<String> {
    let python = needs::python_with("pesos", test)?;
    let cluster = Cluster::start();
    let _slave = cluster.slave().start();
    let mut command = Command::new(python);
    command.arg(needs::files("clients/pesos/framework.py")).args([cluster.address(), mode, "10"]);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    let mut framework = Daemon::spawn("pesos", command);
    framework.wait_for("registered ");
    framework.wait();
    Some(framework.printed())
}

fn count(printed: &str, word: &str) -> usize {
    printed.lines().filter(|line| line.starts_with(word)).count()
}

#[test]
fn pesos_runs_ten_command_tasks() {
    let Some(printed) = run_pesos("command", "pesos_runs_ten_command_tasks") else { return };
    assert_eq!(count(&printed, "TASK_FINISHED "), 10, "{printed}");
}

#[test]
fn pesos_runs_ten_tasks_on_an_executor_of_its_own() {
    let test = "pesos_runs_ten_tasks_on_an_executor_of_its_own";
    let Some(printed) = run_pesos("executor", test) else { return };
    assert_eq!(count(&printed, "TASK_FINISHED "), 10, "{printed}");
    assert_eq!(count(&printed, "message "), 10, "{printed}");
}
