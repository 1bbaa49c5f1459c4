//! OpenSSL's names of ciphers and what rustls has under them. Called by `context`. Pure.
//!
//! Upstream: `SSL_CTX_set_cipher_list`.

use rustls::crypto::ring::cipher_suite;
use rustls::{SupportedCipherSuite, SupportedProtocolVersion};

use super::TlsError;
use super::settings::DEFAULT_CIPHERS;

/// Each cipher of TLS 1.2 with OpenSSL's name.
const NAMED: [(&str, SupportedCipherSuite); 6] = [
    ("ECDHE-ECDSA-AES256-GCM-SHA384", cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-ECDSA-AES128-GCM-SHA256", cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ("ECDHE-RSA-AES256-GCM-SHA384", cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-RSA-AES128-GCM-SHA256", cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-RSA-CHACHA20-POLY1305", cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
];

/// What stands for all ciphers that are safe.
const ALL: [&str; 5] = ["ALL", "DEFAULT", "HIGH", "ECDHE", "EECDH"];

/// The ciphers that a list of names leaves, in its order, and which of its names are unknown.
/// Those of TLS 1.3 are always among them, as with OpenSSL.
pub(super) fn select(list: &str) -> Result<(Vec<SupportedCipherSuite>, Vec<&str>), TlsError> {
    let mut selected = vec![
        cipher_suite::TLS13_AES_256_GCM_SHA384,
        cipher_suite::TLS13_AES_128_GCM_SHA256,
        cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    ];
    let list = if list == DEFAULT_CIPHERS { "ALL" } else { list };
    let mut unknown = Vec::new();
    let of_1_3 = selected.len();
    for name in list.split([':', ',', ' ']).filter(|name| !name.is_empty()) {
        let before = selected.len();
        let is_meant = |known: &str| name == known || ALL.contains(&name);
        selected.extend(NAMED.iter().filter(|(known, _)| is_meant(known)).map(|(_, suite)| *suite));
        // What is excluded by `!` or `-` is not there to begin with.
        if selected.len() == before && !name.starts_with(['!', '-', '@', '+']) {
            unknown.push(name);
        }
    }
    if selected.len() == of_1_3 {
        Err(TlsError::Ciphers(list.to_owned()))
    } else {
        Ok((selected, unknown))
    }
}

/// The versions that are allowed.
pub(super) fn versions(enable_tls_v1_2: bool) -> Vec<&'static SupportedProtocolVersion> {
    let mut versions = vec![&rustls::version::TLS13];
    if enable_tls_v1_2 {
        versions.push(&rustls::version::TLS12);
    }
    versions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ciphers_are_found_by_the_names_of_openssl() {
        let check = |list: &str, count: usize, unknown: &[&str]| {
            let (selected, found) = select(list).expect("at least one");
            assert_eq!((selected.len() - 3, &found[..]), (count, unknown), "{list}");
        };
        check(DEFAULT_CIPHERS, 6, &[]);
        check("HIGH:!aNULL:!MD5", 6, &[]);
        check("RC4-SHA:ECDHE-RSA-AES128-GCM-SHA256", 1, &["RC4-SHA"]);
        let refused = select("RC4-SHA:DES-CBC3-SHA").unwrap_err().to_string();
        assert_eq!(refused, "Could not set ciphers: RC4-SHA:DES-CBC3-SHA");
    }
}
