//! The audit: who did what, and what came of it. Log lines have the target `audit`, so that they can be kept apart
//! (`logging.level: info,audit=debug`). Nothing here ever has a header or a token's text.

use std::net::IpAddr;
use std::sync::LazyLock;

use axum::http::{Method, StatusCode};
use prometheus::IntCounterVec;
use slipstream_schemas::records::Token;
use slipstream_schemas::visible::visible;

use super::refusals::Refusals;
use super::{Principal, Refused, Scope};
use crate::event::Event;
use crate::metrics::counter;

static REQUESTS: LazyLock<IntCounterVec> = LazyLock::new(|| {
    counter(
        "slipstream_access_requests_total",
        "Requests by the scope that they need and their outcome: the status, why access was refused, or that the client left \
         before it was answered (left).",
        &["scope", "outcome"],
    )
});

static REFUSALS: LazyLock<Refusals> = LazyLock::new(Refusals::new);

/// What was asked for.
pub(super) struct What {
    pub method: Method,
    /// The route as it is written in the program; `None` where there is none of the request's path.
    pub route: Option<String>,
    pub scope: Scope,
    pub peer: Option<IpAddr>,
}

impl What {
    fn route(&self) -> &str {
        self.route.as_deref().unwrap_or("-")
    }

    fn peer(&self) -> String {
        self.peer.map_or_else(|| "-".to_owned(), |peer| peer.to_string())
    }
}

/// A request was answered, or left.
pub(super) struct Ended<'a> {
    pub who: &'a Principal,
    pub what: &'a What,
    /// `None`: its client left before it was answered. What it asked for may be done nevertheless.
    pub status: Option<StatusCode>,
    /// Whether it is one that changes something.
    pub changes: bool,
}

impl Event for Ended<'_> {
    fn emit(self) {
        let Ended { who, what, status, changes } = self;
        let outcome = status.as_ref().map_or("left", StatusCode::as_str);
        REQUESTS.with_label_values(&[what.scope.name(), outcome]).inc();
        let (method, scope, route, peer) = (&what.method, what.scope.name(), what.route(), what.peer());
        match changes {
            true => tracing::info!(target: "audit", %who, peer, %method, route, scope, outcome, "answered"),
            false => tracing::debug!(target: "audit", %who, peer, %method, route, scope, outcome, "answered"),
        }
    }
}

/// A request was refused before anything of it was read.
pub(super) struct Turned<'a> {
    pub refused: &'a Refused,
    pub what: &'a What,
}

impl Event for Turned<'_> {
    fn emit(self) {
        let Turned { refused, what } = self;
        let Refused { who, why } = refused;
        REQUESTS.with_label_values(&[what.scope.name(), why.code()]).inc();
        let Some(refusals) = REFUSALS.count(refused) else { return };
        let who = who.as_ref().map_or_else(|| "-".to_owned(), Principal::to_string);
        let (method, route, scope, outcome) = (&what.method, what.route(), what.scope.name(), why.code());
        tracing::info!(target: "audit", who, peer = what.peer(), %method, route, scope, outcome, refusals, "refused");
    }
}

/// What became of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Became {
    Made,
    Changed,
    Revoked,
    Withdrawn,
}

/// There is another token, or one is another: whoever recorded it, a server or a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TokenChanged {
    pub became: Became,
    pub token: Token,
}

impl Event for TokenChanged {
    fn emit(self) {
        let TokenChanged { became, token: Token { id, name, scopes, created_by, revoked_by, .. } } = self;
        let who = match became {
            Became::Made => created_by,
            Became::Revoked => revoked_by.unwrap_or_default(),
            Became::Changed | Became::Withdrawn => String::new(),
        };
        let who = if who.is_empty() { "-".to_owned() } else { visible(&who).to_string() };
        let (name, scopes) = (visible(&name), scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(","));
        match became {
            Became::Made => tracing::info!(target: "audit", who, token = id, %name, scopes, "a token was made"),
            Became::Changed => tracing::info!(target: "audit", who, token = id, %name, scopes, "a token was changed"),
            Became::Revoked => tracing::info!(target: "audit", who, token = id, %name, scopes, "a token was revoked"),
            Became::Withdrawn => {
                tracing::info!(target: "audit", who, token = id, %name, scopes, "a token was withdrawn")
            }
        }
    }
}
