//! Archives that the fetcher unpacks, and those that try to leave the sandbox.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use proto::mesos::fetcher::fetcher_info::Item;

use crate::fetcher::{Fixture, uri};

/// A member of a tar archive, with its name as it shall stand there.
pub(crate) enum Member {
    File(&'static str, &'static str, u32),
    Directory(&'static str, u32),
    Symlink(&'static str, String),
    HardLink(&'static str, String),
}

pub(crate) fn tar(members: &[Member]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for member in members {
        let (name, kind, content, mode, target) = match member {
            Member::File(name, content, mode) => {
                (name, tar::EntryType::Regular, *content, *mode, "")
            }
            Member::Directory(name, mode) => (name, tar::EntryType::Directory, "", *mode, ""),
            Member::Symlink(name, target) => (name, tar::EntryType::Symlink, "", 0o777, &**target),
            Member::HardLink(name, target) => (name, tar::EntryType::Link, "", 0o644, &**target),
        };
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(content.len() as u64);
        if !target.is_empty() {
            header.set_link_name_literal(target).unwrap();
        }
        header.set_cksum();
        builder.append(&header, content.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(content: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn xz(content: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::with_preset(1);
    let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn extract_tar() {
    let plain = tar(&[
        Member::Directory("closed/", 0o555),
        Member::File("closed/file", "content", 0o640),
        Member::File("./run", "#!", 0o4755),
        Member::Symlink("link", "closed/file".into()),
        Member::HardLink("hard", "run".into()),
    ]);
    // As with tar, the content tells the compression, not the name.
    let archives = [
        ("a.tar", plain.clone()),
        ("a.tgz", gzip(&plain)),
        ("a.tar.gz", gzip(&plain)),
        ("a.tbz2", bzip2(&plain)),
        ("a.tar.bz2", bzip2(&plain)),
        ("a.txz", xz(&plain)),
        ("a.tar.xz", xz(&plain)),
        ("b.tgz", plain.clone()),
        ("b.tar", xz(&plain)),
    ];
    for (name, archive) in archives {
        let mut fixture = Fixture::new();
        let source = fixture.source(name, archive);
        fixture.fetch(uri(source)).unwrap();
        assert_eq!(fixture.names(), [name, "closed", "hard", "link", "run"]);
        assert_eq!(fixture.read("link"), "content", "{name}");
        let modes = ["closed", "closed/file", "run"].map(|name| fixture.mode(name));
        assert_eq!(modes, [0o555, 0o640, 0o755], "{name}");
        fs::set_permissions(
            fixture.sandbox.path().join("closed"),
            fs::Permissions::from_mode(0o755),
        )
        .unwrap();
    }
}

#[test]
fn extract_gzip_file() {
    let mut fixture = Fixture::new();
    let source = fixture.source("test.txt.gz", gzip(b"content"));
    fixture.fetch(uri(source)).unwrap();
    assert_eq!(fixture.read("test.txt"), "content");
    assert_eq!(fixture.names(), ["test.txt", "test.txt.gz"]);
}

enum Zipped<'a> {
    File(&'a str, &'a str),
    Symlink(&'a str, &'a str),
}

fn zip(members: &[Zipped<'_>]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o640);
    for member in members {
        match member {
            Zipped::File(name, content) => {
                writer.start_file(*name, options).unwrap();
                writer.write_all(content.as_bytes()).unwrap();
            }
            Zipped::Symlink(name, target) => writer.add_symlink(*name, *target, options).unwrap(),
        }
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn extract_zip_file() {
    let mut fixture = Fixture::new();
    let members = [Zipped::File("dir/file", "content"), Zipped::Symlink("link", "dir/file")];
    let source = fixture.source("test.zip", zip(&members));
    fixture.fetch(uri(source)).unwrap();
    assert_eq!(fixture.read("dir/file"), "content");
    assert_eq!(fixture.read("link"), "content");
    assert_eq!(fixture.mode("dir/file"), 0o640);
    assert_eq!(fixture.names(), ["dir", "link", "test.zip"]);
}

#[test]
fn extract_invalid_zip_file() {
    let mut fixture = Fixture::new();
    let mut archive = zip(&[Zipped::File("file", &"content".repeat(100))]);
    // Somewhere in the compressed content.
    archive[40] ^= 0xff;
    for content in [archive, b"no zip at all".to_vec(), Vec::new()] {
        let source = fixture.source("test.zip", content);
        let failure = fixture.fetch(uri(source)).unwrap_err();
        assert!(failure.contains("Failed to extract '"), "{failure}");
    }
}

#[test]
fn extract_zip_file_with_duplicated_entries() {
    let mut fixture = Fixture::new();
    let mut archive = zip(&[Zipped::File("A", "1"), Zipped::File("B", "2")]);
    // The writer refuses duplicates, so that the second name is changed afterwards.
    for byte in archive.iter_mut().filter(|byte| **byte == b'B') {
        *byte = b'A';
    }
    let source = fixture.source("test.zip", archive);
    fixture.fetch(uri(source)).unwrap();
    assert_eq!(fixture.read("A"), "2");
}

#[test]
fn broken_archives_are_failures() {
    let mut fixture = Fixture::new();
    let plain = tar(&[Member::File("file", "content", 0o644)]);
    let cut = |archive: Vec<u8>| archive[..archive.len() / 2].to_vec();
    let archives = [
        ("a.tar", b"garbage".to_vec()),
        ("a.tgz", cut(gzip(&plain))),
        ("a.tar.bz2", cut(bzip2(&plain))),
        ("a.tar.xz", cut(xz(&plain))),
        ("a.gz", b"garbage".to_vec()),
    ];
    for (name, archive) in archives {
        let source = fixture.source(name, archive);
        let failure = fixture.fetch(uri(source)).unwrap_err();
        assert!(failure.contains("Failed to extract '"), "{name}: {failure}");
    }
}

#[test]
fn no_member_of_a_tar_archive_leaves_the_sandbox() {
    let outside = tempfile::tempdir().unwrap();
    let outside_path = outside.path().to_str().unwrap().to_owned();
    let precious = outside.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    let precious_path = precious.to_str().unwrap().to_owned();
    let evil = |name, target: &str| {
        vec![Member::Symlink("link", target.to_owned()), Member::File(name, "evil", 0o644)]
    };
    let archives = [
        vec![Member::File("../evil", "evil", 0o644)],
        vec![Member::File("a/../../evil", "evil", 0o644)],
        evil("link/evil", &outside_path),
        evil("link/evil", ".."),
        vec![Member::HardLink("hard", precious_path.clone())],
        vec![Member::HardLink("hard", "../../../../../../../../etc/passwd".into())],
    ];
    for (number, members) in archives.into_iter().enumerate() {
        let mut fixture = Fixture::new();
        let source = fixture.source("test.tar", tar(&members));
        let failure = fixture.fetch(uri(source)).expect_err(&number.to_string());
        assert!(failure.contains("Failed to extract '"), "{number}: {failure}");
        assert!(!fixture.sandbox.path().join("../evil").exists(), "{number}");
    }
    // A member that bears the name of a link replaces it.
    let mut fixture = Fixture::new();
    let source = fixture.source("test.tar", tar(&evil("link", &precious_path)));
    fixture.fetch(uri(source)).unwrap();
    assert_eq!(fixture.read("link"), "evil");
    // Absolute names are relative to the sandbox.
    let source = fixture.source("test.tar", tar(&[Member::File("/etc/evil", "evil", 0o644)]));
    fixture.fetch(uri(source)).unwrap();
    assert_eq!(fixture.read("etc/evil"), "evil");
    assert!(!Path::new("/etc/evil").exists());
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(precious).unwrap(), "precious");
}

#[test]
fn no_member_of_a_zip_archive_leaves_the_sandbox() {
    let outside = tempfile::tempdir().unwrap();
    let outside_path = outside.path().to_str().unwrap();
    let archives = [
        vec![Zipped::File("../evil", "evil")],
        vec![Zipped::File("a/../../evil", "evil")],
        vec![Zipped::Symlink("link", outside_path), Zipped::File("link/evil", "evil")],
        vec![Zipped::Symlink("link", ".."), Zipped::File("link/evil", "evil")],
    ];
    for (number, members) in archives.into_iter().enumerate() {
        let mut fixture = Fixture::new();
        let source = fixture.source("test.zip", zip(&members));
        let failure = fixture.fetch(uri(source)).expect_err(&number.to_string());
        assert!(failure.contains("would lie outside of the sandbox"), "{number}: {failure}");
        assert!(!fixture.sandbox.path().join("../evil").exists(), "{number}");
    }
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn an_earlier_archive_cannot_lead_later_files_astray() {
    let mut fixture = Fixture::new();
    let precious = fixture.source("precious", "precious");
    let first = fixture.source("a.tar", tar(&[Member::Symlink("b", precious.clone())]));
    fs::File::create(fixture.elsewhere.path().join("b")).unwrap();
    let second = fixture.source("b", "evil");
    let item = |value: String| Item { uri: uri(value), ..Item::default() };
    fixture.order.items = vec![item(first), item(second)];
    fixture.run().unwrap();
    assert_eq!(fs::read_to_string(precious).unwrap(), "precious");
    assert_eq!(fixture.read("b"), "evil");
}
