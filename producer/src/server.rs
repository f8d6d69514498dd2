//! The way to a server of an installation, for every command and client that speaks to one: its address, the token that it
//! asks for, and whose certificates it is trusted by.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, StatusCode, Url};
use rustls::crypto::CryptoProvider;
use slipstream_runtime::config::{Secret, without_secrets};
use slipstream_runtime::event::Event;
use slipstream_runtime::loopback::is_loopback_url;
use slipstream_schemas::Cause;
use slipstream_schemas::cause::{chain, find};

/// What a server may ask a client for.
///
/// ```no_run
/// use slipstream_producer::server::Credentials;
///
/// let token = std::fs::read_to_string("/run/secrets/slipstream-token")?;
/// let credentials = Credentials::default().with_token(token.trim());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    token: Option<Secret>,
    /// Certificates in PEM.
    authorities: Option<Vec<u8>>,
}

impl Credentials {
    /// With a token, as `slipstream token create` printed it.
    #[must_use]
    pub fn with_token(self, token: impl Into<String>) -> Self {
        Credentials { token: Some(Secret::new(token)), ..self }
    }

    /// With certificates (PEM), one of which must have signed the server's; else those that the system trusts.
    #[must_use]
    pub fn with_authorities(self, pem: impl Into<Vec<u8>>) -> Self {
        Credentials { authorities: Some(pem.into()), ..self }
    }

    /// Whether there is a token.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }
}

/// Why there is no way to a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerError {
    /// The address is none.
    #[error("{cause}; expected an address like http://host:8480")]
    Address {
        /// What is wrong with it.
        #[source]
        cause: Cause,
    },
    /// The process has no provider of cryptography.
    #[error("no provider of cryptography is installed")]
    NoCrypto,
    /// The token cannot be sent.
    #[error("the token holds characters that no token has; is its file the right one?")]
    Token,
    /// The certificates cannot be read.
    #[error("the certificates to trust (--ca-file) are not PEM, or there are none")]
    Authorities,
    /// The HTTP client could not be made.
    #[error("{0}")]
    Setup(String),
}

/// A server of an installation.
#[derive(Debug, Clone)]
pub struct Server {
    http: Client,
    base: Url,
    shown: String,
}

impl Server {
    /// The server at an address such as `http://127.0.0.1:8480`; each request to it may take so long.
    ///
    /// # Errors
    /// When the address is none, the credentials cannot be used, or the process has no provider of cryptography.
    pub fn new(address: &str, credentials: &Credentials, timeout: Duration) -> Result<Self, ServerError> {
        let mut base: Url = address.parse().map_err(|e| ServerError::Address { cause: Cause::of(e) })?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(ServerError::Address { cause: "neither http nor https".into() });
        }
        if CryptoProvider::get_default().is_none() {
            return Err(ServerError::NoCrypto);
        }
        // A server of ours does not redirect; whoever does gets no token.
        let mut http = Client::builder().timeout(timeout).redirect(Policy::none());
        if is_loopback_url(&base) {
            // A proxy of the environment would see what is sent, the token among it, and lead to its own machine.
            http = http.no_proxy();
        }
        if credentials.has_token() && base.scheme() == "http" && !is_loopback_url(&base) {
            TokenInTheOpen { server: &without_secrets(address) }.emit();
        }
        if let Some(token) = &credentials.token {
            http = http.default_headers(HeaderMap::from_iter([(AUTHORIZATION, bearer(token)?)]));
            // They would become another Authorization.
            let _ = (base.set_username(""), base.set_password(None));
        }
        if let Some(pem) = &credentials.authorities {
            http = http.tls_certs_only(authorities(pem)?);
        }
        let http = http.build().map_err(|e| ServerError::Setup(chain(&e)))?;
        Ok(Server { http, base, shown: without_secrets(address) })
    }

    /// Its address, but for what may be secret.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// A path behind that of the address: a proxy may have given it one.
    fn at(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url
    }

    /// A request of a path.
    pub fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let mut url = self.at(path);
        url.set_query(None);
        self.http.request(method, url)
    }

    /// A GET of a path with parameters.
    pub fn get(&self, path: &str, params: &[(String, String)]) -> reqwest::RequestBuilder {
        let mut url = self.at(path);
        url.query_pairs_mut().clear().extend_pairs(params);
        self.http.get(url)
    }

    /// A POST to a path.
    pub fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.request(reqwest::Method::POST, path)
    }
}

/// A token goes over a network as it is.
struct TokenInTheOpen<'a> {
    server: &'a str,
}

impl Event for TokenInTheOpen<'_> {
    fn emit(self) {
        tracing::warn!(server = self.server, "the token is sent without TLS and can be read on its way: use https://");
    }
}

fn bearer(token: &Secret) -> Result<HeaderValue, ServerError> {
    let is_plain = |token: &str| !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic());
    if !is_plain(token.reveal()) {
        return Err(ServerError::Token);
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.reveal())).map_err(|_| ServerError::Token)?;
    // Not in what `Debug` shows, nor in what the client logs.
    value.set_sensitive(true);
    Ok(value)
}

fn authorities(pem: &[u8]) -> Result<Vec<Certificate>, ServerError> {
    let found = Certificate::from_pem_bundle(pem).map_err(|_| ServerError::Authorities)?;
    if found.is_empty() { Err(ServerError::Authorities) } else { Ok(found) }
}

/// What to do where it [`distrusts`].
pub const TRUST: &str =
    "; pass the certificate that signed it with --ca-file FILE, or name the server as its certificate does";

/// Whether the server's certificate is not to be trusted, by its name, its dates or whoever signed it: trying again changes nothing.
pub fn distrusts(error: &reqwest::Error) -> bool {
    matches!(find(error), Some(rustls::Error::InvalidCertificate(_)))
}

/// Why a request failed. Its address, which is said beside it, may hold a secret.
pub fn cause_of(error: reqwest::Error) -> String {
    chain(&error.without_url())
}

/// What a server said to a request that it refused, and what to do about it where that is a matter of the token.
pub fn refusal(status: StatusCode, message: &str) -> String {
    let advice = match status {
        StatusCode::UNAUTHORIZED => {
            "; pass one with --token-file FILE, or in SLIPSTREAM_TOKEN_FILE or SLIPSTREAM_TOKEN"
        }
        _ => "",
    };
    format!("status {status}: {message}{advice}")
}
