//! What people say about alerts, for who may operate the installation: `POST /v1/silences` adds a silence or replaces the one of
//! its id, `GET /v1/silences` lists them, `DELETE /v1/silences/{id}` ends one now; `POST /v1/acknowledgements` says who looks after
//! an alert, `DELETE /v1/acknowledgements/{alert}/{episode}` withdraws that, without the episode of the newest that somebody looks
//! after. What changes something responds when the log has it (L1); notifiers know it before they next decide.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use axum::routing::{delete, get, post};
use axum::{Extension, Router};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use slipstream_log::Outgoing;
use slipstream_role::episodes::episodes;
use slipstream_role::reading::ReadError;
use slipstream_role::silences::SilenceReader;
use slipstream_runtime::access::Principal;
use slipstream_schemas::records::Acknowledgement;
use slipstream_slo::alerts::Silence;

use super::recording::Failed;
use super::refusal::Refusal;
use super::reply::Reply;
use super::request::{expects, request_id};
use super::{Gateway, body, only};
use crate::silencing::{
    AcknowledgementJson, ListingJson, SayingError, SilenceJson, expired, outgoing, outgoing_acknowledgement, withdrawal,
};

/// Episodes that an error names.
const EPISODES: usize = 3;
/// Bytes of a body.
const BODY: usize = 64 << 10;
const FAILED: Failed = Failed { what: "recording it", code: "silences-failed" };
const SILENCE: &str =
    r#"expected {"matchers": ["service=\"payment\""], "to": "2027-01-31T12:00:00Z", "reason": "maintenance"}"#;
const ACKNOWLEDGEMENT: &str = r#"expected {"alert_id": "00c0ffee00c0ffee", "episode": 1769940000, "owner": "ada"}"#;

/// The routes.
pub(super) fn router(gateway: Arc<Gateway>) -> Router {
    let posts = async |method: Method| only("POST", method);
    let deletes = async |method: Method| only("DELETE", method);
    Router::new()
        .route("/v1/silences", get(list).post(silence).fallback(async |method: Method| only("GET, HEAD, POST", method)))
        .route("/v1/silences/{id}", delete(expire).fallback(deletes))
        .route("/v1/acknowledgements", post(acknowledge).fallback(posts))
        .route("/v1/acknowledgements/{alert}", delete(withdraw_newest).fallback(deletes))
        .route("/v1/acknowledgements/{alert}/{episode}", delete(withdraw).fallback(deletes))
        .with_state(gateway)
}

async fn silence(
    State(gateway): State<Arc<Gateway>>,
    Extension(who): Extension<Principal>,
    request: Request,
) -> Response {
    let id = request_id(request.headers());
    let said = gateway.silence(request, &who, &id).await;
    gateway.answer(said, &id)
}

async fn list(State(gateway): State<Arc<Gateway>>, headers: HeaderMap) -> Response {
    let id = request_id(&headers);
    let said = gateway.list().await;
    gateway.answer(said, &id)
}

async fn expire(State(gateway): State<Arc<Gateway>>, Path(silence): Path<String>, headers: HeaderMap) -> Response {
    let id = request_id(&headers);
    let said = gateway.expire(&silence, &id).await;
    gateway.answer(said, &id)
}

async fn acknowledge(
    State(gateway): State<Arc<Gateway>>,
    Extension(who): Extension<Principal>,
    request: Request,
) -> Response {
    let id = request_id(request.headers());
    let said = gateway.acknowledge(request, &who, &id).await;
    gateway.answer(said, &id)
}

async fn withdraw_newest(
    State(gateway): State<Arc<Gateway>>,
    Path(alert): Path<String>,
    headers: HeaderMap,
) -> Response {
    let id = request_id(&headers);
    let said = gateway.withdraw(&alert, None, &id).await;
    gateway.answer(said, &id)
}

async fn withdraw(
    State(gateway): State<Arc<Gateway>>,
    Path((alert, episode)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let id = request_id(&headers);
    // What is no number is no episode that anybody looks after.
    let said = match episode.parse() {
        Ok(episode) => gateway.withdraw(&alert, Some(episode), &id).await,
        Err(_) => Err(Refusal::NotAcknowledged),
    };
    gateway.answer(said, &id)
}

impl Gateway {
    fn answer(&self, said: Result<Reply, Refusal>, id: &str) -> Response {
        self.response(said.unwrap_or_else(|refusal| self.refuse(&refusal)), id)
    }

    async fn silence(&self, request: Request, who: &Principal, id: &str) -> Result<Reply, Refusal> {
        let wanted: SilenceJson = self.wanted(request, SILENCE).await?;
        let silence = wanted.read(now(), &who.to_string()).map_err(rule)?;
        self.say(&SilenceJson::of(&silence), outgoing(&silence), id).await
    }

    async fn list(&self) -> Result<Reply, Refusal> {
        let listing = ListingJson::of(self.said().await?.silences(), now());
        Ok(Reply::other(StatusCode::OK, "ok", &listing, &self.budget)?)
    }

    async fn expire(&self, silence: &str, id: &str) -> Result<Reply, Refusal> {
        let said = self.said().await?;
        let found = said.silences().find(|known| known.id == silence).ok_or(Refusal::NoSuchSilence)?;
        let over = Silence::new(expired(found, now())).map_err(|e| rule(e.into()))?;
        self.say(&SilenceJson::of(&over), outgoing(&over), id).await
    }

    async fn acknowledge(&self, request: Request, who: &Principal, id: &str) -> Result<Reply, Refusal> {
        let wanted: AcknowledgementJson = self.wanted(request, ACKNOWLEDGEMENT).await?;
        let said = wanted.read(now(), &who.to_string()).map_err(rule)?;
        self.check_episode(&said).await?;
        let answer = AcknowledgementJson::of(&said);
        self.say(&answer, outgoing_acknowledgement(&said), id).await
    }

    async fn withdraw(&self, alert: &str, episode: Option<i64>, id: &str) -> Result<Reply, Refusal> {
        let said = self.said().await?;
        let found = said.withdrawn_by(&alert.to_ascii_lowercase(), episode).ok_or(Refusal::NotAcknowledged)?;
        let answer = AcknowledgementJson::of(found);
        self.say(&answer, withdrawal(found), id).await
    }

    /// Who acknowledges what there is not, would believe that somebody looks after what there is.
    async fn check_episode(&self, said: &Acknowledgement) -> Result<(), Refusal> {
        let known = episodes(&*self.log, &said.alert_id).await.map_err(|e| self.unread(e))?;
        if known.contains(&said.episode) {
            return Ok(());
        }
        let newest: Vec<String> = known.iter().rev().take(EPISODES).map(i64::to_string).collect();
        Err(Refusal::SayingRule(match newest.is_empty() {
            true => format!("`alert_id`: there is no alert {}", said.alert_id),
            false => format!(
                "`episode`: alert {} has no episode {}; its newest are {}",
                said.alert_id,
                said.episode,
                newest.join(", ")
            ),
        }))
    }

    /// What was said until now.
    async fn said(&self) -> Result<SilenceReader, Refusal> {
        let mut said = SilenceReader::default();
        said.read_on(&*self.log).await.map_err(|e| self.unread(e))?;
        Ok(said)
    }

    fn unread(&self, error: ReadError) -> Refusal {
        match error {
            ReadError::Log { cause, .. } => self.failed(cause),
            error @ ReadError::Record { .. } => Refusal::Mistake(error.to_string()),
        }
    }

    async fn wanted<T: DeserializeOwned>(&self, request: Request, expected: &str) -> Result<T, Refusal> {
        let (head, body) = request.into_parts();
        let expects = expects(&head);
        drop(head);
        let body = body::receive(body, None, expects, BODY, self.limits.read_timeout, &self.budget).await?;
        // An object: serde would take a list of its fields, too.
        let read = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(body.as_ref());
        let read = read.and_then(|object| serde_json::from_value(object.into()));
        read.map_err(|e: serde_json::Error| Refusal::Saying(format!("{e}; {expected}")))
    }

    async fn say(&self, answer: &impl Serialize, record: Outgoing, id: &str) -> Result<Reply, Refusal> {
        // Written before it is recorded: from then on nothing may keep the sender from being told.
        let reply = Reply::other(StatusCode::OK, "ok", answer, &self.budget)?;
        self.record(vec![record], &FAILED, id).await?;
        Ok(reply)
    }
}

fn rule(error: SayingError) -> Refusal {
    Refusal::SayingRule(error.to_string())
}

fn now() -> i64 {
    Timestamp::now().as_millisecond()
}
