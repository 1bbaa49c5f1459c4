//! All tests of the workspace by name, found in the sources. `tidy` asks it whether the test that
//! a comment names exists, `ledger` which test answers for a behaviour.

use crate::source::{Source, words_at};

/// A function marked `#[test]`, plain or of a runtime (`#[tokio::test]`).
#[derive(Debug, PartialEq)]
pub(crate) struct Test {
    /// Crate, modules and function: `master::http::state::tests::lists_tasks`.
    pub(crate) path: Vec<String>,
}

impl Test {
    pub(crate) fn function(&self) -> &str {
        self.path.last().expect("a test has a name")
    }

    pub(crate) fn modules(&self) -> &[String] {
        &self.path[..self.path.len() - 1]
    }

    /// Whether `reference` may mean this test: its last part is the function, the parts before
    /// occur among crate and modules in that order (`http::lists_tasks`).
    pub(crate) fn is_named_by(&self, reference: &str) -> bool {
        let mut parts: Vec<&str> = reference.split("::").collect();
        if parts.pop() != Some(self.function()) {
            return false;
        }
        let mut modules = self.modules().iter();
        parts.iter().all(|part| modules.any(|module| module == part))
    }

    /// The reference that goes on to mean this test when others come: all of its path but the
    /// modules named `tests`.
    pub(crate) fn reference(&self) -> String {
        let (top, below) = self.path.split_first().expect("a test lies in a crate");
        let below = below.iter().filter(|part| *part != "tests");
        [top].into_iter().chain(below).cloned().collect::<Vec<_>>().join("::")
    }
}

/// The tests that `reference` may mean.
pub(crate) fn find<'a>(all: &'a [Test], reference: &str) -> Vec<&'a Test> {
    all.iter().filter(|test| test.is_named_by(reference)).collect()
}

/// What is wrong with a text that should name tests in backticks, if anything is.
pub(crate) fn named_fault(text: &str, tests: &[Test]) -> Option<String> {
    let mut names = text.split('`').skip(1).step_by(2).peekable();
    if names.peek().is_none() {
        return Some("names no test in backticks".to_owned());
    }
    let missing = names.find(|name| find(tests, name).is_empty())?;
    Some(format!("names a test that does not exist: {missing}"))
}

/// The tests of all `sources`.
pub(crate) fn tests(sources: &[Source]) -> Vec<Test> {
    sources.iter().flat_map(tests_of).collect()
}

fn tests_of(source: &Source) -> Vec<Test> {
    let base = module_path(&source.path);
    let mut inline: Vec<(String, usize)> = Vec::new();
    let mut marked = false;
    let mut found = Vec::new();
    for (number, line) in source.lines.iter().enumerate() {
        inline.retain(|(_, last)| *last >= number);
        let code = line.code.trim();
        if let Some(name) = name_after(code, "mod") {
            inline.push((name.to_owned(), source.item(number, 0).last()));
        }
        if is_test_attribute(code) {
            marked = true;
        }
        if let Some(name) = name_after(code, "fn") {
            if marked {
                let modules = inline.iter().map(|(module, _)| module.clone());
                let path = base.iter().cloned().chain(modules).chain([name.to_owned()]);
                found.push(Test { path: path.collect() });
            }
            marked = false;
        }
    }
    found
}

/// `master/src/http/state.rs` is the module `master::http::state`,
/// `tests/tests/cluster/master.rs` is `tests::cluster::master`.
fn module_path(path: &str) -> Vec<String> {
    let mut parts: Vec<&str> = path.trim_end_matches(".rs").split('/').collect();
    if parts.len() > 1 && ["src", "tests", "benches", "examples"].contains(&parts[1]) {
        parts.remove(1);
    }
    if parts.last().is_some_and(|last| ["lib", "main", "mod"].contains(last)) {
        parts.pop();
    }
    parts.into_iter().map(str::to_owned).collect()
}

fn is_test_attribute(code: &str) -> bool {
    let Some(attribute) = code.strip_prefix("#[") else { return false };
    let path = attribute.split(['(', ']', ' ', '=']).next().unwrap_or_default();
    path == "test" || path.ends_with("::test")
}

/// The identifier after the keyword, if the line has both.
fn name_after<'a>(code: &'a str, keyword: &'a str) -> Option<&'a str> {
    let at = words_at(code, keyword).next()?;
    let name = code[at + keyword.len()..].strip_prefix(' ')?;
    let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
    (end > 0).then(|| &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
#[test]
fn outside() {}
fn no_test() {}
#[cfg(test)]
mod tests {
    mod deep {
        #[tokio::test(flavor = "x")]
        async fn inside() {}
    }
    #[test]
    #[cfg(unix)]
    fn beside() {}
}
"#;

    fn index(path: &str) -> Vec<String> {
        let source = Source::parse(path, TEXT);
        tests(&[source]).iter().map(|test| test.path.join("::")).collect()
    }

    #[test]
    fn tests_are_found_with_their_modules() {
        assert_eq!(
            index("master/src/http/state.rs"),
            [
                "master::http::state::outside",
                "master::http::state::tests::deep::inside",
                "master::http::state::tests::beside"
            ]
        );
        assert_eq!(index("tests/tests/cluster/main.rs")[0], "tests::cluster::outside");
    }

    #[test]
    fn a_reference_may_leave_out_modules() {
        let test = Test { path: ["a", "b", "c", "tests", "f"].map(str::to_owned).to_vec() };
        let check = |reference: &str, expected: bool| {
            assert_eq!(test.is_named_by(reference), expected, "{reference}");
        };
        check("f", true);
        check("a::f", true);
        check("b::c::f", true);
        check("c::b::f", false);
        check("x::f", false);
        check("b", false);
    }

    #[test]
    fn the_reference_leaves_out_tests() {
        let reference = |path: &str| tests(&[Source::parse(path, TEXT)])[2].reference();
        assert_eq!(reference("a/src/m.rs"), "a::m::beside");
        assert_eq!(reference("tests/tests/cluster/m.rs"), "tests::cluster::m::beside");
    }
}
