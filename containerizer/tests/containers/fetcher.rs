//! The body of mesos-fetcher: one order at a time, on real files and a real web server.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::thread;

use common::json::protobuf::Protobuf;
use containerizer::fetcher::worker;
use proto::mesos::command_info::Uri;
use proto::mesos::fetcher::FetcherInfo;
use proto::mesos::fetcher::fetcher_info::Item;
use proto::mesos::fetcher::fetcher_info::item::Action;
use tempfile::TempDir;

use crate::archives;
use crate::support::is_root;

/// A sandbox, and a place elsewhere for what is fetched from there.
pub(crate) struct Fixture {
    pub(crate) sandbox: TempDir,
    pub(crate) elsewhere: TempDir,
    pub(crate) order: FetcherInfo,
}

impl Fixture {
    pub(crate) fn new() -> Fixture {
        let sandbox = tempfile::tempdir().unwrap();
        let sandbox_directory = sandbox.path().to_str().unwrap().to_owned();
        let order = FetcherInfo { sandbox_directory, ..FetcherInfo::default() };
        Fixture { sandbox, elsewhere: tempfile::tempdir().unwrap(), order }
    }

    /// A file elsewhere, and its path.
    pub(crate) fn source(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.elsewhere.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(crate) fn run(&self) -> Result<(), String> {
        let order = stout::json::to_string(&Protobuf(&self.order));
        worker::run(Some(&order), None).map_err(|error| error.to_string())
    }

    pub(crate) fn fetch(&mut self, uri: Uri) -> Result<(), String> {
        let action = Action::BypassCache.into();
        self.order.items = vec![Item { uri, action, cache_filename: None }];
        self.run()
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.sandbox.path().join(name)).unwrap()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.sandbox.path()).unwrap();
        let name = |entry: fs::DirEntry| entry.file_name().to_str().unwrap().to_owned();
        let mut names: Vec<String> = entries.map(|entry| name(entry.unwrap())).collect();
        names.sort();
        names
    }

    pub(crate) fn mode(&self, name: &str) -> u32 {
        self.sandbox.path().join(name).metadata().unwrap().mode() & 0o777
    }
}

pub(crate) fn uri(value: impl Into<String>) -> Uri {
    Uri { value: value.into(), ..Uri::default() }
}

#[test]
fn file_uris_and_absolute_file_paths() {
    for prefix in ["file://", "file://localhost", "", " \t\r\n"] {
        let mut fixture = Fixture::new();
        let source = fixture.source("it's".replace('\'', "_").as_str(), "content");
        fixture.fetch(uri(format!("{prefix}{source}"))).unwrap();
        assert_eq!(fixture.read("it_s"), "content", "{prefix:?}");
    }
}

#[test]
fn relative_file_path() {
    let mut fixture = Fixture::new();
    fixture.source("test", "content");
    let failure = fixture.fetch(uri("test")).unwrap_err();
    assert_eq!(
        failure,
        "Failed to fetch 'test': A relative path was passed for the resource but the Mesos \
         framework home was not specified. Please either provide this config option or avoid \
         using a relative path"
    );
    fixture.order.frameworks_home = fixture.elsewhere.path().to_str().map(Into::into);
    fixture.fetch(uri("test")).unwrap();
    assert_eq!(fixture.read("test"), "content");
}

#[test]
fn non_existing_file() {
    let mut fixture = Fixture::new();
    let failure = fixture.fetch(uri("file:///does/not/exist")).unwrap_err();
    let sandbox = fixture.sandbox.path().display();
    assert_eq!(
        failure,
        format!(
            "Failed to fetch 'file:///does/not/exist': Failed to copy '/does/not/exist' to \
             '{sandbox}/exist': No such file or directory (os error 2)"
        )
    );
}

#[test]
fn malformed_uris_name_no_file() {
    let mut fixture = Fixture::new();
    for value in ["lala://nopath", "..", "http://host/..", "a'b"] {
        let failure = fixture.fetch(uri(value)).unwrap_err();
        let expected = format!(
            "Failed to fetch '{value}': Failed to determine the basename of the URI '{value}' \
             with error: "
        );
        assert!(failure.starts_with(&expected), "{failure}");
    }
    assert!(fixture.names().is_empty());
}

#[test]
fn names_reach_no_shell() {
    let mut fixture = Fixture::new();
    let name = "a$(touch qqq)`touch qqq`;touch qqq\"b";
    let source = fixture.source(name, "content");
    fixture.fetch(uri(source)).unwrap();
    assert_eq!(fixture.names(), [name]);
}

#[test]
fn no_extract_not_executable() {
    let mut fixture = Fixture::new();
    let source = fixture.source("test", "content");
    fs::set_permissions(&source, fs::Permissions::from_mode(0o640)).unwrap();
    fixture.fetch(Uri { extract: Some(false), executable: Some(false), ..uri(source) }).unwrap();
    assert_eq!(fixture.mode("test"), 0o640);
}

#[test]
fn no_extract_executable() {
    let mut fixture = Fixture::new();
    let source = fixture.source("test", "content");
    fixture.fetch(Uri { extract: Some(false), executable: Some(true), ..uri(source) }).unwrap();
    assert_eq!(fixture.mode("test"), 0o755);
}

#[test]
fn executables_are_not_extracted() {
    let mut fixture = Fixture::new();
    let source =
        fixture.source("test.tar", archives::tar(&[archives::Member::File("member", "x", 0o644)]));
    fixture.fetch(Uri { executable: Some(true), ..uri(source) }).unwrap();
    assert_eq!(fixture.names(), ["test.tar"]);
}

#[test]
fn what_is_no_archive_stays_as_it_is() {
    let mut fixture = Fixture::new();
    let source = fixture.source("test.rar", "content");
    fixture.fetch(uri(source)).unwrap();
    assert_eq!(fixture.read("test.rar"), "content");
}

#[test]
fn output_files() {
    let mut fixture = Fixture::new();
    let source = fixture.source("test", "content");
    fixture.fetch(Uri { output_file: Some("deep/er".into()), ..uri(&source) }).unwrap();
    assert_eq!(fixture.read("deep/er"), "content");
    symlink("/tmp", fixture.sandbox.path().join("link")).unwrap();
    for outside in ["../x", "/tmp/x", "link/x"] {
        let given = Uri { output_file: Some(outside.into()), ..uri(&source) };
        let failure = fixture.fetch(given).unwrap_err();
        assert!(failure.contains("sandbox"), "{failure}");
    }
    assert!(!Path::new("/tmp/x").exists());
}

#[test]
fn the_first_failure_ends_the_order() {
    let mut fixture = Fixture::new();
    let item = |value: String| Item { uri: uri(value), ..Item::default() };
    let good = fixture.source("good", "content");
    fixture.order.items = ["/does/not/exist".into(), good].map(item).into_iter().collect();
    assert!(fixture.run().unwrap_err().starts_with("Failed to fetch '/does/not/exist': "));
    assert!(fixture.names().is_empty());
}

#[test]
fn orders_that_make_no_sense() {
    let check = |order: Option<&str>, expected: &str| {
        let failure = worker::run(order, None).unwrap_err().to_string();
        assert!(failure.starts_with(expected), "{order:?}: {failure}");
    };
    check(None, "Missing MESOS_FETCHER_INFO environment variable");
    check(Some(""), "Failed to parse MESOS_FETCHER_INFO: ");
    check(Some("[]"), "Failed to parse MESOS_FETCHER_INFO: ");
    check(Some("{}"), "Failed to parse FetcherInfo: Missing required fields: sandbox_directory");
    check(Some(r#"{"sandbox_directory":""}"#), "Missing sandbox directory");
    let cached = r#"{"sandbox_directory":"/tmp","items":
        [{"uri":{"value":"/x"},"action":"RETRIEVE_FROM_CACHE"}]}"#;
    check(Some(cached), "Failed to fetch '/x': Fetching through the cache is not supported");
}

#[test]
fn the_program_without_its_environment_says_so() {
    let program = env!("CARGO_BIN_EXE_mesos-fetcher");
    let output = std::process::Command::new(program).env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr, "Missing MESOS_FETCHER_INFO environment variable\n");
}

// === Users ===

#[test]
fn invalid_user() {
    let mut fixture = Fixture::new();
    fixture.order.user = Some("no such user".into());
    let source = fixture.source("test", "content");
    let failure = fixture.fetch(uri(source)).unwrap_err();
    let sandbox = fixture.sandbox.path().display();
    let expected =
        format!("Failed to chown {sandbox}: Failed to get user information for 'no such user'");
    assert!(failure.starts_with(&expected), "{failure}");
}

#[test]
fn root_the_sandbox_becomes_the_users_but_nothing_that_links_lead_to() {
    if !is_root() {
        eprintln!("skipped: needs root");
        return;
    }
    let mut fixture = Fixture::new();
    let outside = fixture.source("outside", "precious");
    symlink(&outside, fixture.sandbox.path().join("link")).unwrap();
    let source = fixture.source("test", "content");
    fixture.order.user = Some("nobody".into());
    fixture.fetch(uri(source)).unwrap();
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let owner = |name: &str| {
        let metadata = fixture.sandbox.path().join(name).symlink_metadata().unwrap();
        (metadata.uid(), metadata.gid())
    };
    for name in ["", "test", "link"] {
        assert_eq!(owner(name), (nobody.uid.as_raw(), nobody.gid.as_raw()), "{name}");
    }
    assert_eq!(fs::metadata(outside).unwrap().uid(), 0);
}

// === The web ===

/// Answers each request with what is kept for its path, or with 404.
fn serve(pages: &[(&str, &str)]) -> SocketAddr {
    let pages: BTreeMap<String, String> =
        pages.iter().map(|(path, answer)| ((*path).into(), (*answer).into())).collect();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                connection.read_exact(&mut byte).unwrap();
                request.push(byte[0]);
            }
            let request = String::from_utf8(request).unwrap();
            let path = request.split(' ').nth(1).unwrap();
            let missing = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
            let answer = pages.get(path).map_or(missing, String::as_str);
            connection.write_all(answer.as_bytes()).unwrap();
        }
    });
    address
}

const FOUND: &str = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\ncontent";

#[test]
fn os_net_uri_test() {
    let mut fixture = Fixture::new();
    let address = serve(&[("/help/test", FOUND), ("/q?a=b", FOUND)]);
    fixture.fetch(uri(format!("http://{address}/help/test"))).unwrap();
    assert_eq!(fixture.read("test"), "content");
    fixture.fetch(uri(format!("http://{address}/q?a=b"))).unwrap();
    assert_eq!(fixture.read("q?a=b"), "content");
}

#[test]
fn os_net_uri_space_test() {
    let mut fixture = Fixture::new();
    let address = serve(&[("/test", FOUND)]);
    fixture.fetch(uri(format!("\r\n\t http://{address}/test"))).unwrap();
    assert_eq!(fixture.read("test"), "content");
}

#[test]
fn redirects_are_followed() {
    let mut fixture = Fixture::new();
    let moved = "HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\
                 Connection: close\r\n\r\n";
    let address = serve(&[("/here", moved), ("/there", FOUND)]);
    fixture.fetch(uri(format!("http://{address}/here"))).unwrap();
    assert_eq!(fixture.read("here"), "content");
}

#[test]
fn answers_other_than_200_are_failures() {
    let mut fixture = Fixture::new();
    let empty = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
    let broken = "HTTP/1.1 500 Broken\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx";
    let address = serve(&[("/empty", empty), ("/broken", broken)]);
    for (path, code) in [("missing", 404), ("empty", 204), ("broken", 500)] {
        let value = format!("http://{address}/{path}");
        let failure = fixture.fetch(uri(&value)).unwrap_err();
        assert_eq!(
            failure,
            format!(
                "Failed to fetch '{value}': Error downloading resource, received HTTP return \
                 code {code}"
            )
        );
    }
}

#[test]
fn answers_that_end_too_early_are_failures() {
    let mut fixture = Fixture::new();
    let short = FOUND.replace("Length: 7", "Length: 70");
    let address = serve(&[("/short", &short), ("/none", "")]);
    for path in ["short", "none"] {
        let failure = fixture.fetch(uri(format!("http://{address}/{path}"))).unwrap_err();
        assert!(failure.contains("Error downloading resource"), "{failure}");
    }
    let failure = fixture.fetch(uri("https://127.0.0.1:1/nobody")).unwrap_err();
    assert!(failure.contains("Error downloading resource: "), "{failure}");
    let failure = fixture.fetch(uri("http://127.0.0.1:1/nobody")).unwrap_err();
    assert!(failure.contains("Error downloading resource: "), "{failure}");
}

#[test]
fn hdfs_uri() {
    let mut fixture = Fixture::new();
    let home = fixture.elsewhere.path().to_owned();
    let client = home.join("bin/hadoop");
    fs::create_dir(home.join("bin")).unwrap();
    let script = "#!/bin/sh\n\
                  [ \"$1\" = version ] && exit 0\n\
                  [ \"$1 $2 $3\" = 'fs -copyToLocal hdfs://a b/file' ] || exit 3\n\
                  echo content > \"$4\"\n";
    fs::write(&client, script).unwrap();
    fs::set_permissions(&client, fs::Permissions::from_mode(0o755)).unwrap();
    let run = |fixture: &mut Fixture, value: &str, home: &Path| {
        fixture.order.items = vec![Item { uri: uri(value), ..Item::default() }];
        let order = stout::json::to_string(&Protobuf(&fixture.order));
        worker::run(Some(&order), Some(home.to_owned())).map_err(|error| error.to_string())
    };
    run(&mut fixture, "hdfs://a b/file", &home).unwrap();
    assert_eq!(fixture.read("file"), "content\n");
    let failure = run(&mut fixture, "s3://a/file", &home).unwrap_err();
    assert!(failure.contains("HDFS copyToLocal failed: "), "{failure}");
    let failure = run(&mut fixture, "s3://a/file", Path::new("/nowhere")).unwrap_err();
    assert!(
        failure.starts_with(
            "Failed to fetch 's3://a/file': Failed to create HDFS client: \
             '/nowhere/bin/hadoop version' failed: "
        ),
        "{failure}"
    );
}
