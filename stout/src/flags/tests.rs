//! Upstream's `flags_tests.cpp`, and a subset of the master's flags as programs declare them.

use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::bytes::Bytes;
use crate::flags::help::{usage, usage_behind};
use crate::flags::load::{FlagValue, ValueError};
use crate::flags::parse::{LoadError, Loaded, Loader};
use crate::flags::{BoxedError, Flag, Flags, Group, declarations};
use crate::json::to_string;

#[derive(Debug, PartialEq)]
struct TestFlags {
    name1: String,
    name2: i32,
    name3: bool,
    name4: Option<bool>,
    name5: Option<bool>,
}

impl Default for TestFlags {
    fn default() -> TestFlags {
        TestFlags { name1: "ben folds".into(), name2: 42, name3: false, name4: None, name5: None }
    }
}

impl Flags for TestFlags {
    const FLAGS: &'static [Flag<Self>] = &[
        Flag::new("name1", "Set name1", |flags| &mut flags.name1),
        Flag::new("name2", "Set name2", |flags| &mut flags.name2),
        Flag::new("name3", "Set name3", |flags| &mut flags.name3),
        Flag::new("name4", "Set name4", |flags| &mut flags.name4),
        Flag::new("name5", "Set name5", |flags| &mut flags.name5),
    ];
}

/// Every kind of value, a check, and a group that another program may have as well.
#[derive(Debug)]
struct MasterFlags {
    port: u16,
    quorum: Option<usize>,
    work_dir: Option<PathBuf>,
    slave_ping_timeout: Duration,
    gc_disk_headroom: f64,
    fetcher_cache_size: Bytes,
    hostname_lookup: bool,
    acls: Option<Map<String, Value>>,
    rate: Option<Rate>,
    logging: LoggingFlags,
}

impl Default for MasterFlags {
    fn default() -> MasterFlags {
        MasterFlags {
            port: 5050,
            quorum: None,
            work_dir: None,
            slave_ping_timeout: Duration::from_secs(15),
            gc_disk_headroom: 0.1,
            fetcher_cache_size: Bytes::from_gigabytes(2),
            hostname_lookup: true,
            acls: None,
            rate: None,
            logging: LoggingFlags::default(),
        }
    }
}

impl Flags for MasterFlags {
    const FLAGS: &'static [Flag<Self>] = &[
        Flag::new("port", "Port to listen on.", |flags| &mut flags.port),
        Flag::new("quorum", "The size of the quorum.", |flags| &mut flags.quorum),
        Flag::new("work_dir", "Where to store\nthe Registry.", |flags| &mut flags.work_dir),
        Flag::checked(
            "slave_ping_timeout",
            "How long to wait.\n",
            |flags| &mut flags.slave_ping_timeout,
            |flags| match flags.slave_ping_timeout.as_secs() {
                1..=900 => Ok(()),
                _ => Err("Expected `--slave_ping_timeout` to be between 1secs and 15mins".into()),
            },
        ),
        Flag::new("gc_disk_headroom", "Headroom.", |flags| &mut flags.gc_disk_headroom),
        Flag::new("fetcher_cache_size", "", |flags| &mut flags.fetcher_cache_size),
        Flag::new("hostname_lookup", "Whether to look up.", |flags| &mut flags.hostname_lookup),
        Flag::new("acls", "JSON of the ACLs.", |flags| &mut flags.acls),
        Flag::new("rate", "Slaves per time.", |flags| &mut flags.rate),
    ];

    fn groups(&mut self) -> Vec<&mut dyn Group> {
        vec![&mut self.logging]
    }
}

#[derive(Debug, Default)]
struct LoggingFlags {
    quiet: bool,
}

impl Flags for LoggingFlags {
    const FLAGS: &'static [Flag<Self>] = &[Flag::checked(
        "quiet",
        "Disable logging to stderr",
        |flags| &mut flags.quiet,
        |flags| if flags.quiet { Err("Silence is refused".into()) } else { Ok(()) },
    )];
}

/// A type of the program's own.
#[derive(Debug, PartialEq)]
struct Rate(u32);

#[derive(Debug, thiserror::Error)]
#[error("No rate")]
struct NoRate;

impl FlagValue for Rate {
    fn parse(text: &str) -> Result<Rate, ValueError> {
        let count = text.strip_suffix("/secs").and_then(|count| count.parse().ok());
        count.map(Rate).ok_or_else(|| ValueError::Other(NoRate.into()))
    }

    fn print(&self) -> String {
        format!("{}/secs", self.0)
    }
}

fn files(path: &str) -> Result<String, BoxedError> {
    match path {
        "/acls.json" => Ok("{\"permissive\":false}".into()),
        "/count" => Ok("7".into()),
        _ => Err(format!("Failed to open file '{path}': No such file or directory").into()),
    }
}

fn arguments(typed: &[&str]) -> Vec<String> {
    ["/path/to/program"].iter().chain(typed).map(|text| text.to_string()).collect()
}

fn load<T: Flags>(typed: &[&str]) -> Result<Loaded<T>, LoadError> {
    Loader::new(&files).load(&arguments(typed))
}

fn load_with_environment<T: Flags>(
    typed: &[&str],
    environment: &[(&str, &str)],
) -> Result<Loaded<T>, LoadError> {
    let variables = environment.iter().map(|(name, text)| (name.to_string(), text.to_string()));
    Loader::new(&files).environment("FLAGSTEST_", variables).load(&arguments(typed))
}

fn check_error<T: Flags>(typed: &[&str], expected: &str) {
    let error = load::<T>(typed).map(|_| ()).map_err(|error| error.to_string());
    assert_eq!(error, Err(expected.to_string()), "{typed:?}");
}

fn billy_joel() -> TestFlags {
    TestFlags {
        name1: "billy joel".into(),
        name2: 43,
        name3: false,
        name4: Some(false),
        name5: Some(true),
    }
}

#[test]
fn flags_test_load_from_environment() {
    let environment = [
        ("FLAGSTEST_name1", "billy joel"),
        ("FLAGSTEST_NAME2", "43"),
        ("FLAGSTEST_no-name3", ""),
        ("FLAGSTEST_no-name4", ""),
        ("FLAGSTEST_name5", ""),
        ("FLAGSTEST_unknown", "x"),
        ("FLAGSTEST_no-unknown", "x"),
        ("OTHER_name1", "x"),
        ("flagstest_name1", "x"),
    ];
    assert_eq!(load_with_environment::<TestFlags>(&[], &environment).unwrap().flags, billy_joel());
}

#[test]
fn flags_test_load_from_command_line() {
    let typed = ["--name1=billy joel", "--NAME2=43", "--no-name3", "--no-name4", " --name5 "];
    assert_eq!(load::<TestFlags>(&typed).unwrap().flags, billy_joel());
}

#[test]
fn flags_test_load_from_command_line_with_dash_dash() {
    let typed = [
        "more",
        "--name1=billy joel",
        "stuff",
        "at",
        "--name2=43",
        "--no-name3",
        "--",
        "--no-name4",
        "--name5",
        "the",
    ];
    let loaded = load::<TestFlags>(&typed).unwrap();
    let expected = TestFlags { name4: None, name5: None, ..billy_joel() };
    assert_eq!(loaded.flags, expected);
    assert_eq!(loaded.arguments, ["more", "stuff", "at", "--no-name4", "--name5", "the"]);
    assert_eq!(loaded.program, "program");
}

#[test]
fn flags_test_stringification() {
    let loaded = load::<TestFlags>(&["--name2=43", "--no-name4", "--name5"]).unwrap();
    assert_eq!(
        loaded.shown.to_string(),
        "--help=\"false\" --name1=\"ben folds\" --name2=\"43\" --name3=\"false\" \
         --name4=\"false\" --name5=\"true\""
    );
    assert_eq!(
        to_string(&loaded.shown),
        "{\"help\":\"false\",\"name1\":\"ben folds\",\"name2\":\"43\",\"name3\":\"false\",\
         \"name4\":\"false\",\"name5\":\"true\"}"
    );
    assert_eq!(loaded.shown.get("name2"), Some("43"));
    assert_eq!(load::<TestFlags>(&[]).unwrap().shown.get("name4"), None);
}

#[test]
fn flags_test_duplicates_from_environment() {
    let name1 = [("FLAGSTEST_name1", "ben folds")];
    let loaded = load_with_environment::<TestFlags>(&["--name1=billy joel"], &name1).unwrap();
    assert_eq!(loaded.flags.name1, "billy joel");

    for (typed, environment) in
        [("--no-name3", "FLAGSTEST_name3"), ("--name5", "FLAGSTEST_no-name5")]
    {
        let loaded = load_with_environment::<TestFlags>(&[typed], &[(environment, "")]).unwrap();
        assert!(!loaded.flags.name3);
        assert_ne!(loaded.flags.name5, Some(false));
    }
}

#[test]
fn flags_test_duplicates_from_command_line() {
    check_error::<TestFlags>(
        &["--name1=billy joel", "--name1=ben folds"],
        "Duplicate flag 'name1' on command line",
    );
    check_error::<TestFlags>(
        &["--name3", "--no-name3"],
        "Duplicate flag 'no-name3' on command line",
    );
    let loader = Loader::new(&files).ignore_duplicates();
    let loaded = loader.load::<TestFlags>(&arguments(&["--name1=a", "--name1=b"])).unwrap();
    assert_eq!(loaded.flags.name1, "b");
}

#[test]
fn flags_test_errors() {
    for (typed, expected) in [
        ("--foo", "Failed to load unknown flag 'foo'"),
        ("--foo=value", "Failed to load unknown flag 'foo'"),
        ("--=", "Failed to load unknown flag ''"),
        ("--no-foo", "Failed to load unknown flag 'foo' via 'no-foo'"),
        (
            "--no-name3=value",
            "Failed to load boolean flag 'name3' via 'no-name3' with value 'value'",
        ),
        (
            "--name3=value",
            "Failed to load flag 'name3': Failed to load value 'value': \
             Expecting a boolean (e.g., true or false)",
        ),
        ("--name1", "Failed to load non-boolean flag 'name1': Missing value"),
        ("--no-name2", "Failed to load non-boolean flag 'name2' via 'no-name2'"),
        (
            "--name2=",
            "Failed to load flag 'name2': Failed to load value '': \
             Failed to convert into required type",
        ),
    ] {
        check_error::<TestFlags>(&[typed], expected);
    }
    check_error::<TestFlags>(&["--zoo", "--name3=x", "--foo"], "Failed to load unknown flag 'foo'");
}

#[test]
fn unknown_flags_are_ignored_where_a_program_says_so() {
    let loader = Loader::new(&files).ignore_unknown();
    assert!(loader.load::<TestFlags>(&arguments(&["--foo=1", "--name3"])).unwrap().flags.name3);
    let negated = loader.load::<TestFlags>(&arguments(&["--no-foo"]));
    assert!(matches!(negated, Err(LoadError::UnknownNegated(name)) if name == "foo"));
}

#[test]
fn flags_test_validate() {
    check_error::<MasterFlags>(
        &["--slave_ping_timeout=2hrs"],
        "Expected `--slave_ping_timeout` to be between 1secs and 15mins",
    );
    check_error::<MasterFlags>(&["--slave_ping_timeout=0ns", "--quiet"], "Silence is refused");
}

#[test]
fn every_kind_of_value_says_what_is_wrong_with_it() {
    for (name, value, expected) in [
        ("port", "abc", "Failed to convert into required type"),
        ("port", "65536", "Failed to convert into required type"),
        ("port", "-1", "Failed to convert into required type"),
        ("port", "0x10", "Failed to convert into required type"),
        ("gc_disk_headroom", "nan", "Failed to convert into required type"),
        ("slave_ping_timeout", "5s", "Unknown duration unit 's'"),
        ("slave_ping_timeout", "abc", "Failed to convert '' to number"),
        ("fetcher_cache_size", "1.5GB", "Fractional bytes '1.5GB'"),
        ("hostname_lookup", "maybe", "Expecting a boolean (e.g., true or false)"),
        ("acls", "{bad", "syntax error at line 1 near: bad"),
        ("acls", "[]", "Unexpected JSON type parsed"),
        ("rate", "1", "No rate"),
        (
            "acls",
            "/none",
            "Error reading file '/none': Failed to open file '/none': No such file or directory",
        ),
        (
            "port",
            "file:///none",
            "Error reading file '/none': Failed to open file '/none': No such file or directory",
        ),
    ] {
        check_error::<MasterFlags>(
            &[&format!("--{name}={value}")],
            &format!("Failed to load flag '{name}': Failed to load value '{value}': {expected}"),
        );
    }
}

#[test]
fn flags_test_duration() {
    let loaded = load::<MasterFlags>(&["--slave_ping_timeout=2mins", "--rate=3/secs"]).unwrap();
    assert_eq!(loaded.flags.slave_ping_timeout, Duration::from_secs(120));
    assert_eq!(loaded.flags.rate, Some(Rate(3)));
    assert_eq!(loaded.shown.get("slave_ping_timeout"), Some("2mins"));
}

#[test]
fn flags_test_json() {
    let loaded = load::<MasterFlags>(&[r#"--acls={"a/b": [1, -1.42]}"#]).unwrap();
    assert_eq!(Value::from(loaded.flags.acls.unwrap()), json!({"a/b": [1, -1.42]}));
    assert_eq!(loaded.shown.get("acls"), Some(r#"{"a\/b":[1,-1.42]}"#));
}

#[test]
fn flags_file_test_json_file() {
    let loaded = load::<MasterFlags>(&["--acls=/acls.json"]).unwrap();
    assert_eq!(Value::from(loaded.flags.acls.unwrap()), json!({"permissive": false}));
    assert_eq!(loaded.deprecated_paths, ["acls"]);
}

#[test]
fn flags_file_test_file_prefix() {
    let typed = ["--acls=file:///acls.json", "--quorum=file:///count", "--work_dir=file:///count"];
    let loaded = load::<MasterFlags>(&typed).unwrap();
    assert!(loaded.flags.acls.is_some());
    assert_eq!(loaded.flags.quorum, Some(7));
    assert_eq!(loaded.flags.work_dir, Some(PathBuf::from("file:///count")));
    assert!(loaded.deprecated_paths.is_empty());
}

#[test]
fn numbers_may_follow_blanks() {
    assert_eq!(load::<MasterFlags>(&["--port= \t80"]).unwrap().flags.port, 80);
    check_error::<MasterFlags>(
        &["--quorum=1 2"],
        "Failed to load flag 'quorum': Failed to load value '1 2': \
         Failed to convert into required type",
    );
}

#[test]
fn flags_test_program_name() {
    let expected = "\
Usage: TestProgram [options]

  --[no-]help       Prints this help message (default: false)
  --name1=VALUE     Set name1 (default: ben folds)
  --name2=VALUE     Set name2 (default: 42)
  --[no-]name3      Set name3 (default: false)
  --[no-]name4      Set name4
  --[no-]name5      Set name5
";
    assert_eq!(usage::<TestFlags>("TestProgram"), expected);
    assert!(load::<TestFlags>(&["--help"]).unwrap().help);
}

#[test]
fn flags_test_optional_message() {
    let text = usage_behind::<TestFlags>("Good news: this test passed!", "");
    assert!(text.starts_with(
        "Good news: this test passed!\n\nUsage:  [options]\n\n  --[no-]help       Prints"
    ));
}

#[test]
fn help_keeps_line_breaks_and_puts_defaults_last() {
    let expected = "\
Usage: mesos-master [options]

  --acls=VALUE                   JSON of the ACLs.
  --fetcher_cache_size=VALUE     (default: 2GB)
  --gc_disk_headroom=VALUE       Headroom. (default: 0.1)
  --[no-]help                    Prints this help message (default: false)
  --[no-]hostname_lookup         Whether to look up. (default: true)
  --port=VALUE                   Port to listen on. (default: 5050)
  --[no-]quiet                   Disable logging to stderr (default: false)
  --quorum=VALUE                 The size of the quorum.
  --rate=VALUE                   Slaves per time.
  --slave_ping_timeout=VALUE     How long to wait.
                                 (default: 15secs)
  --work_dir=VALUE               Where to store
                                 the Registry.
";
    assert_eq!(usage::<MasterFlags>("mesos-master"), expected);
}

#[test]
fn the_list_can_be_read_by_tools() {
    let declared = declarations::<MasterFlags>();
    assert!(declared["quiet"].is_boolean);
    assert_eq!(declared["port"].default.as_deref(), Some("5050"));
    assert_eq!(declared["quorum"].default, None);
    assert_eq!(declared.len(), 11);
}

proptest! {
    #[test]
    fn no_command_line_panics(
        typed in prop::collection::vec("(--(no-)?(name[1-5]|help)?(=.{0,6})?)|.{0,8}", 0..6),
        environment in prop::collection::vec(("(FLAGSTEST_(no-)?)?NAME[1-5]", ".{0,4}"), 0..4),
    ) {
        let typed: Vec<&str> = typed.iter().map(String::as_str).collect();
        let environment: Vec<(&str, &str)> =
            environment.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let _ = load_with_environment::<TestFlags>(&typed, &environment);
        let typed: Vec<&str> = typed.into_iter().chain(["--acls={}"]).collect();
        let _ = load_with_environment::<MasterFlags>(&typed, &environment);
    }

    #[test]
    fn what_is_shown_loads_again(name1 in "[a-z/ é]{0,9}[a-z]", name2: i32, name4: Option<bool>) {
        let mut typed = vec![format!("--name1={name1}"), format!("--name2={name2}")];
        typed.extend(name4.map(|value| format!("--name4={value}")));
        let typed: Vec<&str> = typed.iter().map(String::as_str).collect();
        let first = load::<TestFlags>(&typed).unwrap();
        let again: Vec<String> =
            first.shown.iter().map(|(name, text)| format!("--{name}={text}")).collect();
        let again: Vec<&str> = again.iter().map(String::as_str).collect();
        prop_assert_eq!(load::<TestFlags>(&again).unwrap().flags, first.flags);
    }
}
