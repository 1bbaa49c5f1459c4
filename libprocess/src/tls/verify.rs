//! Whether a peer is who it should be: first, during the handshake, whether its certificate leads
//! to an authority that is trusted; then, when its address is known, whether the certificate is
//! for the name of that address.
//! Called by rustls and by `tls`.
//!
//! Upstream: `openssl::verify_callback`, `openssl::verify`.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::Settings;

/// What is trusted: authorities, and certificates as such. One that signs itself is both.
pub(super) struct Trust {
    certificates: Vec<CertificateDer<'static>>,
    roots: Arc<RootCertStore>,
}

impl Trust {
    pub(super) fn new(certificates: Vec<CertificateDer<'static>>) -> Self {
        let mut roots = RootCertStore::empty();
        // What is no authority can still be a peer's own.
        roots.add_parsable_certificates(certificates.iter().cloned());
        Self { certificates, roots: Arc::new(roots) }
    }
}

/// The part of the verification that is done within the handshake.
#[derive(Debug)]
pub(super) struct PeerVerifier {
    chains: Option<Chains>,
    requires: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

struct Chains {
    trust: Trust,
    clients: Arc<dyn ClientCertVerifier>,
    depth: usize,
}

impl std::fmt::Debug for Chains {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chains").field("depth", &self.depth).finish_non_exhaustive()
    }
}

impl PeerVerifier {
    pub(super) fn new(
        trust: Option<Trust>,
        settings: &Settings,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, Error> {
        let chains = |trust: Trust| {
            let (roots, provider) = (trust.roots.clone(), provider.clone());
            let clients = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
            let clients = clients.map_err(|error| Error::General(error.to_string()))?;
            let depth = usize::try_from(settings.verification_depth).unwrap_or(usize::MAX);
            Ok::<_, Error>(Chains { trust, clients, depth })
        };
        Ok(Self {
            chains: trust.map(chains).transpose()?,
            requires: settings.require_cert,
            algorithms: provider.signature_verification_algorithms,
        })
    }

    /// Checks a certificate that has been presented, if any is to be checked.
    fn check(
        &self,
        leaf: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
        verify_chain: impl FnOnce(&Chains) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Some(chains) = &self.chains else { return Ok(()) };
        let checked = if between.len() > chains.depth {
            Err(Error::General("certificate chain too long".to_owned()))
        } else if chains.trust.certificates.iter().any(|trusted| trusted == leaf) {
            is_valid_at(leaf, now)
        } else {
            verify_chain(chains)
        };
        checked.inspect_err(|error| warn(leaf, error))
    }
}

/// Says which certificate was not accepted, and why.
fn warn(leaf: &CertificateDer<'_>, error: &Error) {
    let (issuer, subject) = match Certificate::from_der(leaf) {
        Ok(parsed) => {
            let tbs = parsed.tbs_certificate();
            (tbs.issuer().to_string(), tbs.subject().to_string())
        }
        Err(_) => Default::default(),
    };
    tracing::warn!(
        "Error with certificate at depth: 0\nIssuer: {issuer}\nSubject: {subject}\nError: {error}"
    );
}

/// Whether a certificate that is trusted as such is so now.
fn is_valid_at(leaf: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let parsed = Certificate::from_der(leaf).map_err(|_| CertificateError::BadEncoding)?;
    let validity = parsed.tbs_certificate().validity();
    let now = Duration::from_secs(now.as_secs());
    if now < validity.not_before.to_unix_duration() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > validity.not_after.to_unix_duration() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

impl ServerCertVerifier for PeerVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(leaf, between, now, |chains| {
            let parsed = ParsedCertificate::try_from(leaf)?;
            let (roots, algorithms) = (&chains.trust.roots, self.algorithms.all);
            verify_server_cert_signed_by_trust_anchor(&parsed, roots, between, now, algorithms)
        })?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for PeerVerifier {
    fn offer_client_auth(&self) -> bool {
        self.chains.is_some()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.requires
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(leaf, between, now, |chains| {
            chains.clients.verify_client_cert(leaf, between, now).map(|_| ())
        })?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Why a peer is not who it should be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum IdentityError {
    #[error("Peer did not provide certificate")]
    NoCertificate,
    #[error("Cannot verify peer certificate: peer hostname unknown")]
    NoHostname,
    #[error("Could not verify presented certificate with hostname {0}")]
    NoName(String),
    #[error(
        "Presented Certificate Name: {presented} does not match peer hostname name: {expected}"
    )]
    Name { presented: String, expected: String },
}

/// The part of the verification that is done after the handshake.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity {
    verifies: bool,
    requires: bool,
}

impl Identity {
    pub(super) fn new(settings: &Settings) -> Self {
        let (verifies, requires) = (settings.verify_cert, settings.require_cert);
        Self { verifies: verifies || requires, requires }
    }

    pub(super) fn is_verified(self) -> bool {
        self.verifies
    }

    /// Whether a certificate is for the host of this name, letter by letter.
    ///
    /// COMPAT: neither wildcards nor addresses in it are looked at (`openssl::verify`); held by
    /// `a_certificate_is_for_the_name_of_the_address`.
    pub(super) fn verify(
        self,
        leaf: Option<&CertificateDer<'_>>,
        hostname: Option<&str>,
    ) -> Result<(), IdentityError> {
        let unless_required = |error| if self.requires { Err(error) } else { Ok(()) };
        let Some(leaf) = leaf else { return unless_required(IdentityError::NoCertificate) };
        let Some(hostname) = hostname else { return unless_required(IdentityError::NoHostname) };
        let (names, common_name) = names(leaf);
        if names.iter().any(|name| name == hostname) {
            return Ok(());
        }
        match common_name {
            Some(name) if name == hostname => Ok(()),
            Some(presented) => {
                Err(IdentityError::Name { presented, expected: hostname.to_owned() })
            }
            None => Err(IdentityError::NoName(hostname.to_owned())),
        }
    }
}

/// The host names that a certificate is for, and its subject's common name.
fn names(leaf: &CertificateDer<'_>) -> (Vec<String>, Option<String>) {
    let Ok(parsed) = Certificate::from_der(leaf) else { return Default::default() };
    let tbs = parsed.tbs_certificate();
    let alternatives = tbs.get_extension::<SubjectAltName>().ok().flatten();
    let alternatives = alternatives.map(|(_, names)| names.0).unwrap_or_default();
    let name = |name: GeneralName| match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_owned()),
        _ => None,
    };
    let common_name = tbs.subject().common_name().ok().flatten();
    let common_name = common_name.map(|name| name.value().into_owned());
    (alternatives.into_iter().filter_map(name).collect(), common_name)
}
