//! Names and addresses of hosts, by the system's resolver.
//! Called at start-up only, since it may block for as long as the name service takes.
//!
//! Upstream: `net::getHostname`, `net::getIP`, `net::hostname`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, ToSocketAddrs};

/// This host's own name.
///
/// # Errors
/// What the system says.
pub fn of_this_host() -> io::Result<String> {
    Ok(nix::unistd::gethostname()?.to_string_lossy().into_owned())
}

/// The name of the host that has `ip`; the address as text if it has none.
///
/// # Errors
/// What the resolver says, when it cannot be asked.
pub fn of_ip(ip: Ipv4Addr) -> io::Result<String> {
    dns_lookup::lookup_addr(&IpAddr::V4(ip))
}

/// The first IPv4 address of a host.
///
/// # Errors
/// What the resolver says, or `NotFound` for a host without one.
pub fn to_ip(hostname: &str) -> io::Result<Ipv4Addr> {
    let found = (hostname, 0).to_socket_addrs()?.find_map(|address| match address.ip() {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    });
    found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "it has no IPv4 address"))
}
