//! Who may ask: what describes the API is for everybody, the rest takes a token with the right scope once there are tokens.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use reqwest::Method;
use serde_json::json;
use slipstream_runtime::access::NewToken;
use slipstream_schemas::EventTime;
use slipstream_schemas::records::{Scope, Token};
use support::{World, answer, events};

/// Gives the installation a token; its text.
fn token(world: &World, scopes: &[Scope]) -> String {
    let new = NewToken::generate().unwrap();
    let token = Token {
        id: new.id().to_owned(),
        name: "test".to_owned(),
        hash: new.hash(),
        scopes: scopes.to_vec(),
        created_at: EventTime(0),
        created_by: String::new(),
        expires_at: None,
        revoked_at: None,
        revoked_by: None,
    };
    world.access.learn([(token.id.clone(), Some(token))]);
    new.text().reveal().to_owned()
}

#[tokio::test]
async fn each_operation_takes_its_scope_and_a_description_none() {
    let world = World::new().await;
    world.take(&events(0..4)).await;
    let (read, operate) = (token(&world, &[Scope::Read]), token(&world, &[Scope::Operate]));
    let open = ["/", "/viewer.js", "/viewer.css", "/openapi.json", "/postman.json"];
    for path in open {
        assert_eq!(world.api.get(path).await.status, 200, "{path}");
    }
    let status = async |method: &Method, path: &str, token: Option<&str>| {
        let mut request = world.api.request(method.clone(), path);
        if *method == Method::POST {
            request = request.json(&json!({"user_ref": "nobody"}));
        }
        let answer = answer(token.into_iter().fold(request, |request, token| request.bearer_auth(token))).await;
        if answer.status >= 400 {
            assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
            assert!(!answer.text().contains("slp_1"), "{path}");
        }
        (answer.status, answer.header("www-authenticate").to_owned())
    };
    let api = world.api.get("/openapi.json").await.ok();
    for (path, item) in api["paths"].as_object().unwrap() {
        let path = path.strip_prefix("/api/v1").unwrap();
        let (method, operation) = item.as_object().unwrap().iter().next().unwrap();
        if open.contains(&path) || path == "/stream" {
            assert_eq!(operation.get("security").is_none(), path != "/stream", "{path}");
            continue;
        }
        let method: Method = method.to_uppercase().parse().unwrap();
        let scope = operation["security"][0]["token"][0].as_str().unwrap();
        let (right, wrong) = if scope == "read" { (&read, &operate) } else { (&operate, &read) };
        let path = path.replace(['{', '}'], "");
        let none = status(&method, &path, None).await;
        assert_eq!(none, (401, "Bearer".to_owned()), "{path}");
        assert_eq!(status(&method, &path, Some("slp_1")).await.0, 401, "{path}");
        let (refused, challenge) = status(&method, &path, Some(wrong)).await;
        assert!(refused == 403 && challenge.contains("insufficient_scope"), "{path}: {refused} {challenge}");
        let allowed = status(&method, &path, Some(right)).await.0;
        assert!(matches!(allowed, 200 | 404 | 422), "{path}: {allowed}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_stream_ends_when_its_client_would_not_be_let_in_any_more() {
    let world = World::new().await;
    world.take(&events(0..4)).await;
    let mut stream = world.api.request(Method::GET, "/stream").send().await.unwrap();
    assert!(stream.chunk().await.unwrap().is_some());
    // From now on nobody is let in without a token.
    token(&world, &[Scope::Read]);
    let ended = async { while stream.chunk().await.unwrap().is_some() {} };
    tokio::time::timeout(support::DEADLINE, ended).await.expect("the stream ends");
    world.end().await;
}
