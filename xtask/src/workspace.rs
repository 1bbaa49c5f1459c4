//! The workspace as found on disk: its root, its Rust sources, its manifests.
//! Reads files and nothing else; every command of this crate starts here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::source::{self, Source};

/// The workspace's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate's folder lies in the root")
}

/// All Rust sources below `root`, by path.
pub(crate) fn sources(root: &Path) -> io::Result<Vec<Source>> {
    let mut paths = Vec::new();
    collect(root, &mut paths)?;
    paths.sort();
    let parse = |path: &PathBuf| Ok(Source::parse(&relative(root, path), &read(path)?));
    let mut sources = paths.iter().map(parse).collect::<io::Result<Vec<Source>>>()?;
    source::mark_declared_tests(&mut sources);
    Ok(sources)
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            let foreign = name == "target" || name == "node_modules" || name.starts_with('.');
            if !foreign {
                collect(&entry.path(), found)?;
            }
        } else if name.ends_with(".rs") {
            found.push(entry.path());
        }
    }
    Ok(())
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()
}

/// Reads a text file; the error names it.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    fs::read_to_string(path)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

/// A crate's place in the order of dependencies.
#[derive(Debug, PartialEq)]
pub(crate) struct Layer {
    pub(crate) level: u32,
    /// Crates of the same level that it may use.
    pub(crate) extra: Vec<String>,
}

/// The table `[workspace.metadata.layers]` of a root manifest, in which each line reads
/// `name = { layer = 3, extra = ["other"] }`. Lines of another form are left out, and their
/// crates then count as missing.
pub(crate) fn layers(manifest: &str) -> BTreeMap<String, Layer> {
    section(manifest, |name| name == "workspace.metadata.layers")
        .filter_map(|line| {
            let (name, value) = line.split_once('=')?;
            let after = |key: &str| Some(value.split_once(key)?.1.trim_start());
            let level = after("layer =")?.split(|c: char| !c.is_ascii_digit()).next()?;
            let extra = after("extra =").and_then(|list| list.split_once(']')).map(|list| list.0);
            let extra = extra.unwrap_or_default().split('"').skip(1).step_by(2);
            let layer =
                Layer { level: level.parse().ok()?, extra: extra.map(str::to_owned).collect() };
            Some((name.trim().to_owned(), layer))
        })
        .collect()
}

/// The names of all dependencies that a manifest declares, of whatever kind.
pub(crate) fn dependencies(manifest: &str) -> Vec<String> {
    let keys = section(manifest, |name| name.ends_with("dependencies"))
        .filter(|line| line.contains('='))
        .filter_map(|line| line.split(['.', '=', ' ']).next());
    let tables = manifest.lines().filter_map(|line| {
        line.trim().strip_prefix('[')?.strip_suffix(']')?.split_once("dependencies.")
    });
    keys.chain(tables.map(|(_, name)| name)).map(str::to_owned).collect()
}

/// The lines of the sections whose name `wanted` accepts, without comments and blank lines.
fn section(manifest: &str, wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = &str> {
    let mut inside = false;
    manifest.lines().map(str::trim).filter(move |line| {
        if let Some(header) = line.strip_prefix('[') {
            inside = wanted(header.trim_end_matches(']'));
            return false;
        }
        inside && !line.is_empty() && !line.starts_with('#')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_read() {
        let found = layers(
            "[workspace.metadata.layers]\na = { layer = 1 }\n# no\n\
             b-c = { layer = 12, extra = [\"a\", \"d\"] }\n[x]\n",
        );
        assert_eq!(found["a"], Layer { level: 1, extra: vec![] });
        assert_eq!(found["b-c"], Layer { level: 12, extra: vec!["a".into(), "d".into()] });
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn dependencies_of_every_kind_are_read() {
        let manifest = "[package]\nname = \"p\"\n[dependencies]\na.workspace = true\n\
            b = { path = \"b\" }\n[target.'cfg(unix)'.dev-dependencies]\nc = \"1\"\n\
            [build-dependencies.d]\npath = \"d\"\n";
        assert_eq!(dependencies(manifest), ["a", "b", "c", "d"]);
    }
}
