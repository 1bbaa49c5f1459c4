//! The flags against the recorded list of upstream's.

use std::collections::BTreeMap;

use stout::flags::declarations;
use stout::flags::parse::{LoadError, Loaded, Loader};

use crate::flags::Flags;

const LEDGER: &str = include_str!("../../../docs/ledger/flags.tsv");

fn load(arguments: &[&str]) -> Result<Loaded<Flags>, LoadError> {
    let program = ["mesos-slave"];
    let arguments: Vec<String> = program.iter().chain(arguments).map(|&a| a.to_owned()).collect();
    Loader::new(&|path: &str| Err(format!("no file {path}").into())).load::<Flags>(&arguments)
}

#[test]
fn every_flag_of_upstream_with_its_default() {
    let ours: BTreeMap<String, (bool, String)> = declarations::<Flags>()
        .into_iter()
        .map(|(name, flag)| (name.to_owned(), (flag.is_boolean, flag.default.unwrap_or_default())))
        .collect();
    let theirs = LEDGER.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let theirs = theirs.filter(|columns| columns[0] == "mesos-slave").map(|columns| {
        // Where upstream was installed; we look beside our own program.
        let default = if columns[1] == "launcher_dir" { "" } else { columns[3] };
        (columns[1].to_owned(), (columns[2] == "bool", default.to_owned()))
    });
    assert_eq!(ours, theirs.collect());
}

#[test]
fn executor_environment_variables_are_texts() {
    let error = load(&[r#"--executor_environment_variables={"a":1}"#]).err().unwrap();
    let expected = "`executor_environment_variables` must only contain string values";
    assert_eq!(error.to_string(), expected);
    let loaded = load(&[r#"--executor_environment_variables={"a":"1"}"#]).unwrap();
    let variables = loaded.flags.executor_environment_variables.unwrap();
    assert_eq!(variables["a"], "1");
}

#[test]
fn messages_are_typed_as_json() {
    let rules = r#"{"disabled_endpoints":{"paths":["/files/browse"]}}"#;
    let loaded = load(&[&format!("--firewall_rules={rules}")]).unwrap();
    let firewall = loaded.flags.daemon.firewall_rules.unwrap().0;
    assert_eq!(firewall.disabled_endpoints.unwrap().paths, ["/files/browse"]);
    assert_eq!(
        loaded.shown.get("firewall_rules"),
        Some(r#"{"disabled_endpoints":{"paths":["\/files\/browse"]}}"#)
    );
    for bad in ["--firewall_rules={", "--modules=[]", "--default_container_info={}"] {
        assert!(load(&[bad]).is_err(), "{bad}");
    }
}
