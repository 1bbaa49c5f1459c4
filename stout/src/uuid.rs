//! Random identifiers: 36 characters in names and JSON, 16 raw bytes in status updates.
//! Randomness is handed in, so that a seeded run makes the same ones again.
//! Upstream: `id::UUID`.

use uuid::Uuid;

/// Why bytes or text are no identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UuidError {
    /// On the wire an identifier has exactly 16 bytes; this many came.
    #[error("Expected a UUID of 16 bytes, found {0}")]
    Length(usize),
    /// Not 32 hexadecimal digits in five groups.
    #[error("'{0}' is not a UUID")]
    Text(String),
}

/// A random identifier (version 4) made from 16 random bytes.
pub fn from_random_bytes(random: [u8; 16]) -> Uuid {
    uuid::Builder::from_random_bytes(random).into_uuid()
}

/// Reads the raw bytes that peers send; `as_bytes` gives them back.
pub fn from_bytes(bytes: &[u8]) -> Result<Uuid, UuidError> {
    Uuid::from_slice(bytes).map_err(|_| UuidError::Length(bytes.len()))
}

/// Reads the text form with its four hyphens; printing gives it back in lower case.
pub fn parse(text: &str) -> Result<Uuid, UuidError> {
    const LENGTH: usize = 36;
    match Uuid::try_parse(text) {
        Ok(uuid) if text.len() == LENGTH => Ok(uuid),
        _ => Err(UuidError::Text(text.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn uuid_test_test() {
        let uuid = from_random_bytes([0xff; 16]);
        assert_eq!(uuid.to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(from_bytes(uuid.as_bytes()), Ok(uuid));
        assert_eq!(parse("FFFFFFFF-FFFF-4FFF-BFFF-FFFFFFFFFFFF"), Ok(uuid));
    }

    #[test]
    fn malformed_uuids_are_refused() {
        assert_eq!(from_bytes(&[]), Err(UuidError::Length(0)));
        assert_eq!(from_bytes(&[0; 17]), Err(UuidError::Length(17)));
        for bad in ["", "ffffffffffff4fffbfffffffffffffff", "{}", "not a uuid"] {
            assert_eq!(parse(bad), Err(UuidError::Text(bad.into())));
        }
    }

    proptest! {
        #[test]
        fn every_uuid_reads_back(random: [u8; 16]) {
            let uuid = from_random_bytes(random);
            prop_assert_eq!(parse(&uuid.to_string()), Ok(uuid));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}", bytes: Vec<u8>) {
            let _ = (parse(&text), from_bytes(&bytes));
        }
    }
}
