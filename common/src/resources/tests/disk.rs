//! `DiskResourcesTest`.

use super::{disk, disk_on, message, mount_source, of, path_source, resources};
use crate::resources::{Resources, validate};
use proto::mesos::resource::disk_info::{Source, source};
use proto::mesos::{self, Volume};

fn plain(text: &str, id: &str, path: &str) -> Resources {
    of(&disk(text, id, path))
}

fn on(source: &Source, text: &str, id: &str) -> Resources {
    of(&disk_on(Some(source), text, id, ""))
}

#[test]
fn validation() {
    let mut cpus = message("cpus:2");
    cpus.disk = disk("disk:10", "1", "path").disk;
    let error = validate(&cpus).expect_err("cpus are no disk");
    assert_eq!(error.to_string(), "DiskInfo should not be set for cpus resource");
    for valid in [
        disk("disk(role):10", "1", "path"),
        disk("disk:10", "", "path"),
        disk_on(Some(&path_source("mnt")), "disk(role):10", "1", "path"),
        disk_on(Some(&mount_source("mnt")), "disk(role):10", "1", "path"),
    ] {
        assert_eq!(validate(&valid), Ok(()));
    }
    let check = |kind: source::Type, expected: &str| {
        let source = Source { r#type: kind.into(), ..Source::default() };
        let disk = disk_on(Some(&source), "disk:10", "", "");
        assert_eq!(validate(&disk).expect_err("no data").to_string(), expected);
    };
    check(source::Type::Path, "DiskInfo::Source 'type' set to 'PATH' but missing 'path' data");
    check(source::Type::Mount, "DiskInfo::Source 'type' set to 'MOUNT' but missing 'mount' data");
}

#[test]
fn equals() {
    assert_ne!(plain("disk:10", "", ""), plain("disk:10", "", "path1"));
    assert_eq!(plain("disk:10", "", "path1"), plain("disk:10", "", "path2"));
    assert_eq!(plain("disk(r):10", "1", "path1"), plain("disk(r):10", "1", "path2"));
    assert_ne!(plain("disk(r):10", "1", "path2"), plain("disk(r):10", "2", "path2"));
    assert_ne!(plain("disk(r):10", "", "path2"), plain("disk(r):10", "2", "path2"));
}

#[test]
fn disk_source_equals() {
    let sources =
        [path_source("mnt"), path_source("mnt2"), mount_source("mnt"), mount_source("mnt2")];
    for (i, left) in sources.iter().enumerate() {
        for (j, right) in sources.iter().enumerate() {
            assert_eq!(on(left, "disk:10", "") == on(right, "disk:10", ""), i == j);
        }
    }
    assert_ne!(on(&sources[0], "disk(r):10", "1"), on(&sources[0], "disk(r):10", "2"));
}

#[test]
fn addition() {
    let (with_path, without) = (plain("disk(r):10", "", "path"), plain("disk(r):10", "", ""));
    let double = plain("disk(r):20", "", "path");
    assert_eq!(&with_path + &with_path, double);
    assert_ne!(&with_path + &without, double);
    let (one, two) = (plain("disk(r):10", "1", "path"), plain("disk(r):10", "2", "path"));
    let sum = &one + &two;
    assert!(sum.contains(&one) && sum.contains(&two));
    assert!(!sum.contains(&double) && !sum.contains(&plain("disk(r):20", "1", "path")));
}

#[test]
fn disk_source_addition_and_subtraction() {
    let (path, mount) = (path_source("mnt"), mount_source("mnt"));
    let (path10, path20) = (on(&path, "disk(r):10", ""), on(&path, "disk(r):20", ""));
    assert_eq!(&path10 + &path10, path20);
    assert!(path20.contains(&path10));
    assert_eq!(&path20 - &path10, path10);
    assert!((&(&path20 - &path10) - &path10).is_empty());
    let (mount10, mount20) = (on(&mount, "disk(r):10", ""), on(&mount, "disk(r):20", ""));
    assert_ne!(&mount10 + &mount10, mount20);
    assert_eq!((&mount10 + &mount10).len(), 2);
    assert!(!mount20.contains(&mount10) && mount20.contains(&mount20));
    assert_eq!(&mount20 - &mount10, mount20);
    assert!((&mount10 - &mount10).is_empty());
    assert_eq!(&mount10 - &path10, mount10);
}

#[test]
fn volumes_are_taken_whole() {
    let (one, other) = (plain("disk(r):10", "1", "path"), plain("disk(r):10", "2", "path"));
    assert_eq!(&one - &other, one);
    assert!((&other - &plain("disk(r):10", "2", "path2")).is_empty());
    assert!(!one.contains(&(&one + &one)));
    assert!((&one + &one).contains(&(&one + &one)));
    let path = path_source("mnt");
    assert!(!on(&path, "disk(r):20", "1").contains(&on(&path, "disk(r):10", "1")));
}

#[test]
fn filter_persistent_volumes() {
    let volume = plain("disk(role1):10", "1", "path");
    let all = resources("cpus:1;mem:512;disk:1000;disk(role2):20") + &volume;
    assert_eq!(all.persistent_volumes(), volume);
}

#[test]
fn the_volume_of_a_disk_stays_with_it() {
    let volume = Volume { host_path: Some("/h".into()), ..Volume::default() };
    let mut message: mesos::Resource = disk("disk(r):10", "1", "path");
    message.disk.as_mut().expect("a disk").volume = Some(volume);
    assert_eq!(of(&message).to_messages(), vec![message]);
}
