//! The way over HTTP to one host: certificates, proxy, redirects, addresses.

use reqwest::header::HeaderValue;
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Certificate, Client, ClientBuilder, Identity, Proxy, StatusCode, Url};
use slipstream_runtime::config::{ClientTls, Secret};
use slipstream_runtime::loopback::is_loopback_url;

use super::answer::causes;
use super::guard::Access;
use super::proxies;
use crate::notifier::receiver::ReceiverConfig;

/// Redirects in a row at most.
const REDIRECTS: usize = 3;

/// A client, and what is asked of it.
pub(super) struct Way {
    /// The client.
    pub client: Client,
    /// Where requests go. With a name of its own for TLS its host is that name.
    pub url: Url,
    /// The header `Host`, where it is not that of the URL.
    pub host: Option<HeaderValue>,
}

impl Way {
    /// The way to an address, with the certificates and the proxy of a receiver.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(config: &ReceiverConfig, url: Url) -> Result<Way, String> {
        let way = &config.way;
        let host = url.host_str().unwrap_or_default().to_owned();
        let access = Access::of(&host, way.allow_private);
        let mut builder = Client::builder()
            .user_agent(concat!("slipstream/", env!("CARGO_PKG_VERSION")))
            .redirect(redirects(way.follow_redirects, host.clone()))
            .timeout(config.timeout);
        builder = certificates(builder, &way.tls, url.scheme() == "https")?;
        if let Some(proxy) = &way.proxy {
            builder = builder.proxy(self::proxy(proxy)?);
        } else if is_loopback_url(&url) || way.tls.server_name.is_some() {
            builder = builder.no_proxy();
        }
        let bare = host.trim_matches(['[', ']']);
        let mut names = proxies::names(way.proxy.as_ref()).with(&host, bare, access);
        let (mut target, mut header) = (url.clone(), None);
        if let Some(name) = way.tls.server_name.as_deref().filter(|_| url.scheme() == "https") {
            // TLS asks for the name of the URL; the name leads to the same addresses, and HTTP names the host as it is.
            names = names.with(name, bare, access);
            target.set_host(Some(name)).map_err(|e| format!("tls.server_name: `{name}` is not a host name: {e}"))?;
            header = Some(authority(&url)?);
        }
        let client = builder.dns_resolver(names).build();
        let unusable = |e| format!("the HTTP client cannot be created: {} (https needs ca-certificates)", causes(e));
        Ok(Way { client: client.map_err(unusable)?, url: target, host: header })
    }
}

/// Whether the settings of the way fit together.
///
/// # Errors
/// What is wrong with them.
pub(super) fn check(config: &ReceiverConfig) -> Result<(), String> {
    let tls = &config.way.tls;
    if tls.server_name.is_some() && config.way.proxy.is_some() {
        return Err("set tls.server_name or proxy_url, not both: a proxy would be asked for that name".to_owned());
    }
    tls.ca.as_ref().map(roots).transpose()?;
    tls.identity.as_ref().map(identity).transpose()?;
    config.way.proxy.as_ref().map(proxy).transpose().map(|_| ())
}

/// The host as HTTP names it: with its port, if that is not the usual one.
fn authority(url: &Url) -> Result<HeaderValue, String> {
    let host = url.host_str().unwrap_or_default();
    let named = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    HeaderValue::from_str(&named).map_err(|_| "url: its host cannot be sent".to_owned())
}

fn certificates(mut builder: ClientBuilder, tls: &ClientTls, https: bool) -> Result<ClientBuilder, String> {
    if let Some(ca) = &tls.ca {
        builder = builder.tls_certs_only(roots(ca)?);
    } else if !https {
        // Nothing to verify: a machine without certificates can send too.
        builder = builder.tls_certs_only([]);
    }
    Ok(match &tls.identity {
        Some(pair) => builder.identity(identity(pair)?),
        None => builder,
    })
}

fn roots(ca: &Secret) -> Result<Vec<Certificate>, String> {
    let certificates = Certificate::from_pem_bundle(ca.reveal().as_bytes()).unwrap_or_default();
    if certificates.is_empty() {
        return Err("tls.ca_file: it holds no certificate in PEM".to_owned());
    }
    Ok(certificates)
}

fn identity((certificate, key): &(Secret, Secret)) -> Result<Identity, String> {
    let pem = format!("{}\n{}\n", certificate.reveal(), key.reveal());
    let wrong = |_| "tls.cert_file and tls.key_file: they do not hold a certificate and its key in PEM".to_owned();
    Identity::from_pem(pem.as_bytes()).map_err(wrong)
}

fn proxy(url: &Secret) -> Result<Proxy, String> {
    Proxy::all(url.reveal()).map_err(|_| "proxy_url: it is not the address of a proxy".to_owned())
}

/// Followed is what keeps the request as it is, on the same host: 301, 302 and 303 make it a GET, whose 200 tells nothing.
fn redirects(follow: bool, host: String) -> Policy {
    if !follow {
        return Policy::none();
    }
    Policy::custom(move |attempt: Attempt<'_>| {
        let keeps = matches!(attempt.status(), StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
        let same = attempt.url().host_str() == Some(host.as_str());
        let was_safe = attempt.previous().last().is_some_and(|url| url.scheme() == "https");
        let stays_safe = attempt.url().scheme() == "https" || !was_safe;
        if keeps && same && stays_safe && attempt.previous().len() <= REDIRECTS {
            attempt.follow()
        } else {
            attempt.stop()
        }
    })
}
