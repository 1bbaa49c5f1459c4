//! Percent-encoding as upstream does it, with the rules of HTML forms.
//! Called by the decoder for target ids and queries, and by whatever builds a URL.
//! Never touches message names or the rest of a path: those travel raw.
//!
//! Upstream: `http::encode`, `http::decode`, `http::query::decode`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// A `%` that two hexadecimal digits do not follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed % escape at byte {at}")]
pub struct MalformedEscape {
    /// Where the `%` stands, counted from 0.
    pub at: usize,
}

/// Replaces `+` by a blank and `%XX` by the byte it stands for.
///
/// # Errors
/// [`MalformedEscape`] at the first `%` without two hexadecimal digits.
pub fn decode(text: &[u8]) -> Result<Cow<'_, [u8]>, MalformedEscape> {
    let Some(first) = text.iter().position(|c| matches!(c, b'%' | b'+')) else {
        return Ok(Cow::Borrowed(text));
    };
    let mut out = text[..first].to_vec();
    let mut at = first;
    while let Some(&c) = text.get(at) {
        match c {
            b'+' => out.push(b' '),
            b'%' => {
                let digit = |i: usize| char::from(*text.get(at + i)?).to_digit(16);
                let (Some(high), Some(low)) = (digit(1), digit(2)) else {
                    return Err(MalformedEscape { at });
                };
                out.push((high << 4 | low) as u8);
                at += 2;
            }
            c => out.push(c),
        }
        at += 1;
    }
    Ok(Cow::Owned(out))
}

/// Tells whether [`decode`] would succeed.
///
/// # Errors
/// As [`decode`].
pub fn check(text: &[u8]) -> Result<(), MalformedEscape> {
    memchr::memchr_iter(b'%', text).try_for_each(|at| {
        let is_digit = |i: usize| text.get(at + i).is_some_and(u8::is_ascii_hexdigit);
        if is_digit(1) && is_digit(2) { Ok(()) } else { Err(MalformedEscape { at }) }
    })
}

/// Takes a query apart: pairs between `&` or `;`, the last of equal keys, an empty value where
/// there is no `=`. What is not UTF-8 after decoding is replaced.
///
/// Upstream: `http::query::decode`.
///
/// # Errors
/// As [`decode`], for any key or value.
pub fn decode_query(query: &str) -> Result<BTreeMap<String, String>, MalformedEscape> {
    let part = |text: &str| -> Result<String, MalformedEscape> {
        Ok(String::from_utf8_lossy(&decode(text.as_bytes())?).into_owned())
    };
    query
        .split(['&', ';'])
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((part(key)?, part(value)?))
        })
        .collect()
}

/// Escapes what may not stand in a URL, in upper-case hexadecimal; parentheses stay raw.
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.bytes() {
        match c {
            b'$'
            | b'&'
            | b'+'
            | b','
            | b'/'
            | b':'
            | b';'
            | b'='
            | b'?'
            | b'@'
            | b' '
            | b'"'
            | b'<'
            | b'>'
            | b'#'
            | b'%'
            | b'{'
            | b'}'
            | b'|'
            | b'\\'
            | b'^'
            | b'~'
            | b'['
            | b']'
            | b'`'
            | 0..=0x1f
            | 0x80.. => {
                write!(out, "%{c:02X}").expect("a String takes any text");
            }
            c => out.push(char::from(c)),
        }
    }
    out
}

/// Puts a query together, in the order of the keys; no `=` where there is no value.
///
/// Upstream: `http::query::encode`.
pub fn encode_query(query: &BTreeMap<String, String>) -> String {
    let pair = |(key, value): (&String, &String)| match &**value {
        "" => encode(key),
        value => format!("{}={}", encode(key), encode(value)),
    };
    query.iter().map(pair).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decodes_as_upstream() {
        let check = |text: &str, expected: Result<&str, usize>| {
            let decoded = decode(text.as_bytes());
            assert_eq!(
                decoded.as_deref().map_err(|error| error.at),
                expected.map(str::as_bytes),
                "{text:?}"
            );
        };
        check("slave(1)", Ok("slave(1)"));
        check("slave%281%29", Ok("slave(1)"));
        check("slave+1", Ok("slave 1"));
        check("%2b%2B+", Ok("++ "));
        check("", Ok(""));
        check("slave%zz", Err(5));
        check("%4", Err(0));
        check("a+%", Err(2));
        check("%%41", Err(0));
    }

    #[test]
    fn encodes_as_upstream() {
        assert_eq!(encode("slave(1)"), "slave(1)");
        assert_eq!(encode("a b/c@d"), "a%20b%2Fc%40d");
        assert_eq!(encode("\u{1}\u{7f}\u{e9}"), "%01\u{7f}%C3%A9");
    }

    #[test]
    fn query_decode_as_upstream() {
        let check = |query: &str, expected: &[(&str, &str)]| {
            let pairs = decode_query(query).unwrap();
            let pairs: Vec<_> = pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            assert_eq!(pairs, expected, "{query:?}");
        };
        check("", &[]);
        check("a=1&b=2;c=3", &[("a", "1"), ("b", "2"), ("c", "3")]);
        check("&&a;;", &[("a", "")]);
        check("a=1&a=2", &[("a", "2")]);
        check("a=b=c", &[("a", "b=c")]);
        check("k+1=%3d+%26", &[("k 1", "= &")]);
        check("=v", &[("", "v")]);
        assert_eq!(decode_query("a=%zz"), Err(MalformedEscape { at: 0 }));
    }

    #[test]
    fn http_test_encode() {
        let text = "a$&+,/:;=?@ \"<>#%{}|\\^~[]`\u{19}\0";
        let encoded = "a%24%26%2B%2C%2F%3A%3B%3D%3F%40%20%22%3C%3E%23%25%7B%7D%7C%5C%5E%7E%5B%5D%60\
                       %19%00";
        assert_eq!(encode(text), encoded);
        assert_eq!(&*decode(encoded.as_bytes()).unwrap(), text.as_bytes());
        assert_eq!(&*decode(b"%80%FF").unwrap(), b"\x80\xff");
        for bad in ["%", "%1", "%;1", "%1;"] {
            assert!(decode(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn http_test_query_encode_decode() {
        let check = |pairs: &[(&str, &str)], text: &str| {
            let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
            let query: BTreeMap<_, _> = pairs.iter().map(owned).collect();
            assert_eq!(encode_query(&query), text);
            assert_eq!(decode_query(text), Ok(query));
        };
        check(&[], "");
        check(&[("foo", "bar")], "foo=bar");
        check(&[("a()", "b%20"), ("c~/asdf", "%asdf")], "a()=b%2520&c%7E%2Fasdf=%25asdf");
        check(&[("d", "")], "d");
        check(&[("a&b=c", "d&e=fg")], "a%26b%3Dc=d%26e%3Dfg");
    }

    proptest! {
        #[test]
        fn check_agrees_with_decode(text in "[%+a-fA-F0-9&;=]{0,20}") {
            let decoded = decode(text.as_bytes());
            prop_assert_eq!(check(text.as_bytes()).is_ok(), decoded.is_ok());
            prop_assert_eq!(decode_query(&text).is_ok(), decoded.is_ok());
        }

        #[test]
        fn decode_undoes_encode(text in ".{0,40}") {
            let encoded = encode(&text);
            prop_assert_eq!(&*decode(encoded.as_bytes()).unwrap(), text.as_bytes());
        }
    }
}
