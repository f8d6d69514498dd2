//! Tokens through the gateway, for who may operate the installation: `GET /v1/tokens` lists them, `POST /v1/tokens` makes one
//! and is the only response that ever has its text, `DELETE /v1/tokens/{id}` revokes one. They respond when the log has it
//! (L1), and from then on this process goes by it; others follow within two seconds.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use axum::routing::{delete, get};
use axum::{Extension, Router};
use jiff::Timestamp;
use serde::Deserialize;
use slipstream_log::LogError;
use slipstream_runtime::access::{NewToken, Principal, Scope};
use slipstream_schemas::EventTime;
use slipstream_schemas::decode::{EventError, rfc3339};
use slipstream_schemas::records::Token;
use slipstream_schemas::token::{TokenJson, validate};

use super::recording::Failed;
use super::refusal::Refusal;
use super::reply::Reply;
use super::request::{expects, request_id};
use super::{Gateway, body, only};
use crate::tokens::{Listed, Made, outgoing};

/// Bytes of a body.
const BODY: usize = 16 << 10;
const TOKENS_FAILED: Failed = Failed { what: "recording the token", code: "tokens-failed" };

/// The routes.
pub(super) fn router(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/v1/tokens", get(list).post(make).fallback(async |method: Method| only("GET, HEAD, POST", method)))
        .route("/v1/tokens/{id}", delete(revoke).fallback(async |method: Method| only("DELETE", method)))
        .with_state(gateway)
}

/// What a token is to be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    name: String,
    scopes: Vec<Scope>,
    /// RFC 3339; absent: never.
    expires_at: Option<String>,
}

async fn list(State(gateway): State<Arc<Gateway>>, headers: HeaderMap) -> Response {
    let tokens = gateway.access.tokens();
    let now = now();
    let listed = Listed { tokens: tokens.iter().map(|token| TokenJson::at(token, now)).collect() };
    let reply = Reply::other(StatusCode::OK, "ok", &listed, &gateway.budget).map_err(Refusal::from);
    gateway.response(reply.unwrap_or_else(|refusal| gateway.refuse(&refusal)), &request_id(&headers))
}

async fn make(State(gateway): State<Arc<Gateway>>, Extension(who): Extension<Principal>, request: Request) -> Response {
    let id = request_id(request.headers());
    let reply = gateway.make_token(request, &who, &id).await.unwrap_or_else(|refusal| gateway.refuse(&refusal));
    let mut response = gateway.response(reply, &id);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn revoke(
    State(gateway): State<Arc<Gateway>>,
    Extension(who): Extension<Principal>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Response {
    let id = request_id(&headers);
    let reply = gateway.revoke_token(&token, &who, &id).await.unwrap_or_else(|refusal| gateway.refuse(&refusal));
    gateway.response(reply, &id)
}

impl Gateway {
    async fn make_token(&self, request: Request, who: &Principal, id: &str) -> Result<Reply, Refusal> {
        let (head, body) = request.into_parts();
        let expects = expects(&head);
        drop(head);
        let body = body::receive(body, None, expects, BODY, self.limits.read_timeout, &self.budget).await?;
        let wanted =
            serde_json::from_slice(body.as_ref()).map_err(|e: serde_json::Error| Refusal::Token(explained(e)))?;
        let new = NewToken::generate().map_err(|e| Refusal::Mistake(format!("no random numbers: {e}")))?;
        let token = token(&new, wanted, who.to_string())?;
        validate(&token).map_err(Refusal::TokenRule)?;
        self.check_first(&token).map_err(Refusal::TokenRule)?;
        // Written before it is recorded: from then on nothing may keep the sender from being told.
        let text = new.text();
        let made = Made { record: TokenJson::at(&token, token.created_at), token: text.reveal() };
        let reply = Reply::other(StatusCode::CREATED, "ok", &made, &self.budget)?;
        self.record_token(&token, id).await.map_err(|refusal| match refusal {
            // Not written, or written and not known to be: sent again, it would make another one.
            Refusal::LogSlow(_) | Refusal::LogBusy(LogError::Transient { .. }) => Refusal::TokenInDoubt,
            refusal => refusal,
        })?;
        Ok(reply)
    }

    /// With the first token every request needs one, those that make tokens as well.
    fn check_first(&self, token: &Token) -> Result<(), EventError> {
        if self.access.needs_token() || token.scopes.contains(&Scope::Operate) {
            return Ok(());
        }
        let scopes = token.scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(", ");
        let rule = "must have `operate` in the installation's first token: without, no further one could be made or revoked here";
        Err(EventError::rule("scopes", scopes, rule))
    }

    /// Again is as good as once: it stays revoked since the first time.
    async fn revoke_token(&self, token: &str, who: &Principal, id: &str) -> Result<Reply, Refusal> {
        let token = self.access.token(token).ok_or(Refusal::NoSuchToken)?;
        let revoked = match token.revoked_at {
            Some(_) => token,
            None => Token { revoked_at: Some(now()), revoked_by: Some(who.to_string()), ..token },
        };
        let reply = Reply::other(StatusCode::OK, "ok", &TokenJson::at(&revoked, now()), &self.budget)?;
        self.record_token(&revoked, id).await?;
        Ok(reply)
    }

    async fn record_token(&self, token: &Token, id: &str) -> Result<(), Refusal> {
        self.record(vec![outgoing(token)], &TOKENS_FAILED, id).await?;
        self.access.learn_news([(token.id.clone(), Some(token.clone()))]);
        Ok(())
    }
}

fn token(new: &NewToken, wanted: Wanted, created_by: String) -> Result<Token, Refusal> {
    let Wanted { name, mut scopes, expires_at } = wanted;
    scopes.sort_unstable();
    scopes.dedup();
    let time = |text: String| rfc3339(&text).map(EventTime).ok_or_else(|| Refusal::Token(explained(NO_TIME)));
    Ok(Token {
        id: new.id().to_owned(),
        name,
        hash: new.hash(),
        scopes,
        created_at: now(),
        created_by,
        expires_at: expires_at.map(time).transpose()?,
        revoked_at: None,
        revoked_by: None,
    })
}

const NO_TIME: &str = "expires_at is no time";

fn explained(error: impl std::fmt::Display) -> String {
    format!(
        "{error}; expected {{\"name\": \"ci\", \"scopes\": [\"ingest\"], \"expires_at\": \"2027-01-31T00:00:00Z\"}}"
    )
}

fn now() -> EventTime {
    EventTime(Timestamp::now().as_microsecond())
}
