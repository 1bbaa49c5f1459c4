//! Encrypted connections between runtimes, and with OpenSSL's command line as the other side.
//! Named after upstream's tests where there is one.

mod tcp;

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use libprocess::http::client::{self, ClientError, Delivery, Request as Outgoing};
use libprocess::http::url::{Scheme, Url};
use libprocess::http::{Body, Response};
use libprocess::runtime::config::StartError;
use libprocess::testing::{self, start, wait};
use libprocess::tls::Settings;
use libprocess::{Config, Ctx, Process, Router, Runtime, Upid};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

type Variables<'a> = &'a [(&'a str, &'a str)];

/// A folder with a certificate for `localhost` that signs itself, one of somebody else, and an
/// authority with a certificate that it has signed.
struct Certificates(tempfile::TempDir);

/// `openssl` with these arguments, in words.
fn openssl(folder: &Path, arguments: &str) -> Output {
    let words = arguments.split(' ');
    Command::new("openssl").current_dir(folder).args(words).output().expect("openssl runs")
}

impl Certificates {
    /// Makes them; none, said aloud, where there is no OpenSSL.
    fn new(test: &str) -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_err() {
            let line = format!("SKIPPED {test}: needs openssl\n");
            if let Some(path) = std::env::var_os("MESOS_TEST_SKIPS") {
                let list = OpenOptions::new().append(true).create(true).open(path);
                list.and_then(|mut list| list.write_all(line.as_bytes())).expect("a list of skips");
            }
            return None;
        }
        let this = Self(tempfile::tempdir().expect("a temporary folder"));
        this.self_signed("own", "localhost");
        this.self_signed("scrap", "localhost");
        this.self_signed("authority", "authority");
        this.signed("leaf", "authority", "subjectAltName=DNS:localhost");
        Some(this)
    }

    fn signed(&self, name: &str, authority: &str, extension: &str) {
        std::fs::write(self.path("extensions"), extension).expect("a file");
        let request = format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN={name} \
             -keyout {name}.key -out {name}.request"
        );
        let sign = format!(
            "x509 -req -in {name}.request -CA {authority}.pem -CAkey {authority}.key -days 2 \
             -CAcreateserial -extfile extensions -out {name}.pem"
        );
        for arguments in [request, sign] {
            let output = openssl(self.0.path(), &arguments);
            assert!(output.status.success(), "{output:?}");
        }
    }

    fn self_signed(&self, name: &str, common_name: &str) {
        let output = openssl(
            self.0.path(),
            &format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
                 -subj /CN={common_name} -keyout {name}.key -out {name}.pem"
            ),
        );
        assert!(output.status.success(), "{output:?}");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The settings with the certificate of this name; `own.pem` among the values is its path.
    fn settings(&self, name: &str, variables: Variables<'_>) -> Option<Settings> {
        let (key, cert) = (self.path(&format!("{name}.key")), self.path(&format!("{name}.pem")));
        let value = |wanted: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == wanted);
            match (found, wanted) {
                (Some((_, file)), _) if file.ends_with(".pem") => Some(self.path(file)),
                (Some((_, value)), _) => Some(PathBuf::from(value)),
                (None, "SSL_ENABLED") => Some("true".into()),
                (None, "SSL_KEY_FILE") => Some(key.clone()),
                (None, "SSL_CERT_FILE") => Some(cert.clone()),
                (None, _) => None,
            }
        };
        let settings = Settings::from_environment(|variable| {
            value(variable).map(|value| value.to_str().expect("text").to_owned())
        });
        settings.expect("values of the right kind")
    }

    fn config(&self, name: &str, variables: Variables<'_>) -> Config {
        Config { tls: self.settings(name, variables), ..Config::default() }
    }

    /// A runtime with the certificate of this name and an actor called `site`.
    fn runtime(&self, name: &str, variables: Variables<'_>) -> (Runtime, UnboundedReceiver<Seen>) {
        spawn(start(self.config(name, variables)))
    }

    /// What a server says to `openssl s_client`.
    fn ask(&self, runtime: &Runtime, arguments: &str) -> String {
        let command = format!("s_client -connect {} -quiet {arguments}", runtime.bound());
        let mut client = Command::new("openssl")
            .current_dir(self.0.path())
            .args(command.split_whitespace())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl runs");
        let mut stdin = client.stdin.take().expect("a pipe");
        // It may have been refused already.
        let _ = stdin.write_all(REQUEST);
        let output = client.wait_with_output().expect("an end");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn check(&self, variables: Variables<'_>, arguments: &str, is_served: bool) {
        let (runtime, _seen) = self.runtime("own", variables);
        let answer = self.ask(&runtime, arguments);
        assert_eq!(answer.ends_with("\r\n\r\nhello"), is_served, "{arguments:?}: {answer:?}");
        wait(runtime.shutdown());
    }
}

const REQUEST: &[u8] = b"GET /site/hello HTTP/1.1\r\nConnection: close\r\n\r\n";

#[derive(Debug, PartialEq)]
enum Seen {
    Message(Upid, Bytes),
    Exited(Upid),
}

struct Site(UnboundedSender<Seen>);

impl Process for Site {
    fn install(&self, router: &mut Router<Self>) {
        router.on_raw("note", |this: &mut Self, _, from, body| {
            this.0.send(Seen::Message(from, body)).expect("the test listens");
        });
        router.route("/hello", None, |_: &mut Self, _, _| Response::ok("hello"));
        router.route("/echo", None, |_: &mut Self, _, request| Response::ok(request.body));
        router.route("/who", None, |_: &mut Self, _, request| {
            Response::ok(request.client.expect("a client").ip().to_string())
        });
    }

    fn exited(&mut self, _: &mut Ctx<Self>, pid: Upid) {
        self.0.send(Seen::Exited(pid)).expect("the test listens");
    }
}

fn spawn(runtime: Runtime) -> (Runtime, UnboundedReceiver<Seen>) {
    let (tell, told) = unbounded_channel();
    runtime.spawn("site", Site(tell)).expect("a free id");
    (runtime, told)
}

fn site(runtime: &Runtime) -> Upid {
    Upid::new("site", runtime.address())
}

/// What a server says to a client that knows no encryption.
fn ask_plainly(runtime: &Runtime) -> String {
    let mut stream = TcpStream::connect(runtime.bound()).expect("the runtime listens");
    stream.write_all(REQUEST).expect("an open connection");
    let mut answer = Vec::new();
    // It may be reset.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(runtime: &Runtime, url: Url) -> Result<String, ClientError> {
    let response = wait(client::get(runtime, url))?;
    let Body::Bytes(body) = response.body else { panic!("not whole") };
    Ok(String::from_utf8_lossy(&body).into_owned())
}

const REQUIRED: Variables<'static> = &[("SSL_REQUIRE_CERT", "true"), ("SSL_CA_FILE", "own.pem")];
const DOWNGRADE: Variables<'static> = &[("SSL_SUPPORT_DOWNGRADE", "true")];

#[test]
fn ssl_test_basic_same_process() {
    let Some(certificates) = Certificates::new("ssl_test_basic_same_process") else { return };
    let (here, mut seen) = certificates.runtime("own", REQUIRED);
    let (there, mut seen_there) = certificates.runtime("own", REQUIRED);
    let (one, two) = (site(&here), site(&there));
    here.post(&one, &two, "note", Bytes::from(vec![b'x'; 1 << 20]));
    let big = wait(seen_there.recv());
    assert_eq!(big, Some(Seen::Message(one.clone(), vec![b'x'; 1 << 20].into())));
    there.post(&two, &one, "note", "back".into());
    assert_eq!(wait(seen.recv()), Some(Seen::Message(two, "back".into())));
    wait(there.shutdown());
    wait(here.shutdown());
}

#[test]
fn links_over_tls_break_with_the_peer() {
    let Some(certificates) = Certificates::new("links_over_tls_break_with_the_peer") else {
        return;
    };
    let (there, mut seen_there) = certificates.runtime("own", REQUIRED);
    let here = start(certificates.config("own", REQUIRED));
    let (tell, mut told) = unbounded_channel();
    let linker = here.spawn("linker", Site(tell)).unwrap();
    let linkee = site(&there);
    let to = linkee.clone();
    wait(linker.dispatch(move |_, ctx| ctx.link(&to))).unwrap();
    here.post(linker.upid(), &linkee, "note", "linked".into());
    let linked = Seen::Message(linker.upid().clone(), "linked".into());
    assert_eq!(wait(seen_there.recv()), Some(linked));
    wait(there.shutdown());
    assert_eq!(wait(told.recv()), Some(Seen::Exited(linkee)));
    wait(here.shutdown());
}

#[test]
fn ssl_test_ssl_socket() {
    let Some(certificates) = Certificates::new("ssl_test_ssl_socket") else { return };
    certificates.check(&[], "-CAfile own.pem -verify_return_error", true);
}

#[test]
fn ssl_test_non_ssl_socket() {
    let Some(certificates) = Certificates::new("ssl_test_non_ssl_socket") else { return };
    let (runtime, _seen) = certificates.runtime("own", &[]);
    assert!(!ask_plainly(&runtime).contains("HTTP"));
    // Neither do messages get through in plain.
    let (plain, _told) = spawn(testing::runtime());
    plain.post(&site(&plain), &site(&runtime), "note", "plain".into());
    wait(plain.flush(Duration::from_secs(10)));
    wait(plain.shutdown());
    wait(runtime.shutdown());
}

#[test]
fn ssl_test_no_verify_bad_ca() {
    let Some(certificates) = Certificates::new("ssl_test_no_verify_bad_ca") else { return };
    certificates.check(&[], "-cert scrap.pem -key scrap.key", true);
}

#[test]
fn ssl_test_require_bad_ca() {
    let Some(certificates) = Certificates::new("ssl_test_require_bad_ca") else { return };
    certificates.check(REQUIRED, "-cert scrap.pem -key scrap.key", false);
    certificates.check(REQUIRED, "", false);
}

#[test]
fn ssl_test_verify_bad_ca() {
    let Some(certificates) = Certificates::new("ssl_test_verify_bad_ca") else { return };
    let verified: Variables<'_> = &[("SSL_VERIFY_CERT", "true"), ("SSL_CA_FILE", "own.pem")];
    certificates.check(verified, "-cert scrap.pem -key scrap.key", false);
    certificates.check(verified, "", true);
}

#[test]
fn ssl_test_verify_certificate() {
    let Some(certificates) = Certificates::new("ssl_test_verify_certificate") else { return };
    let verified: Variables<'_> = &[("SSL_VERIFY_CERT", "true"), ("SSL_CA_FILE", "own.pem")];
    certificates.check(verified, "-cert own.pem -key own.key", true);
    let by_authority = &[("SSL_VERIFY_CERT", "true"), ("SSL_CA_FILE", "authority.pem")];
    certificates.check(by_authority, "-cert leaf.pem -key leaf.key", true);
    certificates.check(by_authority, "-cert scrap.pem -key scrap.key", false);
}

#[test]
fn ssl_test_require_certificate() {
    let Some(certificates) = Certificates::new("ssl_test_require_certificate") else { return };
    certificates.check(REQUIRED, "-cert own.pem -key own.key", true);
}

#[test]
fn every_file_of_a_folder_of_authorities_counts() {
    let Some(certificates) = Certificates::new("every_file_of_a_folder_of_authorities_counts")
    else {
        return;
    };
    let folder = certificates.path("trusted");
    std::fs::create_dir_all(folder.join("a folder")).unwrap();
    std::fs::write(folder.join("a note"), "no certificate").unwrap();
    std::fs::copy(certificates.path("own.pem"), folder.join("a folder/own.pem")).unwrap();
    std::fs::copy(certificates.path("authority.pem"), folder.join("not a hash")).unwrap();
    let folder = folder.to_str().unwrap();
    let by_folder = &[("SSL_REQUIRE_CERT", "true"), ("SSL_CA_DIR", folder)];
    certificates.check(by_folder, "-cert leaf.pem -key leaf.key", true);
    certificates.check(by_folder, "-cert own.pem -key own.key", false);
}

#[test]
fn depth_counts_what_is_presented() {
    let Some(certificates) = Certificates::new("depth_counts_what_is_presented") else { return };
    certificates.signed("middle", "authority", "basicConstraints=critical,CA:TRUE");
    certificates.signed("deep", "middle", "subjectAltName=DNS:localhost");
    let check = |depth, presented: &str, is_served| {
        let variables: Variables<'_> = &[
            ("SSL_REQUIRE_CERT", "true"),
            ("SSL_CA_FILE", "authority.pem"),
            ("SSL_VERIFY_DEPTH", depth),
        ];
        certificates.check(variables, presented, is_served);
    };
    check("1", "-cert deep.pem -key deep.key -cert_chain middle.pem", true);
    check("0", "-cert deep.pem -key deep.key -cert_chain middle.pem", false);
    check("0", "-cert leaf.pem -key leaf.key", true);
    // It is of no use, and yet it counts.
    check("0", "-cert leaf.pem -key leaf.key -cert_chain middle.pem", false);
    check("1", "-cert leaf.pem -key leaf.key -cert_chain middle.pem", true);
}

/// The configuration of one that waits less long than usual for a peer that has stalled.
fn impatient(config: Config) -> Config {
    Config { stalled_connection: Some(Duration::from_millis(200)), ..config }
}

/// Connects, says the beginning of a handshake, and waits to be given up.
fn stall(runtime: &Runtime, beginning: &[u8]) {
    let mut stream = TcpStream::connect(runtime.bound()).expect("the runtime listens");
    stream.write_all(beginning).expect("an open connection");
    let mut answer = Vec::new();
    // It may be reset.
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty(), "{answer:?}");
}

#[test]
fn a_handshake_that_stalls_ends_its_connection() {
    let Some(certificates) = Certificates::new("a_handshake_that_stalls_ends_its_connection")
    else {
        return;
    };
    let strict = start(impatient(certificates.config("own", &[])));
    let both = start(impatient(certificates.config("own", DOWNGRADE)));
    for beginning in [&b"\x16"[..], b"\x16\x03\x01\x02\x00\x01"] {
        stall(&strict, beginning);
        stall(&both, beginning);
    }
    stall(&strict, b"");
    wait(both.shutdown());
    wait(strict.shutdown());
}

#[test]
fn links_without_a_word_are_kept_where_plain_ones_are_allowed() {
    let Some(certificates) =
        Certificates::new("links_without_a_word_are_kept_where_plain_ones_are_allowed")
    else {
        return;
    };
    let (runtime, mut seen) = spawn(start(impatient(certificates.config("own", DOWNGRADE))));
    let link = |from: &Runtime| {
        let (tell, told) = unbounded_channel();
        let linker = from.spawn("linker", Site(tell)).expect("a free id");
        let to = site(&runtime);
        wait(linker.dispatch(move |_, ctx| ctx.link(&to))).expect("it lives");
        (linker, told)
    };
    let plain = testing::runtime();
    let encrypted = start(certificates.config("own", &[]));
    let links = [link(&plain), link(&encrypted)];
    let mut silent = TcpStream::connect(runtime.bound()).expect("the runtime listens");
    tcp::wait_until_probed(&silent);
    // Others that stall are given up one after the other meanwhile.
    (0..3).for_each(|_| stall(&runtime, b"\x16"));
    for ((linker, mut told), from) in links.into_iter().zip([&plain, &encrypted]) {
        from.post(linker.upid(), &site(&runtime), "note", "still here".into());
        let note = Seen::Message(linker.upid().clone(), "still here".into());
        assert_eq!(wait(seen.recv()), Some(note));
        assert!(told.try_recv().is_err(), "nobody was told of an end");
    }
    silent.write_all(REQUEST).expect("an open connection");
    let mut answer = String::new();
    silent.read_to_string(&mut answer).expect("text");
    assert!(answer.ends_with("\r\n\r\nhello"), "{answer:?}");
    for runtime in [plain, encrypted, runtime] {
        wait(runtime.shutdown());
    }
}

#[test]
fn a_certificate_is_for_the_name_of_the_address() {
    let Some(certificates) = Certificates::new("a_certificate_is_for_the_name_of_the_address")
    else {
        return;
    };
    certificates.self_signed("stranger", "stranger.example");
    let strangers = &[("SSL_REQUIRE_CERT", "true"), ("SSL_CA_FILE", "stranger.pem")];
    certificates.check(strangers, "-cert stranger.pem -key stranger.key", false);
    let (there, _seen) = certificates.runtime("stranger", &[]);
    let (here, _told) = certificates.runtime("own", strangers);
    let error = get(&here, Url::of(&site(&there), "hello").secure()).unwrap_err().to_string();
    let expected = "Presented Certificate Name: stranger.example does not match peer hostname \
                    name: localhost";
    assert!(error.ends_with(expected), "{error}");
    wait(there.shutdown());
    wait(here.shutdown());
}

#[test]
fn ssl_test_protocol_mismatch() {
    let Some(certificates) = Certificates::new("ssl_test_protocol_mismatch") else { return };
    let check = |enabled, arguments: &str, is_served| {
        certificates.check(&[("SSL_ENABLE_TLS_V1_2", enabled)], arguments, is_served);
    };
    check("true", "-tls1_2", true);
    check("true", "-tls1_3", true);
    check("true", "-tls1_1", false);
    check("false", "-tls1_2", false);
    check("false", "-tls1_3", true);
    let weak = &[("SSL_ENABLE_TLS_V1_1", "true"), ("SSL_ENABLE_SSL_V3", "true")];
    certificates.check(weak, "-tls1_1", false);
    let cipher = &[("SSL_CIPHERS", "ECDHE-ECDSA-AES128-GCM-SHA256")];
    certificates.check(cipher, "-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256", true);
    certificates.check(cipher, "-tls1_2 -cipher ECDHE-ECDSA-AES256-GCM-SHA384", false);
}

#[test]
fn ssl_test_valid_downgrade() {
    let Some(certificates) = Certificates::new("ssl_test_valid_downgrade") else { return };
    let both: Variables<'_> = &[DOWNGRADE[0], REQUIRED[0], REQUIRED[1]];
    let (runtime, mut seen) = certificates.runtime("own", both);
    assert!(ask_plainly(&runtime).ends_with("\r\n\r\nhello"));
    assert!(certificates.ask(&runtime, "-cert own.pem -key own.key").ends_with("hello"));
    // Messages between it and a runtime that knows no encryption, both ways.
    let (plain, mut told) = spawn(testing::runtime());
    let (one, two) = (site(&runtime), site(&plain));
    plain.post(&two, &one, "note", "in".into());
    assert_eq!(wait(seen.recv()), Some(Seen::Message(two.clone(), "in".into())));
    runtime.post(&one, &two, "note", "out".into());
    assert_eq!(wait(told.recv()), Some(Seen::Message(one, "out".into())));
    wait(plain.shutdown());
    wait(runtime.shutdown());
}

#[test]
fn ssl_test_no_valid_downgrade() {
    let Some(certificates) = Certificates::new("ssl_test_no_valid_downgrade") else { return };
    let (runtime, _seen) = certificates.runtime("own", REQUIRED);
    assert!(!ask_plainly(&runtime).contains("HTTP"));
    wait(runtime.shutdown());
}

const VERSIONS: [&str; 4] =
    ["SSL_ENABLE_SSL_V3", "SSL_ENABLE_TLS_V1_0", "SSL_ENABLE_TLS_V1_1", "SSL_ENABLE_TLS_V1_2"];

fn check_each_protocol(test: &str, downgrade: &str, is_served: bool) {
    let Some(certificates) = Certificates::new(test) else { return };
    for enabled in VERSIONS {
        let mut variables = vec![("SSL_SUPPORT_DOWNGRADE", downgrade)];
        let is = |version| if version == enabled { "true" } else { "false" };
        variables.extend(VERSIONS.map(|version| (version, is(version))));
        let (runtime, _seen) = certificates.runtime("own", &variables);
        assert_eq!(ask_plainly(&runtime).contains("200 OK"), is_served, "{enabled}");
        wait(runtime.shutdown());
    }
}

#[test]
fn ssl_test_valid_downgrade_each_protocol() {
    check_each_protocol("ssl_test_valid_downgrade_each_protocol", "true", true);
}

#[test]
fn ssl_test_no_valid_downgrade_each_protocol() {
    check_each_protocol("ssl_test_no_valid_downgrade_each_protocol", "false", false);
}

#[test]
fn ssl_test_peer_address() {
    let Some(certificates) = Certificates::new("ssl_test_peer_address") else { return };
    let (runtime, _seen) = certificates.runtime("own", &[]);
    let url = Url::of(&site(&runtime), "who").secure();
    assert_eq!(get(&runtime, url), Ok("127.0.0.1".to_owned()));
    wait(runtime.shutdown());
}

#[test]
fn ssl_test_https_get() {
    let Some(certificates) = Certificates::new("ssl_test_https_get") else { return };
    let (runtime, _seen) = certificates.runtime("leaf", &[]);
    let trusting = &[("SSL_REQUIRE_CERT", "true"), ("SSL_CA_FILE", "authority.pem")];
    let (here, _told) = certificates.runtime("own", trusting);
    let url = Url::new(Scheme::Https, "localhost", runtime.address().port, "/site/hello");
    assert_eq!(get(&here, url.clone()), Ok("hello".to_owned()));
    assert_eq!(get(&here, Url { scheme: Scheme::Http, ..url.clone() }).ok(), None);
    let plain = testing::runtime();
    assert_eq!(get(&plain, url), Err(ClientError::NoTls));
    for runtime in [plain, here, runtime] {
        wait(runtime.shutdown());
    }
}

#[test]
fn ssl_test_https_post() {
    let Some(certificates) = Certificates::new("ssl_test_https_post") else { return };
    let (runtime, _seen) = certificates.runtime("own", &[]);
    let url = Url::of(&site(&runtime), "echo").secure();
    let payload = "payload".repeat(100_000);
    let post = Outgoing::new(Method::POST, url).with_body(payload.clone(), "text/plain");
    let response = wait(client::request(&runtime, post, Delivery::Whole)).unwrap();
    let Body::Bytes(body) = response.body else { panic!("not whole") };
    assert_eq!(body, payload);
    wait(runtime.shutdown());
}

/// `openssl s_server`, which ends with this.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().expect("a child of this test");
        self.0.wait().expect("a child of this test");
    }
}

#[test]
fn openssl_serves_our_client() {
    let Some(certificates) = Certificates::new("openssl_serves_our_client") else { return };
    let arguments = "s_server -accept 127.0.0.1:0 -www -cert leaf.pem -key leaf.key \
                     -CAfile own.pem -Verify 1 -verify_return_error";
    let mut server = Command::new("openssl")
        .current_dir(certificates.0.path())
        .args(arguments.split_whitespace())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let server = Server(server);
    let port = lines.map_while(Result::ok).find_map(|line| {
        line.strip_prefix("ACCEPT ").and_then(|address| address.rsplit_once(':')?.1.parse().ok())
    });
    let trusting = &[("SSL_REQUIRE_CERT", "true"), ("SSL_CA_FILE", "authority.pem")];
    let here = start(certificates.config("own", trusting));
    let url = Url::new(Scheme::Https, "127.0.0.1", port.expect("a port"), "/");
    let page = get(&here, url.clone()).unwrap();
    assert!(page.contains("TLSv1.3"), "{page}");
    let strict = &[("SSL_REQUIRE_CERT", "true"), ("SSL_CA_FILE", "scrap.pem")];
    let stranger = start(certificates.config("own", strict));
    assert!(get(&stranger, url).is_err(), "its authority is not trusted");
    drop(server);
    wait(stranger.shutdown());
    wait(here.shutdown());
}

#[test]
fn what_cannot_be_used_is_said_at_the_start() {
    let Some(certificates) = Certificates::new("what_cannot_be_used_is_said_at_the_start") else {
        return;
    };
    let check = |variables: Variables<'_>, expected: &str| {
        let config = certificates.config("own", variables);
        let error = Runtime::start(config).expect_err("refused");
        assert!(matches!(error, StartError::Tls(_)));
        let error = error.to_string().replace(certificates.0.path().to_str().unwrap(), "");
        assert!(error.starts_with(expected), "{error}");
    };
    let none: Option<Settings> =
        Settings::from_environment(|name| (name == "SSL_ENABLED").then(|| "true".to_owned()))
            .unwrap();
    let no_key = Runtime::start(Config { tls: none, ..Config::default() }).unwrap_err();
    let expected = "SSL requires key! NOTE: Set path with SSL_KEY_FILE";
    assert_eq!(no_key.to_string(), expected);
    check(&[("SSL_KEY_FILE", "/none")], "Could not load key file '/none': ");
    check(&[("SSL_CERT_FILE", "/none")], "Could not load cert file '/none': ");
    check(
        &[("SSL_CERT_FILE", "scrap.pem")],
        "Private key does not match the certificate public key",
    );
    check(&[("SSL_CIPHERS", "RC4-SHA")], "Could not set ciphers: RC4-SHA");
    check(
        &[("SSL_VERIFY_CERT", "1"), ("SSL_CA_FILE", "/none")],
        "Could not load CA file and/or directory: ",
    );
}
