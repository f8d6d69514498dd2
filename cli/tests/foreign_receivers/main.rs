//! Receivers that others have written take what Slipstream sends, and show what is so: while an SLO is a ticket, becomes a
//! page, and is well again. `make test-receivers`; each test installs its receiver, and fails if it cannot.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test, that says what it ran against")]

mod adlermanager;
mod alerta;
mod alertmanager;
mod irc;
mod mail;
mod program;
mod signed;
mod world;

use std::fmt::Debug;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// Longer than anything takes, on a busy machine; what takes longest are two minutes of AdlerManager.
const PATIENCE: Duration = Duration::from_secs(180);
/// What most receivers call our severities.
const SEVERITIES: &str = "{page: critical, ticket: warning}";

/// Looks until what is seen is as it should be, and returns it.
async fn until<T: Debug>(what: &str, mut look: impl AsyncFnMut() -> T, right: impl Fn(&T) -> bool) -> T {
    let begun = Instant::now();
    loop {
        let seen = look().await;
        if right(&seen) {
            return seen;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: {seen:#?}");
        sleep(Duration::from_millis(200)).await;
    }
}

/// What a GET answers, as JSON.
async fn get(url: &str) -> serde_json::Value {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let answer = reqwest::get(url).await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(status.is_success(), "{url}: {status} {text}");
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{url}: {e}: {text}"))
}

/// Installs a program, away from the threads that wait for others.
async fn installed<T: Send + 'static>(install: fn() -> anyhow::Result<T>) -> T {
    tokio::task::spawn_blocking(install).await.unwrap().unwrap_or_else(|error| panic!("{error:#}"))
}
