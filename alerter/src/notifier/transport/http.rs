//! One attempt over HTTP.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::Url;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use slipstream_runtime::config::{Auth, ReceiverFormat, Secret};

use super::client::Way;
use super::token::{Tokens, basic};
use super::{Transport, answer, client, key, proxies, refuse, token};
use crate::error::AlerterError;
use crate::notifier::dispatch::{Answer, Delivery};
use crate::notifier::format::Writer;
use crate::notifier::receiver::ReceiverConfig;
use crate::notifier::signature::Signer;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Deliveries of which only a part is taken, at most: there are fewer under way at a time.
const PARTLY: usize = 64;

/// What is shorter is no secret worth hiding, and may be a part of any answer.
const SHORTEST_SECRET: usize = 8;

/// The way over HTTP.
pub struct Sender {
    way: Way,
    host: String,
    headers: HeaderMap,
    tokens: Option<Tokens>,
    writer: Writer,
    signer: Signer,
    secrets: Vec<String>,
    /// Of deliveries that are several requests: how many of them are taken, by key.
    taken: Mutex<HashMap<String, usize>>,
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Sender {
    /// Prepares the way; nothing is sent. The process has installed a TLS provider before.
    ///
    /// # Errors
    /// When the URL or a header cannot be sent, or no TLS provider is installed; secrets are not repeated.
    pub fn new(config: &ReceiverConfig) -> Result<Self, AlerterError> {
        let refuse = |problem: String| refuse(config, problem);
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            return Err(refuse("this process has no TLS provider: install rustls' `ring` before starting".to_owned()));
        }
        let (url, headers) = target(config)?;
        let writer = Writer::new(config).map_err(refuse)?;
        let host = url.host_str().unwrap_or("?").to_owned();
        let secrets = secrets(config, &url, &headers);
        let mut way = Way::new(config, writer.target(url)).map_err(refuse)?;
        let mut headers = headers;
        headers.extend(way.host.take().map(|host| (HOST, host)));
        let tokens = match &config.way.auth {
            Some(Auth::OAuth2(settings)) => Some(Tokens::new(config, settings).map_err(refuse)?),
            _ => None,
        };
        let signer = Signer::new(config.signing.as_ref()).map_err(|e| refuse(format!("signing_secret_file: {e}")))?;
        Ok(Sender { way, host, headers, tokens, writer, signer, secrets, taken: Mutex::default() })
    }

    /// What would be sent, as text: the first body.
    pub fn shown(&self, delivery: &Delivery) -> String {
        let bodies = self.writer.bodies(delivery, Timestamp::now());
        self.hidden(String::from_utf8_lossy(bodies.first().map_or(&[][..], Vec::as_slice)).into_owned())
    }

    /// The requests of a delivery one after the other, but for those that were taken before. The first that is not taken
    /// ends the attempt.
    async fn requests(&self, delivery: &Delivery) -> (Answer, String) {
        let keys = key(delivery);
        let bodies = self.writer.bodies(delivery, Timestamp::now());
        let several = bodies.len() > 1;
        let begin = if several { self.begin(&keys) } else { 0 };
        let mut last = (Answer::Delivered { status: 204 }, String::new());
        for (i, body) in bodies.into_iter().enumerate().skip(begin) {
            let key = if several { format!("{keys}#{}", i + 1) } else { keys.clone() };
            last = self.authorized(&key, body).await;
            match &last.0 {
                Answer::Delivered { .. } if several => self.note(&keys, i + 1),
                Answer::Delivered { .. } | Answer::NotAsked { .. } => {}
                Answer::Failed { .. } => return last,
                Answer::Refused { .. } => break,
            }
        }
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&keys);
        last
    }

    fn begin(&self, keys: &str) -> usize {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).get(keys).copied().unwrap_or_default()
    }

    fn note(&self, keys: &str, taken: usize) {
        let mut all = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= PARTLY && !all.contains_key(keys) {
            // Deliveries that were given up. What is forgotten with them is sent again with the same keys.
            all.clear();
        }
        all.insert(keys.to_owned(), taken);
    }

    /// A request with a token, if one is needed; with a new one where the receiver does not take that it has.
    async fn authorized(&self, key: &str, body: Vec<u8>) -> (Answer, String) {
        let Some(tokens) = &self.tokens else { return self.post(key, body, None).await };
        let token = match tokens.header(None).await {
            Ok(token) => token,
            Err(failed) => return self.without_token(failed),
        };
        let first = self.post(key, body.clone(), Some(token.clone())).await;
        if !matches!(first.0, Answer::Refused { status: 401, .. }) {
            return first;
        }
        match tokens.header(Some(&token)).await {
            Ok(token) => self.post(key, body, Some(token)).await,
            Err(failed) => self.without_token(failed),
        }
    }

    /// The server of tokens may repeat what it was sent, too.
    fn without_token(&self, (answer, said): (Answer, String)) -> (Answer, String) {
        (with_detail(answer, |text| self.hidden(text)), self.hidden(said))
    }

    async fn post(&self, key: &str, body: Vec<u8>, token: Option<HeaderValue>) -> (Answer, String) {
        let mut headers = self.headers.clone();
        headers.extend(self.signer.headers(key, Timestamp::now().as_second(), &body));
        headers.extend(token.clone().map(|token| (AUTHORIZATION, token)));
        let request = self
            .way
            .client
            .post(self.way.url.clone())
            .headers(headers)
            .header(CONTENT_TYPE, self.writer.content_type())
            .header(IDEMPOTENCY_KEY, key)
            .body(body);
        let (answer, said) = match request.send().await {
            Ok(response) => answer::judge(response).await,
            Err(error) => answer::none(error),
        };
        let token = token.as_ref().and_then(|token| token.to_str().ok()).and_then(|text| text.split_once(' '));
        let hide = |text: String| match token {
            Some((_, token)) if token.len() >= SHORTEST_SECRET => self.hidden(text).replace(token, "…"),
            _ => self.hidden(text),
        };
        let said = hide(said);
        (self.meant(with_detail(answer, hide), &said), said)
    }

    /// An answer by what is said in it, where the status is not all.
    fn meant(&self, answer: Answer, said: &str) -> Answer {
        match (answer, self.writer.denied(said)) {
            (Answer::Delivered { status }, Some(why)) => Answer::Refused { status, detail: why.to_owned() },
            (answer, _) => answer,
        }
    }

    /// A text without our secrets: a receiver may repeat what it was sent, and answers are logged and recorded.
    fn hidden(&self, text: String) -> String {
        self.secrets.iter().fold(text, |text, secret| text.replace(secret, "…"))
    }
}

fn with_detail(answer: Answer, change: impl Fn(String) -> String) -> Answer {
    match answer {
        Answer::Delivered { .. } | Answer::NotAsked { .. } => answer,
        Answer::Refused { status, detail } => Answer::Refused { status, detail: change(detail) },
        Answer::Failed { status, detail, retry_after, doubt } => {
            Answer::Failed { status, detail: change(detail), retry_after, doubt }
        }
    }
}

/// What no answer may repeat: values of headers, tokens and passwords, those of proxies too, and what of the URL may be one.
fn secrets(config: &ReceiverConfig, url: &Url, headers: &HeaderMap) -> Vec<String> {
    let configured = config.headers.iter().map(|(_, value)| value.reveal().to_owned());
    let sent = headers.values().filter(|value| value.is_sensitive()).filter_map(|value| value.to_str().ok());
    let bare = sent.map(|text| text.split_once(' ').map_or(text, |(_, token)| token).to_owned());
    let auth = match &config.way.auth {
        Some(Auth::Basic { password, .. }) => Some(password),
        Some(Auth::Bearer(token)) => Some(token),
        Some(Auth::OAuth2(settings)) => Some(&settings.client_secret),
        None => None,
    };
    let routing = match &config.format {
        ReceiverFormat::PagerDuty { routing_key } => Some(routing_key),
        _ => None,
    };
    let own = auth.into_iter().chain(routing).map(|secret: &Secret| secret.reveal().to_owned());
    let of_url = [url.query(), url.password()].into_iter().flatten().map(str::to_owned);
    let of_tokens = match &config.way.auth {
        Some(Auth::OAuth2(settings)) => settings.proxy.as_ref(),
        _ => None,
    };
    let of_proxies = config.way.proxy.iter().chain(of_tokens).flat_map(|proxy| proxies::passwords(proxy.reveal()));
    let long_path = Some(url.path().trim_matches('/').to_owned()).filter(|path| path.len() >= 2 * SHORTEST_SECRET);
    let mut all: Vec<String> =
        configured.chain(bare).chain(own).chain(of_url).chain(of_proxies).chain(long_path).collect();
    all.retain(|secret| secret.len() >= SHORTEST_SECRET);
    // The longer first: one may be a part of another.
    all.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    all
}

/// Whether requests can be prepared.
///
/// # Errors
/// The first thing that is wrong; secrets are not repeated.
pub(super) fn check(config: &ReceiverConfig) -> Result<(), AlerterError> {
    target(config)?;
    client::check(config).map_err(|problem| refuse(config, problem))?;
    if let Some(Auth::OAuth2(settings)) = &config.way.auth {
        let checked = client::check(&token::to_tokens(config, settings));
        checked.map_err(|problem| refuse(config, format!("oauth2.{problem}")))?;
    }
    let writer = Writer::new(config).map_err(|problem| refuse(config, problem))?;
    let sendable = HeaderValue::from_str(writer.content_type()).is_ok();
    if sendable { Ok(()) } else { Err(refuse(config, "content_type: it cannot be sent as a header".to_owned())) }
}

/// Where requests go, and the headers they have.
fn target(config: &ReceiverConfig) -> Result<(Url, HeaderMap), AlerterError> {
    let refuse = |problem: String| refuse(config, problem);
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
    if let Some(value) = authorization(config) {
        headers.insert(AUTHORIZATION, value.map_err(refuse)?);
    }
    Ok((url, headers))
}

/// The header `Authorization`, where it does not change.
fn authorization(config: &ReceiverConfig) -> Option<Result<HeaderValue, String>> {
    match config.way.auth.as_ref()? {
        Auth::Basic { username, password } => Some(Ok(basic(&format!("{username}:{}", password.reveal())))),
        Auth::Bearer(token) => {
            let value = HeaderValue::from_str(&format!("Bearer {}", token.reveal())).map(|mut value| {
                value.set_sensitive(true);
                value
            });
            Some(value.map_err(|_| "bearer_token_file: the token cannot be sent as a header".to_owned()))
        }
        Auth::OAuth2(_) => None,
    }
}

#[async_trait]
impl Transport for Sender {
    fn host(&self) -> &str {
        &self.host
    }

    async fn attempt(&self, delivery: &Delivery) -> Answer {
        self.requests(delivery).await.0
    }

    async fn ask(&self, delivery: &Delivery) -> (Answer, String) {
        self.requests(delivery).await
    }
}

#[cfg(test)]
mod tests {
    use slipstream_runtime::config::{ClientTls, OAuth2};

    use super::*;

    #[test]
    fn no_answer_repeats_the_password_of_a_proxy() {
        let mut config = ReceiverConfig::webhook("ops", "https://hooks.test/in");
        config.way.proxy = Some(Secret::new("http://me:pass%40word@proxy.test:3128"));
        config.way.auth = Some(Auth::OAuth2(OAuth2 {
            client_id: "me".to_owned(),
            client_secret: Secret::new("client-secret"),
            token_url: "https://id.test/token".to_owned(),
            scopes: Vec::new(),
            endpoint_params: Vec::new(),
            tls: ClientTls::default(),
            proxy: Some(Secret::new("other:proxy-password@proxy.test")),
        }));
        let (url, headers) = target(&config).unwrap();
        let known = secrets(&config, &url, &headers);
        for secret in ["pass%40word", "pass@word", "bWU6cGFzc0B3b3Jk", "proxy-password", "client-secret"] {
            assert!(known.iter().any(|known| known == secret), "{secret}: {known:?}");
        }
    }
}
