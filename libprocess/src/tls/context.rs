//! From settings to what rustls works with: files are read and checked, once, at the start.
//! Called by `tls`.
//!
//! Upstream: `openssl::reinitialize`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ServerConfig};

use super::verify::{Identity, PeerVerifier, Trust};
use super::{Settings, TlsError, ciphers};

/// Where systems keep the authorities that they trust.
const DEFAULT_AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// See the module.
pub(super) struct Context {
    pub(super) server: Arc<ServerConfig>,
    pub(super) client: Arc<ClientConfig>,
    pub(super) identity: Identity,
    pub(super) supports_downgrade: bool,
}

impl Context {
    pub(super) fn new(settings: &Settings) -> Result<Self, TlsError> {
        if settings.support_downgrade {
            tracing::warn!("Failed SSL connections will be downgraded to a non-SSL socket");
        }
        let key_file = settings.key_file.as_ref().ok_or(TlsError::NoKey)?;
        let cert_file = settings.cert_file.as_ref().ok_or(TlsError::NoCertificate)?;
        warn_of_versions(settings);
        let (cipher_suites, unknown) = ciphers::select(&settings.ciphers)?;
        if !unknown.is_empty() {
            tracing::warn!("Ignoring ciphers that are not supported: {}", unknown.join(":"));
        }
        let provider = Arc::new(CryptoProvider { cipher_suites, ..ring::default_provider() });
        let trust = settings.verify_cert.then(|| authorities(settings)).transpose()?;
        let verifier = Arc::new(PeerVerifier::new(trust, settings, &provider)?);
        let own =
            Arc::new(SingleCertAndKey::from(own_certificate(cert_file, key_file, &provider)?));
        let versions = ciphers::versions(settings.enable_tls_v1_2);

        let mut server = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&versions)?
            .with_client_cert_verifier(verifier.clone())
            .with_cert_resolver(own.clone());
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(own);
        // As upstream: no sessions are resumed, and the server's choice of a cipher counts.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.ignore_client_order = true;
        client.resumption = Resumption::disabled();
        Ok(Self {
            server: Arc::new(server),
            client: Arc::new(client),
            identity: Identity::new(settings),
            supports_downgrade: settings.support_downgrade,
        })
    }
}

fn warn_of_versions(settings: &Settings) {
    let asked_for = [
        (settings.enable_ssl_v3, "SSL_ENABLE_SSL_V3"),
        (settings.enable_tls_v1_0, "SSL_ENABLE_TLS_V1_0"),
        (settings.enable_tls_v1_1, "SSL_ENABLE_TLS_V1_1"),
    ];
    for (is_asked_for, variable) in asked_for {
        if is_asked_for {
            tracing::warn!(
                "Ignoring {variable}: that version of the protocol is broken and not supported"
            );
        }
    }
}

fn own_certificate(
    cert_file: &Path,
    key_file: &Path,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let bad_certificate = |why| TlsError::Certificate { path: cert_file.to_owned(), why };
    let bad_key = |why| TlsError::Key { path: key_file.to_owned(), why };
    let chain = read_certificates(cert_file).map_err(bad_certificate)?;
    let key = PrivateKeyDer::from_pem_file(key_file).map_err(|error| bad_key(error.to_string()))?;
    let key = provider.key_provider.load_private_key(key);
    let own = CertifiedKey::new(chain, key.map_err(|error| bad_key(error.to_string()))?);
    match own.keys_match() {
        Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
            Err(TlsError::Mismatch)
        }
        Ok(()) | Err(rustls::Error::InconsistentKeys(_)) => Ok(own),
        Err(error) => {
            Err(TlsError::Certificate { path: cert_file.to_owned(), why: error.to_string() })
        }
    }
}

/// The certificates of a file, at least one.
fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())?;
    let found: Vec<_> = read.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
    if found.is_empty() { Err("there is no certificate in it".to_owned()) } else { Ok(found) }
}

/// Everything that is trusted.
fn authorities(settings: &Settings) -> Result<Trust, TlsError> {
    let Settings { ca_file: file, ca_dir: folder, .. } = settings;
    let mut found = Vec::new();
    if file.is_none() && folder.is_none() {
        let read = |path: &&str| read_certificates(Path::new(path)).ok();
        found = DEFAULT_AUTHORITIES.iter().find_map(read).ok_or(TlsError::DefaultAuthorities)?;
    }
    let bad = |why| TlsError::Authorities { file: file.clone(), folder: folder.clone(), why };
    if let Some(file) = file {
        found.extend(read_certificates(file).map_err(bad)?);
    }
    for path in folder.iter().flat_map(|folder| files_in(folder)) {
        // Other files may lie there, too.
        found.extend(read_certificates(&path).unwrap_or_default());
    }
    Ok(Trust::new(found))
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file()).collect()
}
