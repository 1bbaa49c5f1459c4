//! Which file a URI names, here and in the sandbox. Pure. Called by `plan` before anything is
//! started and by `worker` for every item.
//! Upstream: `Fetcher::basename`, `validateUri`, `uriToLocalPath`, `isNetUri`.

use std::path::{Path, PathBuf};

const ILLEGAL: [char; 3] = ['\\', '\'', '\0'];

/// Why a URI cannot be fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriError {
    /// A backslash, a single quote or NUL.
    #[error("Illegal characters in URI")]
    IllegalCharacters,
    /// Nothing follows the host.
    #[error("Malformed URI (missing path): {0}")]
    MissingPath(String),
    /// The last part cannot be the name of a file.
    #[error("Malformed URI (missing file name): {0}")]
    MissingFileName(String),
    /// A `file://` URI with a relative path.
    #[error("File URI only supports absolute paths")]
    RelativeFileUri,
    /// A relative path without `--frameworks_home`.
    #[error(
        "A relative path was passed for the resource but the Mesos framework home was not \
         specified. Please either provide this config option or avoid using a relative path"
    )]
    NoFrameworksHome,
    /// The file to write is not a relative path that stays in the sandbox.
    #[error("URI 'output_file' must be within the sandbox directory: {0}")]
    OutputOutside(String),
}

/// The name a URI's file gets in the sandbox: what follows the last `/`, query included.
pub fn basename(uri: &str) -> Result<&str, UriError> {
    if uri.contains(ILLEGAL) {
        return Err(UriError::IllegalCharacters);
    }
    let path = match uri.split_once("://") {
        Some((scheme, rest)) if scheme.len() > 1 => {
            let missing = || UriError::MissingPath(uri.to_owned());
            let (_, path) = rest.split_once('/').ok_or_else(missing)?;
            if path.is_empty() {
                return Err(missing());
            }
            path
        }
        _ => uri.trim_end_matches('/'),
    };
    match path.rsplit('/').next() {
        None | Some("" | "." | "..") => Err(UriError::MissingFileName(uri.to_owned())),
        Some(name) => Ok(name),
    }
}

/// The path of a `file://` URI or of one without a scheme; `None` for all that is remote.
pub fn local_path(uri: &str, frameworks_home: Option<&str>) -> Result<Option<PathBuf>, UriError> {
    let of_file_uri = uri.strip_prefix("file://localhost").or_else(|| uri.strip_prefix("file://"));
    if let Some(path) = of_file_uri {
        return match path.starts_with('/') {
            true => Ok(Some(path.into())),
            false => Err(UriError::RelativeFileUri),
        };
    }
    if uri.contains("://") {
        return Ok(None);
    }
    if uri.starts_with('/') {
        return Ok(Some(uri.into()));
    }
    match frameworks_home {
        None | Some("") => Err(UriError::NoFrameworksHome),
        Some(home) => Ok(Some(Path::new(home).join(uri))),
    }
}

/// Whether the built-in HTTP client fetches it. Other remote schemes are Hadoop's.
pub fn is_http(uri: &str) -> bool {
    uri.starts_with("http://") || uri.starts_with("https://")
}

/// The path below the sandbox where a URI's file goes.
pub fn destination<'a>(uri: &'a str, output_file: Option<&'a str>) -> Result<&'a Path, UriError> {
    let name = basename(uri)?;
    let Some(output_file) = output_file else { return Ok(Path::new(name)) };
    let inside = |part| matches!(part, std::path::Component::Normal(_));
    let path = Path::new(output_file);
    if path.components().next().is_none() || !path.components().all(inside) {
        return Err(UriError::OutputOutside(output_file.to_owned()));
    }
    if output_file.contains('\0') {
        return Err(UriError::IllegalCharacters);
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{UriError, basename, destination, local_path};

    #[test]
    fn malformed_uri() {
        let check = |uri: &str, expected: Result<&str, &str>| {
            let found = basename(uri).map_err(|error| error.to_string());
            assert_eq!(found, expected.map_err(str::to_owned), "{uri:?}");
        };
        check("http://host/a/b.tgz", Ok("b.tgz"));
        check("http://host/q.txt?a=b", Ok("q.txt?a=b"));
        check("\r\n\t http://host/test", Ok("test"));
        check("/some/where/file", Ok("file"));
        check("relative/file/", Ok("file"));
        check("c://x", Ok("x"));
        check("http://x", Err("Malformed URI (missing path): http://x"));
        check("http://x/", Err("Malformed URI (missing path): http://x/"));
        check("http://x/y/", Err("Malformed URI (missing file name): http://x/y/"));
        check("http://x/y/..", Err("Malformed URI (missing file name): http://x/y/.."));
        check("..", Err("Malformed URI (missing file name): .."));
        check("/", Err("Malformed URI (missing file name): /"));
        check("", Err("Malformed URI (missing file name): "));
        check("lala\\dudu", Err("Illegal characters in URI"));
        check("lala'dudu", Err("Illegal characters in URI"));
        check("lala\0dudu", Err("Illegal characters in URI"));
    }

    #[test]
    fn paths_on_this_host() {
        let check = |uri: &str, home: Option<&str>, expected: Result<Option<&str>, UriError>| {
            let expected = expected.map(|path| path.map(|path| Path::new(path).to_owned()));
            assert_eq!(local_path(uri, home), expected, "{uri:?} {home:?}");
        };
        check("file:///a/b", None, Ok(Some("/a/b")));
        check("file://localhost/a/b", None, Ok(Some("/a/b")));
        check("file://a/b", None, Err(UriError::RelativeFileUri));
        check("file://localhosta/b", None, Err(UriError::RelativeFileUri));
        check("/a/b", None, Ok(Some("/a/b")));
        check("a/b", Some("/home"), Ok(Some("/home/a/b")));
        check("a/b", Some(""), Err(UriError::NoFrameworksHome));
        check("a/b", None, Err(UriError::NoFrameworksHome));
        check("hdfs://a/b", Some("/home"), Ok(None));
    }

    #[test]
    fn output_files_stay_in_the_sandbox() {
        let check = |output: &str, expected: Result<&str, UriError>| {
            let found = destination("http://host/x", Some(output));
            assert_eq!(found, expected.map(Path::new), "{output:?}");
        };
        check("name", Ok("name"));
        check("deep/er/name", Ok("deep/er/name"));
        for outside in ["", "/etc/passwd", "../x", "a/../../x", "."] {
            check(outside, Err(UriError::OutputOutside(outside.into())));
        }
        assert_eq!(destination("http://host/x", None), Ok(Path::new("x")));
    }
}
