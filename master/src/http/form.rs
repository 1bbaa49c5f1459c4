//! Bodies that are forms, `key=value&…`, as operators post them. Used by the endpoints that act.
//! Upstream: `process::http::query::decode` of a request's body.

use std::collections::BTreeMap;

use libprocess::http::Request;
use libprocess::wire::percent;

/// A text with a `%` that two hexadecimal digits do not follow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Malformed % escape in '{text}': '{escape}'")]
pub struct Malformed {
    /// The whole text.
    text: String,
    /// The `%` and what stands in the place of its digits.
    escape: String,
}

/// The keys and values of a request's body; what is not UTF-8 in them is replaced.
///
/// # Errors
/// When a key or a value cannot be decoded.
pub(super) fn parse(request: &Request) -> Result<BTreeMap<String, String>, Malformed> {
    let body = String::from_utf8_lossy(&request.body);
    percent::decode_query(&body).map_err(|error| {
        let texts = body.split(['&', ';']).flat_map(|pair| pair.splitn(2, '='));
        let failed = texts.map(decode).find_map(Result::err);
        failed.unwrap_or_else(|| malformed(&body, error.at))
    })
}

/// Decodes one text.
///
/// # Errors
/// When it has a malformed escape.
pub(super) fn decode(text: &str) -> Result<String, Malformed> {
    match percent::decode(text.as_bytes()) {
        Ok(decoded) => Ok(String::from_utf8_lossy(&decoded).into_owned()),
        Err(error) => Err(malformed(text, error.at)),
    }
}

fn malformed(text: &str, at: usize) -> Malformed {
    let escape = text.bytes().skip(at).take(3).collect::<Vec<_>>();
    Malformed { text: text.to_owned(), escape: String::from_utf8_lossy(&escape).into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded_as_upstream_does() {
        let check = |body: &'static str, expected: Result<&[(&str, &str)], &str>| {
            let request = Request { body: body.into(), ..Request::default() };
            let parsed = parse(&request).map_err(|error| error.to_string());
            let pairs = |pairs: &[(&str, &str)]| {
                pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
            };
            assert_eq!(parsed, expected.map(pairs).map_err(String::from), "{body}");
        };
        check("", Ok(&[]));
        check("a=1&b=x+y%21;c", Ok(&[("a", "1"), ("b", "x y!"), ("c", "")]));
        check("a=1&a=b=c", Ok(&[("a", "b=c")]));
        check("%zz", Err("Malformed % escape in '%zz': '%zz'"));
        check("monitor=foo%", Err("Malformed % escape in 'foo%': '%'"));
        check("a=1;b=c=%4&%", Err("Malformed % escape in 'c=%4': '%4'"));
        check("a=é%é", Err("Malformed % escape in 'é%é': '%é'"));
    }
}
