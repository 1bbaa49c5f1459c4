//! The executor of a command task, in all its forms.

use std::net::Ipv4Addr;

use libprocess::Address;
use proto::mesos::container_info::MesosInfo;
use proto::mesos::{CommandInfo, ContainerInfo, FrameworkInfo, Image, TaskId, TaskInfo};
use stout::flags::parse::Loader;
use tempfile::TempDir;

use super::{executor_info, summary};
use crate::config::Config;
use crate::flags::Flags;

/// A configuration whose launcher directory holds the program.
fn config(folder: &TempDir, arguments: &[&str]) -> Config {
    std::fs::write(folder.path().join("mesos-executor"), "").unwrap();
    let launcher_dir = format!("--launcher_dir={}", folder.path().display());
    let work_dir = format!("--work_dir={}", folder.path().display());
    let given = ["mesos-slave", &launcher_dir, &work_dir, "--hostname=h"];
    let arguments: Vec<String> = given.iter().chain(arguments).map(|&a| a.to_owned()).collect();
    let loader = Loader::new(&|path: &str| Err(format!("no file {path}").into()))
        .load::<Flags>(&arguments)
        .unwrap();
    Config::new(&loader, Vec::new(), Address::new(Ipv4Addr::LOCALHOST, 1)).unwrap()
}

fn framework() -> FrameworkInfo {
    FrameworkInfo { user: "alice".to_owned(), ..FrameworkInfo::default() }
}

fn task(command: CommandInfo) -> TaskInfo {
    TaskInfo {
        task_id: TaskId { value: "t".to_owned() },
        command: Some(command),
        ..TaskInfo::default()
    }
}

#[test]
fn get_executor_info() {
    let folder = tempfile::tempdir().unwrap();
    let command = CommandInfo { user: Some("bob".to_owned()), ..CommandInfo::default() };
    let info = executor_info(&config(&folder, &[]), &framework(), &task(command));
    let program = folder.path().canonicalize().unwrap().join("mesos-executor");
    let command = info.command.unwrap();
    assert_eq!(command.value(), program.to_str().unwrap());
    assert_eq!((command.shell, command.user.as_deref()), (Some(true), Some("bob")));
    assert!(command.arguments.is_empty());
    assert_eq!(info.executor_id.value, "t");
    assert_eq!(info.container, None);
}

#[test]
fn get_executor_info_for_task_with_container() {
    let folder = tempfile::tempdir().unwrap();
    let mut container = ContainerInfo::default();
    container.set_type(proto::mesos::container_info::Type::Mesos);
    container.mesos = Some(MesosInfo { image: Some(Image::default()) });
    let with_image = TaskInfo { container: Some(container), ..task(CommandInfo::default()) };
    let check = |arguments: &[&str], expected: &[&str]| {
        let info = executor_info(&config(&folder, arguments), &framework(), &with_image);
        assert_eq!(info.container.unwrap().mesos.unwrap().image, None);
        let command = info.command.unwrap();
        assert_eq!((command.shell, command.user.as_deref()), (Some(false), Some("root")));
        assert_eq!(command.arguments, expected);
    };
    let sandbox = "--sandbox_directory=/mnt/mesos/sandbox";
    check(&[], &["mesos-executor", sandbox, "--user=alice"]);
    check(&["--no-switch_user"], &["mesos-executor", sandbox]);
}

#[test]
fn names_show_the_beginning_of_the_command() {
    let check = |shell: bool, value: Option<&str>, arguments: &[&str], expected: &str| {
        let command = CommandInfo {
            shell: Some(shell),
            value: value.map(str::to_owned),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            ..CommandInfo::default()
        };
        assert_eq!(summary(&command), expected);
    };
    check(true, None, &[], "(Command: NO COMMAND)");
    check(true, Some("sleep 10"), &[], "(Command: sh -c 'sleep 10')");
    check(true, Some("123456789012345"), &[], "(Command: sh -c '123456789012345')");
    check(true, Some("1234567890123456"), &[], "(Command: sh -c '123456789012...')");
    check(true, Some("ääääääääääää"), &[], "(Command: sh -c 'ääääääääääää...')");
    check(false, None, &[], "(Command: NO EXECUTABLE)");
    check(false, Some("/bin/ls"), &[], "(Command: [/bin/ls, ])");
    check(false, Some("/bin/echo"), &["hello"], "(Command: [/bin/echo, h...])");
}
