//! Launching executors: what they are given, and what their end looks like.

use std::sync::Arc;

use containerizer::config::{Config, ContainerOutput};
use containerizer::isolators::Isolator;
use containerizer::{Containerizer, LaunchError, Launched, TerminationError};
use proto::mesos::container_info::{MesosInfo, Type};
use proto::mesos::environment::Variable;
use proto::mesos::slave::ContainerLaunchInfo;
use proto::mesos::{CommandInfo, ContainerInfo, Environment, Image, TaskInfo};

use crate::support::{Host, TestIsolator, is_root, message_of_end, shell};

const EXIT_7: i32 = 7 << 8;

#[tokio::test]
async fn io_redirection() {
    let host = Host::new();
    let containerizer = host.containerizer();
    let spec = host.spec("c", shell("echo out; echo err >&2; pwd; exit 7"));
    let launch = containerizer.launch(spec);
    let termination = containerizer.wait(&"c".into());
    assert_eq!(launch.await.unwrap(), Launched::Started);
    let termination = termination.await.unwrap();
    assert_eq!(termination.status, Some(EXIT_7));
    assert_eq!(termination.message(), "Executor terminated");
    assert_eq!((termination.state, termination.reasons), (None, vec![]));
    assert_eq!(host.read("c", "stdout"), format!("out\n{}\n", host.path().join("c").display()));
    assert_eq!(host.read("c", "stderr"), "err\n");
    assert!(containerizer.containers().is_empty());
}

#[tokio::test]
async fn the_environment_is_exactly_the_given_one() {
    let host = Host::new();
    let containerizer = host.containerizer();
    let variable = |name: &str, value: &str| Variable {
        name: name.into(),
        value: Some(value.into()),
        ..Variable::default()
    };
    let command = CommandInfo {
        shell: Some(false),
        value: Some("env".into()),
        arguments: vec!["env".into()],
        environment: Some(Environment {
            variables: vec![variable("MINE", "a 'b' $(c)\n"), variable("MESOS_CHECKPOINT", "x")],
        }),
        ..CommandInfo::default()
    };
    containerizer.launch(host.spec("c", command)).await.unwrap();
    message_of_end(&containerizer, "c").await;
    let directory = host.path().join("c");
    let directory = directory.display();
    let stdout = host.read("c", "stdout");
    let mut found: Vec<&str> = stdout.lines().filter(|line| !line.is_empty()).collect();
    found.sort_unstable();
    let expected = format!(
        "LIBPROCESS_PORT=0\n\
         MESOS_AGENT_ENDPOINT=127.0.0.1:5051\n\
         MESOS_CHECKPOINT=x\n\
         MESOS_DIRECTORY={directory}\n\
         MESOS_EXECUTOR_ID=executor\n\
         MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD=5secs\n\
         MESOS_FRAMEWORK_ID=framework\n\
         MESOS_SANDBOX={directory}\n\
         MESOS_SLAVE_ID=slave\n\
         MESOS_SLAVE_PID=slave(1)@127.0.0.1:5051\n\
         MINE=a 'b' $(c)\n\
         PATH=/usr/bin:/bin"
    );
    assert_eq!(found.join("\n"), expected);
}

#[tokio::test]
async fn arguments_reach_the_executable_as_they_are() {
    let host = Host::new();
    let containerizer = host.containerizer();
    let command = CommandInfo {
        shell: Some(false),
        value: Some("printf".into()),
        arguments: ["printf", "%s|", "a b", "$(id)", "'", "", "--user=x"].map(Into::into).into(),
        ..CommandInfo::default()
    };
    containerizer.launch(host.spec("c", command)).await.unwrap();
    message_of_end(&containerizer, "c").await;
    assert_eq!(host.read("c", "stdout"), "a b|$(id)|'||--user=x|");
}

#[tokio::test]
async fn names_reach_no_shell() {
    let host = Host::new();
    let containerizer = host.containerizer();
    let name = "a'$(touch qqq)'b\"; touch qqq; \u{fc}";
    let mut spec = host.spec(name, shell("pwd; echo \"$MESOS_EXECUTOR_ID\""));
    spec.executor_info.executor_id.value = name.into();
    containerizer.launch(spec).await.unwrap();
    message_of_end(&containerizer, name).await;
    let directory = host.path().join(name);
    assert_eq!(host.read(name, "stdout"), format!("{}\n{name}\n", directory.display()));
    assert!(!directory.join("qqq").exists() && !std::path::Path::new("qqq").exists());
}

#[tokio::test]
async fn executables_that_do_not_exist() {
    let host = Host::new();
    let containerizer = host.containerizer();
    let missing = CommandInfo { shell: Some(false), ..shell("/does/not/exist") };
    containerizer.launch(host.spec("missing", missing)).await.unwrap();
    let termination = containerizer.wait(&"missing".into()).await.unwrap();
    assert_eq!(termination.status, Some(1 << 8));
    assert_eq!(
        host.read("missing", "stderr"),
        "Failed to execute command: No such file or directory (os error 2)\n"
    );
    containerizer.launch(host.spec("empty", CommandInfo::default())).await.ok();
    message_of_end(&containerizer, "empty").await;
    assert_eq!(host.read("empty", "stderr"), "Shell command is not specified\n");
}

#[tokio::test]
async fn unknown_users_end_the_executor_not_the_launch() {
    let host = Host::new();
    let containerizer = host.containerizer();
    let mut spec = host.spec("c", shell("echo never"));
    spec.user = Some("no such user".into());
    assert_eq!(containerizer.launch(spec).await.unwrap(), Launched::Started);
    let termination = containerizer.wait(&"c".into()).await.unwrap();
    assert_eq!(termination.message(), "Executor terminated");
    assert_eq!(termination.status, Some(1 << 8));
    let stderr = host.read("c", "stderr");
    assert!(stderr.starts_with("Failed to change user to 'no such user': "), "{stderr}");
}

#[tokio::test]
async fn root_executors_run_as_the_user() {
    if !is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    let host = Host::new();
    let containerizer = host.containerizer();
    let mut spec = host.spec("c", shell("id -un; id -Gn; touch mine"));
    spec.user = Some("nobody".into());
    std::fs::set_permissions(host.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    containerizer::users::chown("nobody", &spec.directory).unwrap();
    containerizer.launch(spec).await.unwrap();
    message_of_end(&containerizer, "c").await;
    assert_eq!(host.read("c", "stdout"), "nobody\nnogroup\n");
    assert!(host.path().join("c/mine").exists());
}

#[tokio::test]
async fn containers_of_others_are_declined() {
    let host = Host::new();
    let containerizer = host.containerizer();
    let docker = || Some(ContainerInfo { r#type: Type::Docker.into(), ..ContainerInfo::default() });
    let mut of_executor = host.spec("c", shell("true"));
    of_executor.executor_info.container = docker();
    assert_eq!(containerizer.launch(of_executor).await.unwrap(), Launched::NotSupported);
    let mut of_task = host.spec("c", shell("true"));
    of_task.task_info = Some(TaskInfo { container: docker(), ..TaskInfo::default() });
    assert_eq!(containerizer.launch(of_task).await.unwrap(), Launched::NotSupported);
    assert!(containerizer.containers().is_empty());
}

#[tokio::test]
async fn a_container_is_started_once() {
    let host = Host::new();
    let containerizer = host.containerizer();
    containerizer.launch(host.spec("c", shell("sleep 1000"))).await.unwrap();
    let again = containerizer.launch(host.spec("c", shell("sleep 1000"))).await;
    assert!(matches!(again, Err(LaunchError::AlreadyStarted)), "{again:?}");
    assert_eq!(containerizer.containers(), ["c".into()].into());
    containerizer.destroy(&"c".into());
    message_of_end(&containerizer, "c").await;
}

#[tokio::test]
async fn strangers_are_unknown() {
    let host = Host::new();
    let containerizer = host.containerizer();
    let id = "stranger".into();
    let waited = containerizer.wait(&id).await.unwrap_err();
    assert!(matches!(waited, TerminationError::Unknown(_)));
    assert_eq!(
        waited.to_string(),
        "Unknown container (could have already been destroyed): stranger"
    );
    let usage = containerizer.usage(&id).await.unwrap_err();
    assert_eq!(usage.to_string(), "Unknown container: stranger");
    assert!(containerizer.status(&id).await.is_err());
    containerizer.update(&id, Default::default()).await.unwrap();
    containerizer.destroy(&id);
}

fn of_mesos(mesos: Option<MesosInfo>) -> ContainerInfo {
    ContainerInfo { r#type: Type::Mesos.into(), mesos, ..ContainerInfo::default() }
}

#[tokio::test]
async fn provision_failed() {
    let host = Host::new();
    let containerizer = host.containerizer();
    let mut spec = host.spec("c", shell("true"));
    let image = Image { r#type: proto::mesos::image::Type::Docker.into(), ..Image::default() };
    spec.executor_info.container = Some(of_mesos(Some(MesosInfo { image: Some(image) })));
    let failure = containerizer.launch(spec).await.unwrap_err();
    assert_eq!(failure.to_string(), "Unsupported container image type: DOCKER");
    containerizer.destroy(&"c".into());
    assert_eq!(
        message_of_end(&containerizer, "c").await,
        "Container destroyed while provisioning images"
    );
}

#[tokio::test]
async fn volumes_need_another_isolator() {
    let host = Host::new();
    let containerizer = host.containerizer();
    let mut spec = host.spec("c", shell("true"));
    let mut container = of_mesos(None);
    container.volumes.push(proto::mesos::Volume::default());
    spec.executor_info.container = Some(container);
    let failure = containerizer.launch(spec).await.unwrap_err();
    assert_eq!(failure.to_string(), "Volumes in ContainerInfo is not supported");
    containerizer.destroy(&"c".into());
    assert_eq!(
        message_of_end(&containerizer, "c").await,
        "Container destroyed while preparing isolators"
    );
}

#[tokio::test]
async fn a_missing_launch_helper_fails_the_launch() {
    let host = Host::new();
    let config = Config { launcher_dir: host.path().to_owned(), ..host.config() };
    let containerizer = containerizer::create(config).unwrap();
    let failure = containerizer.launch(host.spec("c", shell("true"))).await.unwrap_err();
    assert_eq!(
        failure.to_string(),
        "Failed to fork executor: Failed to fork a child process: \
         No such file or directory (os error 2)"
    );
    containerizer.destroy(&"c".into());
    assert_eq!(
        containerizer.wait(&"c".into()).await.unwrap().message(),
        "Container destroyed while preparing isolators"
    );
}

#[tokio::test]
async fn a_missing_sandbox_fails_the_launch() {
    let host = Host::new();
    let containerizer = host.containerizer();
    let spec = host.spec("c", shell("true"));
    std::fs::remove_dir(&spec.directory).unwrap();
    let failure = containerizer.launch(spec).await.unwrap_err();
    assert!(failure.to_string().starts_with("Failed to fork executor: Failed to open '"));
}

fn preparing(commands: &[&str]) -> Arc<TestIsolator> {
    let preparation = ContainerLaunchInfo {
        commands: commands.iter().map(|command| shell(command)).collect(),
        ..ContainerLaunchInfo::default()
    };
    Arc::new(TestIsolator { preparation, ..TestIsolator::default() })
}

#[tokio::test]
async fn script_succeeds() {
    let host = Host::new();
    let file = host.path().join("file");
    let isolator = preparing(&[&format!("touch {}", file.display())]);
    let containerizer = host.with_isolators(vec![isolator.clone()]);
    containerizer.launch(host.spec("c", shell("exit 0"))).await.unwrap();
    assert_eq!(containerizer.wait(&"c".into()).await.unwrap().status, Some(0));
    assert!(file.exists());
    assert_eq!(*isolator.calls.lock(), ["prepare", "isolate", "cleanup"]);
}

#[tokio::test]
async fn script_fails() {
    let host = Host::new();
    let file = host.path().join("file");
    let script = format!("touch {} && exit 1", file.display());
    let containerizer = host.with_isolators(vec![preparing(&[&script])]);
    containerizer.launch(host.spec("c", shell("echo never"))).await.unwrap();
    assert_eq!(containerizer.wait(&"c".into()).await.unwrap().status, Some(1 << 8));
    assert!(file.exists());
    assert_eq!(host.read("c", "stdout"), "");
    assert_eq!(
        host.read("c", "stderr"),
        "Failed to execute a preparation shell command: exit status: 1\n"
    );
}

#[tokio::test]
async fn multiple_scripts() {
    let host = Host::new();
    let isolators: Vec<Arc<dyn Isolator>> =
        vec![preparing(&["echo one", "echo two"]), preparing(&["echo three; exit 3", "echo four"])];
    let containerizer = host.with_isolators(isolators);
    containerizer.launch(host.spec("c", shell("echo never"))).await.unwrap();
    assert_eq!(containerizer.wait(&"c".into()).await.unwrap().status, Some(1 << 8));
    assert_eq!(host.read("c", "stdout"), "one\ntwo\nthree\n");
}

#[tokio::test]
async fn executor_environment_variable() {
    let host = Host::new();
    let variables = ["MESOS_SANDBOX", "MINE"].map(|name| Variable {
        name: name.into(),
        value: Some("isolated".into()),
        ..Variable::default()
    });
    let preparation = ContainerLaunchInfo {
        environment: Some(Environment { variables: variables.into() }),
        ..ContainerLaunchInfo::default()
    };
    let isolator = Arc::new(TestIsolator { preparation, ..TestIsolator::default() });
    let containerizer = host.with_isolators(vec![isolator]);
    let mut command = shell("echo $MESOS_SANDBOX $MINE");
    let mine = Variable { name: "MINE".into(), value: Some("mine".into()), ..Variable::default() };
    command.environment = Some(Environment { variables: vec![mine] });
    containerizer.launch(host.spec("c", command)).await.unwrap();
    message_of_end(&containerizer, "c").await;
    assert_eq!(host.read("c", "stdout"), "isolated isolated\n");
}

#[tokio::test]
async fn output_may_go_where_ours_goes() {
    let host = Host::new();
    let config = Config { output: ContainerOutput::Inherited, ..host.config() };
    let containerizer = containerizer::create(config).unwrap();
    let command = "for fd in 0 1 2; do readlink /proc/$$/fd/$fd; done > file";
    containerizer.launch(host.spec("c", shell(command))).await.unwrap();
    containerizer.wait(&"c".into()).await.unwrap();
    let ours = |fd: &str| std::fs::read_link(format!("/proc/self/fd/{fd}")).unwrap();
    let theirs = host.read("c", "file");
    let theirs: Vec<&str> = theirs.lines().collect();
    assert_eq!((theirs[0], theirs[2]), (ours("0").to_str().unwrap(), ours("2").to_str().unwrap()));
    assert!(!host.path().join("c/stdout").exists());
}

#[tokio::test]
async fn descriptors_of_the_launch_do_not_reach_the_executor() {
    let host = Host::new();
    let containerizer = host.containerizer();
    let list = CommandInfo {
        shell: Some(false),
        arguments: vec!["ls".into(), "/proc/self/fd".into()],
        ..shell("ls")
    };
    containerizer.launch(host.spec("c", list)).await.unwrap();
    message_of_end(&containerizer, "c").await;
    let ours = std::process::Command::new("ls").arg("/proc/self/fd").output().unwrap();
    assert_eq!(host.read("c", "stdout"), String::from_utf8(ours.stdout).unwrap());
}
