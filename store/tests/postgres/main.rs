//! The store on a real PostgreSQL: the conformance suite, and what only a server can have.
#![allow(clippy::unwrap_used, reason = "a test")]

mod between;
mod extension;
mod failures;
mod grants;
mod history;
mod migrations;
mod pooler;
mod raw;
mod refusals;
mod sketches;
mod support;
mod timescale;
mod tls;
mod writers;

use slipstream_store::conformance;
use support::Databases;

#[tokio::test(flavor = "multi_thread")]
async fn writing_conforms() {
    conformance::writing::all(&Databases::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_conform() {
    conformance::questions::all(&Databases::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_conforms() {
    conformance::looking::all(&Databases::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aggregates_conform() {
    conformance::aggregates::all(&Databases::new().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn raw_events_conform() {
    conformance::raw::all(&Databases::new().await).await;
}
