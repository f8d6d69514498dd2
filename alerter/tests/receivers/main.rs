//! Receivers of each format, as real servers on loopback: what reaches them, and what their answers mean.
#![allow(clippy::unwrap_used)] // In a test that is how to fail.

mod desk;
mod formats;
mod mail;
mod post_office;
mod remedies;
#[path = "../support/mod.rs"]
mod support;
mod tls;
mod watchdog;
mod ways;

use slipstream_alerter::notifier::sample::{self, Told};
use slipstream_alerter::{Links, ReceiverConfig};
use slipstream_runtime::config::{ReceiverFormat, Secret};

/// The secret that no answer may show.
const SECRET: &str = "t0ken-s3cret";

/// A receiver of a format.
fn receiver(url: &str, format: ReceiverFormat) -> ReceiverConfig {
    ReceiverConfig { format, ..support::config("ops", url) }
}

fn pagerduty() -> ReceiverFormat {
    ReceiverFormat::PagerDuty { routing_key: Secret::new(SECRET) }
}

/// Sends a sample of severity page, and its end.
async fn tell(receiver: &ReceiverConfig) -> Vec<Told> {
    // The first of the tests in this process installs it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let links = Links { external: "http://slo.test".to_owned(), alert: String::new() };
    let told = sample::send(receiver, &links, "page", 1_769_940_000).await.unwrap();
    assert!(told.iter().all(|told| !told.said.contains(SECRET)), "{told:?}");
    told
}

/// Only the beginning.
async fn tell_once(receiver: &ReceiverConfig) -> Told {
    tell(&ReceiverConfig { send_resolved: false, ..receiver.clone() }).await.remove(0)
}
