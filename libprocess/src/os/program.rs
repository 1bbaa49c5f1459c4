//! What this process was started with, as text. Arguments and variables are for the `main` of each
//! program alone: what is below them is handed theirs.
//! Upstream: `argv`, `os::environment`.

/// The command line, the program first. What is not UTF-8 is replaced.
pub fn arguments() -> Vec<String> {
    std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect()
}

/// The name of this program's file; `?` if the system does not tell.
pub(crate) fn name() -> String {
    let file = std::env::current_exe().ok();
    let name = file.as_deref().and_then(|file| file.file_name());
    name.map_or_else(|| "?".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// The environment. Variables that are not UTF-8 are left out.
pub fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}
