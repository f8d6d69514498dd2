//! The store on a real PostgreSQL: the conformance suite, and what only a server can have.
#![allow(clippy::unwrap_used, reason = "a test")]

mod between;
mod extension;
mod failures;
mod grants;
mod history;
mod majors;
mod migrations;
mod pooler;
mod raw;
mod refreshing;
mod refusals;
mod settings;
mod sketches;
mod support;
mod timescale;
mod tls;
mod writers;

use slipstream_store::conformance;
use support::Schemas;

#[tokio::test(flavor = "multi_thread")]
async fn writing_conforms() {
    conformance::writing::all(&Schemas::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_conform() {
    conformance::questions::all(&Schemas::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_conforms() {
    conformance::looking::all(&Schemas::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bounds_conform() {
    conformance::bounds::all(&Schemas::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aggregates_conform() {
    conformance::aggregates::all(&Schemas::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_events_conform() {
    conformance::raw::all(&Schemas::new().await).await;
}
