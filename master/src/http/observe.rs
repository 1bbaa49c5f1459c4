//! `/observe`: a monitor tells how hosts are. It is told back what it said, and nothing is done.
//! Upstream: `Master::Http::observe`, `getFormValue`.

use std::collections::BTreeMap;

use libprocess::http::help::{self, Page};
use libprocess::http::{Request, Response};
use stout::json;
use stout::text::split;

use super::form::{self, Malformed};
use crate::views::View;

/// Why a report is no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The body is no form.
    #[error("Unable to decode query string: {0}")]
    Form(Malformed),
    /// A field that has to be there.
    #[error("Missing value for '{0}'")]
    Missing(&'static str),
    /// A field that has been encoded twice, the inner time badly.
    #[error("{0}")]
    Value(Malformed),
    /// A field that says nothing.
    #[error("Empty string for '{0}'")]
    Empty(&'static str),
}

/// The help page.
pub fn help() -> Page {
    help::tldr("Takes the report of a monitor on the health of hosts.").description(&[
        "Answers with what it was told, and does nothing further with it. To be sent as a form:",
        "",
        "1. monitor - the name of the monitor",
        "2. hosts - the hosts, separated by commas",
        "3. level - OK if they are healthy, anything else if they are not",
    ])
}

/// The answer.
pub fn serve(_: &View<'_>, request: &Request) -> Response {
    match confirm(request) {
        Ok(confirmation) => Response::json(confirmation, None),
        Err(refusal) => Response::bad_request(refusal.to_string()),
    }
}

fn confirm(request: &Request) -> Result<Vec<u8>, Refusal> {
    let fields = form::parse(request).map_err(Refusal::Form)?;
    let monitor = value(&fields, "monitor")?;
    let hosts = value(&fields, "hosts")?;
    let level = value(&fields, "level")?;
    Ok(json::object(|object| {
        object.array("hosts", |array| {
            for host in split(&hosts, ",") {
                array.element(host);
            }
        });
        object.field("isHealthy", level.eq_ignore_ascii_case("OK"));
        object.field("monitor", &monitor);
    }))
}

/// COMPAT: values are decoded a second time (`getFormValue`); held by `observe_endpoint`.
fn value(fields: &BTreeMap<String, String>, name: &'static str) -> Result<String, Refusal> {
    let value = fields.get(name).ok_or(Refusal::Missing(name))?;
    let value = form::decode(value).map_err(Refusal::Value)?;
    if value.is_empty() { Err(Refusal::Empty(name)) } else { Ok(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn observe_endpoint() {
        let check = |body: &'static str, expected: Result<&str, &str>| {
            let request = Request { body: body.into(), ..Request::default() };
            let confirmed = confirm(&request)
                .map(|document| String::from_utf8(document).unwrap())
                .map_err(|refusal| refusal.to_string());
            assert_eq!(confirmed, expected.map(String::from).map_err(String::from), "{body}");
        };
        check("", Err("Missing value for 'monitor'"));
        let undecodable = "Unable to decode query string: Malformed % escape in 'foo%': '%'";
        check("monitor=foo%", Err(undecodable));
        check("monitor=", Err("Empty string for 'monitor'"));
        check("monitor=a", Err("Missing value for 'hosts'"));
        check("monitor=a&hosts=b", Err("Missing value for 'level'"));
        check("monitor=%2520a&hosts=%25", Err("Malformed % escape in '%': '%'"));
        let healthy = r#"{"hosts":["b"],"isHealthy":true,"monitor":"a"}"#;
        for body in [
            "monitor=a&hosts=b&level=ok",
            "monitor=a&hosts=b&level=Ok",
            "level=oK;hosts=b;monitor=%2561",
            "monitor=x&monitor=a&hosts=b&level=OK",
        ] {
            check(body, Ok(healthy));
        }
        let unhealthy = r#"{"hosts":["b","","e"],"isHealthy":false,"monitor":"a b"}"#;
        check("monitor=a+b&hosts=b,,e&level=true", Ok(unhealthy));
    }
}
