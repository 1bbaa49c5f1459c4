//! Where a request goes to. Called by the HTTP client and by those who print addresses. Pure: no
//! name is resolved here.
//!
//! Upstream: `process::http::URL`.

use std::collections::BTreeMap;
use std::fmt;

use stout::number::{self, NotANumber};

use crate::pid::Upid;
use crate::wire::percent;

/// Whether a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `http`: it is not.
    Http,
    /// `https`: it is.
    Https,
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

/// An address of a resource: `http://host:port/path?query#fragment`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Whether to encrypt.
    pub scheme: Scheme,
    /// A name, or an IPv4 address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path, with a leading slash.
    pub path: String,
    /// Keys and values, decoded.
    pub query: BTreeMap<String, String>,
    /// What stands behind `#`; it is not sent.
    pub fragment: Option<String>,
}

/// Why a text is no URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// There is no `://`.
    #[error("Missing scheme in url string")]
    NoScheme,
    /// The scheme is neither `http` nor `https`.
    #[error("Unsupported URL scheme")]
    Scheme,
    /// There is nothing between the slashes.
    #[error("Host not found in url")]
    NoHost,
    /// There is more than one colon behind the host.
    #[error("Found multiple ports in url")]
    Ports,
    /// What stands behind the colon is no port.
    #[error("Failed to parse port: {0}")]
    Port(NotANumber),
}

impl Url {
    /// The URL of `path` at a host.
    pub fn new(scheme: Scheme, host: impl Into<String>, port: u16, path: &str) -> Self {
        Self {
            scheme,
            host: host.into(),
            port,
            path: format!("/{}", path.strip_prefix('/').unwrap_or(path)),
            query: BTreeMap::new(),
            fragment: None,
        }
    }

    /// The URL of a route of an actor: `/id`, or `/id/path` with a path.
    pub fn of(upid: &Upid, path: &str) -> Self {
        let slash = if path.is_empty() { "" } else { "/" };
        let path = format!("{}{slash}{}", upid.id, path.trim_start_matches('/'));
        Self::new(Scheme::Http, upid.address.ip.to_string(), upid.address.port, &path)
    }

    /// The same with a query.
    pub fn with_query<'a>(self, query: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let query = query.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
        Self { query: query.collect(), ..self }
    }

    /// The same over TLS.
    pub fn secure(self) -> Self {
        Self { scheme: Scheme::Https, ..self }
    }

    /// Reads a URL. What follows the host is the path, a `?` included.
    ///
    /// # Errors
    /// [`BadUrl`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, BadUrl> {
        let (scheme, rest) = text.split_once("://").ok_or(BadUrl::NoScheme)?;
        let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        if host.is_empty() {
            return Err(BadUrl::NoHost);
        }
        let (scheme, default_port) = match &*scheme.to_ascii_lowercase() {
            "http" => (Scheme::Http, 80),
            "https" => (Scheme::Https, 443),
            _ => return Err(BadUrl::Scheme),
        };
        let (host, port) = match stout::text::tokenize(host, ":")[..] {
            [] => return Err(BadUrl::NoHost),
            [host] => (host, default_port),
            [host, port] => (host, number::numify(port).map_err(BadUrl::Port)?),
            _ => return Err(BadUrl::Ports),
        };
        Ok(Self::new(scheme, host, port, path))
    }

    /// The path with the query, as a request line has it.
    pub(crate) fn target(&self) -> String {
        let query = percent::encode_query(&self.query);
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}{mark}{query}", self.path)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}{}", self.scheme, self.host, self.port, self.target())?;
        self.fragment.iter().try_for_each(|fragment| write!(f, "#{fragment}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_test_stringification() {
        let check = |url: Url, text: &str| assert_eq!(url.to_string(), text);
        let url = |path: &str| Url::new(Scheme::Http, "172.158.1.23", 80, path);
        check(Url::new(Scheme::Http, "mesos.apache.org", 80, ""), "http://mesos.apache.org:80/");
        check(Url::new(Scheme::Https, "a.org", 8080, "/"), "https://a.org:8080/");
        check(url("path"), "http://172.158.1.23:80/path");
        let query = [("foo", "bar"), ("baz", "b m")];
        check(url("/").with_query(query), "http://172.158.1.23:80/?baz=b%20m&foo=bar");
        let whole = Url { fragment: Some("fragment".to_owned()), ..url("path").with_query(query) };
        check(whole, "http://172.158.1.23:80/path?baz=b%20m&foo=bar#fragment");
        let upid: Upid = "slave(1)@10.0.0.1:5051".parse().unwrap();
        check(Url::of(&upid, ""), "http://10.0.0.1:5051/slave(1)");
        check(Url::of(&upid, "/state").secure(), "https://10.0.0.1:5051/slave(1)/state");
    }

    #[test]
    fn url_test_parse_urls() {
        let check = |text: &str, scheme, host: &str, port, path: &str| {
            assert_eq!(Url::parse(text), Ok(Url::new(scheme, host, port, path)));
        };
        check("https://auth.docker.com", Scheme::Https, "auth.docker.com", 443, "/");
        check("http://docker.com/", Scheme::Http, "docker.com", 80, "/");
        check("HTTP://r.docker.com:1234/abc/1", Scheme::Http, "r.docker.com", 1234, "/abc/1");
        let refuse = |text: &str, error: BadUrl| assert_eq!(Url::parse(text), Err(error), "{text}");
        refuse("mesos.com", BadUrl::NoScheme);
        refuse("abc://abc.com", BadUrl::Scheme);
        for text in ["://///", "://", "http://", "http:////"] {
            refuse(text, BadUrl::NoHost);
        }
        refuse("http://a:1:2", BadUrl::Ports);
        assert!(matches!(Url::parse("http://a:65536"), Err(BadUrl::Port(_))));
    }
}
