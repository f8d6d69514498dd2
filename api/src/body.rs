//! The body of a request: small, JSON, and there soon.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::refusal::Refusal;

/// Bytes of a body.
const MOST: usize = 4 << 10;
/// How long it may take to come.
const WITHIN: Duration = Duration::from_secs(10);

/// All of a body.
///
/// # Errors
/// When it is not JSON by its own account, too large, or does not come.
pub async fn received(headers: &HeaderMap, body: Body) -> Result<Bytes, Refusal> {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    if !media.eq_ignore_ascii_case("application/json") {
        return Err(Refusal::ContentType);
    }
    match timeout(WITHIN, to_bytes(body, MOST)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        // axum tells it only in words; a body that breaks off has nobody who would read what it is told.
        Ok(Err(_)) => Err(Refusal::TooLarge { max: MOST }),
        Err(_) => Err(Refusal::Body(format!("the body did not arrive within {} s", WITHIN.as_secs()))),
    }
}

/// A value out of JSON.
///
/// # Errors
/// What is wrong, and where.
pub fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::Body(format!("the body is not as expected: {error}")))
}
