//! Flags about who may do what, and how often.

use std::path::PathBuf;

use common::json::JsonFlag;
use proto::mesos::{AcLs, RateLimits};
use stout::flags::{Flag, Flags};

/// What was typed.
#[derive(Clone, Debug)]
pub struct SecurityFlags {
    /// `--authenticate`.
    pub authenticate: bool,
    /// `--authenticate_slaves`.
    pub authenticate_slaves: bool,
    /// `--authenticate_http`.
    pub authenticate_http: bool,
    /// `--authenticators`.
    pub authenticators: String,
    /// `--http_authenticators`.
    pub http_authenticators: String,
    /// `--credentials`.
    pub credentials: Option<PathBuf>,
    /// `--acls`.
    pub acls: Option<JsonFlag<AcLs>>,
    /// `--authorizers`.
    pub authorizers: String,
    /// `--rate_limits`.
    pub rate_limits: Option<JsonFlag<RateLimits>>,
}

impl Default for SecurityFlags {
    fn default() -> SecurityFlags {
        SecurityFlags {
            authenticate: false,
            authenticate_slaves: false,
            authenticate_http: false,
            authenticators: "crammd5".to_owned(),
            http_authenticators: "basic".to_owned(),
            credentials: None,
            acls: None,
            authorizers: "local".to_owned(),
            rate_limits: None,
        }
    }
}

impl Flags for SecurityFlags {
    const FLAGS: &'static [Flag<Self>] = &[
        Flag::new(
            "authenticate",
            "Whether only frameworks that have authenticated may register.",
            |flags| &mut flags.authenticate,
        ),
        Flag::new(
            "authenticate_slaves",
            "Whether only slaves that have authenticated may register.",
            |flags| &mut flags.authenticate_slaves,
        ),
        Flag::new(
            "authenticate_http",
            "Whether endpoints that can authenticate their callers do.",
            |flags| &mut flags.authenticate_http,
        ),
        Flag::new(
            "authenticators",
            "How frameworks and slaves authenticate: `crammd5`.",
            |flags| &mut flags.authenticators,
        ),
        Flag::new(
            "http_authenticators",
            "How callers of endpoints authenticate: `basic`.",
            |flags| &mut flags.http_authenticators,
        ),
        Flag::new(
            "credentials",
            "A file of principals and secrets, `file:///path` or `/path`: on each\n\
             line one of both with a blank between, or JSON:\n\
             {\n\
             \x20 \"credentials\": [\n\
             \x20   { \"principal\": \"anna\", \"secret\": \"rosebud\" }\n\
             \x20 ]\n\
             }",
            |flags| &mut flags.credentials,
        ),
        Flag::new(
            "acls",
            "Who may do what, as JSON or as the file that holds it\n\
             (`file:///path` or `/path`). The first entry that matches decides;\n\
             `\"permissive\": false` forbids what none matches.\n\
             Example:\n\
             {\n\
             \x20 \"register_frameworks\": [\n\
             \x20   {\n\
             \x20     \"principals\": { \"type\": \"ANY\" },\n\
             \x20     \"roles\": { \"values\": [\"web\"] }\n\
             \x20   }\n\
             \x20 ]\n\
             }",
            |flags| &mut flags.acls,
        ),
        Flag::new(
            "authorizers",
            "Who decides who may do what: `local`, which goes by `--acls`.",
            |flags| &mut flags.authorizers,
        ),
        Flag::new(
            "rate_limits",
            "How many messages a second the frameworks of a principal may send,\n\
             as JSON or as the file that holds it (`file:///path` or `/path`).\n\
             Example:\n\
             {\n\
             \x20 \"limits\": [\n\
             \x20   { \"principal\": \"anna\", \"qps\": 55.5 },\n\
             \x20   { \"principal\": \"unlimited\" }\n\
             \x20 ],\n\
             \x20 \"aggregate_default_qps\": 33.3\n\
             }",
            |flags| &mut flags.rate_limits,
        ),
    ];
}
