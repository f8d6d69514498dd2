//! Tokens of OAuth 2.0 by client credentials (RFC 6749, section 4.4): fetched when one is needed, kept until it expires, or until
//! the receiver does not take it any more.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Response;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use serde_json::Value;
use slipstream_runtime::config::OAuth2;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::answer::{causes, is_for_now, said};
use super::client::Way;
use crate::notifier::dispatch::Answer;
use crate::notifier::receiver::ReceiverConfig;

/// Bytes of an answer with a token.
const LONGEST_ANSWER: usize = 64 << 10;

/// A token is not used when it has less than this left, or a tenth of its life.
const MARGIN: Duration = Duration::from_secs(30);

/// The tokens for one receiver.
pub(super) struct Tokens {
    way: Way,
    login: HeaderValue,
    body: String,
    held: Mutex<Option<Held>>,
}

struct Held {
    header: HeaderValue,
    /// `None`: for as long as the receiver takes it.
    until: Option<Instant>,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    /// Seconds; some servers write them as text.
    #[serde(default)]
    expires_in: Value,
}

impl Tokens {
    /// Where tokens are fetched; nothing is sent.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn new(config: &ReceiverConfig, settings: &OAuth2) -> Result<Tokens, String> {
        let url = settings.token_url.parse().map_err(|e| format!("oauth2.token_url: {e}"))?;
        let way = Way::new(&to_tokens(config, settings), url).map_err(|problem| format!("oauth2: {problem}"))?;
        Ok(Tokens { way, login: login(settings), body: body(settings), held: Mutex::default() })
    }

    /// The header `Authorization`; another one than `spent`, which the receiver has refused.
    pub async fn header(&self, spent: Option<&HeaderValue>) -> Result<HeaderValue, (Answer, String)> {
        let mut held = self.held.lock().await;
        let fits = |held: &&Held| Some(&held.header) != spent && held.until.is_none_or(|until| Instant::now() < until);
        if let Some(held) = held.as_ref().filter(fits) {
            return Ok(held.header.clone());
        }
        let fetched = self.fetch().await?;
        let header = fetched.header.clone();
        *held = Some(fetched);
        Ok(header)
    }

    async fn fetch(&self) -> Result<Held, (Answer, String)> {
        let request = self.way.client.post(self.way.url.clone()).header(AUTHORIZATION, self.login.clone());
        let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(self.body.clone());
        let mut response = request.send().await.map_err(|e| failed(None, causes(e)))?;
        let status = response.status();
        if is_for_now(status) {
            return Err(failed(Some(status.as_u16()), said(&mut response).await));
        }
        if !status.is_success() {
            let detail = format!("fetching a token: {}", said(&mut response).await);
            return Err((Answer::Refused { status: status.as_u16(), detail: detail.clone() }, detail));
        }
        // The answer is a secret: nothing of it is told.
        let held = granted(response).await.and_then(|granted| held(&granted, Instant::now()));
        held.ok_or_else(|| failed(Some(status.as_u16()), "the answer has no access_token".to_owned()))
    }
}

/// The receiver's way with the certificates and the proxy of the server of tokens, which is somebody else.
pub(super) fn to_tokens(config: &ReceiverConfig, settings: &OAuth2) -> ReceiverConfig {
    let mut config = config.clone();
    (config.way.tls, config.way.proxy) = (settings.tls.clone(), settings.proxy.clone());
    config
}

/// Nothing was sent to the receiver.
fn failed(status: Option<u16>, why: String) -> (Answer, String) {
    let detail = format!("fetching a token: {why}");
    let said = detail.clone();
    (Answer::Failed { status, detail, retry_after: None, doubt: false }, said)
}

async fn granted(mut response: Response) -> Option<Granted> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > LONGEST_ANSWER {
            return None;
        }
    }
    serde_json::from_slice(&bytes).ok()
}

fn held(granted: &Granted, now: Instant) -> Option<Held> {
    let mut header = HeaderValue::from_str(&format!("Bearer {}", granted.access_token)).ok()?;
    header.set_sensitive(true);
    let seconds = granted.expires_in.as_u64().or_else(|| granted.expires_in.as_str()?.parse().ok());
    let life = seconds.map(Duration::from_secs);
    Some(Held { header, until: life.and_then(|life| now.checked_add(life - MARGIN.min(life / 10))) })
}

/// Name and secret, each encoded as in a form before they are put together.
fn login(settings: &OAuth2) -> HeaderValue {
    let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encoded(&settings.client_id), encoded(settings.client_secret.reveal()));
    basic(&pair)
}

/// `Basic` with what stands behind it.
pub(super) fn basic(pair: &str) -> HeaderValue {
    let text = format!("Basic {}", STANDARD.encode(pair));
    let header = HeaderValue::from_str(&text);
    let mut header = header.unwrap_or_else(|e| unreachable!("base64 is always a header's value: {e}"));
    header.set_sensitive(true);
    header
}

fn body(settings: &OAuth2) -> String {
    let mut form = Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    if !settings.scopes.is_empty() {
        form.append_pair("scope", &settings.scopes.join(" "));
    }
    form.extend_pairs(&settings.endpoint_params);
    form.finish()
}

#[cfg(test)]
mod tests {
    use slipstream_runtime::config::{ClientTls, Secret};

    use super::*;

    #[test]
    fn a_request_for_a_token_is_as_the_standard_writes_it() {
        let settings = OAuth2 {
            client_id: "me:too".to_owned(),
            client_secret: Secret::new("s 3/cret"),
            token_url: "https://id.test/token".to_owned(),
            scopes: vec!["a".to_owned(), "b".to_owned()],
            endpoint_params: vec![("audience".to_owned(), "x&y".to_owned())],
            tls: ClientTls::default(),
            proxy: None,
        };
        assert_eq!(body(&settings), "grant_type=client_credentials&scope=a+b&audience=x%26y");
        let login = login(&settings);
        let text = login.to_str().unwrap().strip_prefix("Basic ").unwrap();
        assert_eq!(STANDARD.decode(text).unwrap(), b"me%3Atoo:s+3%2Fcret");
        assert!(!format!("{login:?}").contains(text), "it is not shown");
    }

    #[test]
    fn a_token_is_kept_until_shortly_before_its_end() {
        let now = Instant::now();
        for (answer, left) in [
            (r#"{"access_token":"a","expires_in":3600}"#, Some(3_570)),
            (r#"{"access_token":"a","expires_in":"100"}"#, Some(90)),
            (r#"{"access_token":"a"}"#, None),
        ] {
            let held = held(&serde_json::from_str(answer).unwrap(), now).unwrap();
            assert_eq!(held.until.map(|until| until - now), left.map(Duration::from_secs), "{answer}");
        }
    }
}
