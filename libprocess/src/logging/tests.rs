//! The pure parts: the line, the patterns of `GLOG_vmodule`, what follows from the flags.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;

use super::flags::Plan;
use super::glog::{Origin, compose};
use super::vlog::{VModule, leading_int};
use super::*;
use crate::os::localtime::local;

fn line(severity: Severity, file: &str, line: u32, micros: u64, text: &str) -> String {
    let at = UNIX_EPOCH + Duration::from_micros(micros);
    let mut got = String::new();
    let origin = Origin { severity, file, line, at };
    compose(origin, |buffer| buffer.push_str(text), |line| got.push_str(line));
    got
}

#[test]
fn golden_lines() {
    let second = 1_451_428_958_u32;
    let t = local(i64::from(second));
    let time = format!("{:02}{:02} {:02}:{:02}:{:02}", t.month, t.day, t.hour, t.minute, t.second);
    let thread = nix::unistd::gettid();
    let check = |got: String, letter: char, micros: &str, rest: &str| {
        assert_eq!(got, format!("{letter}{time}.{micros} {thread:>5} {rest}\n"));
    };
    let at = |micros: u64| u64::from(second) * 1_000_000 + micros;
    let path = "libprocess/src/process.rs";
    let got = line(Severity::Info, path, 2426, at(818_521), "text");
    check(got, 'I', "818521", "process.rs:2426] text");
    let got = line(Severity::Warning, "main.rs", 1, at(7), "a newline is not doubled\n");
    check(got, 'W', "000007", "main.rs:1] a newline is not doubled");
    check(line(Severity::Error, "/a/b.rs", 12, at(0), ""), 'E', "000000", "b.rs:12] ");
    check(line(Severity::Fatal, "", 0, at(1), "über"), 'F', "000001", ":0] über");
}

#[test]
fn vmodule_patterns() {
    let check = |vmodule: &str, file: &str, expected: Option<i32>| {
        assert_eq!(VModule::parse(vmodule).level(file), expected, "{vmodule} on {file}");
    };
    check("", "process.rs", None);
    check("process=2", "libprocess/src/process.rs", Some(2));
    check("process=2", "process_manager.rs", None);
    check("process=2", "src/process", Some(2));
    check("process=2", "process.pb.rs", Some(2));
    check("process.rs=2", "process.rs", None);
    check("src/process=2", "src/process.rs", None);
    check("proc*=2", "process.rs", Some(2));
    check("*ess=2", "process.rs", Some(2));
    check("p*c*s=2", "process.rs", Some(2));
    check("*sx=2", "process.rs", None);
    check("proce?s=2", "process.rs", Some(2));
    check("process?=2", "process.rs", None);
    check("*=1", "process.rs", Some(1));
    check("*=-1", "process.rs", Some(-1));
    check("master=1,process=3,*=2", "process.rs", Some(3));
    check("*=2,process=3", "process.rs", Some(2));
    check("process=0,process=3", "process.rs", Some(0));
    check("process=3junk", "process.rs", Some(3));
    check("process=high,*=1", "process.rs", Some(1));
    check("process,master=1", "process.rs", None);
    check("process", "process.rs", None);
    check("=1", "process.rs", None);
}

#[test]
fn numbers_as_c_reads_them() {
    let check = |text: &str, expected| assert_eq!(leading_int(text), expected, "{text:?}");
    check("3", Some(3));
    check(" -2 ", Some(-2));
    check("+7x", Some(7));
    check("", None);
    check("-", None);
    check("v1", None);
    check("99999999999", None);
    check("١", None);
}

/// glog's own definition, by recursion.
fn matches_slowly(pattern: &[char], name: &[char]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, rest) => rest.is_none(),
        (Some(('*', after)), None) => matches_slowly(after, name),
        (Some(('*', after)), Some((_, rest))) => {
            matches_slowly(after, name) || matches_slowly(pattern, rest)
        }
        (Some((p, after)), Some((n, rest))) => (*p == '?' || p == n) && matches_slowly(after, rest),
        (Some(_), None) => false,
    }
}

proptest! {
    #[test]
    fn patterns_match_as_by_definition(pattern in "[ab*?]{0,6}", name in "[ab]{0,8}") {
        let chars = |text: &str| text.chars().collect::<Vec<_>>();
        let expected = matches_slowly(&chars(&pattern), &chars(&name)).then_some(1);
        prop_assert_eq!(VModule::parse(&format!("{pattern}=1")).level(&name), expected);
    }

    #[test]
    fn no_variable_panics(vmodule in "\\PC{0,20}", level in "\\PC{0,5}") {
        let env = |name: &str| match name {
            "GLOG_vmodule" => Some(vmodule.clone()),
            _ => Some(level.clone()),
        };
        prop_assert!(Plan::new(&Config::default(), &env).is_ok());
    }
}

#[test]
fn booleans_of_the_environment() {
    let check = |value: Option<&str>, expected: bool| {
        let env = |name: &str| value.filter(|_| name == "MESOS_VERBOSE").map(str::to_owned);
        let quiet = Config { quiet: true, ..Config::default() };
        let heard = Plan::new(&quiet, &env).unwrap().stderr_from == Severity::Info;
        assert_eq!(heard, expected, "{value:?}");
    };
    check(None, false);
    for truth in ["1", "true", "True", "t", "yes", "Y", "10", ""] {
        check(Some(truth), true);
    }
    for untruth in ["0", "false", "no", "on", "2", " 1"] {
        check(Some(untruth), false);
    }
}

#[test]
fn sizes_and_buffers() {
    let check = |size: Option<&str>, logbufsecs: i32, roll_bytes: u64, buffer_secs: u64| {
        let env = |name: &str| size.filter(|_| name == "GLOG_max_log_size").map(str::to_owned);
        let log_dir = Some("/logs".to_owned());
        let config = Config { log_dir, logbufsecs, ..Config::default() };
        let files = Plan::new(&config, &env).unwrap().files.unwrap();
        assert_eq!((files.roll_bytes, files.buffer.as_secs()), (roll_bytes, buffer_secs));
    };
    check(None, 0, 1800 << 20, 0);
    check(Some("5"), 30, 5 << 20, 30);
    check(Some("0"), -1, 1 << 20, 0);
    check(Some("-7"), 0, 1 << 20, 0);
    check(Some("big"), 0, 1 << 20, 0);
}

#[test]
fn file_shown_to_operators() {
    let check = |log_dir: Option<&str>, external: Option<&str>, level: &str, expected| {
        let config = Config {
            log_dir: log_dir.map(str::to_owned),
            external_log_file: external.map(str::to_owned),
            logging_level: level.to_owned(),
            ..Config::default()
        };
        assert_eq!(config.attached_log_file("bin/mesos-master").as_deref(), expected);
    };
    check(None, None, "INFO", None);
    check(Some("/l"), None, "INFO", Some(Path::new("/l/mesos-master.INFO")));
    check(Some("/l"), None, "WARNING", Some(Path::new("/l/mesos-master.WARNING")));
    check(Some("/l"), Some("/var/log/syslog"), "INFO", Some(Path::new("/var/log/syslog")));
    check(None, Some("/var/log/syslog"), "INFO", Some(Path::new("/var/log/syslog")));
}
