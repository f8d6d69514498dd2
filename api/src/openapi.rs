//! The OpenAPI document, made of the operations.

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::json;
use slipstream_runtime::access::{self, Denied};
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{HttpMethod, OperationBuilder, PathsBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ComponentsBuilder, ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Required, Response, ResponseBuilder,
    ServerBuilder,
};
use utoipa::{PartialSchema, ToSchema};

use crate::operation::{Content, Operation, Scope, Told};
use crate::operations::TAGS;
use crate::problem::{PROBLEM_JSON, Problem};
use crate::refusal::{Mistake, Refusal};
use crate::reply::{AS_OF, RULES, STALE_FOR};

/// Everything is below this.
pub const BASE: &str = "/api/v1";

const ABOUT: &str = "What Slipstream knows: how SLOs stand and stood, requests and what they add up to, alerts and what became \
of them. Times are RFC 3339 in UTC; where a time is asked for, a date is its midnight in UTC. Durations are 90s, 5m, 1h, 1d. \
An unknown parameter is an error, and all errors of a request are told at once, as application/problem+json. Answers have \
ETags, weak where only `as_of` moves on; rows are also given as CSV (Accept: text/csv). Every answer that may be behind says up to when it knows \
everything: `as_of`.";

/// Statuses that every operation may refuse with.
const ALWAYS: [u16; 6] = [400, 405, 406, 429, 500, 503];
/// Those of who asks.
const OF_CALLERS: [u16; 2] = [401, 403];

/// The document.
pub fn document(operations: &[Operation]) -> OpenApi {
    let mut paths = PathsBuilder::new();
    for operation in operations {
        let method = if operation.method == Method::POST { HttpMethod::Post } else { HttpMethod::Get };
        let item = utoipa::openapi::PathItem::new(method, described(operation));
        paths = paths.path(format!("{BASE}{}", operation.path), item);
    }
    let info = InfoBuilder::new()
        .title("Slipstream")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()));
    OpenApiBuilder::new()
        .info(info.build())
        .servers(Some([ServerBuilder::new().url("/").description(Some("Where this document is from")).build()]))
        .paths(paths.build())
        .components(Some(components(operations)))
        .tags(Some(TAGS.map(|(name, about)| TagBuilder::new().name(name).description(Some(about)).build())))
        .build()
}

/// The document as JSON.
pub fn text(document: &OpenApi) -> String {
    serde_json::to_string_pretty(document).unwrap_or_default()
}

fn components(operations: &[Operation]) -> utoipa::openapi::Components {
    let mut schemas: BTreeMap<String, RefOr<utoipa::openapi::Schema>> = BTreeMap::new();
    schemas.extend(operations.iter().flat_map(|operation| operation.schemas.iter().cloned()));
    let mut further = vec![(Problem::name().into_owned(), Problem::schema())];
    Problem::schemas(&mut further);
    schemas.extend(further);
    let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
    let token = token.description(Some(
        "`slipstream token create` makes one. Without any tokens the API serves this machine alone, and asks for none.",
    ));
    let mut components = ComponentsBuilder::new().schemas_from_iter(schemas);
    for (status, name, example) in refusals() {
        components = components.response(name, refusal(status, &example));
    }
    components.security_scheme("token", SecurityScheme::Http(token.build())).build()
}

fn described(operation: &Operation) -> utoipa::openapi::path::Operation {
    let mut described = OperationBuilder::new()
        .operation_id(Some(operation.id))
        .tag(operation.tag)
        .summary(Some(operation.summary))
        .description((!operation.about.is_empty()).then_some(operation.about))
        .response("200", answer(operation));
    for parameter in &operation.parameters {
        described = described.parameter(parameter.parameter());
    }
    if let Some(body) = &operation.body {
        let body = RequestBodyBuilder::new().required(Some(Required::True)).content(body.media, content(body));
        described = described.request_body(Some(body.build()));
    }
    if operation.tagged {
        let known = "The reader has this answer already: it named its ETag in If-None-Match.";
        let known = with_told(ResponseBuilder::new().description(known), operation);
        described = described.response("304", known.build());
    }
    for (status, name, _) in refusals() {
        let of_caller = operation.scope != Scope::Open && OF_CALLERS.contains(&status);
        if ALWAYS.contains(&status) || of_caller || operation.refuses.contains(&status) {
            let to = Ref::from_response_name(name);
            described = described.response(status.to_string(), RefOr::<Response>::Ref(to));
        }
    }
    let scope = match operation.scope {
        Scope::Open => return described.build(),
        Scope::Read => "read",
        Scope::Operate => "operate",
    };
    described.security(SecurityRequirement::new("token", [scope])).security(SecurityRequirement::default()).build()
}

fn answer(operation: &Operation) -> Response {
    let mut response = ResponseBuilder::new().description(operation.summary);
    for answer in &operation.answers {
        response = response.content(answer.media, content(answer));
    }
    if operation.tagged {
        let tag = HeaderBuilder::new().schema(Some(ObjectBuilder::new().schema_type(Type::String)));
        response = response.header("ETag", tag.description(Some("Of these bytes; weak: but for `as_of`")).build());
    }
    with_told(response, operation).build()
}

/// Headers that tell of an answer what a table has no place for, and what moves on while a reader has the answer already.
fn with_told(mut response: ResponseBuilder, operation: &Operation) -> ResponseBuilder {
    for told in operation.told {
        let text = ObjectBuilder::new().schema_type(Type::String);
        let (name, schema, about) = match told {
            Told::AsOf => (AS_OF.to_string(), text, "Up to when this is known, if anything is: `as_of`"),
            Told::StaleFor => {
                let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
                (STALE_FOR.to_string(), seconds, "For so many seconds this has not moved on; absent while it does")
            }
            Told::Rules => {
                let count = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
                (
                    RULES.to_string(),
                    count,
                    "So many Rules are in the JSON, which a table has no place for; absent without any",
                )
            }
            Told::Link => ("link".to_owned(), text, "Where the next page is (rel=next); absent at the end"),
        };
        let header = HeaderBuilder::new().schema(Some(schema)).description(Some(about));
        response = response.header(name, header.build());
    }
    response
}

fn content(content: &Content) -> utoipa::openapi::Content {
    ContentBuilder::new().schema(content.schema.clone()).example(content.example.clone()).build()
}

/// Every way in which requests are refused: status, name in the document, an example.
fn refusals() -> Vec<(u16, &'static str, Problem)> {
    let wrong = Mistake::new("servise", "unknown parameter; did you mean `service`?".to_owned());
    let examples = [
        ("BadRequest", Refusal::Mistakes(vec![wrong])),
        ("NotFound", Refusal::NoSuch { what: "SLO", name: "payments".to_owned() }),
        ("MethodNotAllowed", Refusal::Method { allowed: "GET, HEAD" }),
        ("NotAcceptable", Refusal::NotAcceptable { offered: vec!["application/json", "text/csv"] }),
        ("TooLarge", Refusal::TooLarge { max: 4_096 }),
        ("UnsupportedMediaType", Refusal::ContentType),
        ("Unanswerable", Refusal::Unanswerable("what only rollups know has no events; narrow from and to".to_owned())),
        ("Broken", Refusal::Broken("reading events: this cannot be answered".to_owned())),
        ("Later", Refusal::Busy),
    ];
    let denied = [
        ("Unauthorized", Denied::Missing),
        ("Forbidden", Denied::Scope(access::Scope::Operate)),
        ("TooManyRequests", Denied::TooMany { retry_after: 1 }),
    ];
    let denied = denied.map(|(name, denied)| (name, Refusal::from(&denied)));
    let told = |(name, refusal): (&'static str, Refusal)| (refusal.status().as_u16(), name, Problem::from(&refusal));
    let mut all: Vec<_> = examples.into_iter().chain(denied).map(told).collect();
    all.sort_by_key(|(status, ..)| *status);
    all
}

fn refusal(status: u16, example: &Problem) -> Response {
    let schema = Ref::from_schema_name(Problem::name());
    let content = ContentBuilder::new().schema(Some(schema)).example(Some(json!(example))).build();
    let mut response = ResponseBuilder::new().description(example.title.clone()).content(PROBLEM_JSON, content);
    if matches!(status, 429 | 503) {
        let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
        let header = HeaderBuilder::new().schema(Some(seconds)).description(Some("Seconds after which to ask again"));
        response = response.header("Retry-After", header.build());
    }
    response.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_for_one_schema() {
        let operations = crate::operations::all();
        let mut known = BTreeMap::new();
        for (name, schema) in operations.iter().flat_map(|operation| operation.schemas.iter()) {
            let schema = json!(schema);
            let first = known.entry(name).or_insert_with(|| schema.clone());
            assert_eq!(*first, schema, "two types are called {name}");
        }
        assert!(known.len() > 20, "{known:?}");
    }
}
