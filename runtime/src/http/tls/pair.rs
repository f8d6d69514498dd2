//! A certificate and its key, from their files to what a server needs. Messages say which file is wrong and how, and nothing
//! of what a key's file holds.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustls::InconsistentKeys;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::dates::Dates;

/// Bytes of a file at most: a long chain has 20 KiB.
const MOST: u64 = 1 << 20;

/// Where certificate and key are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// What both files hold.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[certificate and key]")
    }
}

/// Why certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("reading {}: {cause}", .file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// A file holds something else.
    #[error("{}: {what}", .file.display())]
    Content {
        /// Which.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// It is right, but not now.
    #[error("{}: the certificate {what}", .file.display())]
    Dates {
        /// Which.
        file: PathBuf,
        /// What is wrong with its dates.
        what: String,
    },
    /// Both are right, and not of each other.
    #[error("{} is not the key of the certificate in {}", .key.display(), .certificate.display())]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
}

impl Files {
    /// Reads both files.
    ///
    /// # Errors
    /// When one cannot be read, or is too large to be what it should.
    pub(super) fn read(&self) -> Result<Contents, TlsError> {
        Ok(Contents { certificate: read(&self.certificate)?, key: read(&self.key)? })
    }

    /// Makes what a server needs of what both files hold, and says when it is valid.
    ///
    /// # Errors
    /// When that is not a certificate and its key.
    pub(super) fn certified(&self, contents: &Contents) -> Result<(CertifiedKey, Dates), TlsError> {
        let chain = self.chain(&contents.certificate)?;
        let key = self.private_key(&contents.key)?;
        let dates = chain.first().and_then(|own| Dates::of(own)).unwrap_or(Dates::ANY);
        let certified = CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                TlsError::Mismatch { certificate: self.certificate.clone(), key: self.key.clone() }
            }
            rustls::Error::InvalidCertificate(why) => {
                content(&self.certificate, format!("the certificate cannot be used: {why:?}"))
            }
            _ => content(&self.key, "the key is of a kind that is not supported; use ECDSA, Ed25519 or RSA".to_owned()),
        })?;
        Ok((certified, dates))
    }

    /// When the certificate is valid; its key is not read.
    ///
    /// # Errors
    /// When it cannot be read, or is none.
    pub(super) fn dates(&self) -> Result<Dates, TlsError> {
        let chain = self.chain(&read(&self.certificate)?)?;
        Ok(chain.first().and_then(|own| Dates::of(own)).unwrap_or(Dates::ANY))
    }

    fn chain(&self, bytes: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(bytes).collect();
        let chain = chain.map_err(|_| content(&self.certificate, "it is no PEM".to_owned()))?;
        match chain.is_empty() {
            false => Ok(chain),
            true => Err(content(&self.certificate, format!("it holds no certificate (PEM){}", instead(bytes)))),
        }
    }

    fn private_key(&self, bytes: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
        PrivateKeyDer::from_pem_slice(bytes).map_err(|error| match error {
            pem::Error::NoItemsFound if bytes.windows(9).any(|part| part == b"ENCRYPTED") => content(
                &self.key,
                "the key is encrypted; write it without a passphrase, readable only for slipstream".to_owned(),
            ),
            pem::Error::NoItemsFound => content(&self.key, format!("it holds no private key (PEM){}", instead(bytes))),
            _ => content(&self.key, "it is no PEM".to_owned()),
        })
    }
}

/// What a file holds in place of what it should.
fn instead(bytes: &[u8]) -> &'static str {
    let holds = |what: &[u8]| bytes.windows(what.len()).any(|part| part == what);
    match () {
        () if bytes.trim_ascii().is_empty() => "; it is empty",
        () if holds(b"BEGIN CERTIFICATE REQUEST") => "; it holds a request for one",
        () if holds(b"BEGIN CERTIFICATE") => "; it holds a certificate",
        () if holds(b"PRIVATE KEY") => "; it holds a private key",
        () => "",
    }
}

fn content(file: &Path, what: String) -> TlsError {
    TlsError::Content { file: file.to_owned(), what }
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable = |cause| TlsError::Unreadable { file: file.to_owned(), cause };
    let size = std::fs::metadata(file).map_err(unreadable)?.len();
    match size > MOST {
        true => Err(content(file, format!("{size} bytes are too many for a certificate or a key"))),
        false => std::fs::read(file).map_err(unreadable),
    }
}
