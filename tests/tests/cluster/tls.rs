//! A cluster whose every connection is encrypted, and of which every side shows a certificate.

use std::path::Path;
use std::process::Command;

use tests::daemon::{Daemon, binary};
use tests::needs;

/// Makes a certificate for `localhost` that signs itself: `key.pem` and `cert.pem`.
fn certify(folder: &Path) {
    let arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
                     -subj /CN=localhost -keyout key.pem -out cert.pem";
    let made = Command::new("openssl")
        .current_dir(folder)
        .args(arguments.split_whitespace())
        .output()
        .expect("openssl runs");
    assert!(made.status.success(), "{made:?}");
}

/// One of our programs with encryption.
fn start(name: &str, folder: &Path, arguments: &[&str]) -> Daemon {
    let path = |file: &str| folder.join(file);
    let mut command = Command::new(binary(name));
    command
        .args(arguments)
        .env("SSL_ENABLED", "true")
        .env("SSL_REQUIRE_CERT", "true")
        .env("SSL_CA_FILE", path("cert.pem"))
        .env("SSL_CERT_FILE", path("cert.pem"))
        .env("SSL_KEY_FILE", path("key.pem"));
    Daemon::spawn(name, command)
}

#[test]
fn a_task_runs_in_a_cluster_that_is_encrypted_throughout() {
    let test = "a_task_runs_in_a_cluster_that_is_encrypted_throughout";
    if needs::program("openssl", test).is_none() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    certify(folder);
    let work_dir = |name: &str| format!("--work_dir={}", folder.join(name).display());
    let common = ["--ip=127.0.0.1", "--port=0"];
    let master = start("mesos-master", folder, &[&common[..], &[&work_dir("master")]].concat());
    let started = master.wait_for(" started on ");
    let address = started.rsplit(' ').next().expect("an address");
    master.wait_for("slaves from the Registry");
    let to_master = format!("--master={address}");
    let work_dir = work_dir("slave");
    let rest = [&*to_master, &work_dir, "--hostname=localhost", "--resources=cpus:1;mem:128"];
    let flags = [&common[..], &rest, &["--no-systemd_enable_support"]].concat();
    let slave = start("mesos-slave", folder, &flags);
    slave.wait_for("Registered with master");
    let task = ["--name=task", "--command=true", "--resources=cpus:1;mem:128"];
    let arguments = [&[&*to_master][..], &task].concat();
    let mut execute = start("mesos-execute", folder, &arguments);
    assert!(execute.wait().success(), "{}", execute.printed());
    assert!(execute.printed().contains("Received status update TASK_FINISHED for task task"));
    // Nobody gets in without encryption.
    let answer = tests::http::send_raw(address, b"GET /health HTTP/1.1\r\n\r\n");
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP"), "{answer:?}");
}
