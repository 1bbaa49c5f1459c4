//! Cutting text into pieces as upstream does. Delimiters and trimmed characters are given as
//! a set, written as a string: `", "` cuts at every comma and at every blank.
//! What `str` already offers (`starts_with`, `replace`, `join`) is used directly instead.
//! Upstream: `strings::`.

use std::collections::BTreeMap;

/// What counts as blank where upstream trims text.
pub const WHITESPACE: &str = " \t\n\r";

/// Without blanks at both ends.
pub fn trim(text: &str) -> &str {
    trim_matches(text, WHITESPACE)
}

/// Without characters of the set at both ends.
pub fn trim_matches<'a>(text: &'a str, set: &str) -> &'a str {
    text.trim_matches(|c| set.contains(c))
}

/// The non-empty pieces between delimiters.
pub fn tokenize<'a>(text: &'a str, delimiters: &str) -> Vec<&'a str> {
    tokenize_at_most(text, delimiters, usize::MAX)
}

/// At most `tokens_max` non-empty pieces; the last one keeps all that follows its first
/// character, delimiters included.
pub fn tokenize_at_most<'a>(text: &'a str, delimiters: &str, tokens_max: usize) -> Vec<&'a str> {
    let is_delimiter = |c| delimiters.contains(c);
    let mut tokens = Vec::new();
    let mut rest = text.trim_start_matches(is_delimiter);
    while !rest.is_empty() && tokens.len() < tokens_max {
        let is_last = tokens.len() + 1 == tokens_max;
        let end = if is_last { None } else { rest.find(is_delimiter) }.unwrap_or(rest.len());
        let (token, after) = rest.split_at(end);
        tokens.push(token);
        rest = after.trim_start_matches(is_delimiter);
    }
    tokens
}

/// All pieces between delimiters, empty ones too; at least one.
pub fn split<'a>(text: &'a str, delimiters: &str) -> Vec<&'a str> {
    split_at_most(text, delimiters, usize::MAX)
}

/// At most `tokens_max` pieces, empty ones too; the last keeps the rest.
pub fn split_at_most<'a>(text: &'a str, delimiters: &str, tokens_max: usize) -> Vec<&'a str> {
    text.splitn(tokens_max, |c| delimiters.contains(c)).collect()
}

/// Lists of key and value (`a=1,b=2,a=3`): all values of a key in their order. Entries that
/// are not exactly one key and one value are left out.
pub fn pairs<'a>(
    text: &'a str,
    entry_delimiters: &str,
    value_delimiters: &str,
) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut result: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for entry in tokenize(text, entry_delimiters) {
        if let [key, value] = tokenize(entry, value_delimiters)[..] {
            result.entry(key).or_default().push(value);
        }
    }
    result
}

/// Whether every bracket is closed, and none is closed before it was opened.
pub fn brackets_match(text: &str, open: char, close: char) -> bool {
    let mut depth = 0_usize;
    for c in text.chars() {
        if c == open {
            depth += 1;
        } else if c == close {
            let Some(outer) = depth.checked_sub(1) else { return false };
            depth = outer;
        }
    }
    depth == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn strings_test_trim() {
        for (text, set, expected) in [
            ("", " ", ""),
            ("    ", " ", ""),
            ("  hello world  ", " ", "hello world"),
            (" \t hello world\t  ", " \t", "hello world"),
        ] {
            assert_eq!(trim_matches(text, set), expected);
        }
        assert_eq!(trim(" \t hello world\t \n\r "), "hello world");
        assert_eq!(trim("\u{b}x\u{c}"), "\u{b}x\u{c}");
    }

    #[test]
    fn strings_test_tokenize() {
        let check = |text, delimiters, expected: &[&str]| {
            assert_eq!(tokenize(text, delimiters), expected, "{text:?}");
        };
        check("hello world,  what's up?", " ", &["hello", "world,", "what's", "up?"]);
        check("  hello world,  what's up?  ", " ", &["hello", "world,", "what's", "up?"]);
        check("hello\tworld,  \twhat's up?", " \t", &["hello", "world,", "what's", "up?"]);
        check("", " ", &[]);
        check("   ", " ", &[]);
        check("\0\0hello\0\0world\0", "\0", &["hello", "world"]);
    }

    #[test]
    fn strings_test_tokenize_n() {
        let check = |text, delimiters, tokens_max, expected: &[&str]| {
            assert_eq!(tokenize_at_most(text, delimiters, tokens_max), expected, "{text:?}");
        };
        check("foo,bar,,,", ",", 0, &[]);
        check("foo,bar,,,", ",", 1, &["foo,bar,,,"]);
        check(",,,", ",", 2, &[]);
        check("foo,bar,,baz", ",", 2, &["foo", "bar,,baz"]);
        check(",,foo,bar,,baz", ",", 5, &["foo", "bar", "baz"]);
        check("foo,bar,,baz,,", ",", 4, &["foo", "bar", "baz"]);
        check("foo.bar,.,.baz.", ",.", 6, &["foo", "bar", "baz"]);
    }

    #[test]
    fn strings_test_split() {
        let check = |text, delimiters, expected: &[&str]| {
            assert_eq!(split(text, delimiters), expected, "{text:?}");
        };
        check("", ",", &[""]);
        check(",,,", ",", &["", "", "", ""]);
        check("foo,bar,,baz", ",", &["foo", "bar", "", "baz"]);
        check(",,foo,bar,,", ",", &["", "", "foo", "bar", "", ""]);
        check("foo.bar,.,.baz.", ",.", &["foo", "bar", "", "", "", "baz", ""]);
    }

    #[test]
    fn strings_test_split_n() {
        let check = |text, tokens_max, expected: &[&str]| {
            assert_eq!(split_at_most(text, ",", tokens_max), expected, "{text:?}");
        };
        check("foo,bar,,,", 0, &[]);
        check("foo,bar,,,", 1, &["foo,bar,,,"]);
        check(",,,", 2, &["", ",,"]);
        check("foo,bar,,baz", 2, &["foo", "bar,,baz"]);
        check(",,foo,bar,,baz", 5, &["", "", "foo", "bar", ",baz"]);
    }

    #[test]
    fn strings_test_pairs() {
        let found = pairs("foo=1;bar=2;baz;foo=3;bam=1=2", ";&", "=");
        assert_eq!(found, BTreeMap::from([("foo", vec!["1", "3"]), ("bar", vec!["2"])]));
    }

    #[test]
    fn strings_test_check_brackets_matching() {
        for (text, expected) in
            [("", true), ("([[{}]])", true), ("(", false), (")(", false), ("a(b)c", true)]
        {
            assert_eq!(brackets_match(text, '(', ')'), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn tokens_are_the_non_empty_pieces(text in "[a-cé,;]{0,20}") {
            let mut pieces = split(&text, ",;");
            pieces.retain(|piece| !piece.is_empty());
            prop_assert_eq!(tokenize(&text, ",;"), pieces);
        }

        #[test]
        fn pieces_join_to_the_whole(text in "[a-cé,]{0,20}", tokens_max in 1_usize..5) {
            prop_assert_eq!(split_at_most(&text, ",", tokens_max).join(","), text);
        }
    }
}
