//! The description of the API says what is so.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;
use support::{Answer, World, answer, events};

/// Path, method and operation of each.
fn operations(api: &Value) -> Vec<(&str, Method, &Value)> {
    let paths = api["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, item)| {
            item.as_object().unwrap().iter().map(move |(method, operation)| {
                (path.as_str(), method.to_uppercase().parse::<Method>().unwrap(), operation)
            })
        })
        .collect()
}

/// A path with its parameters, each with its example.
fn example_of(path: &str, operation: &Value) -> (String, String) {
    let (mut path, mut query) = (path.strip_prefix("/api/v1").unwrap().to_owned(), Vec::new());
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let example = match &parameter["example"] {
            Value::String(text) => text.clone(),
            Value::Array(values) => values[0].as_str().unwrap().to_owned(),
            other => other.to_string(),
        };
        let name = parameter["name"].as_str().unwrap();
        if parameter["in"] == "path" {
            path = path.replace(&format!("{{{name}}}"), &example);
        } else {
            query.push(format!("{name}={}", example.replace('/', "%2F")));
        }
    }
    (path, query.join("&"))
}

/// What an answer has of the headers of this API is in the document.
fn headers_are_documented(operation: &Value, answer: &Answer, path: &str) {
    let documented = &operation["responses"][answer.status.to_string()]["headers"];
    for name in ["etag", "link", "retry-after", "slipstream-as-of", "slipstream-stale-for"] {
        let is_told = documented.as_object().into_iter().flatten().any(|(known, _)| known.eq_ignore_ascii_case(name));
        let by_reference = documented.is_null() && answer.status != 200;
        assert!(answer.header(name).is_empty() || is_told || by_reference, "{path}: {name} is not documented");
    }
}

#[tokio::test]
async fn what_tables_have_no_place_for_is_in_documented_headers() {
    let world = World::new().await;
    world.take(&events(0..4)).await;
    let api = world.api.get("/openapi.json").await.ok();
    for (path, asked, headers) in [
        ("/events", "limit=1&format=csv", &["etag", "link", "slipstream-as-of"][..]),
        ("/kpis", "format=csv", &["etag", "slipstream-as-of"]),
        ("/slos", "format=csv", &["etag", "slipstream-as-of"]),
        ("/notifications", "format=csv", &["etag", "slipstream-as-of"]),
    ] {
        let answer = world.api.get(&format!("{path}?{asked}")).await;
        for name in headers {
            assert!(!answer.header(name).is_empty(), "{path}: no {name}");
        }
        headers_are_documented(&api["paths"][format!("/api/v1{path}")]["get"], &answer, path);
    }
    let stale = &api["paths"]["/api/v1/slos"]["get"]["responses"]["200"]["headers"]["slipstream-stale-for"];
    assert_eq!(stale["schema"]["type"], "integer");
    world.end().await;
}

#[tokio::test]
async fn every_documented_operation_is_a_route_and_its_examples_are_understood() {
    let world = World::new().await;
    world.take(&events(0..4)).await;
    let api = world.api.get("/openapi.json").await.ok();
    assert_eq!(api["openapi"], "3.1.0");
    let operations = operations(&api);
    assert_eq!(operations.len(), 23, "{:?}", operations.iter().map(|(path, ..)| path).collect::<Vec<_>>());
    let ids: BTreeSet<&str> = operations.iter().map(|(_, _, o)| o["operationId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), operations.len(), "ids are unique");
    for (path, method, operation) in operations {
        let documented: Vec<u16> =
            operation["responses"].as_object().unwrap().keys().map(|status| status.parse().unwrap()).collect();
        let (path, query) = example_of(path, operation);
        if path == "/stream" {
            continue;
        }
        for query in ["", &query] {
            let body = operation["requestBody"]["content"]["application/json"]["example"].clone();
            let mut request = world.api.request(method.clone(), &format!("{path}?{query}"));
            if !body.is_null() {
                request = request.json(&body);
            }
            let answer = answer(request).await;
            let said = answer.text();
            assert!(documented.contains(&answer.status), "{path}?{query}: {}: {said}", answer.status);
            // Nothing of an example is wrong: it finds something, or nothing, or is not known yet.
            assert!(matches!(answer.status, 200 | 404 | 422 | 503), "{path}?{query}: {}: {said}", answer.status);
            assert!(!said.contains("no-such-path"), "{path} is no route");
            headers_are_documented(operation, &answer, &path);
        }
        // A parameter that is not documented is refused.
        let strange = answer(world.api.request(Method::GET, &format!("{path}?not_documented=1"))).await;
        assert!(matches!(strange.status, 400 | 405), "{path}: {}", strange.status);
    }
    world.end().await;
}

#[tokio::test]
async fn all_that_is_referred_to_is_there_and_everything_is_described() {
    let world = World::new().await;
    let api = world.api.get("/openapi.json").await.ok();
    let mut references = BTreeSet::new();
    collect(&api, &mut references);
    for reference in &references {
        let found = reference.strip_prefix('#').and_then(|pointer| api.pointer(pointer));
        assert!(found.is_some(), "{reference} is nowhere");
    }
    let schemas = api["components"]["schemas"].as_object().unwrap();
    let known: BTreeSet<String> = schemas.keys().map(|name| format!("#/components/schemas/{name}")).collect();
    let of_stream = ["SlosChanged", "Transition"].map(|name| format!("#/components/schemas/{name}"));
    let unused: Vec<&String> =
        known.iter().filter(|name| !references.contains(*name) && !of_stream.contains(name)).collect();
    assert!(unused.is_empty(), "{unused:?}");
    for (name, schema) in schemas {
        for (property, described) in schema["properties"].as_object().into_iter().flatten() {
            let told =
                described["description"].is_string() || described["$ref"].is_string() || described["oneOf"].is_array();
            assert!(told, "{name}.{property} is not described");
        }
    }
    for (path, _, operation) in operations(&api) {
        assert!(operation["summary"].is_string() && operation["tags"][0].is_string(), "{path}");
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["description"].is_string() && !parameter["example"].is_null(), "{path}: {parameter}");
        }
    }
    world.end().await;
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            references.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
            map.values().for_each(|value| collect(value, references));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}

#[tokio::test]
async fn the_document_is_the_same_with_and_without_a_server() {
    let world = World::new().await;
    assert_eq!(world.api.get("/openapi.json").await.text(), slipstream_api::openapi_text());
    assert_eq!(world.api.get("/postman.json").await.text(), slipstream_api::postman_text());
    world.end().await;
}

#[tokio::test]
async fn the_collection_has_a_request_for_every_operation() {
    let api: Value = serde_json::from_str(&slipstream_api::openapi_text()).unwrap();
    let collection: Value = serde_json::from_str(&slipstream_api::postman_text()).unwrap();
    let folders = collection["item"].as_array().unwrap().iter();
    let items: Vec<&Value> = folders.flat_map(|folder| folder["item"].as_array().unwrap()).collect();
    assert_eq!(items.len(), operations(&api).len());
    let slo = items.iter().find(|item| item["name"] == "One SLO in detail").unwrap();
    assert_eq!(slo["request"]["url"]["raw"], "{{baseUrl}}/api/v1/slos/:name");
    assert_eq!(slo["request"]["url"]["variable"][0]["value"], "payment-availability");
    assert!(items.iter().all(|item| item["event"][0]["script"]["exec"][1].as_str().unwrap().contains("200")));
}

#[tokio::test]
async fn the_viewer_needs_nothing_from_elsewhere() {
    let world = World::new().await;
    let home = answer(reqwest::Client::new().get(&world.api.base)).await;
    assert!(home.status == 200 && home.text().contains("<title>Slipstream API</title>"), "it leads to the viewer");
    for (path, media) in [("/", "text/html"), ("/viewer.js", "text/javascript"), ("/viewer.css", "text/css")] {
        let part = world.api.get(path).await;
        assert!(part.header("content-type").starts_with(media), "{path}: {}", part.header("content-type"));
        let policy = part.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let text = part.text();
        for elsewhere in
            ["http://", "https://", "//cdn", "localStorage", "sessionStorage", "innerHTML", "document.cookie"]
        {
            assert!(!text.contains(elsewhere), "{path} has {elsewhere}");
        }
    }
    world.end().await;
}
