//! The name of an actor on the network: `id@ip:port`, its text form and its order.
//! Called by everything that sends, receives or prints a pid.
//! Never resolves host names: [`Upid::parse`] hands a name back as [`Parsed::NeedsDns`], so that
//! the caller can look it up without holding up its connection.
//!
//! Upstream: `UPID`, its `operator>>` and `operator<<`, and `network::Address`.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

/// An IPv4 address and a TCP port; printed as `ip:port`. Upstream: `network::Address`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The address, 0.0.0.0 when unknown.
    pub ip: Ipv4Addr,
    /// The port, 0 when unknown.
    pub port: u16,
}

impl Address {
    /// `0.0.0.0:0`, which stands for "nowhere".
    pub const ANY: Address = Address::new(Ipv4Addr::UNSPECIFIED, 0);

    /// The address `ip:port`.
    pub const fn new(ip: Ipv4Addr, port: u16) -> Self {
        Self { ip, port }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.ip, self.port)
    }
}

impl From<SocketAddrV4> for Address {
    fn from(address: SocketAddrV4) -> Self {
        Self::new(*address.ip(), address.port())
    }
}

impl From<Address> for SocketAddrV4 {
    fn from(address: Address) -> Self {
        Self::new(address.ip, address.port)
    }
}

/// The name of an actor: printed as `id@ip:port`, ordered by address, then id. Upstream: `UPID`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Upid {
    // The order of the fields is the order of comparison.
    /// Where the actor's process listens.
    pub address: Address,
    /// The actor's name within its process, such as `slave(1)`; not percent-encoded.
    pub id: Arc<str>,
}

impl Upid {
    /// The pid `id@address`.
    pub fn new(id: impl Into<Arc<str>>, address: Address) -> Self {
        Self { address, id: id.into() }
    }

    /// The pid `@0.0.0.0:0` of nobody: the sender of an anonymous message, the outcome of a text
    /// that is no pid.
    pub fn empty() -> Self {
        Self::nobody().clone()
    }

    /// The one empty pid.
    pub(crate) fn nobody() -> &'static Self {
        static NOBODY: LazyLock<Upid> = LazyLock::new(|| Upid::new("", Address::ANY));
        &NOBODY
    }

    /// Whether both are equal and share their memory: a cheap comparison that may miss.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.id, &other.id) && self.address == other.address
    }

    /// Whether nothing at all is known: id, ip and port are all missing.
    ///
    /// This is not the opposite of [`Upid::is_valid`]. Upstream: `UPID::operator!`.
    pub fn is_empty(&self) -> bool {
        self.id.is_empty() && self.address == Address::ANY
    }

    /// Whether everything is known: none of id, ip and port is missing.
    /// Upstream: `UPID::operator bool`.
    pub fn is_valid(&self) -> bool {
        !self.id.is_empty() && !self.address.ip.is_unspecified() && self.address.port != 0
    }

    /// Reads the first word of `text` as a pid, as far as that goes without a name service.
    ///
    /// The id ends at the first `@`, the host at the first `:` after it, and the port is what the
    /// remainder starts with.
    ///
    /// # Errors
    /// [`NotAPid`] says which part is missing. Upstream carries on with the empty pid then.
    pub fn parse(text: &str) -> Result<Parsed, NotAPid> {
        let word = text.split(is_space).find(|word| !word.is_empty()).ok_or(NotAPid::Blank)?;
        crate::vlog!(2, "Attempting to parse '{word}' into a PID");
        let (id, rest) = word.split_once('@').ok_or(NotAPid::NoAt)?;
        let (host, port) = rest.split_once(':').ok_or(NotAPid::NoColon)?;
        if host.is_empty() {
            return Err(NotAPid::NoHost);
        }
        let port = scan_port(port.as_bytes()).ok_or(NotAPid::NoPort)?;
        Ok(match host.parse::<Ipv4Addr>() {
            Ok(ip) => Parsed::Upid(Upid::new(id, Address::new(ip, port))),
            Err(_) => Parsed::NeedsDns { id: id.into(), host: host.into(), port },
        })
    }

    /// Reads a pid whose host is a dotted quad.
    ///
    /// # Errors
    /// As [`Upid::parse`], and [`NotAPid::NotALiteral`] for a host name.
    pub fn parse_literal(text: &str) -> Result<Upid, NotAPid> {
        match Self::parse(text)? {
            Parsed::Upid(upid) => Ok(upid),
            Parsed::NeedsDns { host, .. } => Err(NotAPid::NotALiteral(host)),
        }
    }
}

impl Default for Upid {
    fn default() -> Self {
        Self::empty()
    }
}

impl fmt::Display for Upid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.id, self.address)
    }
}

impl FromStr for Upid {
    type Err = NotAPid;

    fn from_str(text: &str) -> Result<Self, NotAPid> {
        Self::parse_literal(text)
    }
}

/// What a text names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A pid, complete.
    Upid(Upid),
    /// A pid whose host has to be looked up, IPv4 only, before it is one. A failed look-up makes
    /// it the empty pid.
    NeedsDns {
        /// The actor's name.
        id: Arc<str>,
        /// What to look up: a host name, or a number in one of the forms that only the system's
        /// resolver reads, such as `127.1`.
        host: Box<str>,
        /// The port.
        port: u16,
    },
}

/// Why a text is not a pid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAPid {
    /// Nothing but blanks.
    #[error("the text is blank")]
    Blank,
    /// No `@` after the id.
    #[error("'@' is missing after the id")]
    NoAt,
    /// No `:` after the host.
    #[error("':' is missing after the host")]
    NoColon,
    /// Nothing between `@` and `:`.
    #[error("the host is missing")]
    NoHost,
    /// The text after `:` does not start with a number.
    #[error("the port is not a number")]
    NoPort,
    /// A host name where only an address will do.
    #[error("'{0}' is not an IPv4 address")]
    NotALiteral(Box<str>),
}

/// Whether reading a pid writes a line, so that what was read before has to be read again.
pub(crate) fn logs_parsing() -> bool {
    crate::vlog_is_on!(2)
}

/// The blanks that separate words in C, which are more than Rust's ASCII white space.
fn is_space(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\x0b'
}

/// Reads the number that `text` starts with.
///
/// COMPAT: `sscanf("%hu")` of glibc: a sign is allowed, the value is cut to 16 bits, one beyond
/// 64 bits counts as the greatest, and what follows is ignored; held by `parses_as_upstream`.
fn scan_port(text: &[u8]) -> Option<u16> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    digits.first().filter(|c| c.is_ascii_digit())?;
    let value = digits
        .iter()
        .take_while(|c| c.is_ascii_digit())
        .try_fold(0u64, |value, c| value.checked_mul(10)?.checked_add(u64::from(c - b'0')));
    Some(match value {
        None => u16::MAX,
        Some(value) if negative => value.wrapping_neg() as u16,
        Some(value) => value as u16,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn upid(id: &str, ip: [u8; 4], port: u16) -> Upid {
        Upid::new(id, Address::new(ip.into(), port))
    }

    #[test]
    fn parses_as_upstream() {
        let check = |text: &str, expected: &str| match Upid::parse(text) {
            Ok(Parsed::Upid(upid)) => assert_eq!(upid.to_string(), expected, "{text:?}"),
            Ok(Parsed::NeedsDns { id, host, port }) => {
                assert_eq!(format!("dns {id} {host} {port}"), expected, "{text:?}");
            }
            Err(error) => assert_eq!(error.to_string(), expected, "{text:?}"),
        };
        check("slave(1)@127.0.0.1:5051", "slave(1)@127.0.0.1:5051");
        check(" \t\x0b\x0c\r\n a@1.2.3.4:5 trailing@9.9.9.9:9", "a@1.2.3.4:5");
        check("y@1.2.3.4:9abc", "y@1.2.3.4:9");
        check("y@1.2.3.4:99999", "y@1.2.3.4:34463");
        check("y@1.2.3.4:65536", "y@1.2.3.4:0");
        check("y@1.2.3.4:-1", "y@1.2.3.4:65535");
        check("y@1.2.3.4:+7", "y@1.2.3.4:7");
        check("y@1.2.3.4:99999999999999999999", "y@1.2.3.4:65535");
        check("y@1.2.3.4:0x10", "y@1.2.3.4:0");
        check("y@1.2.3.4:5:6", "y@1.2.3.4:5");
        check("@1.2.3.4:5", "@1.2.3.4:5");
        check("@0.0.0.0:0", "@0.0.0.0:0");
        check("a@b@1.2.3.4:5", "dns a b@1.2.3.4 5");
        check("y@h:9abc", "dns y h 9");
        check("master@node.example.org:5050", "dns master node.example.org 5050");
        check("y@127.1:5", "dns y 127.1 5");
        check("y@01.2.3.4:5", "dns y 01.2.3.4 5");
        check("", "the text is blank");
        check(" \n ", "the text is blank");
        check("garbage", "'@' is missing after the id");
        check("127.0.0.1:5", "'@' is missing after the id");
        check("a@1.2.3.4", "':' is missing after the host");
        check("a@:5", "the host is missing");
        check("a@1.2.3.4:", "the port is not a number");
        check("a@1.2.3.4:x", "the port is not a number");
        check("a@1.2.3.4:-", "the port is not a number");
        check("a@1.2.3.4: 5", "the port is not a number");
    }

    #[test]
    fn a_host_name_is_no_literal() {
        assert_eq!("a@h:1".parse::<Upid>(), Err(NotAPid::NotALiteral("h".into())));
    }

    #[test]
    fn empty_and_valid_are_not_opposites() {
        let check = |upid: Upid, empty: bool, valid: bool| {
            assert_eq!((upid.is_empty(), upid.is_valid()), (empty, valid), "{upid}");
        };
        check(Upid::empty(), true, false);
        check(upid("a", [1, 2, 3, 4], 5), false, true);
        check(upid("", [1, 2, 3, 4], 5), false, false);
        check(upid("a", [0, 0, 0, 0], 5), false, false);
        check(upid("a", [1, 2, 3, 4], 0), false, false);
    }

    #[test]
    fn orders_by_address_then_id() {
        let expected = [
            upid("z", [1, 2, 3, 4], 5),
            upid("a", [1, 2, 3, 4], 6),
            upid("b", [1, 2, 3, 4], 6),
            upid("a", [1, 2, 3, 5], 1),
        ];
        let mut sorted = expected.clone();
        sorted.reverse();
        sorted.sort();
        assert_eq!(sorted, expected);
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_to_itself(
            id in "[!-?A-~]{0,20}", ip: [u8; 4], port: u16,
        ) {
            let upid = upid(&id, ip, port);
            prop_assert_eq!(upid.to_string().parse(), Ok(upid));
        }

        #[test]
        fn parsing_never_panics(text in ".{0,40}", tail in "[@:0-9.+-]{0,30}") {
            let _ = Upid::parse(&(text + &tail));
        }
    }
}
