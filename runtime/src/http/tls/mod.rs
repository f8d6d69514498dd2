//! TLS for servers, by a certificate and a key in files that may change while it is used: whoever renews a certificate
//! need not restart anything. Connections that exist keep the one they began with.

mod dates;
mod events;
mod pair;

use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::Shutdown;
use crate::event::Event;
use events::{InUse, Kept, Renewed};
use pair::{Contents, Files};

pub use dates::{Dates, Standing};
pub use pair::TlsError;

/// How often the files are looked at. What has changed is used once it was the same twice: two files are not written at
/// once, and a writer may be in the middle of one.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Bytes that a connection may have encrypted and not sent yet.
const UNSENT: usize = 16 << 10;

/// A certificate with its key, for any number of servers; clones share it.
#[derive(Clone)]
pub struct Tls(Arc<Shared>);

struct Shared {
    files: Files,
    /// What is in use was made of.
    used: Mutex<Contents>,
    present: Arc<Present>,
    acceptor: TlsAcceptor,
}

/// What new connections get, and when it is valid.
struct Present(RwLock<(Arc<CertifiedKey>, Dates)>);

impl Tls {
    /// Reads certificate and key.
    ///
    /// # Errors
    /// When they are not there, or not what they should be.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let files = Files { certificate: certificate.to_owned(), key: key.to_owned() };
        let contents = files.read()?;
        let (certified, dates) = files.certified(&contents)?;
        let present = Arc::new(Present(RwLock::new((Arc::new(certified), dates))));
        let acceptor = TlsAcceptor::from(Arc::new(config(present.clone())));
        Ok(Tls(Arc::new(Shared { files, used: Mutex::new(contents), present, acceptor })))
    }

    /// When the certificate in a file is valid. Its key is not read: whoever asks this need not be able to.
    ///
    /// # Errors
    /// When it is not there, or not what it should be.
    pub fn dates_in(certificate: &Path) -> Result<Dates, TlsError> {
        Files { certificate: certificate.to_owned(), key: PathBuf::new() }.dates()
    }

    /// When the certificate in use is valid.
    pub fn dates(&self) -> Dates {
        self.0.present.0.read().unwrap_or_else(PoisonError::into_inner).1
    }

    /// Looks at the files until `shutdown`, and uses what they hold when that has changed. What cannot be used, or is not valid
    /// now, is said once, and the certificate that is in use stays. How that stands is told at first, and when it changes.
    ///
    /// # Errors
    /// Never: it returns a result only to be a supervised task.
    pub async fn follow(self, shutdown: Shutdown) -> Result<(), Infallible> {
        let mut before = None;
        let mut said = None;
        let mut stood = self.stand(None);
        while tokio::time::timeout(LOOK_EVERY, shutdown.cancelled()).await.is_err() {
            let shared = self.0.clone();
            let Ok(found) = tokio::task::spawn_blocking(move || shared.files.read().map_err(|e| e.to_string())).await
            else {
                continue;
            };
            if before.as_ref() == Some(&found) {
                let kept = self.judge(&found).err();
                if let Some(why) = kept.as_deref().filter(|_| kept != said) {
                    Kept { why }.emit();
                }
                said = kept;
            }
            before = Some(found);
            stood = self.stand(stood);
        }
        Ok(())
    }

    /// Uses what the files hold, if it is new and can be used.
    ///
    /// # Errors
    /// Why it cannot.
    fn judge(&self, found: &Result<Contents, String>) -> Result<(), String> {
        let Shared { files, used, present, .. } = &*self.0;
        let contents = found.as_ref().map_err(String::clone)?;
        let mut used = used.lock().unwrap_or_else(PoisonError::into_inner);
        if *used == *contents {
            return Ok(());
        }
        let (certified, dates) = files.certified(contents).map_err(|error| error.to_string())?;
        if let Some(what) = dates.at(SystemTime::now()).mistake(dates) {
            return Err(TlsError::Dates { file: files.certificate.clone(), what }.to_string());
        }
        *present.0.write().unwrap_or_else(PoisonError::into_inner) = (Arc::new(certified), dates);
        *used = contents.clone();
        Renewed { certificate: &files.certificate }.emit();
        Ok(())
    }

    /// Tells how the certificate in use stands, if that is another way than before.
    fn stand(&self, before: Option<(Dates, Standing)>) -> Option<(Dates, Standing)> {
        let dates = self.dates();
        let now = Some((dates, dates.at(SystemTime::now())));
        if let Some((_, standing)) = now.filter(|_| now != before) {
            InUse { certificate: &self.0.files.certificate, dates, standing }.emit();
        }
        now
    }

    /// Shakes hands with a client.
    pub(super) async fn accept(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        self.0.acceptor.accept_with(stream, |session| session.set_buffer_limit(Some(UNSENT))).await
    }
}

fn config(present: Arc<Present>) -> ServerConfig {
    let versions = [&version::TLS13, &version::TLS12];
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&versions)
        .unwrap_or_else(|e| panic!("ring has suites for TLS 1.2 and 1.3: {e}"));
    let mut config = builder.with_no_client_auth().with_cert_resolver(present);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

impl ResolvesServerCert for Present {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).0.clone())
    }
}

impl fmt::Debug for Present {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Present")
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("files", &self.0.files).finish_non_exhaustive()
    }
}
