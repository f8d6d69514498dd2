//! What an answer over HTTP means.

use std::error::Error;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::RETRY_AFTER;
use reqwest::{Response, StatusCode};

use crate::notifier::dispatch::Answer;

/// What is read of an answer's body.
const SAID: usize = 1_024;
/// The connection can be used again only once the body is read; a slow one is not waited for.
const PATIENCE: Duration = Duration::from_millis(100);

/// 2xx is delivered. 5xx, 408 and 429 say that the same request may succeed soon. Everything else says that it will not,
/// before someone has changed something.
pub(super) async fn judge(mut response: Response) -> (Answer, String) {
    let status = response.status();
    if status.is_success() {
        let said = tokio::time::timeout(PATIENCE, said(&mut response)).await;
        return (Answer::Delivered { status: status.as_u16() }, said.unwrap_or_default());
    }
    let retry_after =
        response.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()).and_then(|v| wait(v, Timestamp::now()));
    let mut detail = said(&mut response).await;
    if is_for_now(status) {
        // Of these three a receiver has taken nothing.
        let nothing = [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT, StatusCode::SERVICE_UNAVAILABLE];
        let doubt = !nothing.contains(&status);
        let said = detail.clone();
        return (Answer::Failed { status: Some(status.as_u16()), detail, retry_after, doubt }, said);
    }
    if status.is_redirection() {
        // The headers, secrets among them, are for the configured host, and what is not POST again is no notification.
        detail =
            "redirects are not followed; configure the URL that it redirects to, or follow_redirects where the host \
                  is the same and the status 307 or 308"
                .to_owned();
    }
    (Answer::Refused { status: status.as_u16(), detail: detail.clone() }, detail)
}

/// Whether the same request may succeed soon.
pub(super) fn is_for_now(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
}

/// There was no answer.
pub(super) fn none(error: reqwest::Error) -> (Answer, String) {
    let doubt = !error.is_connect() && !error.is_builder();
    let detail = causes(error);
    let said = detail.clone();
    (Answer::Failed { status: None, doubt, detail, retry_after: None }, said)
}

/// The beginning of the body, in one line.
pub(super) async fn said(response: &mut Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < SAID
        && let Ok(Some(chunk)) = response.chunk().await
    {
        bytes.extend_from_slice(&chunk[..chunk.len().min(SAID - bytes.len())]);
    }
    in_one_line(&String::from_utf8_lossy(&bytes))
}

/// A text without line ends and control characters.
pub(super) fn in_one_line(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The chain of causes, without the URL.
pub(super) fn causes(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
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
}
