//! The text by which operators say where ZooKeeper is:
//! `zk://[user:password@]host:port[,host:port…][/path]`.
//! Called where a flag is read. Never resolves a name.
//!
//! Upstream: `zookeeper::URL`, `zookeeper::Authentication`.

use std::fmt;
use std::str::FromStr;

use stout::text::trim;

/// What every such text begins with.
pub const SCHEME: &str = "zk://";

/// Why a text is no such URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Expecting 'zk://' at the beginning of the URL")]
pub struct UrlError;

/// Where ZooKeeper is, who we are there, and below which node. Prints as it is typed, with the
/// password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// `user:password` for the scheme `digest`, as typed.
    pub credentials: Option<String>,
    /// `host:port`, with commas between; not looked at.
    pub servers: String,
    /// From the first slash on; `/` if there is none.
    pub path: String,
}

impl Url {
    /// The node that is meant: the path without one slash at its end.
    pub fn node(&self) -> &str {
        self.path.strip_suffix('/').unwrap_or(&self.path)
    }

    /// The same place, for a node below this one.
    #[must_use]
    pub fn below(&self, name: &str) -> Url {
        Url { path: format!("{}/{name}", self.node()), ..self.clone() }
    }
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Url, UrlError> {
        let rest = trim(text).strip_prefix(SCHEME).ok_or(UrlError)?;
        let (rest, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, "/"),
        };
        let (credentials, servers) = match rest.rsplit_once('@') {
            Some((credentials, servers)) => (Some(credentials.to_owned()), servers),
            None => (None, rest),
        };
        Ok(Url { credentials, servers: servers.to_owned(), path: path.to_owned() })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SCHEME)?;
        if let Some(credentials) = &self.credentials {
            write!(f, "{credentials}@")?;
        }
        write!(f, "{}{}", self.servers, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zookeeper_url_test_url() {
        let check = |text: &str, credentials: Option<&str>, servers: &str, path: &str| {
            let url: Url = text.parse().unwrap();
            let found = (url.credentials.as_deref(), &*url.servers, &*url.path);
            assert_eq!(found, (credentials, servers, path), "{text}");
        };
        check("zk://jake:1@host1:port1", Some("jake:1"), "host1:port1", "/");
        check(
            "zk://jake:1@host1:port1,host2:port2",
            Some("jake:1"),
            "host1:port1,host2:port2",
            "/",
        );
        check("zk://host1:port1/", None, "host1:port1", "/");
        check("zk://host1:port1,host2:port2/dir", None, "host1:port1,host2:port2", "/dir");
        check("zk://j:1@host1:1,host2:2/dir/dir", Some("j:1"), "host1:1,host2:2", "/dir/dir");
        check("zk://u:p@ss@host:1/a", Some("u:p@ss"), "host:1", "/a");
        check("zk://u:p/w@host:1/a", None, "u:p", "/w@host:1/a");
        check(" zk://host:1//a/\n", None, "host:1", "//a/");
        check("zk://", None, "", "/");
    }

    #[test]
    fn another_scheme_is_refused() {
        for text in ["", "host:1/a", "ZK://host:1/a", "zk:/host:1/a"] {
            assert_eq!(text.parse::<Url>(), Err(UrlError), "{text}");
        }
    }

    #[test]
    fn a_url_prints_as_it_was_typed_and_names_nodes() {
        let url: Url = "zk://u:p@host:1,host:2/a/b/".parse().unwrap();
        assert_eq!(url.to_string(), "zk://u:p@host:1,host:2/a/b/");
        assert_eq!(url.node(), "/a/b");
        assert_eq!(url.below("log_replicas").node(), "/a/b/log_replicas");
        assert_eq!("zk://host:1".parse::<Url>().unwrap().node(), "");
    }
}
