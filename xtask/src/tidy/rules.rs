//! The rules that look at one source file each. Called by `tidy` only; pure.

use super::Report;
use crate::source::{Item, Line, Source, words_at};
use crate::test_index::{self, Test};

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_COLUMNS_MAX: usize = 100;

/// Unfinished work, wherever it stands.
const BANNED_WORDS: [&str; 7] =
    ["TODO", "FIXME", "todo!", "unimplemented!", "#[ignore", "allow(dead_code", "expect(dead_code"];

/// Clock, randomness and environment are handed in.
const BANNED_CALLS: [&str; 8] = [
    "Instant::now",
    "SystemTime::now",
    "thread::sleep",
    "env::var",
    "env::vars",
    "env::var_os",
    "env::set_var",
    "rand::random",
];

/// Where clock, randomness and environment enter: the runtime, the task runner, whole clusters
/// under test; besides, every program's `main`.
const ENTRANCES: [&str; 3] = ["libprocess/", "xtask/", "tests/"];

const UNSAFE_FOLDERS: [&str; 3] =
    ["libprocess/src/os/", "containerizer/src/linux/", "bindings/src/"];

pub(super) fn header(source: &Source, report: &mut Report<'_>) {
    let first = source.lines.first().and_then(|line| line.comment.strip_prefix("//!"));
    if first.is_none_or(|text| text.trim().is_empty()) {
        report(0, "the file starts without a `//!` header".into());
    }
}

pub(super) fn file_length(source: &Source, report: &mut Report<'_>) {
    let lines = source.lines.iter().filter(|line| !line.in_test).count();
    if lines > FILE_LINES_MAX {
        report(0, format!("{lines} lines without inline tests, {FILE_LINES_MAX} are allowed"));
    }
}

pub(super) fn function_length(source: &Source, report: &mut Report<'_>) {
    for (number, line) in source.lines.iter().enumerate() {
        for column in words_at(&line.code, "fn") {
            let named = line.code[column + 2..].starts_with(' ');
            let Item::Defined { last } = source.item(number, column) else { continue };
            let lines = last - number + 1;
            if named && lines > FUNCTION_LINES_MAX {
                report(
                    number,
                    format!("a function of {lines} lines, {FUNCTION_LINES_MAX} are allowed"),
                );
            }
        }
    }
}

pub(super) fn line_width(source: &Source, report: &mut Report<'_>) {
    for (number, line) in source.lines.iter().enumerate() {
        if line.width > LINE_COLUMNS_MAX && !line.comment.contains("://") {
            let width = line.width;
            report(number, format!("{width} columns, {LINE_COLUMNS_MAX} are allowed"));
        }
    }
}

pub(super) fn banned_words(source: &Source, report: &mut Report<'_>) {
    for (number, line) in source.lines.iter().enumerate() {
        for word in BANNED_WORDS {
            let in_code = words_at(&line.code, word).next();
            if in_code.or_else(|| words_at(&line.comment, word).next()).is_some() {
                report(number, format!("banned: {word}"));
            }
        }
    }
}

pub(super) fn banned_calls(source: &Source, report: &mut Report<'_>) {
    let is_entrance = ENTRANCES.iter().any(|folder| source.path.starts_with(folder));
    if is_entrance || source.is_program() || source.is_test {
        return;
    }
    for (number, line) in source.lines.iter().enumerate().filter(|(_, line)| !line.in_test) {
        for call in BANNED_CALLS {
            if words_at(&line.code, call).next().is_some() {
                report(number, format!("banned here, it is handed in: {call}"));
            }
        }
    }
}

pub(super) fn glob_imports(source: &Source, report: &mut Report<'_>) {
    for (number, line) in source.lines.iter().enumerate() {
        let code = line.code.trim();
        let is_test = line.in_test || source.is_test;
        let allowed = is_test && ["use super::*;", "use proptest::prelude::*;"].contains(&code);
        let imports = words_at(code, "use").next().is_some();
        let is_glob = code.ends_with("::*;") || code.contains("::{*");
        if imports && is_glob && !allowed {
            report(number, "a glob import: name what is used".into());
        }
    }
}

pub(super) fn unsafe_quarantine(source: &Source, report: &mut Report<'_>) {
    let is_quarantine = UNSAFE_FOLDERS.iter().any(|folder| source.path.starts_with(folder));
    for (number, line) in source.lines.iter().enumerate() {
        let Some(at) = words_at(&line.code, "unsafe").next() else { continue };
        if !is_quarantine {
            report(number, format!("`unsafe` outside of {}", UNSAFE_FOLDERS.join(", ")));
            continue;
        }
        let following = line.code[at + "unsafe".len()..].trim_start();
        let declares = following.starts_with("fn") || following.starts_with("extern");
        if !declares && !comment_above(source, number).contains("SAFETY:") {
            report(number, "`unsafe` without a SAFETY: comment above it".into());
        }
    }
}

/// The comments on a line and on the unbroken run of comment lines above its statement.
fn comment_above(source: &Source, number: usize) -> String {
    let goes_on = |line: &&Line| {
        let code = line.code.trim();
        !code.is_empty() && !code.ends_with([';', '{', '}', ','])
    };
    let above = source.lines[..number].iter().rev();
    let run = above
        .skip_while(goes_on)
        .take_while(|line| line.code.trim().is_empty() && !line.comment.is_empty());
    let mut comments: Vec<&str> = run.map(|line| line.comment.as_str()).collect();
    comments.reverse();
    comments.push(&source.lines[number].comment);
    comments.join("\n")
}

pub(super) fn compat_comments(source: &Source, tests: &[Test], report: &mut Report<'_>) {
    for (number, line) in source.lines.iter().enumerate() {
        let Some((_, start)) = line.comment.split_once("COMPAT:") else { continue };
        let following = source.lines[number + 1..].iter();
        let run = following
            .take_while(|line| line.code.trim().is_empty() && !line.comment.is_empty())
            .take_while(|line| !line.comment.contains("COMPAT:"));
        let lines = [start].into_iter().chain(run.map(|line| line.comment.as_str()));
        let text: Vec<&str> = lines.map(|line| line.trim_start_matches(['/', '!', ' '])).collect();
        if let Some(fault) = compat_fault(&text.join(" "), tests) {
            report(number, fault);
        }
    }
}

fn compat_fault(text: &str, tests: &[Test]) -> Option<String> {
    let held_by = ["held by", "Held by"].iter().find_map(|words| text.split_once(words));
    let Some((_, holders)) = held_by else {
        return Some("COMPAT: says no \"held by `test`\"".into());
    };
    test_index::named_fault(holders, tests).map(|fault| format!("COMPAT: {fault}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Rule = fn(&Source, &mut Report<'_>);

    /// The numbers, from one, of the lines that the rule reports.
    fn lines(rule: Rule, path: &str, text: &str) -> Vec<usize> {
        let mut found = Vec::new();
        rule(&Source::parse(path, text), &mut |line, _| found.push(line + 1));
        found
    }

    fn check(rule: Rule, path: &str, text: &str, expected: &[usize]) {
        assert_eq!(lines(rule, path, text), expected, "{path}: {text:?}");
    }

    #[test]
    fn headers() {
        check(header, "a.rs", "//! Text.\n", &[]);
        check(header, "a.rs", "//!\n", &[1]);
        check(header, "a.rs", "// Text.\n", &[1]);
        check(header, "a.rs", "use a::b;\n", &[1]);
        check(header, "a.rs", "", &[1]);
    }

    #[test]
    fn lengths() {
        let body = |count: usize| format!("fn f() {{\n{}}}\n", "x();\n".repeat(count));
        check(function_length, "a.rs", &body(68), &[]);
        check(function_length, "a.rs", &body(69), &[1]);
        check(function_length, "a.rs", "type F = fn(u8) -> u8;\n", &[]);
        check(file_length, "a.rs", &"x\n".repeat(600), &[]);
        check(file_length, "a.rs", &"x\n".repeat(601), &[1]);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "x();\n".repeat(700));
        check(file_length, "a.rs", &tests, &[]);
        check(line_width, "a.rs", &"ä".repeat(100), &[]);
        check(line_width, "a.rs", &"ä".repeat(101), &[1]);
    }

    #[test]
    fn words() {
        check(banned_words, "a.rs", "// TODO: x\nlet todo = 1;\ntodo!()\n", &[1, 3]);
        check(banned_words, "a.rs", "#[ignore = \"x\"]\n#[allow(dead_code)]\n", &[1, 2]);
        check(banned_words, "a.rs", "f(\"TODO\"); // mastodon TODOs\n", &[]);
    }

    #[test]
    fn calls() {
        let text = "let a = Instant::now();\nstd::env::var(x);\nstd::env::args();\n";
        check(banned_calls, "master/src/a.rs", text, &[1, 2]);
        check(banned_calls, "master/src/main.rs", text, &[]);
        check(banned_calls, "cli/src/bin/a.rs", text, &[]);
        check(banned_calls, "libprocess/src/clock.rs", text, &[]);
        check(banned_calls, "master/src/a/tests.rs", text, &[]);
        check(banned_calls, "m/src/a.rs", &format!("#[cfg(test)]\nmod t {{\n{text}}}"), &[]);
    }

    #[test]
    fn globs() {
        check(glob_imports, "m/src/a.rs", "use a::*;\npub use b::{*, c};\nuse a::b;\n", &[1, 2]);
        check(glob_imports, "m/src/a.rs", "use super::*;\n", &[1]);
        check(glob_imports, "m/src/a/tests.rs", "use super::*;\nuse a::*;\n", &[2]);
        check(glob_imports, "m/src/a.rs", "#[cfg(test)]\nmod t {\n    use super::*;\n}\n", &[]);
    }

    #[test]
    fn unsafe_code() {
        let text = "unsafe { a() }\n// SAFETY: why\nunsafe { b() }\nunsafe fn c() {}\n";
        check(unsafe_quarantine, "libprocess/src/os/a.rs", text, &[1]);
        let late = "// SAFETY: why\nlet a =\n    unsafe { b() };\nlet c =\n    unsafe { d() };\n";
        check(unsafe_quarantine, "libprocess/src/os/a.rs", late, &[5]);
        check(unsafe_quarantine, "libprocess/src/a.rs", text, &[1, 3, 4]);
    }

    #[test]
    fn compat() {
        let tests = [Test { path: ["m", "a", "holds"].map(str::to_owned).to_vec() }];
        let check = |text: &str, expected: &[usize]| {
            let mut found = Vec::new();
            let source = Source::parse("m/src/a.rs", text);
            compat_comments(&source, &tests, &mut |line, _| found.push(line + 1));
            assert_eq!(found, expected, "{text:?}");
        };
        check("// COMPAT: `Up::f` does so,\n// held by `a::holds`.\nf();\n", &[]);
        check("f(); // COMPAT: so. Held by `holds`\n", &[]);
        check("// COMPAT: `Up::f` does so.\nf(); // held by `holds`\n", &[1]);
        check("// COMPAT: so; held by `gone`.\n", &[1]);
        check("// COMPAT: so; held by a test.\n", &[1]);
    }
}
