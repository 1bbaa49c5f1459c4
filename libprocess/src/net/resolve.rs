//! Turns the text of a sender into a pid, with the name service where that must be.
//! Called for each incoming message, in the order of its connection; a slow name service holds
//! up that connection alone.
//!
//! Upstream: `operator>>(std::istream&, UPID&)`.

use std::net::SocketAddr;

use crate::pid::{Address, Parsed, Upid};

/// Looks the host up where `parsed` has a name; the empty pid if that leads nowhere.
pub(crate) async fn resolve(parsed: Parsed) -> Upid {
    let (id, host, port) = match parsed {
        Parsed::Upid(upid) => return upid,
        Parsed::NeedsDns { id, host, port } => (id, host, port),
    };
    let found = tokio::net::lookup_host((&*host, port)).await;
    let first = found.ok().into_iter().flatten().find_map(|address| match address {
        SocketAddr::V4(address) => Some(Address::from(address)),
        SocketAddr::V6(_) => None,
    });
    match first {
        Some(address) => Upid::new(id, address),
        None => {
            crate::vlog!(1, "Failed to resolve '{host}' of '{id}@{host}:{port}'");
            Upid::empty()
        }
    }
}
