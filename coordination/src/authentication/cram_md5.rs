//! The digest of CRAM-MD5: pure. Called by both sides of an authentication.
//!
//! Upstream: Cyrus SASL's CRAM-MD5 plugin.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;

/// The mechanism's name on the wire.
pub const MECHANISM: &str = "CRAM-MD5";

/// What proves that `principal` knows `secret`: the principal, a blank, and the digest of the
/// challenge (with its angle brackets) under the secret, in lower-case hex.
pub fn response(challenge: &[u8], principal: &str, secret: &[u8]) -> String {
    let mut digest =
        Hmac::<Md5>::new_from_slice(secret).expect("a key of this digest can have any length");
    digest.update(challenge);
    let digest = digest.finalize().into_bytes();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{principal} {hex}")
}

#[cfg(test)]
mod tests {
    use super::response;

    #[test]
    fn cram_md5_answers_as_in_rfc_2195() {
        let challenge = b"<1896.697170952@postoffice.reston.mci.net>";
        assert_eq!(
            response(challenge, "tim", b"tanstaaftanstaaf"),
            "tim b913a602c7eda7a495b4e6e7334d3890"
        );
    }
}
