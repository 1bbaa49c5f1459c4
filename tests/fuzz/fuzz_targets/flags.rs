//! Whatever is typed or stands in the environment, loading flags of every kind gives values or an
//! error that says something, never a panic.
//! Each line of the input is an argument; those after an empty line are `NAME=text` variables.
#![no_main]

use std::path::PathBuf;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};
use stout::bytes::Bytes;
use stout::flags::parse::Loader;
use stout::flags::{BoxedError, Flag, Flags};

#[derive(Default)]
struct Kinds {
    text: String,
    boolean: bool,
    optional: Option<bool>,
    port: u16,
    count: i64,
    ratio: f64,
    timeout: Duration,
    size: Bytes,
    path: Option<PathBuf>,
    acls: Option<Map<String, Value>>,
}

impl Flags for Kinds {
    const FLAGS: &'static [Flag<Self>] = &[
        Flag::new("text", "", |flags| &mut flags.text),
        Flag::new("boolean", "", |flags| &mut flags.boolean),
        Flag::new("optional", "", |flags| &mut flags.optional),
        Flag::new("port", "", |flags| &mut flags.port),
        Flag::new("count", "", |flags| &mut flags.count),
        Flag::new("ratio", "", |flags| &mut flags.ratio),
        Flag::new("timeout", "", |flags| &mut flags.timeout),
        Flag::new("size", "", |flags| &mut flags.size),
        Flag::new("path", "", |flags| &mut flags.path),
        Flag::new("acls", "", |flags| &mut flags.acls),
    ];
}

/// A file holds its own path, except that there is none whose name begins with `x`.
fn read(path: &str) -> Result<String, BoxedError> {
    if path.starts_with('x') { Err("no such file".into()) } else { Ok(path.to_string()) }
}

fuzz_target!(|input: &str| {
    let (arguments, variables) = input.split_once("\n\n").unwrap_or((input, ""));
    let arguments: Vec<String> = arguments.split('\n').map(str::to_string).collect();
    let variables = variables
        .split('\n')
        .filter_map(|line| line.split_once('='))
        .map(|(name, text)| (name.to_string(), text.to_string()));
    let loader = Loader::new(&read).environment("MESOS_", variables);
    match loader.load::<Kinds>(&arguments) {
        Ok(loaded) => assert!(loaded.shown.get("text").is_some(), "a flag with a default is shown"),
        Err(error) => assert!(!error.to_string().is_empty(), "an error says what is wrong"),
    }
});
