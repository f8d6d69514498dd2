//! What operators and their tools ask a process: /healthz (does it live), /readyz (do its roles work), /metrics.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRef, Query, Request, State as Shared};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use tokio::net::TcpListener;

use crate::Shutdown;
use crate::access::is_to_loopback;
use crate::health::{Health, State};
use crate::http::{self, Beyond, Limits};
use crate::loopback::is_loopback;
use crate::metrics::{Family, Format, Labels, Page, Source};

/// What answers at once is not waited for any longer at the end.
const FINISH: Duration = Duration::from_secs(2);

fn limits(stage: Duration) -> Limits {
    Limits {
        connections: 64,
        head_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(60),
        write_timeout: Duration::from_secs(10),
        finish: FINISH.min(http::finish_within(stage)),
        beyond: Beyond::TEXT,
    }
}

/// Serves on `listener` until `shutdown`, and ends within `stage` then, whatever its clients do. A client may have connected
/// before: announce all roles on the board first ([`Health::announce`]). On a loopback address it answers only to names of the
/// loopback: a page in a browser may reach it by a name of its own that leads here.
///
/// # Errors
/// Never: it returns a result only to be a supervised task.
pub async fn serve(
    listener: TcpListener,
    health: Health,
    page: Page,
    stage: Duration,
    shutdown: Shutdown,
) -> Result<(), Infallible> {
    let is_local = listener.local_addr().is_ok_and(|address| is_loopback(address.ip()));
    let router = match is_local {
        true => router(health, page).layer(from_fn(to_loopback)),
        false => router(health, page),
    };
    http::serve("ops", listener, router, limits(stage), shutdown).await;
    Ok(())
}

async fn to_loopback(request: Request, next: Next) -> Response {
    match is_to_loopback(request.uri(), request.headers()) {
        true => next.run(request).await,
        false => (StatusCode::FORBIDDEN, ELSEWHERE).into_response(),
    }
}

const ELSEWHERE: &str = "this address is served to its own machine: ask it as 127.0.0.1 or localhost (header Host), or set \
                         ops_listen to another address\n";

/// The endpoint itself, to be tested or mounted elsewhere.
pub fn router(health: Health, page: Page) -> Router {
    let page = page.with(Arc::new(Roles(health.clone())));
    Router::new()
        .route("/", get(async || "slipstream: /healthz /readyz /metrics\n"))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(render))
        .with_state(Asked { health, page: Arc::new(page) })
}

/// What is asked.
#[derive(Clone)]
struct Asked {
    health: Health,
    page: Arc<Page>,
}

impl FromRef<Asked> for Health {
    fn from_ref(asked: &Asked) -> Health {
        asked.health.clone()
    }
}

impl FromRef<Asked> for Arc<Page> {
    fn from_ref(asked: &Asked) -> Arc<Page> {
        asked.page.clone()
    }
}

/// The answer of /readyz.
#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stopping: bool,
    roles: BTreeMap<String, Standing>,
}

#[derive(Debug, Serialize)]
struct Standing {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl From<State> for Standing {
    fn from(state: State) -> Self {
        match state {
            State::Starting(detail) => Standing { state: "starting", detail: Some(detail) },
            State::Ready => Standing { state: "ready", detail: None },
            State::Waiting(detail) => Standing { state: "waiting", detail: Some(detail) },
        }
    }
}

/// 200 when every role has started and the process is not about to end ([`Health::ready`]), else 503. A process in which no
/// role was announced yet is not ready.
async fn ready(Shared(health): Shared<Health>) -> Response {
    let roles = health.snapshot();
    let ready = !roles.is_empty() && health.ready();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let roles = roles.into_iter().map(|(name, state)| (name, state.into())).collect();
    (status, Json(Readiness { ready, stopping: health.is_stopping(), roles })).into_response()
}

/// In OpenMetrics for who asks for it, as Prometheus does. `names` are names that metrics are told by besides their own: separated by
/// commas, or each with a parameter of its own.
async fn render(
    Shared(page): Shared<Arc<Page>>,
    Query(asked): Query<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Response {
    let names = asked.iter().filter(|(name, _)| name == "names").map(|(_, names)| names.as_str());
    let names = match page.names(&names.collect::<Vec<_>>().join(",")) {
        Ok(names) => names,
        Err(why) => return (StatusCode::BAD_REQUEST, why + "\n").into_response(),
    };
    let format = Format::for_client(&headers);
    // Much to write where there are many SLOs: not on a thread that others wait for.
    match tokio::task::spawn_blocking(move || page.render(format, &names)).await {
        Ok(text) => ([(header::CONTENT_TYPE, format.media())], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The roles of this process, and the program itself.
struct Roles(Health);

impl Source for Roles {
    fn families(&self, _also: &[&str]) -> Vec<Family> {
        let labels = |name: &str, value: &str| Labels::from([(name.to_owned(), value.to_owned())]);
        let help = "Whether a role of this process works: 0 while it starts, or waits for what is away.";
        let mut ready = Family::gauge("slipstream_role_ready", help);
        for (role, state) in self.0.snapshot() {
            ready.push(&labels("role", &role), f64::from(u8::from(matches!(state, State::Ready))));
        }
        let mut build = Family::gauge("slipstream_build_info", "The program: its version.");
        build.push(&labels("version", env!("CARGO_PKG_VERSION")), 1.0);
        vec![ready, build]
    }
}
