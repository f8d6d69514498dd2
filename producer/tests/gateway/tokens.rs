//! Tokens: made, listed and revoked through the gateway, and asked for by all of its routes.

use std::time::Duration;

use serde_json::{Value, json};
use slipstream_log::faults::PublishFault;
use slipstream_log::memory::MemoryLog;
use slipstream_log::{Fetch, Log, TopicPartition};
use slipstream_producer::client::{Client, ClientError, ClientOptions};
use slipstream_producer::gateway::Limits;
use slipstream_producer::server::Credentials;
use slipstream_producer::tokens::{NewOne, Tokens};
use slipstream_runtime::access::Scope;
use slipstream_schemas::records::Token;
use slipstream_schemas::{EventTime, RequestEvent, Topic, codec};
use tokio::time::timeout;

use crate::house::{Gated, House, SOON, event, house, house_on};

/// The tokens in the log, in order.
async fn stored(log: &MemoryLog) -> Vec<Token> {
    let place = TopicPartition { topic: Topic::Tokens, partition: 0 };
    let (first, end) = log.bounds(place).await.unwrap();
    let batch = log.read(place, first, end, Fetch::default()).await.unwrap();
    batch.iter().map(|record| codec::decode(record.value().unwrap()).unwrap()).collect()
}

/// Status and JSON of an answer.
async fn asked(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = timeout(SOON, request.send()).await.expect("answered in time").unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

fn request(house: &House, method: &str, path: &str, token: Option<&str>) -> reqwest::RequestBuilder {
    let request = house.http.request(method.parse().unwrap(), format!("http://{}{path}", house.address));
    token.into_iter().fold(request, |request, token| request.bearer_auth(token))
}

/// A new token's text.
async fn made(house: &House, by: Option<&str>, body: Value) -> String {
    let (status, made) = asked(request(house, "POST", "/v1/tokens", by).body(body.to_string())).await;
    assert_eq!(status, 201, "{made}");
    made["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_token_is_made_listed_and_revoked_and_its_secret_is_told_once() {
    let house = house(Limits::default()).await;
    let wanted =
        json!({"name": "admin", "scopes": ["operate", "ingest", "operate"], "expires_at": "2099-01-01T00:00:00Z"});
    let response = request(&house, "POST", "/v1/tokens", None).body(wanted.to_string()).send().await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["cache-control"]), (201, &"no-store".parse().unwrap()));
    let mut made: Value = response.json().await.unwrap();
    let text = made["token"].as_str().unwrap().to_owned();
    let [token] = &stored(&house.log).await[..] else { panic!("one record") };
    assert_eq!(token.scopes, [Scope::Ingest, Scope::Operate], "in order, each once");
    assert_eq!(
        (token.created_by.as_str(), token.expires_at.map(EventTime::rfc3339)),
        ("127.0.0.1", Some("2099-01-01T00:00:00.000000Z".to_owned()))
    );
    assert!(text.starts_with(&format!("slp_{}_", token.id)) && !text.contains(&token.hash));

    made.as_object_mut().unwrap().remove("token");
    let listed = asked(request(&house, "GET", "/v1/tokens", Some(&text))).await;
    assert_eq!(listed, (200, json!({"tokens": [made]})), "and nothing that is secret");
    let second = self::made(&house, Some(&text), json!({"name": "shop", "scopes": ["ingest"]})).await;
    let second_id = &second[4..20];
    let by = format!("admin ({})", token.id);
    assert_eq!(stored(&house.log).await[1].created_by, by);

    let revoke = |id: &str| request(&house, "DELETE", &format!("/v1/tokens/{id}"), Some(&text));
    let (status, revoked) = asked(revoke(second_id)).await;
    assert_eq!((status, &revoked["state"], &revoked["revoked_by"]), (200, &json!("revoked"), &json!(by)), "{revoked}");
    let (status, again) = asked(revoke(second_id)).await;
    assert_eq!((status, &again["revoked_at"]), (200, &revoked["revoked_at"]), "since the first time");
    let refused = asked(request(&house, "POST", "/v1/events", Some(&second)).body(event("a"))).await;
    assert_eq!((refused.0, &refused.1["error"]), (401, &json!("token-revoked")));
    assert_eq!(asked(revoke("0123456789abcdef")).await.0, 404);
    assert_eq!(asked(request(&house, "POST", "/v1/events", Some(&text)).body(event("a"))).await.0, 200);
}

#[tokio::test]
async fn every_route_asks_for_its_scope_and_the_greeting_for_none() {
    let house = house(Limits::default()).await;
    let operate = made(&house, None, json!({"name": "o", "scopes": ["operate"]})).await;
    let ingest = made(&house, Some(&operate), json!({"name": "i", "scopes": ["ingest"]})).await;
    let read = made(&house, Some(&operate), json!({"name": "r", "scopes": ["read"]})).await;
    let refused = |code: &'static str| Some(code);
    for (method, path, with_ingest, with_operate) in [
        ("POST", "/v1/events", None, refused("scope-missing")),
        ("POST", "/v1/markers", None, refused("scope-missing")),
        ("POST", "/v1/imports", None, refused("scope-missing")),
        ("POST", "/v1/imports/find", None, refused("scope-missing")),
        ("GET", "/v1/events", None, refused("scope-missing")),
        ("GET", "/v1/tokens", refused("scope-missing"), None),
        ("POST", "/v1/tokens", refused("scope-missing"), None),
        ("PUT", "/v1/tokens", refused("scope-missing"), None),
        ("DELETE", "/v1/tokens/0123456789abcdef", refused("scope-missing"), None),
        ("POST", "/nothing", None, refused("scope-missing")),
    ] {
        for (token, expected) in [
            (Some(&ingest), with_ingest),
            (Some(&operate), with_operate),
            (Some(&read), refused("scope-missing")),
            (None, refused("token-missing")),
        ] {
            let (status, answer) = asked(request(&house, method, path, token.map(String::as_str)).body("")).await;
            let code = answer["error"].as_str().filter(|_| matches!(status, 401 | 403));
            assert_eq!(code, expected, "{method} {path}: {status} {answer}");
        }
    }
    for (method, status) in [("GET", 200), ("HEAD", 200), ("POST", 405)] {
        let response = request(&house, method, "/", None).body("").send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{method}");
    }
    assert_eq!(house.stored_ids().await, [""; 0]);
}

#[tokio::test]
async fn a_refusal_has_the_shape_and_the_id_of_every_answer() {
    let house = house(Limits::default()).await;
    made(&house, None, json!({"name": "o", "scopes": ["operate"]})).await;
    let request = request(&house, "POST", "/v1/events", None).header("x-request-id", "r-1").body(event("a"));
    let reply = crate::house::reply(request).await;
    assert_eq!((reply.counts(), reply.code()), ((401, 0, 0), "token-missing"));
    assert_eq!(
        (&reply.headers["x-request-id"], &reply.headers["connection"]),
        (&"r-1".parse().unwrap(), &"close".parse().unwrap())
    );
    assert!(reply.answer.message.unwrap().contains("slipstream token create"));
}

#[tokio::test]
async fn who_sends_much_without_a_token_is_told_why_it_is_refused() {
    let house = house(Limits::default()).await;
    made(&house, None, json!({"name": "o", "scopes": ["operate"]})).await;
    // More than sockets hold: the answer comes while it is being sent.
    let much = bytes::Bytes::from(vec![b' '; 12 << 20]);
    for i in 0..20 {
        let (status, answer) = asked(house.post("/v1/events").body(much.clone())).await;
        assert_eq!((status, &answer["error"]), (401, &json!("token-missing")), "{i}");
    }
}

#[tokio::test]
async fn what_is_no_token_is_refused_with_the_reason() {
    let house = house(Limits::default()).await;
    for (body, status, code, said) in [
        ("", 400, "malformed-body", "expected {\"name\": \"ci\""),
        ("{}", 400, "malformed-body", "missing field `name`"),
        (r#"{"name": "a", "scopes": ["admin"]}"#, 400, "malformed-body", "unknown variant `admin`"),
        (r#"{"name": "a", "scopes": ["read"], "hash": ""}"#, 400, "malformed-body", "unknown field `hash`"),
        (r#"{"name": "a", "scopes": ["read"], "expires_at": "soon"}"#, 400, "malformed-body", "expires_at is no time"),
        (r#"{"name": "a", "scopes": []}"#, 422, "rule-broken", "one or more of ingest, read, operate"),
        (r#"{"name": "", "scopes": ["read"]}"#, 422, "rule-broken", "1 to 128 bytes"),
        // With it every request would need a token, and none could be made.
        (
            r#"{"name": "a", "scopes": ["ingest", "read"]}"#,
            422,
            "rule-broken",
            "`operate` in the installation's first token",
        ),
        (
            r#"{"name": "a", "scopes": ["read"], "expires_at": "2000-01-01T00:00:00Z"}"#,
            422,
            "rule-broken",
            "in the future",
        ),
    ] {
        let (found, answer) = asked(request(&house, "POST", "/v1/tokens", None).body(body)).await;
        assert_eq!((found, answer["error"].as_str()), (status, Some(code)), "{body}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(said), "{body}: {answer}");
    }
    let large = format!(r#"{{"name": "{}"}}"#, "x".repeat(20 << 10));
    assert_eq!(asked(request(&house, "POST", "/v1/tokens", None).body(large)).await.0, 413);
    let put = request(&house, "PUT", "/v1/tokens", None).send().await.unwrap();
    assert_eq!((put.status().as_u16(), &put.headers()["allow"]), (405, &"GET, HEAD, POST".parse().unwrap()));
    assert_eq!((stored(&house.log).await, house.access.needs_token()), (Vec::new(), false));
}

#[tokio::test]
async fn l1_a_token_is_told_when_the_log_has_it_and_else_that_it_is_in_doubt() {
    let gated = Gated::new();
    let limits = Limits { publish_timeout: Duration::from_millis(200), ..Limits::default() };
    let house = house_on(gated.seen.clone(), gated.log.clone(), limits).await;
    let wanted = json!({"name": "a", "scopes": ["operate"]});
    let (status, answer) = asked(request(&house, "POST", "/v1/tokens", None).body(wanted.to_string())).await;
    assert_eq!((status, answer["error"].as_str()), (504, Some("token-in-doubt")), "{answer}");
    assert!(!house.access.needs_token(), "nobody has it, so nobody is asked for one");
    // Where it lands nevertheless, nobody may list it.
    assert!(answer["message"].as_str().unwrap().contains("`slipstream token create` on its directory"), "{answer}");
    gated.gate.open(10);
    made(&house, None, wanted).await;
    assert!(house.access.needs_token());
}

#[tokio::test]
async fn a_token_is_in_doubt_after_every_error_after_which_the_log_may_have_it() {
    let house = house(Limits::default()).await;
    house.log.faults().fail_publishes([PublishFault::Busy, PublishFault::Transient]);
    let wanted = json!({"name": "a", "scopes": ["operate"]}).to_string();
    for expected in [(503, "log-busy"), (504, "token-in-doubt")] {
        let (status, answer) = asked(request(&house, "POST", "/v1/tokens", None).body(wanted.clone())).await;
        assert_eq!((status, answer["error"].as_str().unwrap()), expected, "{answer}");
    }
}

#[tokio::test]
async fn clients_show_their_token_and_are_told_what_to_do_without() {
    let house = house(Limits::default()).await;
    let address = format!("http://u:s3cret@{}", house.address);
    let remote = |token: &str| Tokens::at(&address, &Credentials::default().with_token(token)).unwrap();
    let operate = made(&house, None, json!({"name": "o", "scopes": ["operate"]})).await;
    let wanted = NewOne { name: "shop", scopes: &[Scope::Ingest], expires_at: None };
    let shop = remote(&operate).make(&wanted).await.unwrap();
    let token = shop["token"].as_str().unwrap().to_owned();
    assert_eq!(remote(&operate).list().await.unwrap()["tokens"].as_array().unwrap().len(), 2);

    let sent = async |credentials: Credentials| {
        let client = Client::with_credentials(&address, ClientOptions::default(), &credentials).unwrap();
        client.send(&[serde_json::from_str::<RequestEvent>(&event_of_client()).unwrap()]).await
    };
    assert_eq!(sent(Credentials::default().with_token(&token)).await.unwrap().inserted, 1);
    let without = sent(Credentials::default()).await.unwrap_err();
    let ClientError::Refused { status: 401, message, .. } = &without else { panic!("{without}") };
    assert!(message.contains("--token-file FILE") && !message.contains("s3cret"), "{message}");

    let id = shop["id"].as_str().unwrap();
    assert_eq!(remote(&operate).revoke(id).await.unwrap()["state"], "revoked");
    let revoked = sent(Credentials::default().with_token(&token)).await.unwrap_err().to_string();
    assert!(revoked.contains("the token was revoked") && !revoked.contains(&token[21..]), "{revoked}");
    let scope = remote(&token).list().await.unwrap_err().to_string();
    assert!(scope.contains("revoked"), "{scope}");
    let wrong = Tokens::at(&address, &Credentials::default().with_token("two\nlines")).unwrap_err().to_string();
    assert!(wrong.contains("no token has") && !wrong.contains("two"), "{wrong}");
}

/// An event in the form in which it is deserialised as it is.
fn event_of_client() -> String {
    json!({"event_id": "c", "time": 1_772_359_200_000_000_i64, "service": "pay", "environment": "", "endpoint": "/pay",
        "method": "POST", "status_code": 200, "latency_ms": null, "weight": 1, "trace_id": null, "user_ref": null,
        "attributes": {}})
    .to_string()
}
