//! Encryption, as libpq's `sslmode` means it:
//!
//! | sslmode | encrypted | certificate |
//! |---|---|---|
//! | disable | never | |
//! | prefer | when the server can | not looked at |
//! | require | always | not checked; with root certificates: as verify-ca |
//! | verify-ca | always | must lead to a root certificate |
//! | verify-full | always | that, and be for the host of the URL |
//!
//! One difference: prefer does not fall back to plain text if a handshake was started and failed. Only verify-full
//! prevents a man-in-the-middle attack.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use slipstream_schemas::Cause;
use tokio_postgres::config::SslMode;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::port::StoreError;

/// libpq's `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `disable`
    Disable,
    /// `prefer`
    Prefer,
    /// `require`
    Require,
    /// `verify-ca`
    VerifyCa,
    /// `verify-full`
    VerifyFull,
}

/// The requested mode.
#[derive(Debug, Clone)]
pub struct Tls {
    /// How much is verified.
    pub mode: Mode,
    /// Root certificates; `None` for the system's.
    pub root: Option<PathBuf>,
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "disable" => Ok(Mode::Disable),
            "prefer" => Ok(Mode::Prefer),
            "require" => Ok(Mode::Require),
            "verify-ca" => Ok(Mode::VerifyCa),
            "verify-full" => Ok(Mode::VerifyFull),
            _ => Err(format!("sslmode `{text}`: expected disable, prefer, require, verify-ca or verify-full")),
        }
    }
}

impl Mode {
    /// The mode for tokio-postgres.
    pub fn negotiated(self) -> SslMode {
        match self {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
        }
    }
}

/// What makes connections encrypted.
///
/// # Errors
/// When root certificates are needed and cannot be read.
pub fn connector(tls: &Tls) -> Result<MakeRustlsConnect, StoreError> {
    let provider = Arc::new(ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match (tls.mode, &tls.root) {
        (Mode::VerifyFull, root) => full(root.as_deref(), &provider)?,
        (Mode::VerifyCa, root) => Arc::new(AnyName(full(root.as_deref(), &provider)?)),
        (Mode::Require, Some(root)) => Arc::new(AnyName(full(Some(root), &provider)?)),
        _ => Arc::new(Unverified(provider.signature_verification_algorithms)),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|cause| unusable("this build's TLS", Cause::of(cause)))?;
    Ok(MakeRustlsConnect::new(config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()))
}

fn full(root: Option<&Path>, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, StoreError> {
    let (roots, source) = match root {
        Some(path) => (from_file(path)?, path.display().to_string()),
        None => (from_system()?, "the system's root certificates".to_owned()),
    };
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|cause| unusable(&source, Cause::of(cause)))
}

fn from_file(path: &Path) -> Result<RootCertStore, StoreError> {
    let source = path.display().to_string();
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|cause| unusable(&source, Cause::of(cause)))? {
        roots
            .add(certificate.map_err(|cause| unusable(&source, Cause::of(cause)))?)
            .map_err(|cause| unusable(&source, Cause::of(cause)))?;
    }
    if roots.is_empty() { Err(unusable(&source, "it contains no certificate in PEM format")) } else { Ok(roots) }
}

fn from_system() -> Result<RootCertStore, StoreError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let causes: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        return Err(unusable("the system's root certificates", format!("none found {}", causes.join(", "))));
    }
    Ok(roots)
}

fn unusable(source: &str, cause: impl Into<Cause>) -> StoreError {
    StoreError::Fatal {
        doing: format!("reading {source} to verify the database's certificate"),
        cause: cause.into().and("; give the certificate of its authority with sslrootcert=FILE"),
    }
}

/// Verifies the chain, but not for which host the certificate is.
#[derive(Debug)]
struct AnyName(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is looked at last: the chain was found good.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            answer => answer,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Accepts any certificate: protects from eavesdropping, not from a man in the middle.
#[derive(Debug)]
struct Unverified(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
