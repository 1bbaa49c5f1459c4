//! From the path of a request to the real one, which never lies outside of what is attached.
//! Called by the endpoints; the first half is pure, the second looks at the file system.
//!
//! Upstream: `FilesProcess::resolve`.

use std::path::PathBuf;

use super::Attached;

/// What a request's path may stand for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// What is attached under the longest name that fits.
    root: PathBuf,
    /// What follows the name; may be anything.
    below: String,
}

/// What is there, without links and dots in its path.
#[derive(Debug)]
pub(super) struct Real {
    pub(super) path: PathBuf,
}

/// Why a path leads nowhere.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unresolved {
    #[error("no such file")]
    Nothing,
    #[error("Failed to determine canonical path of '{path}': {source}")]
    NotCanonical { path: PathBuf, source: std::io::Error },
    #[error("'{0}' is inaccessible")]
    Outside(PathBuf),
}

/// Finds the longest attached name that `path` begins with, in whole components.
pub(super) fn candidate(attached: &Attached, path: &str) -> Option<Candidate> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let components: Vec<&str> = path.split('/').collect();
    (1..=components.len()).rev().find_map(|count| {
        let root = attached.get(&join(&components[..count]))?.clone();
        Some(Candidate { root, below: join(&components[count..]) })
    })
}

/// Components with one slash between them; a first one that is empty is the root.
fn join(components: &[&str]) -> String {
    let mut joined = components.first().copied().unwrap_or_default().to_owned();
    for component in components.iter().skip(1) {
        if !joined.ends_with('/') {
            joined.push('/');
        }
        joined.push_str(component);
    }
    joined
}

impl Candidate {
    pub(super) fn open(self) -> Result<Real, Unresolved> {
        let Candidate { root, below } = self;
        if !root.is_dir() {
            return if below.is_empty() {
                Ok(Real { path: root })
            } else {
                Err(Unresolved::Nothing)
            };
        }
        let path = root.join(below.trim_start_matches('/'));
        match path.canonicalize() {
            Ok(real) if real.starts_with(&root) => Ok(Real { path: real }),
            Ok(_) => Err(Unresolved::Outside(path)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Unresolved::Nothing),
            Err(source) => Err(Unresolved::NotCanonical { path, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_attached_name_wins() {
        let attached: Attached = [("one", "/1"), ("/one", "/1"), ("one/two", "/1/2"), ("/", "/0")]
            .map(|(name, path)| (name.to_owned(), PathBuf::from(path)))
            .into();
        let check = |path: &str, expected: Option<(&str, &str)>| {
            let expected = expected
                .map(|(root, below)| Candidate { root: root.into(), below: below.to_owned() });
            assert_eq!(candidate(&attached, path), expected, "{path}");
        };
        check("one", Some(("/1", "")));
        check("one/", Some(("/1", "")));
        check("/one/2/three", Some(("/1", "2/three")));
        check("one/two/three", Some(("/1/2", "three")));
        check("one//two", Some(("/1/2", "")));
        check("one/two/../x", Some(("/1/2", "../x")));
        check("onetwo", None);
        check("none", None);
        check("", None);
    }
}
