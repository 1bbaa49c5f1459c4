//! Encryption of what travels between runtimes, and of HTTP on the same port: TLS by the
//! `SSL_*` variables. Once it is on, connections that are opened are encrypted and those that come
//! in must be, unless downgrading is allowed.
//! Called by `net::listener` for what comes in, by `net` and the HTTP client for what goes out.
//!
//! rustls does the work. It has neither SSLv3 nor TLS 1.0 and 1.1, nor ciphers without forward
//! secrecy: what is asked for and cannot be had is said at the start.
//!
//! Upstream: `process::network::openssl`, `LibeventSSLSocketImpl`.

mod ciphers;
mod context;
mod settings;
mod verify;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::net::stream;
use crate::os::hostname;
use context::Context;

pub use settings::Settings;

/// How long a peer may take to agree on a key, unless connections may stall for less than that.
/// Upstream waits for ever.
const HANDSHAKE_AT_MOST: Duration = Duration::from_secs(10);

/// The first byte of an encrypted connection, which no HTTP request begins with.
const HANDSHAKE_RECORD: u8 = 0x16;

/// Why TLS cannot be had as it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// `SSL_KEY_FILE` is not set.
    #[error("SSL requires key! NOTE: Set path with SSL_KEY_FILE")]
    NoKey,
    /// `SSL_CERT_FILE` is not set.
    #[error("SSL requires certificate! NOTE: Set path with SSL_CERT_FILE")]
    NoCertificate,
    /// The trusted certificates cannot be read, or are none.
    #[error("Could not load CA file and/or directory: {why} -> {}", places(file, folder))]
    Authorities {
        /// `SSL_CA_FILE`.
        file: Option<PathBuf>,
        /// `SSL_CA_DIR`.
        folder: Option<PathBuf>,
        /// What is wrong.
        why: String,
    },
    /// The system has no trusted certificates where they usually are.
    #[error("Could not load default CA file and/or directory")]
    DefaultAuthorities,
    /// The certificate cannot be read, or is of a kind that is not supported.
    #[error("Could not load cert file '{}': {why}", path.display())]
    Certificate {
        /// `SSL_CERT_FILE`.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The key cannot be read, or is of a kind that is not supported.
    #[error("Could not load key file '{}': {why}", path.display())]
    Key {
        /// `SSL_KEY_FILE`.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The key and the certificate are not a pair.
    #[error("Private key does not match the certificate public key")]
    Mismatch,
    /// None of the ciphers is supported.
    #[error("Could not set ciphers: {0}")]
    Ciphers(String),
    /// rustls does not take the sum of the above.
    #[error("Failed to create SSL context: {0}")]
    Context(#[from] rustls::Error),
}

fn places(file: &Option<PathBuf>, folder: &Option<PathBuf>) -> String {
    let show = |what: &str, path: &Option<PathBuf>| {
        path.as_ref().map(|path| format!("{what}: {}", path.display())).unwrap_or_default()
    };
    show("FILE", file) + &show("DIR", folder)
}

/// TLS as it was asked for; clones are the same.
#[derive(Clone)]
pub(crate) struct Tls {
    context: Arc<Context>,
    /// How long a peer may take to agree on a key, from its first byte on where downgrading is
    /// allowed.
    patience: Duration,
}

/// What a connection turned out to be.
pub(crate) enum Accepted {
    Encrypted(Box<TlsStream<TcpStream>>),
    Plain(TcpStream),
}

impl Tls {
    /// Reads the files that the settings name. A peer that stalls for `stalled` is given up.
    pub(crate) fn new(settings: &Settings, stalled: Duration) -> Result<Self, TlsError> {
        let patience = HANDSHAKE_AT_MOST.min(stalled);
        Ok(Self { context: Arc::new(Context::new(settings)?), patience })
    }

    /// Agrees with whoever has connected, and verifies who that is as far as was asked for. Where
    /// downgrading is allowed, a peer that says nothing is waited for as long as it is there: it
    /// may have linked in plain, with nothing to say, and would take us for dead.
    pub(crate) async fn accept(&self, stream: TcpStream, peer: IpAddr) -> io::Result<Accepted> {
        if self.context.supports_downgrade && !is_encrypted(&stream).await? {
            return Ok(Accepted::Plain(stream));
        }
        let handshake = TlsAcceptor::from(self.context.server.clone()).accept(stream);
        let stream = self.within_time(handshake).await?;
        self.verify(stream.get_ref().1.peer_certificates(), peer, None).await?;
        Ok(Accepted::Encrypted(Box::new(stream.into())))
    }

    /// Connects to a peer; in plain where it takes no TLS and downgrading is allowed.
    pub(crate) async fn connect_or_downgrade(&self, peer: SocketAddrV4) -> io::Result<Accepted> {
        match self.connect(peer, None).await {
            Ok(stream) => Ok(Accepted::Encrypted(stream)),
            Err(error) if self.context.supports_downgrade => {
                crate::vlog!(1, "Downgrading the connection to {peer}: {error}");
                stream::open(peer).await.map(Accepted::Plain)
            }
            Err(error) => Err(error),
        }
    }

    /// Connects to a peer that is expected to be called `name`, or else whatever the name service
    /// says that its address is.
    pub(crate) async fn connect(
        &self,
        peer: SocketAddrV4,
        name: Option<&str>,
    ) -> io::Result<Box<TlsStream<TcpStream>>> {
        let stream = stream::open(peer).await?;
        let called = name.and_then(|name| ServerName::try_from(name.to_owned()).ok());
        let called = called.unwrap_or_else(|| ServerName::from(IpAddr::V4(*peer.ip())));
        let connector = TlsConnector::from(self.context.client.clone());
        let stream = self.within_time(connector.connect(called, stream)).await?;
        let name = name.filter(|name| name.parse::<Ipv4Addr>().is_err());
        self.verify(stream.get_ref().1.peer_certificates(), IpAddr::V4(*peer.ip()), name).await?;
        Ok(Box::new(stream.into()))
    }

    async fn within_time<T>(
        &self,
        handshake: impl Future<Output = io::Result<T>>,
    ) -> io::Result<T> {
        match tokio::time::timeout(self.patience, handshake).await {
            Ok(done) => done,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    async fn verify(
        &self,
        certificates: Option<&[rustls::pki_types::CertificateDer<'_>]>,
        peer: IpAddr,
        name: Option<&str>,
    ) -> io::Result<()> {
        let identity = self.context.identity;
        if !identity.is_verified() {
            return Ok(());
        }
        let hostname = match name {
            Some(name) => Some(name.to_owned()),
            None => reverse(peer).await,
        };
        let leaf = certificates.and_then(|chain| chain.first());
        identity.verify(leaf, hostname.as_deref()).map_err(io::Error::other)
    }
}

/// The name that the name service has for an address.
async fn reverse(ip: IpAddr) -> Option<String> {
    let IpAddr::V4(ip) = ip else { return None };
    let found = tokio::task::spawn_blocking(move || hostname::of_ip(ip)).await.ok()?;
    match found {
        Ok(name) => Some(name),
        Err(error) => {
            crate::vlog!(2, "Could not determine hostname of peer: {error}");
            None
        }
    }
}

/// Waits for the first byte and tells by it; it is not taken.
async fn is_encrypted(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    Ok(stream.peek(&mut first).await? > 0 && first == [HANDSHAKE_RECORD])
}
