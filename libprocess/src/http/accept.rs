//! What a client says that it takes: the `Accept` and `Accept-Encoding` fields.
//! Called by handlers that choose a type, and by the server before it compresses. Pure.
//!
//! Upstream: `Request::acceptsEncoding`, `Request::acceptsMediaType`.

/// Whether the list `field` takes the first of `candidates` that it names at all: one that it
/// names with a quality of zero is refused, whatever the others say.
pub(crate) fn accepts(field: &str, candidates: &[&str]) -> bool {
    let named = |candidate: &&str| {
        field.split(',').find_map(|entry| {
            let mut parts = entry.split(';').map(str::trim).filter(|part| !part.is_empty());
            let is_it = parts.next()?.eq_ignore_ascii_case(candidate);
            is_it.then(|| parts.find_map(quality).is_none_or(|quality| quality > 0.0))
        })
    };
    candidates.iter().find_map(named).unwrap_or(false)
}

/// The number after `q=`; one that cannot be read refuses.
fn quality(parameter: &str) -> Option<f64> {
    let (_, value) = parameter.split_once('=').filter(|(name, _)| name.trim() == "q")?;
    Some(value.trim().parse().unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoder_test_acceptable_encodings() {
        let check = |field: &str, accepted: bool| {
            assert_eq!(accepts(field, &["gzip", "*"]), accepted, "{field:?}");
        };
        for field in [
            "gzip;q=0.0,*",
            "compress",
            "compress, gzip;q=0.0",
            "*, gzip;q=0.0",
            "*;q=0.0, compress",
        ] {
            check(field, false);
        }
        for field in ["\n compress", "compress,\tgzip;q=0.0", "gzipbug;q=0.1", "", ","] {
            check(field, false);
        }
        for field in [
            "gzip;q=0.1,*",
            "compress, gzip;q=0.1",
            "*, gzip;q=0.5",
            "*;q=0.9, compress",
            "compress,\tgzip;q=0.1",
            "gzip",
            "*, compress",
            "\n gzip",
            "*;q=0, GZIP ; q=1",
        ] {
            check(field, true);
        }
    }
}
