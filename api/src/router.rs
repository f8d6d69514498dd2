//! The operations as routes.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use slipstream_runtime::access::{self, Access, Denied};
use slipstream_runtime::event::Event;

use crate::api::Api;
use crate::openapi::BASE;
use crate::operation::{Operation, Scope};
use crate::problem;
use crate::refusal::Refusal;
use crate::telemetry::{Answered, InFlight};

/// The path of requests for nothing, in metrics.
const OTHER: &str = "other";

/// A router of these operations, for whom `access` lets in: it decides before anything of a body is read.
pub fn router(api: Arc<Api>, operations: Vec<Operation>, access: &Access) -> Router {
    let mut routes = Router::new();
    for operation in operations {
        let path = operation.path;
        let guarded = match operation.scope {
            Scope::Open => operation.route,
            Scope::Read => operation.route.layer(access.layer(access::Scope::Read, refused)),
            Scope::Operate => operation.route.layer(access.layer(access::Scope::Operate, refused)),
        };
        let route = guarded.layer(from_fn(move |request, next| counted(path, request, next)));
        routes = routes.route(&format!("{BASE}{path}"), route);
    }
    let home = get(async || Redirect::temporary("/api/v1/")).fallback(nothing);
    let rest = from_fn(|request, next| counted(OTHER, request, next));
    let other = Router::new().route("/", home.clone()).route(BASE, home).fallback(nothing).layer(rest);
    routes.with_state(api).merge(other)
}

/// Who is not let in is told as everybody is.
fn refused(denied: &Denied, _: &HeaderMap) -> Response {
    problem::response(&Refusal::from(denied)).into_response()
}

async fn nothing() -> Response {
    problem::response(&Refusal::NoRoute).into_response()
}

async fn counted(route: &'static str, request: Request, next: Next) -> Response {
    let (began, _in_flight) = (Instant::now(), InFlight::one());
    let response = next.run(request).await;
    Answered { route, status: response.status().as_u16(), took: began.elapsed() }.emit();
    response
}
