//! `mesos-execute` as a real process, at a scripted master.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Output, Stdio};

use common::ids::{FrameworkId, OfferId, SlaveId};
use common::resources::Resources;
use libprocess::Upid;
use libprocess::testing::Peer;
use proto::mesos::internal::{
    DeactivateFrameworkMessage, FrameworkErrorMessage, FrameworkRegisteredMessage,
    ResourceOffersMessage, StatusUpdate, StatusUpdateMessage,
};
use proto::mesos::scheduler::{Call, call};
use proto::mesos::{MasterInfo, Offer, TaskInfo, TaskState, TaskStatus};

const PROGRAM: &str = env!("CARGO_BIN_EXE_mesos-execute");

fn execute(arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env("LIBPROCESS_IP", "127.0.0.1").stdin(Stdio::null());
    // Nobody shall subscribe twice, as far as chance allows.
    command.env("MESOS_REGISTRATION_BACKOFF_FACTOR", "1mins");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// A registered framework of one command called `task`.
struct Scene {
    master: Peer,
    child: Child,
    framework: Upid,
    subscribe: call::Subscribe,
}

impl Scene {
    fn new(arguments: &[&str]) -> Self {
        let master = Peer::start("master");
        let address = format!("--master={}", master.upid().address);
        let mut all = vec![address.as_str(), "--name=task"];
        all.extend(arguments);
        let child = execute(&all).spawn().unwrap();
        let subscribe = master.expect::<Call>();
        let (framework, subscribe) = (subscribe.from, subscribe.message.subscribe.unwrap());
        let registered = FrameworkRegisteredMessage {
            framework_id: FrameworkId::from("F0").into(),
            master_info: MasterInfo::default(),
        };
        master.send(&framework, &registered);
        Self { master, child, framework, subscribe }
    }

    /// Offers resources, one text for each offer.
    fn offer(&self, resources: &[&str]) {
        let offers = resources.iter().enumerate().map(|(number, text)| Offer {
            id: OfferId::from(format!("O{number}")).into(),
            slave_id: SlaveId::from(format!("S{number}")).into(),
            resources: Resources::parse(text, "*").unwrap().to_messages(),
            ..Offer::default()
        });
        let pids = vec!["slave(1)@127.0.0.1:1".to_owned(); resources.len()];
        let message = ResourceOffersMessage {
            offers: offers.collect(),
            pids,
            ..ResourceOffersMessage::default()
        };
        self.master.send(&self.framework, &message);
    }

    fn call(&self, call_type: call::Type) -> Call {
        let call = self.master.expect::<Call>().message;
        assert_eq!(call.r#type(), call_type);
        call
    }

    /// The task that is launched on the first offer.
    fn launch(&self) -> TaskInfo {
        let accept = self.call(call::Type::Accept).accept.unwrap();
        accept.operations[0].launch.as_ref().unwrap().task_infos[0].clone()
    }

    fn update(&self, task_id: &str, state: TaskState) {
        let mut status = TaskStatus { state: state.into(), ..TaskStatus::default() };
        status.task_id.value = task_id.to_owned();
        let framework_id = FrameworkId::from("F0").into();
        let update = StatusUpdate { framework_id, status, ..StatusUpdate::default() };
        self.master.send(&self.framework, &StatusUpdateMessage { update, pid: None });
    }

    fn end(self) -> (Option<i32>, String, String) {
        let Output { status, stdout, stderr } = self.child.wait_with_output().unwrap();
        (status.code(), text(stdout), text(stderr))
    }
}

#[test]
fn the_transcript_is_upstreams() {
    let scene = Scene::new(&["--command=echo hello world"]);
    assert_eq!(scene.subscribe.framework_info.name, "");
    assert_eq!(scene.subscribe.framework_info.checkpoint, Some(false));
    scene.offer(&["cpus:0.5;mem:128", "cpus:2;mem:256", "cpus:2;mem:256"]);
    scene.call(call::Type::Decline);
    let task = scene.launch();
    scene.call(call::Type::Decline);
    assert_eq!((&*task.name, &*task.task_id.value, &*task.slave_id.value), ("task", "task", "S1"));
    let command = task.command.unwrap();
    assert_eq!(command.value(), "echo hello world");
    assert_eq!(command.shell, Some(true));
    assert_eq!((command.environment, task.container), (None, None));
    scene.update("other", TaskState::TaskFinished);
    scene.update("task", TaskState::TaskRunning);
    scene.update("task", TaskState::TaskFinished);
    scene.call(call::Type::Teardown);
    let (code, stdout, _) = scene.end();
    assert_eq!(code, Some(0));
    assert_eq!(
        stdout,
        "Framework registered with F0\n\
         task task submitted to slave S1\n\
         Received status update TASK_RUNNING for task task\n\
         Received status update TASK_FINISHED for task task\n"
    );
}

#[test]
fn the_task_goes_on_when_nobody_reads() {
    let mut scene = Scene::new(&["--command=true"]);
    drop(scene.child.stdout.take());
    scene.offer(&["cpus:1;mem:128"]);
    scene.launch();
    scene.update("task", TaskState::TaskFinished);
    scene.call(call::Type::Teardown);
    assert_eq!(scene.child.wait().unwrap().code(), Some(0));
}

#[test]
fn every_end_of_the_task_is_a_success_of_the_program() {
    for state in
        [TaskState::TaskFailed, TaskState::TaskKilled, TaskState::TaskLost, TaskState::TaskError]
    {
        let scene = Scene::new(&["--command=false"]);
        scene.offer(&["cpus:1;mem:128"]);
        scene.launch();
        scene.update("task", state);
        scene.call(call::Type::Teardown);
        assert_eq!(scene.end().0, Some(0));
    }
}

#[test]
fn what_was_typed_is_what_is_launched() {
    let scene = Scene::new(&[
        "--no-shell",
        "--command=/bin/true",
        "--checkpoint",
        "--resources=cpus:0.1;mem:32",
        r#"--env={"TEXT": "a b", "NUMBER": 7}"#,
        "--docker_image=busybox:latest",
    ]);
    assert_eq!(scene.subscribe.framework_info.checkpoint, Some(true));
    scene.offer(&["cpus:0.1;mem:32"]);
    let task = scene.launch();
    assert_eq!(task.resources, Resources::parse("cpus:0.1;mem:32", "*").unwrap().to_messages());
    let command = task.command.unwrap();
    assert_eq!((command.shell, command.value()), (Some(false), "/bin/true"));
    let variables = command.environment.unwrap().variables;
    let variables: Vec<_> = variables.iter().map(|one| (&*one.name, one.value())).collect();
    assert_eq!(variables, [("NUMBER", "7"), ("TEXT", "a b")]);
    let image = task.container.unwrap().mesos.unwrap().image.unwrap();
    assert_eq!(image.docker.unwrap().name, "busybox:latest");
    scene.update("task", TaskState::TaskFinished);
    scene.call(call::Type::Teardown);
    assert_eq!(scene.end().0, Some(0));
}

#[test]
fn the_docker_containerizer_gets_the_image() {
    let scene = Scene::new(&["--command=true", "--docker_image=i", "--containerizer=docker"]);
    scene.offer(&["cpus:1;mem:128"]);
    assert_eq!(scene.launch().container.unwrap().docker.unwrap().image, "i");
    scene.update("task", TaskState::TaskFinished);
    scene.call(call::Type::Teardown);
    assert_eq!(scene.end().0, Some(0));
}

#[test]
fn what_cannot_be_launched_aborts_with_the_reason() {
    let check = |arguments: &[&str], reason: &str| {
        let scene = Scene::new(arguments);
        scene.offer(&["cpus:1;mem:128"]);
        scene.master.expect::<DeactivateFrameworkMessage>();
        let (code, _, stderr) = scene.end();
        assert_eq!(code, Some(1));
        assert!(stderr.lines().any(|line| line.starts_with(reason)), "{stderr}");
    };
    check(
        &["--command=true", "--docker_image=i", "--containerizer=other"],
        "Unsupported containerizer: other",
    );
    check(&["--command=true", "--resources=cpus:many"], "Failed to parse resources 'cpus:many': ");
}

#[test]
fn an_error_of_the_master_is_a_failure() {
    let scene = Scene::new(&["--command=true"]);
    let message = FrameworkErrorMessage { message: "no".to_owned() };
    scene.master.send(&scene.framework, &message);
    let (code, _, stderr) = scene.end();
    assert_eq!(code, Some(1));
    assert!(stderr.contains("] Got error 'no'\n"), "{stderr}");
}

#[test]
fn misuse_is_named_above_the_usage() {
    let check = |arguments: &[&str], text: &str| {
        let Output { status, stdout, stderr } = execute(arguments).output().unwrap();
        assert_eq!((status.code(), stdout), (Some(1), Vec::new()));
        let start = format!("{text}\n\nUsage: mesos-execute [options]\n\n");
        let stderr = String::from_utf8(stderr).unwrap();
        assert!(stderr.starts_with(&start), "{stderr}");
    };
    check(&["--x"], "Failed to load unknown flag 'x'");
    check(&[], "Missing required option --master");
    check(&["--master=nowhere"], "Could not parse --master=nowhere");
    check(&["--master=127.0.0.1:5050"], "Missing required option --name");
    check(&["--master=127.0.0.1:5050", "--name=n"], "Missing required option --command");
    check(
        &["--env=[]"],
        "Failed to load flag 'env': Failed to load value '[]': Unexpected JSON type parsed",
    );
}

#[test]
fn help_is_a_success() {
    let Output { status, stdout, stderr } = execute(&["--help"]).output().unwrap();
    assert_eq!((status.code(), stderr), (Some(0), Vec::new()));
    let stdout = String::from_utf8(stdout).unwrap();
    assert!(stdout.starts_with("Usage: mesos-execute [options]\n\n"), "{stdout}");
    assert!(stdout.contains("(default: cpus:1;mem:128)"), "{stdout}");
}

/// A `hadoop` that knows the files whose names are in a folder, and logs its arguments.
fn hadoop(folder: &std::path::Path) -> String {
    let script = format!(
        "#!/bin/sh\ncd {}\necho \"$@\" >> log\ncase \"$2\" in\n-test) test -e \".$4\";;\nesac\n",
        folder.display()
    );
    let path = folder.join("hadoop");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

#[test]
fn packages_go_through_hdfs() {
    let folder = tempfile::tempdir().unwrap();
    let package = folder.path().join("package");
    fs::write(&package, "").unwrap();
    let (package, hadoop) = (package.display().to_string(), hadoop(folder.path()));
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::current()).unwrap().unwrap().name;
    let (flag, hadoop) = (format!("--package={package}"), format!("--hadoop={hadoop}"));
    let arguments = ["--command=true", &flag, &hadoop, "--hdfs=name:1"];
    let scene = Scene::new(&arguments);
    scene.offer(&["cpus:1;mem:128"]);
    let uris = scene.launch().command.unwrap().uris;
    assert_eq!(uris[0].value, format!("hdfs://name:1/{user}{package}"));
    scene.update("task", TaskState::TaskFinished);
    scene.call(call::Type::Teardown);
    assert_eq!(scene.end().0, Some(0));
    let log = fs::read_to_string(folder.path().join("log")).unwrap();
    assert_eq!(
        log,
        format!(
            "version\nfs -test -e /{user}{package}\n\
             fs -copyFromLocal {package} /{user}{package}\n"
        )
    );
}

#[test]
fn trouble_with_hdfs_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let hadoop = format!("--hadoop={}", hadoop(folder.path()));
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::current()).unwrap().unwrap().name;
    fs::create_dir(folder.path().join(&user)).unwrap();
    fs::write(folder.path().join(&user).join("there"), "").unwrap();
    let check = |arguments: &[&str], expected: &str| {
        let mut all = vec!["--master=127.0.0.1:1", "--name=n", "--command=true"];
        all.extend(arguments);
        let Output { status, stderr, .. } = execute(&all).output().unwrap();
        assert_eq!((status.code(), text(stderr)), (Some(1), format!("{expected}\n")));
    };
    check(
        &["--package=p", "--hadoop=/none/hadoop"],
        "Failed to create HDFS client: Failed to execute '/none/hadoop version'; the command was \
         either not found or exited with a non-zero exit status",
    );
    check(&["--package=there", &hadoop], "File already exists (see --overwrite)");
    check(
        &["--package=/none/such", &hadoop],
        "Failed to copy package: Failed to find '/none/such'",
    );
}
