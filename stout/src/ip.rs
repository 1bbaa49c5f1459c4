//! IPv4 addresses and networks as text. Addresses are `std::net::Ipv4Addr`.
//! Never resolves a name, never looks at an interface.
//! Upstream: `net::IP::parse`, `net::IPNetwork`.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use crate::number::numify;

/// Why a text is no address or network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IpError {
    /// Not four decimal numbers with dots between them.
    #[error("Failed to parse the IP")]
    Address,
    /// The part of a network before its slash is no address.
    #[error("Failed to parse the IP address: Failed to parse the IP")]
    NetworkAddress,
    /// A network is one address, one slash, one prefix; this many parts were found.
    #[error("Unexpected number of '/' detected: {0}")]
    Slashes(usize),
    /// The prefix is no number.
    #[error("Subnet prefix is not a number")]
    PrefixNotANumber,
    /// The prefix is below zero.
    #[error("Subnet prefix is negative")]
    PrefixNegative,
    /// The prefix is above 32.
    #[error("Subnet prefix is larger than 32")]
    PrefixTooLarge,
    /// The mask has a hole.
    #[error("Netmask is not valid")]
    Netmask,
}

/// Reads an address in dotted decimal form.
pub fn parse(text: &str) -> Result<Ipv4Addr, IpError> {
    text.parse().map_err(|_| IpError::Address)
}

/// An address together with how much of it names the network, `192.168.1.100/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    address: Ipv4Addr,
    prefix: u8,
}

impl Network {
    /// The network of an address whose first `prefix` bits name it.
    pub fn with_prefix(address: Ipv4Addr, prefix: i32) -> Result<Network, IpError> {
        match u8::try_from(prefix) {
            Err(_) if prefix < 0 => Err(IpError::PrefixNegative),
            Ok(prefix) if prefix <= 32 => Ok(Network { address, prefix }),
            _ => Err(IpError::PrefixTooLarge),
        }
    }

    /// The network of an address under a mask such as 255.255.0.0.
    pub fn with_netmask(address: Ipv4Addr, netmask: Ipv4Addr) -> Result<Network, IpError> {
        let mask = netmask.to_bits();
        if mask.count_ones() != mask.leading_ones() {
            return Err(IpError::Netmask);
        }
        Ok(Network { address, prefix: mask.leading_ones() as u8 })
    }

    /// The address as it was given, host bits included.
    pub fn address(self) -> Ipv4Addr {
        self.address
    }

    /// How many leading bits name the network, 0 to 32.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// The mask that belongs to the prefix.
    pub fn netmask(self) -> Ipv4Addr {
        let host_bits = u32::MAX.checked_shr(u32::from(self.prefix)).unwrap_or(0);
        Ipv4Addr::from_bits(!host_bits)
    }
}

impl FromStr for Network {
    type Err = IpError;

    fn from_str(text: &str) -> Result<Network, IpError> {
        let parts: Vec<&str> = text.split('/').collect();
        let [address, prefix] = parts[..] else { return Err(IpError::Slashes(parts.len())) };
        let address = parse(address).map_err(|_| IpError::NetworkAddress)?;
        let prefix = numify(prefix).map_err(|_| IpError::PrefixNotANumber)?;
        Network::with_prefix(address, prefix)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn net_test_construct_ipv4() {
        assert_eq!(parse("127.0.0.1"), Ok(Ipv4Addr::LOCALHOST));
        assert_eq!(parse("1.2.3.4"), Ok(Ipv4Addr::new(1, 2, 3, 4)));
        for bad in ["", "123.1.1..2", "121.2.3.5.", "12.32.3.a", "hello world", "01.2.3.4", "::1"] {
            assert_eq!(parse(bad), Err(IpError::Address));
        }
    }

    #[test]
    fn net_test_construct_ipv4_network() {
        let network: Network = "18.52.86.120/16".parse().unwrap();
        assert_eq!(Network::with_prefix(Ipv4Addr::from_bits(0x12345678), 16), Ok(network));
        assert_eq!(network.netmask(), Ipv4Addr::new(255, 255, 0, 0));
        assert_eq!(network.to_string(), "18.52.86.120/16");
        for (text, expected) in [
            ("10.0.0.1", "Unexpected number of '/' detected: 1"),
            ("123.1.1.2//23", "Unexpected number of '/' detected: 3"),
            ("121.2.3.5/23/", "Unexpected number of '/' detected: 3"),
            ("12.32.3.a/16", "Failed to parse the IP address: Failed to parse the IP"),
            ("12.32.3.1/a", "Subnet prefix is not a number"),
            ("12.32.3.1/-1", "Subnet prefix is negative"),
            ("12.32.3.1/33", "Subnet prefix is larger than 32"),
            ("12.32.3.1/123456", "Subnet prefix is larger than 32"),
        ] {
            let parsed: Result<Network, IpError> = text.parse();
            assert_eq!(parsed.map_err(|error| error.to_string()), Err(expected.to_string()));
        }
    }

    #[test]
    fn netmasks_have_no_holes() {
        let address = Ipv4Addr::from_bits(0x87654321);
        for mask in [0xff, 0xff00ff, 0x7fffffff] {
            let network = Network::with_netmask(address, Ipv4Addr::from_bits(mask));
            assert_eq!(network, Err(IpError::Netmask));
        }
        for prefix in 0..=32 {
            let network = Network::with_prefix(address, prefix).unwrap();
            assert_eq!(Network::with_netmask(address, network.netmask()), Ok(network));
        }
    }

    proptest! {
        #[test]
        fn every_network_reads_back(address: u32, prefix in 0..=32) {
            let network = Network::with_prefix(Ipv4Addr::from_bits(address), prefix).unwrap();
            prop_assert_eq!(network.to_string().parse(), Ok(network));
        }
    }
}
