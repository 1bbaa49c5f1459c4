//! The files endpoints on real folders; named after upstream's tests where there is one.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;
use crate::http::Body;
use crate::testing::{runtime, wait};

/// A folder of files, served.
struct Served {
    runtime: Runtime,
    files: Files,
    folder: tempfile::TempDir,
}

impl Served {
    fn new() -> Self {
        let runtime = runtime();
        let files = Files::start(&runtime).expect("a free id");
        Self { runtime, files, folder: tempfile::tempdir().expect("a temporary folder") }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    fn write(&self, below: &str, content: impl AsRef<[u8]>) {
        let path = self.path(below);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, content).expect("a file");
    }

    fn attach(&self, below: &str, name: &str) -> Result<(), AttachError> {
        wait(self.files.attach(self.path(below), name))
    }

    fn get(&self, endpoint: &str, query: &str) -> Response {
        let query = crate::wire::percent::decode_query(query).expect("a query");
        let path = format!("/files/{endpoint}");
        let request = Request { path, query, ..Request::default() };
        wait(self.runtime.request(request))
    }

    fn check(&self, endpoint: &str, query: &str, status: u16, body: &str) {
        let (got, text) = read_response(self.get(endpoint, query));
        assert_eq!((got, text.as_str()), (status, body), "{endpoint}?{query}");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        wait(self.runtime.shutdown());
    }
}

fn read_response(response: Response) -> (u16, String) {
    let body = match response.body {
        Body::Empty => Vec::new(),
        Body::Bytes(bytes) => bytes.to_vec(),
        Body::File(path) => fs::read(path).expect("a file"),
        Body::Stream(_) => panic!("no stream is served here"),
    };
    (response.status.as_u16(), String::from_utf8(body).expect("text"))
}

#[test]
fn files_test_attach() {
    let served = Served::new();
    served.write("file", "body");
    served.write("dir/file", "body");
    served.write("file2", "body");
    assert!(served.attach("file", "myname").is_ok());
    assert!(served.attach("dir", "mydir").is_ok());
    assert!(served.attach("file", "myname").is_ok());
    assert!(served.attach("file2", "myname").is_ok());
    let missing = served.attach("missing", "somename").unwrap_err().to_string();
    assert!(missing.starts_with("Failed to get realpath of '"), "{missing}");
}

#[test]
fn files_test_detach() {
    let served = Served::new();
    served.write("file", "body");
    served.attach("file", "myname").unwrap();
    served.files.detach("myname");
    served.files.detach("myname");
    served.check("read", "path=myname", 404, "");
}

#[test]
fn files_test_read() {
    let served = Served::new();
    served.check("read", "", 400, "Expecting 'path=value' in query.\n");
    let bad =
        |what: &str| format!("Failed to parse {what}: Failed to convert 'hello' to number.\n");
    served.check("read", "path=none&offset=hello", 400, &bad("offset"));
    served.check("read", "path=none&length=hello", 400, &bad("length"));
    served.write("file", "body/");
    served.attach("file", "/myname").unwrap();
    served.attach("file", "myname").unwrap();
    let body = r#"{"data":"body\/","offset":0}"#;
    served.check("read", "path=/myname&offset=0", 200, body);
    served.check("read.json", "path=myname&offset=0", 200, body);
    served.check("read", "path=myname&offset=0&jsonp=f", 200, &format!("f({body});"));
    served.check("read", "path=missing", 404, "");
}

#[test]
fn files_read_offsets_and_lengths() {
    let served = Served::new();
    served.write("file", "0123456789");
    served.write("big", vec![b'x'; 100_000]);
    served.attach("file", "f").unwrap();
    served.attach("big", "big").unwrap();
    let check = |query: &str, data: &str, offset: u64| {
        let body = format!(r#"{{"data":"{data}","offset":{offset}}}"#);
        served.check("read", &format!("path=f{query}"), 200, &body);
    };
    check("", "", 10);
    check("&offset=-1", "", 10);
    check("&offset=10", "", 10);
    check("&offset=11", "", 10);
    check("&offset=4&length=3", "456", 4);
    check("&offset=4&length=-1", "456789", 4);
    check("&offset=4&length=0", "", 4);
    check("&offset=9223372036854775807", "", 10);
    served.check("read", "path=f&length=-2", 400, "Negative length provided: -2.\n");
    let (_, big) = read_response(served.get("read", "path=big&offset=0&length=99999"));
    let data = big.split('"').nth(3).unwrap();
    assert_eq!(
        data.len() as i64,
        nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).unwrap().unwrap() * 16
    );
}

#[test]
fn files_test_resolve() {
    let served = Served::new();
    served.write("1/two", "two");
    served.write("1/2/three", "three");
    for (path, name) in [("1", "one"), ("1", "/one/"), ("1/2", "two"), ("1/2", "one/two")] {
        served.attach(path, name).unwrap();
    }
    let three = r#"{"data":"three","offset":0}"#;
    for path in ["one/2/three", "/one/2/three", "two/three", "one/two/three", "%2Fone%2F2%2Fthree"]
    {
        served.check("read", &format!("path={path}&offset=0"), 200, three);
    }
    for path in ["one/2", "one", "one/"] {
        served.check("read", &format!("path={path}"), 400, "Cannot read a directory.\n");
        served.check("download", &format!("path={path}"), 400, "Cannot download a directory.\n");
    }
    let outside = served.path("1/2/../two").canonicalize().unwrap();
    assert!(outside.exists());
    let text = format!(
        "'{}' is inaccessible.\n",
        served.path("1/2").canonicalize().unwrap().join("../two").display()
    );
    served.check("read", "path=two/../two", 400, &text);
    served.check("download", "path=two/../two", 400, &text);
    served.check("browse", "path=two/../2/..", 500, &text.replace("../two", "../2/.."));
}

#[test]
fn files_no_link_leads_out_of_what_is_attached() {
    let served = Served::new();
    served.write("sandbox/file", "mine");
    served.write("sandbox2/secret", "not mine");
    symlink("../sandbox2/secret", served.path("sandbox/link")).unwrap();
    symlink("../sandbox2", served.path("sandbox/folder")).unwrap();
    symlink("file", served.path("sandbox/inner")).unwrap();
    served.attach("sandbox", "box").unwrap();
    served.check("read", "path=box/inner&offset=0", 200, r#"{"data":"mine","offset":0}"#);
    for path in ["box/link", "box/folder/secret", "box/../sandbox2/secret"] {
        for endpoint in ["read", "download"] {
            let (status, body) = read_response(served.get(endpoint, &format!("path={path}")));
            assert_eq!(status, 400, "{endpoint} {path}");
            assert!(body.ends_with("is inaccessible.\n"), "{body}");
        }
    }
    assert_eq!(served.get("browse", "path=box/folder").status, 500);
}

#[test]
fn files_test_browse() {
    let served = Served::new();
    served.write("1/2/.keep", "");
    fs::remove_file(served.path("1/2/.keep")).unwrap();
    served.write("1/three", "three");
    served.attach("1", "one").unwrap();
    for query in ["path=one/", "path=one%2F", "path=one"] {
        let (status, text) = read_response(served.get("browse", query));
        let list: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(status, 200);
        assert_eq!(list[0]["path"], "one/2");
        assert!(list[0]["mode"].as_str().unwrap().starts_with("drwx"), "{text}");
        assert_eq!(list[1]["path"], "one/three");
        assert_eq!(list[1]["size"], 5);
        assert_eq!(list[1]["nlink"], 1);
        let members: Vec<_> = list[1].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["gid", "mode", "mtime", "nlink", "path", "size", "uid"]);
    }
    served.check("browse", "path=one/2", 200, "[]");
    served.check("browse", "path=one/three", 200, "[]");
    served.check("browse", "path=missing", 404, "");
    served.check("browse", "", 400, "Expecting 'path=value' in query.\n");
}

#[test]
fn files_test_download() {
    let served = Served::new();
    served.write("binary", "no file extension");
    served.write("black.gif", "GIF87a");
    served.attach("binary", "binary").unwrap();
    served.attach("black.gif", "black.gif").unwrap();
    let check = |name: &str, content_type: &str, body: &str| {
        let response = served.get("download", &format!("path={name}"));
        assert_eq!(response.headers["content-type"], content_type);
        let disposition = format!("attachment; filename={name}");
        assert_eq!(response.headers["content-disposition"], disposition);
        assert_eq!(read_response(response), (200, body.to_owned()));
    };
    check("binary", "application/octet-stream", "no file extension");
    check("black.gif", "image/gif", "GIF87a");
}

#[test]
fn files_debug_shows_the_map() {
    let served = Served::new();
    served.write("file", "");
    served.attach("file", "/b/").unwrap();
    served.attach("file", "a").unwrap();
    let path = served.path("file").canonicalize().unwrap().display().to_string();
    let path = path.replace('/', "\\/");
    served.check("debug", "", 200, &format!(r#"{{"\/b":"{path}","a":"{path}"}}"#));
}
