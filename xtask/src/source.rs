//! Rust sources as lines of code and comment: what every other check of this crate reads.
//! A small scanner, not a parser: literals are emptied, comments set apart, and the lines of
//! `#[cfg(test)]` items marked. It never judges what it reads.

use std::path::{Component, Path};

/// One `.rs` file of the workspace.
pub(crate) struct Source {
    /// Path below the workspace's root, with `/` between its parts.
    pub(crate) path: String,
    pub(crate) lines: Vec<Line>,
    /// The whole file is test code: by its name, or because of `#[cfg(test)] mod name;` elsewhere.
    pub(crate) is_test: bool,
}

/// One line, taken apart.
#[derive(Default)]
pub(crate) struct Line {
    /// The line without comments and without the contents of literals.
    pub(crate) code: String,
    /// The text of the line's comments, with their markers.
    pub(crate) comment: String,
    /// Width in characters.
    pub(crate) width: usize,
    /// The line belongs to an item under `#[cfg(test)]`.
    pub(crate) in_test: bool,
}

/// The item that a keyword starts, as line numbers counted from zero.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Item {
    /// Ended by a semicolon.
    Declared { last: usize },
    /// Ended by the brace that closes its body.
    Defined { last: usize },
}

impl Item {
    pub(crate) fn last(self) -> usize {
        match self {
            Item::Declared { last } | Item::Defined { last } => last,
        }
    }
}

impl Source {
    pub(crate) fn parse(path: &str, text: &str) -> Source {
        let mut scanner = Scanner { state: State::Code };
        let lines = text.lines().map(|line| scanner.line(line)).collect();
        let mut source = Source { path: path.to_owned(), lines, is_test: is_test_path(path) };
        source.mark_test_items();
        source
    }

    fn mark_test_items(&mut self) {
        let mut at = 0;
        while at < self.lines.len() {
            if self.lines[at].code.trim_start().starts_with("#[cfg(test)]") {
                let last = self.item(at, 0).last();
                self.lines[at..=last].iter_mut().for_each(|line| line.in_test = true);
                at = last;
            }
            at += 1;
        }
    }

    /// Where the item that starts at `line`, `column` ends.
    pub(crate) fn item(&self, line: usize, column: usize) -> Item {
        let (mut braces, mut others) = (0_usize, 0_usize);
        for (number, text) in self.lines.iter().enumerate().skip(line) {
            let skipped = if number == line { column } else { 0 };
            for character in text.code.chars().skip(skipped) {
                match character {
                    '(' | '[' => others += 1,
                    ')' | ']' => others = others.saturating_sub(1),
                    '{' => braces += 1,
                    '}' if braces <= 1 => return Item::Defined { last: number },
                    '}' => braces -= 1,
                    ';' if braces == 0 && others == 0 => return Item::Declared { last: number },
                    _ => {}
                }
            }
        }
        Item::Declared { last: self.lines.len() - 1 }
    }

    /// Where the modules lie that the file declares under `#[cfg(test)]`, without `.rs`.
    fn declared_tests(&self) -> impl Iterator<Item = String> {
        let file = self.path.trim_end_matches(".rs");
        let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
        let base = if ["lib", "main", "mod"].contains(&name) { folder } else { file };
        let modules = self.lines.iter().filter(|line| line.in_test).filter_map(|line| {
            let (_, name) = line.code.trim_end().strip_suffix(';')?.rsplit_once("mod ")?;
            Some(name)
        });
        modules.map(move |name| format!("{base}/{name}"))
    }

    /// Whether the file is the body of a program: an `fn main` or a build script.
    pub(crate) fn is_program(&self) -> bool {
        self.path.ends_with("/main.rs")
            || self.path.ends_with("/build.rs")
            || self.path.contains("/src/bin/")
    }
}

fn is_test_path(path: &str) -> bool {
    let path = Path::new(path);
    let file = path.file_name().unwrap_or_default();
    file == "tests.rs"
        || file == "test_util.rs"
        || path.components().any(|part| part == Component::Normal("tests".as_ref()))
}

/// Marks the files that another file declares as tests.
pub(crate) fn mark_declared_tests(sources: &mut [Source]) {
    let declared: Vec<String> = sources.iter().flat_map(Source::declared_tests).collect();
    for source in sources {
        let is_below = |module: &String| {
            let rest = source.path.strip_prefix(module.as_str());
            rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        };
        source.is_test |= declared.iter().any(is_below);
    }
}

/// Columns where `word` stands in `code` as a whole word.
pub(crate) fn words_at<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let (before, after) = (&code[..*at], &code[at + word.len()..]);
        let starts = !word.starts_with(is_part) || !before.ends_with(is_part);
        starts && (!word.ends_with(is_part) || !after.starts_with(is_part))
    })
}

enum State {
    Code,
    BlockComment { depth: usize },
    Text,
    RawText { hashes: usize },
}

struct Scanner {
    state: State,
}

impl Scanner {
    fn line(&mut self, text: &str) -> Line {
        let characters: Vec<char> = text.chars().collect();
        let mut line = Line { width: characters.len(), ..Line::default() };
        let mut rest = &characters[..];
        while !rest.is_empty() {
            let taken = match self.state {
                State::Code => self.code(rest, &mut line),
                State::BlockComment { depth } => self.block_comment(rest, depth, &mut line),
                State::Text => self.text(rest, &mut line),
                State::RawText { hashes } => self.raw_text(rest, hashes, &mut line),
            };
            rest = &rest[taken.min(rest.len())..];
        }
        line
    }

    fn code(&mut self, rest: &[char], line: &mut Line) -> usize {
        match rest {
            ['/', '/', ..] => {
                line.comment.extend(rest);
                return rest.len();
            }
            ['/', '*', ..] => {
                self.state = State::BlockComment { depth: 1 };
                line.comment.push_str("/*");
                return 2;
            }
            ['"', ..] => self.state = State::Text,
            ['r', following @ ..] => {
                let hashes = following.iter().take_while(|c| **c == '#').count();
                if following.get(hashes) == Some(&'"') {
                    self.state = State::RawText { hashes };
                    line.code.push('"');
                    return hashes + 2;
                }
            }
            ['\'', '\\', following @ ..] => {
                let end = following.iter().skip(1).position(|c| *c == '\'');
                line.code.push_str("' '");
                return end.map_or(rest.len(), |end| end + 4);
            }
            ['\'', _, '\'', ..] => {
                line.code.push_str("' '");
                return 3;
            }
            _ => {}
        }
        line.code.push(rest[0]);
        1
    }

    fn block_comment(&mut self, rest: &[char], depth: usize, line: &mut Line) -> usize {
        match rest {
            ['/', '*', ..] => self.state = State::BlockComment { depth: depth + 1 },
            ['*', '/', ..] if depth == 1 => self.state = State::Code,
            ['*', '/', ..] => self.state = State::BlockComment { depth: depth - 1 },
            _ => {
                line.comment.push(rest[0]);
                return 1;
            }
        }
        line.comment.extend(&rest[..2]);
        2
    }

    fn text(&mut self, rest: &[char], line: &mut Line) -> usize {
        match rest[0] {
            '\\' => 2,
            '"' => {
                self.state = State::Code;
                line.code.push('"');
                1
            }
            _ => 1,
        }
    }

    fn raw_text(&mut self, rest: &[char], hashes: usize, line: &mut Line) -> usize {
        let closes = rest[0] == '"'
            && rest.len() > hashes
            && rest[1..=hashes].iter().all(|character| *character == '#');
        if !closes {
            return 1;
        }
        self.state = State::Code;
        line.code.push('"');
        hashes + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, code: &[&str], comments: &[&str]) {
        let source = Source::parse("a/src/b.rs", text);
        let of = |field: fn(&Line) -> &str| source.lines.iter().map(field).collect::<Vec<_>>();
        assert_eq!(of(|line| line.code.trim_end()), code, "code of {text:?}");
        assert_eq!(of(|line| &line.comment), comments, "comments of {text:?}");
    }

    #[test]
    fn literals_are_emptied_and_comments_set_apart() {
        check("let a = 1; // one", &["let a = 1;"], &["// one"]);
        check(r#"f("a // \" b"); // c"#, &[r#"f("");"#], &["// c"]);
        check("f(\"a\nTODO\n\"); g()", &["f(\"", "", "\"); g()"], &["", "", ""]);
        let characters = r##"f(r#"{ "x" "#, '{', '\'', '\u{7d}', 'a')"##;
        check(characters, &[r#"f("", ' ', ' ', ' ', ' ')"#], &[""]);
        check("fn f<'a>(x: &'a str) {}", &["fn f<'a>(x: &'a str) {}"], &[""]);
        check("a /* b /* c */\nd */ e", &["a", " e"], &["/* b /* c */", "d */"]);
        check("let r#type = br\"{\";", &["let r#type = b\"\";"], &[""]);
    }

    #[test]
    fn an_item_ends_at_its_brace_or_semicolon() {
        let ends = |text: &str| Source::parse("a.rs", text).item(0, 0);
        assert_eq!(ends("fn f() {\n  if x { y }\n}\nfn g() {}"), Item::Defined { last: 2 });
        assert_eq!(ends("fn f(x: [u8; 4])\n -> [u8; 2];\nfn g() {}"), Item::Declared { last: 1 });
    }

    #[test]
    fn test_items_are_marked() {
        let source = Source::parse("a.rs", "fn f() {}\n#[cfg(test)]\nmod tests {\n}\nfn g() {}");
        let marks: Vec<bool> = source.lines.iter().map(|line| line.in_test).collect();
        assert_eq!(marks, [false, true, true, true, false]);
    }

    #[test]
    fn declared_test_files_are_marked() {
        let parse = |(path, text)| Source::parse(path, text);
        let mut sources = [
            ("c/src/a.rs", "mod b;\n#[cfg(test)]\nmod laws;\n"),
            ("c/src/a/laws.rs", ""),
            ("c/src/a/laws/deep.rs", ""),
            ("c/src/a/b.rs", ""),
            ("c/src/d/mod.rs", "#[cfg(test)]\nmod laws;\n"),
            ("c/src/d/laws.rs", ""),
        ]
        .map(parse);
        mark_declared_tests(&mut sources);
        let marks = sources.map(|source| source.is_test);
        assert_eq!(marks, [false, true, true, false, false, true]);
    }

    #[test]
    fn words_are_whole() {
        let count = |code: &str, word: &str| words_at(code, word).count();
        assert_eq!(count("unsafe { unsafely(my_unsafe) }", "unsafe"), 1);
        assert_eq!(count("std::env::var(x); env::vars()", "env::var"), 1);
        assert_eq!(count("#[ignore] fn f() {}", "#[ignore"), 1);
    }
}
