//! One attempt at a delivery, over HTTP. Knows what an answer means; knows nothing of order or repetition.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use slipstream_runtime::loopback::is_loopback_url;

use crate::error::AlerterError;
use crate::notifier::dispatch::{Answer, Delivery};
use crate::notifier::receiver::ReceiverConfig;
use crate::notifier::signature::Signer;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A list of keys that is longer is replaced by its hash: servers refuse long headers.
const LONGEST_KEY: usize = 2_048;

/// What is read of an answer's body.
const SAID: usize = 1_024;

/// The connection to one receiver, as the notifier uses it.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Where it goes, without what may be secret.
    fn host(&self) -> &str;

    /// Sends once.
    async fn attempt(&self, delivery: &Delivery) -> Answer;
}

/// The way over HTTP.
pub struct Sender {
    client: Client,
    url: Url,
    headers: HeaderMap,
    signer: Signer,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

impl Sender {
    /// Prepares the way; nothing is sent. The process has installed a TLS provider before.
    ///
    /// # Errors
    /// When the URL or a header cannot be sent, or no TLS provider is installed; secrets are not repeated.
    pub fn new(config: &ReceiverConfig) -> Result<Self, AlerterError> {
        let refuse = |problem: String| AlerterError::Receiver { receiver: config.name.clone(), problem };
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            return Err(refuse("this process has no TLS provider: install rustls' `ring` before starting".to_owned()));
        }
        let (url, headers) = target(config)?;
        let client = client(&url, config).map_err(|e| {
            refuse(format!("the HTTP client cannot be created: {} (https needs ca-certificates)", transport(e)))
        })?;
        let signer = Signer::new(config.signing.as_ref()).map_err(|e| refuse(format!("signing_secret_file: {e}")))?;
        Ok(Sender { client, url, headers, signer })
    }

    /// An attempt, and what the receiver said in its answer, or the transport.
    pub async fn ask(&self, delivery: &Delivery) -> (Answer, String) {
        let keys = key(delivery);
        let body = delivery.message.to_bytes();
        let mut headers = self.headers.clone();
        headers.extend(self.signer.headers(&keys, Timestamp::now().as_second(), &body));
        let request = self
            .client
            .post(self.url.clone())
            .headers(headers)
            .header(CONTENT_TYPE, "application/json")
            .header(IDEMPOTENCY_KEY, keys)
            .body(body);
        match request.send().await {
            Ok(response) => judge(response).await,
            Err(error) => {
                let doubt = !error.is_connect() && !error.is_builder();
                let detail = transport(error);
                let said = detail.clone();
                (Answer::Failed { status: None, doubt, detail, retry_after: None }, said)
            }
        }
    }
}

/// Where requests go, and the headers they have.
///
/// # Errors
/// When the URL or a header cannot be sent; secrets are not repeated.
pub(super) fn target(config: &ReceiverConfig) -> Result<(Url, HeaderMap), AlerterError> {
    let refuse = |problem: String| AlerterError::Receiver { receiver: config.name.clone(), problem };
    let url = Url::parse(config.url.reveal()).map_err(|e| refuse(format!("url: {e}; write http(s)://HOST/PATH")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refuse(format!("url: scheme `{}` is not http or https", url.scheme())));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in &config.headers {
        let wrong = || refuse(format!("headers: `{name}` cannot be sent: its name or value is not valid in HTTP"));
        let mut value = HeaderValue::from_str(value.reveal()).map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.append(HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?, value);
    }
    Ok((url, headers))
}

#[async_trait]
impl Transport for Sender {
    fn host(&self) -> &str {
        self.url.host_str().unwrap_or("?")
    }

    async fn attempt(&self, delivery: &Delivery) -> Answer {
        self.ask(delivery).await.0
    }
}

fn client(url: &Url, config: &ReceiverConfig) -> Result<Client, reqwest::Error> {
    let mut builder = Client::builder()
        .user_agent(concat!("slipstream/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .timeout(config.timeout);
    if url.scheme() == "http" {
        // Nothing to verify: a machine without certificates can send too.
        builder = builder.tls_certs_only([]);
    }
    if is_loopback_url(url) {
        builder = builder.no_proxy();
    }
    builder.build()
}

/// A3: the keys of what is news, or their hash where they are many; each alert's own key is in its annotations.
fn key(delivery: &Delivery) -> String {
    let reminder = delivery.reminder.iter().map(|reminder| reminder.key.as_str());
    let keys: Vec<&str> = delivery.parts.iter().map(|p| p.key.as_str()).chain(reminder).collect();
    let list = keys.join(", ");
    if list.len() <= LONGEST_KEY {
        return list;
    }
    format!("fnv1a64-{:016x}", slipstream_slo::hash::fnv1a64(keys))
}

/// 2xx is delivered. 5xx, 408 and 429 say that the same request may succeed soon. Everything else says that it will not,
/// before someone has changed something.
async fn judge(mut response: Response) -> (Answer, String) {
    let status = response.status();
    if status.is_success() {
        // The connection can be used again only once the body is read; a slow one is not waited for.
        let said = tokio::time::timeout(Duration::from_millis(100), said(&mut response)).await;
        return (Answer::Delivered { status: status.as_u16() }, said.unwrap_or_default());
    }
    let retry_after =
        response.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()).and_then(|v| wait(v, Timestamp::now()));
    let mut detail = said(&mut response).await;
    let soon = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
    if status.is_server_error() || soon {
        // Of these three a receiver has taken nothing.
        let doubt = !soon && status != StatusCode::SERVICE_UNAVAILABLE;
        let said = detail.clone();
        return (Answer::Failed { status: Some(status.as_u16()), detail, retry_after, doubt }, said);
    }
    if status.is_redirection() {
        // Not followed: the headers, secrets among them, are for the configured host.
        detail = "redirects are not followed; configure the URL that it redirects to".to_owned();
    }
    (Answer::Refused { status: status.as_u16(), detail: detail.clone() }, detail)
}

/// The beginning of the body, in one line.
async fn said(response: &mut Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < SAID
        && let Ok(Some(chunk)) = response.chunk().await
    {
        bytes.extend_from_slice(&chunk[..chunk.len().min(SAID - bytes.len())]);
    }
    let text = String::from_utf8_lossy(&bytes);
    text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The chain of causes, without the URL.
fn transport(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    text
}

/// Retry-After: seconds, or a date.
fn wait(value: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(value.trim()).ok()?.timestamp();
    Some(Duration::try_from(date.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notifier::dispatch::{GroupKey, Part, Ticket};
    use crate::notifier::payload::{Labels, Message};
    use crate::notifier::words::tests::transition;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "2026-02-01T10:00:00Z".parse().unwrap();
        let cases = [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 01 Feb 2026 10:00:30 GMT", Some(30)),
            ("Sun, 01 Feb 2026 09:00:00 GMT", Some(0)),
            ("soon", None),
            ("-5", None),
        ];
        for (value, want) in cases {
            assert_eq!(wait(value, now), want.map(Duration::from_secs), "{value}");
        }
    }

    #[test]
    fn a3_the_key_lists_what_is_news_and_stays_short() {
        let delivery = |n: usize| Delivery {
            group: GroupKey { route: String::new(), labels: Labels::new() },
            parts: (0..n)
                .map(|i| Part {
                    alert_id: format!("a{i}"),
                    ticket: Ticket { partition: 0, offset: i as i64 },
                    key: format!("a{i}/1769940000/2/ops"),
                    transition: transition(),
                })
                .collect(),
            message: Message::compose("ops", "", &Labels::new(), Vec::new(), 0),
            again: false,
            reminder: None,
        };
        assert_eq!(key(&delivery(1)), "a0/1769940000/2/ops");
        assert_eq!(key(&delivery(2)), "a0/1769940000/2/ops, a1/1769940000/2/ops");
        let many = key(&delivery(500));
        assert!(many.starts_with("fnv1a64-") && many.len() == 24, "{many}");
        assert_ne!(many, key(&delivery(501)));
    }
}
