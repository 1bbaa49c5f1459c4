//! What manifests must say: each crate's dependencies against `[workspace.metadata.layers]`, and no
//! big crate in two versions. Called by `tidy` only.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::Finding;
use crate::workspace::{self, Layer};

/// Crates whose second version would cost every build dearly.
const BIG_CRATES: [&str; 13] = [
    "actix-http",
    "actix-web",
    "bytes",
    "clap",
    "hyper",
    "nix",
    "prost",
    "regex",
    "rustls",
    "serde",
    "tokio",
    "tracing",
    "zip",
];

/// Reads all manifests below `root`, and what they were resolved to.
pub(super) fn check(root: &Path) -> io::Result<Vec<Finding>> {
    let manifest = workspace::read(&root.join("Cargo.toml"))?;
    let layers = workspace::layers(&manifest);
    let mut findings = Vec::new();
    for name in members(&manifest) {
        let path = format!("{name}/Cargo.toml");
        let text = workspace::read(&root.join(&path))?;
        let faults = faults(&name, &workspace::dependencies(&text), &layers);
        let finding = |rule| Finding { path: path.clone(), line: 1, rule };
        findings.extend(faults.into_iter().map(finding));
    }
    let lock = workspace::read(&root.join("Cargo.lock"))?;
    findings.extend(twice(&lock).into_iter().map(|name| Finding {
        path: "Cargo.lock".to_owned(),
        line: 1,
        rule: format!("two versions of {name}: see `cargo tree --invert {name}`"),
    }));
    Ok(findings)
}

/// The big crates of which the lock file has several versions.
fn twice(lock: &str) -> Vec<&'static str> {
    let versions = |name: &str| {
        let line = format!("name = \"{name}\"");
        lock.lines().filter(|other| *other == line).count()
    };
    BIG_CRATES.into_iter().filter(|name| versions(name) > 1).collect()
}

/// The quoted names of the list `members`.
fn members(manifest: &str) -> Vec<String> {
    let list = manifest.split_once("members = [").map_or("", |(_, rest)| rest);
    let list = list.split(']').next().unwrap_or_default();
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

fn faults(name: &str, uses: &[String], layers: &BTreeMap<String, Layer>) -> Vec<String> {
    let Some(own) = layers.get(name) else {
        return vec![format!("{name} has no line in [workspace.metadata.layers]")];
    };
    let allowed = |other: &String| {
        layers.get(other).is_none_or(|layer| layer.level < own.level)
            || own.extra.contains(other)
            || other == name
    };
    let forbidden = uses.iter().filter(|other| !allowed(other));
    forbidden
        .map(|other| format!("{name} (layer {}) may not use {other}: not a lower layer", own.level))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_uses_lower_layers_and_named_neighbours() {
        let layers = workspace::layers(
            "[workspace.metadata.layers]\nlow = { layer = 0 }\nmid = { layer = 1 }\n\
             side = { layer = 1, extra = [\"mid\"] }\n",
        );
        let check = |name: &str, uses: &[&str], faulty: &[&str]| {
            let uses: Vec<String> = uses.iter().map(|name| (*name).to_owned()).collect();
            let found = faults(name, &uses, &layers);
            assert_eq!(found.len(), faulty.len(), "{found:?}");
            assert!(found.iter().zip(faulty).all(|(fault, other)| fault.contains(other)));
        };
        check("mid", &["low", "serde_json"], &[]);
        check("side", &["low", "mid"], &[]);
        check("mid", &["side"], &["use side"]);
        check("low", &["mid", "side"], &["use mid", "use side"]);
        check("unknown", &[], &["no line"]);
    }

    #[test]
    fn second_versions_are_seen() {
        let lock = "[[package]]\nname = \"tokio\"\nversion = \"1\"\n\
            [[package]]\nname = \"nix\"\ndependencies = [\n \"tokio\",\n]\n\
            [[package]]\nname = \"tokio\"\nversion = \"2\"\n";
        assert_eq!(twice(lock), ["tokio"]);
    }

    #[test]
    fn members_are_read() {
        let text = "[workspace]\nmembers = [\n  \"a\", \"b\",\n]\nexclude = [\"c\"]";
        assert_eq!(members(text), ["a", "b"]);
    }
}
