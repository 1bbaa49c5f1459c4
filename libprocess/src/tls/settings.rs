//! The `SSL_*` variables as a value. Called by `runtime::config`, which hands the variables in.
//! Opens no file that a variable names: `context` does.
//!
//! Upstream: `openssl::Flags`.

use std::path::PathBuf;

use stout::flags::parse::{LoadError, Loader};
use stout::flags::{BoxedError, Flag, Flags, declarations};

/// How to encrypt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    enabled: bool,
    /// Takes and makes connections without encryption where the peer knows none.
    /// `SSL_SUPPORT_DOWNGRADE`.
    pub support_downgrade: bool,
    /// The own certificate with those that lead to its authority, in PEM. `SSL_CERT_FILE`.
    pub cert_file: Option<PathBuf>,
    /// Its key, in PEM, not encrypted. `SSL_KEY_FILE`.
    pub key_file: Option<PathBuf>,
    /// Refuses peers whose certificate is not in order. `SSL_VERIFY_CERT`.
    pub verify_cert: bool,
    /// Refuses peers without a certificate, too. `SSL_REQUIRE_CERT`.
    pub require_cert: bool,
    /// How many certificates may stand between a peer's and its authority's.
    /// `SSL_VERIFICATION_DEPTH`, which upstream's documentation calls `SSL_VERIFY_DEPTH`.
    pub verification_depth: u32,
    verify_depth: Option<u32>,
    /// A folder of authorities. `SSL_CA_DIR`.
    pub ca_dir: Option<PathBuf>,
    /// A file of authorities, in PEM. `SSL_CA_FILE`.
    pub ca_file: Option<PathBuf>,
    /// The ciphers of TLS 1.2 by OpenSSL's names, with colons in between. `SSL_CIPHERS`.
    pub ciphers: String,
    /// `SSL_ENABLE_SSL_V3`: cannot be had.
    pub enable_ssl_v3: bool,
    /// `SSL_ENABLE_TLS_V1_0`: cannot be had.
    pub enable_tls_v1_0: bool,
    /// `SSL_ENABLE_TLS_V1_1`: cannot be had.
    pub enable_tls_v1_1: bool,
    /// `SSL_ENABLE_TLS_V1_2`. TLS 1.3 is always there.
    pub enable_tls_v1_2: bool,
}

/// What `SSL_CIPHERS` is if it is not set: none of these can be had, so it stands for all.
pub(super) const DEFAULT_CIPHERS: &str = "AES128-SHA:AES256-SHA:RC4-SHA:DHE-RSA-AES128-SHA:\
    DHE-DSS-AES128-SHA:DHE-RSA-AES256-SHA:DHE-DSS-AES256-SHA";

impl Default for Settings {
    fn default() -> Self {
        Self {
            enabled: false,
            support_downgrade: false,
            cert_file: None,
            key_file: None,
            verify_cert: false,
            require_cert: false,
            verification_depth: 4,
            verify_depth: None,
            ca_dir: None,
            ca_file: None,
            ciphers: DEFAULT_CIPHERS.to_owned(),
            enable_ssl_v3: false,
            enable_tls_v1_0: false,
            enable_tls_v1_1: false,
            enable_tls_v1_2: true,
        }
    }
}

impl Flags for Settings {
    const FLAGS: &'static [Flag<Self>] = &[
        Flag::new("enabled", "Encrypts connections.", |s| &mut s.enabled),
        Flag::new("support_downgrade", "Takes plain connections, too.", |s| {
            &mut s.support_downgrade
        }),
        Flag::new("cert_file", "The certificate.", |s| &mut s.cert_file),
        Flag::new("key_file", "Its key.", |s| &mut s.key_file),
        Flag::new("verify_cert", "Verifies certificates of peers.", |s| &mut s.verify_cert),
        Flag::new("require_cert", "Requires certificates of peers.", |s| &mut s.require_cert),
        Flag::new("verification_depth", "The longest chain.", |s| &mut s.verification_depth),
        Flag::new("verify_depth", "The same.", |s| &mut s.verify_depth),
        Flag::new("ca_dir", "A folder of authorities.", |s| &mut s.ca_dir),
        Flag::new("ca_file", "A file of authorities.", |s| &mut s.ca_file),
        Flag::new("ciphers", "The ciphers.", |s| &mut s.ciphers),
        Flag::new("enable_ssl_v3", "Allows SSLv3.", |s| &mut s.enable_ssl_v3),
        Flag::new("enable_tls_v1_0", "Allows TLS 1.0.", |s| &mut s.enable_tls_v1_0),
        Flag::new("enable_tls_v1_1", "Allows TLS 1.1.", |s| &mut s.enable_tls_v1_1),
        Flag::new("enable_tls_v1_2", "Allows TLS 1.2.", |s| &mut s.enable_tls_v1_2),
    ];
}

impl Settings {
    /// Reads the variables through `get`; none unless `SSL_ENABLED` says so.
    ///
    /// # Errors
    /// For a value that is none of its variable's kind.
    pub fn from_environment(
        get: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, LoadError> {
        const PREFIX: &str = "SSL_";
        let variables = declarations::<Self>().into_keys().filter_map(|name| {
            let variable = format!("{PREFIX}{}", name.to_ascii_uppercase());
            get(&variable).map(|value| (variable, value))
        });
        let files = |path: &str| std::fs::read_to_string(path).map_err(BoxedError::from);
        let loader = Loader::new(&files).environment(PREFIX, variables);
        let mut settings = loader.load::<Self>(&["libprocess".to_owned()])?.flags;
        settings.verification_depth = settings.verify_depth.unwrap_or(settings.verification_depth);
        settings.verify_cert |= settings.require_cert;
        Ok(settings.enabled.then_some(settings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<Settings>, LoadError> {
        Settings::from_environment(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn ssl_disabled() {
        assert_eq!(read(&[]).unwrap(), None);
        assert_eq!(read(&[("SSL_ENABLED", "0"), ("SSL_KEY_FILE", "/key")]).unwrap(), None);
    }

    #[test]
    fn variables_are_read_as_flags() {
        let settings = read(&[
            ("SSL_ENABLED", "1"),
            ("SSL_KEY_FILE", "/key"),
            ("SSL_REQUIRE_CERT", "true"),
            ("SSL_VERIFY_DEPTH", "2"),
            ("SSL_ENABLE_TLS_V1_2", "false"),
        ]);
        let settings = settings.unwrap().expect("enabled");
        assert_eq!(settings.key_file, Some("/key".into()));
        assert!(settings.verify_cert, "what is required is verified");
        assert!(!settings.enable_tls_v1_2 && !settings.support_downgrade);
        assert_eq!(settings.verification_depth, 2);
        let error = read(&[("SSL_ENABLED", "maybe")]).unwrap_err().to_string();
        assert!(error.contains("Expecting a boolean (e.g., true or false)"), "{error}");
    }
}
