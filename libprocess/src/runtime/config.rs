//! What a runtime is started with: the `LIBPROCESS_*` variables as a value, checked, and the
//! choice of the address to bind and to publish.
//! Called by `main` functions and tests; never reads the environment itself.
//!
//! Upstream: the first half of `process::initialize`.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::str::FromStr;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use stout::flags::parse::LoadError;

use crate::metrics::{BadRate, SnapshotRate};
use crate::os::hostname;
use crate::pid::Address;
use crate::router::Schema;
use crate::tls::{Settings, TlsError};
use crate::trace;

/// How many connections may wait to be accepted. Upstream: `LISTEN_BACKLOG`.
const LISTEN_BACKLOG: i32 = 500_000;

/// The most workers that `LIBPROCESS_NUM_WORKER_THREADS` may ask for, as in 1.x.
const WORKERS_MAX: usize = 1_024;

/// How long a connection may stall unless the configuration says otherwise.
const STALLED_CONNECTION: Duration = Duration::from_secs(120);

/// What a runtime is started with.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The address to bind; all of them if absent. `LIBPROCESS_IP`.
    pub ip: Option<Ipv4Addr>,
    /// The port to bind; 0 for any. `LIBPROCESS_PORT`.
    pub port: u16,
    /// What to publish instead of the bound address. `LIBPROCESS_ADVERTISE_IP`.
    pub advertise_ip: Option<Ipv4Addr>,
    /// What to publish instead of the bound port. `LIBPROCESS_ADVERTISE_PORT`.
    pub advertise_port: Option<u16>,
    /// Threads for actors; by the number of processors if absent.
    /// `LIBPROCESS_NUM_WORKER_THREADS`.
    pub num_worker_threads: Option<usize>,
    /// How often `/metrics/snapshot` answers.
    /// `LIBPROCESS_METRICS_SNAPSHOT_ENDPOINT_RATE_LIMIT`.
    pub snapshot_rate: SnapshotRate,
    /// Whether `LIBPROCESS_ENABLE_PROFILER` is `1`.
    pub enable_profiler: bool,
    /// How connections are encrypted, if they are. `SSL_ENABLED` and the other `SSL_*`.
    pub tls: Option<Settings>,
    /// Who serves requests whose first component is no actor's id.
    pub delegate: Option<String>,
    /// How to find the required fields of a message.
    pub schema: Option<Schema>,
    /// How long a handler may take before that is logged; a second if absent.
    /// `LIBPROCESS_SLOW_HANDLER`, a duration; upstream has nothing like it.
    pub slow_handler: Option<Duration>,
    /// How long a peer may pause within a request, or not take the answer to one, before its
    /// connection is closed; two minutes if absent. Upstream waits for ever.
    pub stalled_connection: Option<Duration>,
    /// The event of another process that has started this one, as
    /// [`crate::Runtime::cause_for_child`] gave it there. `LIBPROCESS_CAUSE`; upstream has
    /// nothing like it.
    pub cause: Option<String>,
    /// What `/version` says of the build, as JSON members: name to value.
    pub version: Vec<(String, serde_json::Value)>,
}

/// A `LIBPROCESS_*` variable that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// An address that is not a dotted quad.
    #[error("Parsing {variable}={value} failed: Failed to parse the IP")]
    Ip {
        /// The variable.
        variable: &'static str,
        /// Its value.
        value: String,
    },
    /// A port that is not a number up to 65535.
    #[error("{variable}={value} is not a valid port")]
    Port {
        /// The variable.
        variable: &'static str,
        /// Its value.
        value: String,
    },
    /// A duration that is not a number and a unit.
    #[error("LIBPROCESS_SLOW_HANDLER={value} is not a duration: {reason}")]
    SlowHandler {
        /// Its value.
        value: String,
        /// What is wrong with it.
        reason: stout::duration::DurationError,
    },
    /// A rate that is not of the form `<number>/<duration>`.
    #[error(
        "Failed to parse LIBPROCESS_METRICS_SNAPSHOT_ENDPOINT_RATE_LIMIT '{value}' \
         (format is <number of requests>/<interval duration>){}",
        after_colon(reason)
    )]
    SnapshotRate {
        /// Its value.
        value: String,
        /// What is wrong with it, where its form is right.
        reason: Option<BadRate>,
    },
    /// One of the `SSL_*` variables.
    #[error("Failed to load flags from environment variables (prefixed by SSL_):{0}")]
    Tls(#[from] LoadError),
}

/// Why a runtime cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port cannot be bound.
    #[error("Failed to initialize: Failed to bind on {address}: {}", doubled(source))]
    Bind {
        /// The address asked for.
        address: SocketAddrV4,
        /// What the system said.
        source: std::io::Error,
    },
    /// The host's own name leads to no address to publish.
    #[error(
        "Failed to obtain the IP address for '{hostname}'; the DNS service may not be able to \
         resolve it: {why}"
    )]
    Hostname {
        /// The host's name.
        hostname: String,
        /// What the resolver said.
        why: String,
    },
    /// No thread can be started.
    #[error("Failed to initialize: {0}")]
    Threads(std::io::Error),
    /// The threads ended before they began.
    #[error("Failed to initialize: the threads did not start")]
    NoThreads,
    /// Encryption cannot be had as it was asked for.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A built-in actor's id is taken.
    #[error("Failed to initialize: {0}")]
    Builtin(#[from] crate::runtime::AlreadyRunning),
}

fn after_colon(reason: &Option<BadRate>) -> String {
    reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default()
}

/// An error of the system in the words of glog's `PLOG`, after the same words.
fn doubled(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        None => error.to_string(),
        Some(code) => {
            let words = nix::errno::Errno::from_raw(code).desc();
            format!("{words}: {words} [{code}]")
        }
    }
}

impl Config {
    /// Reads the `LIBPROCESS_*` and `SSL_*` variables through `get`.
    ///
    /// # Errors
    /// For a value that cannot be used. A number of threads out of range is only warned about.
    pub fn from_environment(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let ip = |variable| parse_ip(variable, get(variable));
        let port = |variable| parse_port(variable, get(variable));
        let rate = get("LIBPROCESS_METRICS_SNAPSHOT_ENDPOINT_RATE_LIMIT");
        Ok(Self {
            ip: ip("LIBPROCESS_IP")?,
            port: port("LIBPROCESS_PORT")?.unwrap_or(0),
            advertise_ip: ip("LIBPROCESS_ADVERTISE_IP")?,
            advertise_port: port("LIBPROCESS_ADVERTISE_PORT")?,
            num_worker_threads: parse_workers(get("LIBPROCESS_NUM_WORKER_THREADS")),
            snapshot_rate: match rate {
                None => SnapshotRate::default(),
                Some(value) => SnapshotRate::parse(&value)
                    .map_err(|reason| ConfigError::SnapshotRate { value, reason })?,
            },
            tls: Settings::from_environment(&get)?,
            cause: get(trace::CAUSE_VARIABLE),
            slow_handler: parse_slow_handler(get("LIBPROCESS_SLOW_HANDLER"))?,
            enable_profiler: get("LIBPROCESS_ENABLE_PROFILER").as_deref() == Some("1"),
            ..Self::default()
        })
    }

    /// How many threads run actors.
    pub(crate) fn workers(&self) -> usize {
        // Handlers never block, so more threads than processors gain nothing.
        let processors = || std::thread::available_parallelism().map_or(2, usize::from).max(2);
        self.num_worker_threads.unwrap_or_else(processors)
    }

    /// How long a handler may take before that is logged.
    pub(crate) fn slow_handler(&self) -> Duration {
        self.slow_handler.unwrap_or(trace::SLOW_HANDLER)
    }

    /// How long a connection may stall within a request or its answer.
    pub(crate) fn stalled_connection(&self) -> Duration {
        self.stalled_connection.unwrap_or(STALLED_CONNECTION)
    }

    /// Binds and listens; gives the socket, what it is bound to, and what to publish.
    pub(crate) fn bind(&self) -> Result<(TcpListener, SocketAddrV4, Address), StartError> {
        let wanted = SocketAddrV4::new(self.ip.unwrap_or(Ipv4Addr::UNSPECIFIED), self.port);
        let failed = |source| StartError::Bind { address: wanted, source };
        let listener = listen(wanted).map_err(failed)?;
        let bound = match listener.local_addr().map_err(failed)? {
            SocketAddr::V4(bound) => bound,
            SocketAddr::V6(_) => unreachable!("the socket is of the IPv4 domain"),
        };
        let mut published = Address::from(bound);
        published.ip = self.advertise_ip.unwrap_or(published.ip);
        published.port = self.advertise_port.unwrap_or(published.port);
        if published.ip.is_unspecified() {
            published.ip = ip_of_this_host()?;
        }
        Ok((listener, bound, published))
    }
}

fn listen(address: SocketAddrV4) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(LISTEN_BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn ip_of_this_host() -> Result<Ipv4Addr, StartError> {
    let hostname = hostname::of_this_host().unwrap_or_default();
    hostname::to_ip(&hostname)
        .map_err(|error| StartError::Hostname { hostname, why: error.to_string() })
}

fn parse_ip(
    variable: &'static str,
    value: Option<String>,
) -> Result<Option<Ipv4Addr>, ConfigError> {
    let Some(value) = value else { return Ok(None) };
    Ipv4Addr::from_str(&value).map(Some).map_err(|_| ConfigError::Ip { variable, value })
}

fn parse_port(variable: &'static str, value: Option<String>) -> Result<Option<u16>, ConfigError> {
    let Some(value) = value else { return Ok(None) };
    value.parse().map(Some).map_err(|_| ConfigError::Port { variable, value })
}

fn parse_workers(value: Option<String>) -> Option<usize> {
    let value = value?;
    match value.parse() {
        Ok(count) if (1..=WORKERS_MAX).contains(&count) => Some(count),
        _ => {
            tracing::warn!(
                "Overriding LIBPROCESS_NUM_WORKER_THREADS={value}: not a number from 1 to \
                 {WORKERS_MAX}"
            );
            None
        }
    }
}

fn parse_slow_handler(value: Option<String>) -> Result<Option<Duration>, ConfigError> {
    let Some(value) = value else { return Ok(None) };
    match stout::duration::parse(&value) {
        Ok(duration) => Ok(Some(duration)),
        Err(reason) => Err(ConfigError::SlowHandler { value, reason }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_environment(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn bad_variables_are_named_with_their_value() {
        let check = |variable: &str, value: &str, text: &str| {
            let error = read(&[(variable, value)]).expect_err("a bad value");
            assert_eq!(error.to_string(), text);
        };
        check("LIBPROCESS_IP", "foo", "Parsing LIBPROCESS_IP=foo failed: Failed to parse the IP");
        check("LIBPROCESS_PORT", "12x", "LIBPROCESS_PORT=12x is not a valid port");
        check(
            "LIBPROCESS_SLOW_HANDLER",
            "1s",
            "LIBPROCESS_SLOW_HANDLER=1s is not a duration: Unknown duration unit 's'",
        );
        check("LIBPROCESS_PORT", "65536", "LIBPROCESS_PORT=65536 is not a valid port");
        check(
            "LIBPROCESS_METRICS_SNAPSHOT_ENDPOINT_RATE_LIMIT",
            "x",
            "Failed to parse LIBPROCESS_METRICS_SNAPSHOT_ENDPOINT_RATE_LIMIT 'x' \
             (format is <number of requests>/<interval duration>)",
        );
        check(
            "LIBPROCESS_METRICS_SNAPSHOT_ENDPOINT_RATE_LIMIT",
            "2/s",
            "Failed to parse LIBPROCESS_METRICS_SNAPSHOT_ENDPOINT_RATE_LIMIT '2/s' \
             (format is <number of requests>/<interval duration>): \
             Failed to parse the interval: Failed to convert '' to number",
        );
    }

    #[test]
    fn what_is_advertised_is_published_and_what_is_asked_for_is_bound() {
        let config = read(&[
            ("LIBPROCESS_IP", "127.0.0.1"),
            ("LIBPROCESS_ADVERTISE_IP", "10.9.8.7"),
            ("LIBPROCESS_ADVERTISE_PORT", "7"),
        ]);
        let (_listener, bound, published) = config.unwrap().bind().unwrap();
        assert_eq!(*bound.ip(), Ipv4Addr::LOCALHOST);
        assert_ne!(bound.port(), 0);
        assert_eq!(published.to_string(), "10.9.8.7:7");
    }

    #[test]
    fn a_port_in_use_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let config = Config { ip: Some(Ipv4Addr::LOCALHOST), port, ..Config::default() };
        let error = config.bind().expect_err("taken").to_string();
        let expected = format!(
            "Failed to initialize: Failed to bind on 127.0.0.1:{port}: Address already in use: \
             Address already in use [98]"
        );
        assert_eq!(error, expected);
    }
}
