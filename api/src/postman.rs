//! The OpenAPI document as a Postman collection (v2.1): a request for each operation, with a test of its status.

use serde_json::{Map, Value, json};

/// Where the collection finds the API, unless its user says otherwise.
const BASE_URL: &str = "http://127.0.0.1:8470";
const SCHEMA: &str = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json";

/// The collection of an OpenAPI document. Its variables are `baseUrl` and `token`; a request whose token is empty sends none.
pub fn collection(openapi: &Value) -> Value {
    let folders = openapi["tags"].as_array().into_iter().flatten().map(|tag| {
        let requests: Vec<Value> = operations(openapi)
            .filter(|(_, _, operation)| operation["tags"][0] == tag["name"])
            .map(|(path, method, operation)| item(path, method, operation))
            .collect();
        json!({"name": tag["name"], "description": tag["description"], "item": requests})
    });
    json!({
        "info": {
            "name": openapi["info"]["title"],
            "description": openapi["info"]["description"],
            "version": openapi["info"]["version"],
            "schema": SCHEMA,
        },
        "item": folders.collect::<Vec<Value>>(),
        "variable": [
            {"key": "baseUrl", "value": BASE_URL},
            {"key": "token", "value": ""},
        ],
        "event": [script("prerequest", &[
            "if (pm.variables.get('token')) {",
            "    pm.request.headers.upsert({key: 'Authorization', value: 'Bearer ' + pm.variables.get('token')});",
            "}",
        ])],
    })
}

/// Path, method and operation of each.
fn operations(openapi: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = openapi["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(path, item)| {
        let methods = item.as_object().into_iter().flatten();
        methods.map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    })
}

fn item(path: &str, method: &str, operation: &Value) -> Value {
    let mut request = json!({
        "method": method.to_uppercase(),
        "description": operation["description"],
        "header": [],
        "url": url(path, operation),
    });
    let content = &operation["requestBody"]["content"];
    if let Some((media, body)) = content.as_object().and_then(|content| content.iter().next()) {
        request["header"] = json!([{"key": "Content-Type", "value": media}]);
        let example = serde_json::to_string_pretty(&body["example"]).unwrap_or_default();
        request["body"] = json!({"mode": "raw", "raw": example});
    }
    json!({
        "name": operation["summary"],
        "request": request,
        "response": [],
        "event": [script("test", &tests(operation).iter().map(String::as_str).collect::<Vec<_>>())],
        "protocolProfileBehavior": {"disableBodyPruning": true},
    })
}

/// A parameter of the query is there, but off, so that a request works as it is; those of the path are examples.
fn url(path: &str, operation: &Value) -> Value {
    let segments: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(segment).collect();
    let parameters = operation["parameters"].as_array();
    let of = |place: &str| parameters.into_iter().flatten().filter(move |p| p["in"] == *place).collect::<Vec<_>>();
    let query: Vec<Value> = of("query").into_iter().map(|p| described(p, true)).collect();
    let variables: Vec<Value> = of("path").into_iter().map(|p| described(p, false)).collect();
    let slash = if path.ends_with('/') { "/" } else { "" };
    json!({
        "raw": format!("{{{{baseUrl}}}}/{}{slash}", segments.join("/")),
        "host": ["{{baseUrl}}"],
        "path": segments.into_iter().chain((slash == "/").then(String::new)).collect::<Vec<_>>(),
        "query": query,
        "variable": variables,
    })
}

/// `{name}` is `:name` in Postman.
fn segment(part: &str) -> String {
    match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
        Some(name) => format!(":{name}"),
        None => part.to_owned(),
    }
}

fn described(parameter: &Value, disabled: bool) -> Value {
    let mut described = Map::new();
    described.insert("key".to_owned(), parameter["name"].clone());
    described.insert("value".to_owned(), Value::String(example(&parameter["example"])));
    described.insert("description".to_owned(), parameter["description"].clone());
    if disabled {
        described.insert("disabled".to_owned(), Value::Bool(true));
    }
    Value::Object(described)
}

/// As it stands in a query string.
fn example(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(example).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// The status is one that the document has, and not one of something broken.
fn tests(operation: &Value) -> Vec<String> {
    let statuses: Vec<&str> =
        operation["responses"].as_object().into_iter().flatten().map(|(s, _)| s.as_str()).collect();
    let good = statuses.iter().filter(|status| **status < "500").copied().collect::<Vec<_>>().join(", ");
    vec![
        "pm.test('the status is a documented one', function () {".to_owned(),
        format!("    pm.expect(pm.response.code).to.be.oneOf([{good}]);"),
        "});".to_owned(),
    ]
}

fn script(listen: &str, lines: &[&str]) -> Value {
    json!({"listen": listen, "script": {"type": "text/javascript", "exec": lines}})
}
