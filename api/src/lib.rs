//! The role that answers over HTTP: how SLOs stand and stood, requests and what they add up to, alerts.
//!
//! Everything that can be asked is an [`operation`]; the router and the OpenAPI document are made of the same ones
//! ([`operations`]). What a request asks is a typed question ([`question`]). How SLOs stand at the moment is known here
//! ([`live`]); all else is asked of store and log ([`ask`]), so many questions at a time ([`bound`]). What goes wrong is told as
//! `application/problem+json` ([`refusal`]).
//!
//! The role writes nothing but what an erasure overwrites, and there may be any number of it.

mod api;
pub mod ask;
mod body;
mod bound;
mod gauges;
mod live;
pub mod openapi;
mod operation;
mod operations;
pub mod postman;
mod problem;
mod question;
mod refusal;
mod reply;
mod router;
mod telemetry;
mod viewer;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use serde_json::Value;
use slipstream_log::SharedLog;
use slipstream_runtime::access::Access;
use slipstream_runtime::event::Event;
use slipstream_runtime::http::{self, Beyond, Limits, Listening};
use slipstream_runtime::metrics::Source;
use slipstream_runtime::{Health, Shutdown};
use slipstream_schemas::Cause;

use api::{Api, Documents};
use ask::Past;
use bound::Bound;
use gauges::Gauges;
use live::Live;
use telemetry::Serving;

pub use ask::StoreCell;
pub use ask::answers::Tabled;
pub use live::LiveError;

/// What the role needs of the process.
#[derive(Clone)]
pub struct Parts {
    /// The log.
    pub log: SharedLog,
    /// The store, once it has been reached.
    pub store: StoreCell,
    /// The board of states.
    pub health: Health,
    /// Whom it answers.
    pub access: Access,
}

/// The role: a reader of the log, and a server.
pub struct Role {
    parts: Parts,
    live: Arc<Live>,
}

impl Role {
    /// Of these parts. It answers once it [serves](Role::serve), and knows of the SLOs once it [follows](Role::follow) them.
    pub fn of(parts: Parts) -> Role {
        let live = Live::new(parts.log.clone());
        Role { parts, live }
    }

    /// How SLOs stand, as metrics of at most so many series.
    pub fn metrics(&self, most: usize) -> Arc<dyn Source> {
        Arc::new(Gauges::new(self.live.clone(), most))
    }

    /// What knows of the SLOs, until `shutdown`: it computes much, so it is for a thread of its own.
    pub fn follow(&self, shutdown: Shutdown) -> impl Future<Output = Result<(), LiveError>> + use<> {
        live::follow(self.parts.log.clone(), self.live.clone(), self.parts.health.clone(), shutdown)
    }

    /// Serves on `listener` until `shutdown`; then ends streams at once, and finishes requests in progress within what
    /// `stage` has.
    ///
    /// # Errors
    /// Never: it returns a result only to be a supervised task.
    pub fn serve(
        &self,
        listener: Listening,
        stage: Duration,
        shutdown: Shutdown,
    ) -> impl Future<Output = Result<(), Infallible>> + Send + use<> {
        let router = self.router(shutdown.clone());
        async move {
            if let Ok(address) = listener.local_addr() {
                tracing::info!(%address, "answering questions");
            }
            Serving.emit();
            http::serve(live::ROLE, listener, router, limits(stage), shutdown).await;
            Ok(())
        }
    }

    /// The server itself, to be tested. Streams end when `shutdown` is cancelled.
    pub fn router(&self, shutdown: Shutdown) -> Router {
        let operations = operations::all();
        let openapi = openapi::text(&openapi::document(&operations));
        let api = Api {
            past: Past::of(self.parts.store.clone(), self.parts.log.clone()),
            live: self.live.clone(),
            health: self.parts.health.clone(),
            access: self.parts.access.clone(),
            bound: Bound::default(),
            documents: Documents { postman: Bytes::from(postman_of(&openapi)), openapi: Bytes::from(openapi) },
            shutdown,
        };
        router::router(Arc::new(api), operations, &self.parts.access)
    }
}

/// Connections that may be open; a further one is told so.
pub const CONNECTIONS: usize = 1_024;

fn limits(stage: Duration) -> Limits {
    Limits {
        connections: CONNECTIONS,
        head_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(75),
        write_timeout: Duration::from_secs(10),
        finish: http::finish_within(stage),
        beyond: Beyond { media: problem::PROBLEM_JSON, body: problem::TOO_MANY_CONNECTIONS },
    }
}

/// An answer as the table that the role serves (RFC 4180).
///
/// # Errors
/// When it cannot be written: a mistake in the program.
pub fn csv<T: Tabled>(answer: T) -> Result<Vec<u8>, Cause> {
    reply::csv(&answer.tabled()).map_err(|refusal| Cause::from(refusal.to_string()))
}

/// The OpenAPI document, as the role serves it.
pub fn openapi_text() -> String {
    openapi::text(&openapi::document(&operations::all()))
}

/// The Postman collection, as the role serves it.
pub fn postman_text() -> String {
    postman_of(&openapi_text())
}

fn postman_of(openapi: &str) -> String {
    let openapi: Value = serde_json::from_str(openapi).unwrap_or_default();
    serde_json::to_string_pretty(&postman::collection(&openapi)).unwrap_or_default()
}
