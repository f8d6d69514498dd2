//! What describes the API.

use std::sync::Arc;

use axum::http::{HeaderValue, header};
use bytes::Bytes;

use crate::api::Api;
use crate::operation::{Asked, Called, Operation, Scope};
use crate::refusal::Refusal;
use crate::reply::{Reply, best};
use crate::viewer;

const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

pub fn operations() -> Vec<Operation> {
    let called = |path, id, summary| Called { path, id, tag: "Documents", summary };
    let openapi = called("/openapi.json", "getOpenApi", "This description, as OpenAPI 3.1");
    let postman = called("/postman.json", "getPostman", "The same as a Postman collection");
    let page = called("/", "getViewer", "The same for people, to try it out");
    let script = called("/viewer.js", "getViewerScript", "What the viewer does");
    let style = called("/viewer.css", "getViewerStyle", "How the viewer looks");
    [
        document(openapi, JSON, |api| api.documents.openapi.clone()),
        document(postman, JSON, |api| api.documents.postman.clone()),
        document(page, HTML, |_| Bytes::from_static(viewer::PAGE.as_bytes())),
        document(script, SCRIPT, |_| Bytes::from_static(viewer::SCRIPT.as_bytes())),
        document(style, STYLE, |_| Bytes::from_static(viewer::STYLE.as_bytes())),
    ]
    .into_iter()
    .map(|operation| operation.for_scope(Scope::Open))
    .collect()
}

fn document(called: Called, media: &'static str, of: fn(&Api) -> Bytes) -> Operation {
    let answer = move |api: Arc<Api>, (): (), asked: Asked| async move {
        best(&asked.headers, &[media.split(';').next().unwrap_or(media)])?;
        let mut reply = Reply::of(of(&api), media);
        let told = [
            (header::CONTENT_SECURITY_POLICY, viewer::POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
        ];
        reply.headers.extend(told.map(|(name, value)| (name, HeaderValue::from_static(value))));
        Ok::<Reply, Refusal>(reply)
    };
    Operation::raw(called, answer).answering_text(media)
}
