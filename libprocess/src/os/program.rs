//! What this process was started with, as text. Called by the `main` of each program and by nobody
//! else: what is below them is handed its arguments and variables.
//! Upstream: `argv`, `os::environment`.

/// The command line, the program first. What is not UTF-8 is replaced.
pub fn arguments() -> Vec<String> {
    std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect()
}

/// The environment. Variables that are not UTF-8 are left out.
pub fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}
