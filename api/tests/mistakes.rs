//! What is refused, and how: every mistake of a request at once, as problem+json, with what to do.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use reqwest::Method;
use support::{Answer, World, answer};

/// A refusal as RFC 9457 has it.
fn refused(answer: &Answer, status: u16, code: &str) -> serde_json::Value {
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (status, "application/problem+json"),
        "{}",
        answer.text()
    );
    let problem = answer.json();
    assert_eq!(problem["type"], format!("urn:slipstream:problem:{code}"));
    assert_eq!(problem["status"], status);
    assert!(!problem["title"].as_str().unwrap().is_empty() && !problem["detail"].as_str().unwrap().is_empty());
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("retry-after"), if status == 503 { "1" } else { "" });
    problem
}

#[tokio::test]
async fn no_more_attributes_are_asked_for_than_an_event_may_have() {
    let world = World::new().await;
    let asked = |count: usize| {
        let attributes: Vec<String> = (0..count).map(|i| format!("attribute.a{i}=x")).collect();
        format!("/events?{}", attributes.join("&"))
    };
    assert_eq!(world.api.get(&asked(32)).await.ok()["events"], serde_json::json!([]));
    for count in [33, 500] {
        let problem = refused(&world.api.get(&asked(count)).await, 400, "wrong-parameters");
        let errors = problem["errors"].as_array().unwrap();
        assert_eq!(
            (errors.len(), &errors[0]["message"]),
            (1, &format!("{count} of them; give 32 at most").into()),
            "{problem}"
        );
    }
    world.end().await;
}

#[tokio::test]
async fn every_wrong_parameter_is_told_at_once() {
    let world = World::new().await;
    let wrong = "/events?servise=pay&limit=0&from=yesterday&status_code=99&status_class=9xx&errors=yes&order=ascending\
                 &trace_id=XYZ&min_latency_ms=-1&after=1-2&user_ref=&service=a&service=b&attribute.=x";
    let long = format!("attribute.{}", "n".repeat(65));
    let (wrong, long) = (&format!("{wrong}&{long}=x&x=%ff"), long.as_str());
    let answer = world.api.get(wrong).await;
    // What is no text is told first: nothing is known of the rest then.
    let problem = refused(&answer, 400, "wrong-parameters");
    assert!(problem["errors"].as_array().unwrap().iter().any(|e| e["parameter"] == "x"), "{problem}");

    let answer = world.api.get(wrong.trim_end_matches("&x=%ff")).await;
    let problem = refused(&answer, 400, "wrong-parameters");
    let found: Vec<(&str, &str)> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["parameter"].as_str().unwrap(), e["message"].as_str().unwrap()))
        .collect();
    for (parameter, message) in [
        ("servise", "unknown parameter; did you mean `service`?"),
        ("limit", "expected a whole number from 1 to 10000, found `0`"),
        ("from", "expected a time like 2026-11-29T00:00:00Z, or a date, found `yesterday`"),
        ("status_code", "expected a whole number from 100 to 599, found `99`"),
        ("status_class", "expected a class of statuses from 1xx to 5xx, found `9xx`"),
        ("errors", "expected true or false, found `yes`"),
        ("order", "expected one of asc, desc, found `ascending`"),
        ("trace_id", "expected 32 lower-case hex digits, found `XYZ`"),
        ("min_latency_ms", "expected milliseconds from 0 to 86400000, found `-1`"),
        ("after", "expected the `next` of the previous page, unchanged, found `1-2`"),
        ("user_ref", "expected 1 to 256 characters without control characters, found ``"),
        ("service", "given 2 times; give it once"),
        ("attribute.", "expected the name after `attribute.`"),
        (long, "expected a name of 64 bytes at most, without control characters, after `attribute.`"),
    ] {
        assert!(found.contains(&(parameter, message)), "{parameter}: {message} in {found:#?}");
    }
    assert_eq!(found.len(), 14, "{found:#?}");
    world.end().await;
}

#[tokio::test]
async fn what_contradicts_itself_or_lies_ahead_is_wrong() {
    let world = World::new().await;
    for (path, parameter) in [
        ("/events?from=2026-01-02&to=2026-01-01", "from"),
        ("/events?min_latency_ms=5&max_latency_ms=4", "min_latency_ms"),
        ("/kpis?by=service&by=endpoint&by=method&by=status_code&by=environment", "by"),
        ("/kpis?by=service,service", "by"),
        ("/kpis?step=0s", "step"),
        ("/kpis?step=1.5s", "step"),
        ("/slos?as_of=2099-01-01", "as_of"),
        ("/endpoints/top?sort=budget_spent", "sort"),
        ("/health?x=1", "x"),
        ("/alerts?state=firing&state=gone", "state"),
        ("/stream?events=slos,nothing", "events"),
        ("/slos/all?name=x", "name"),
        ("/kpis?format=xml", "format"),
    ] {
        let problem = refused(&world.api.get(path).await, 400, "wrong-parameters");
        assert_eq!(problem["errors"][0]["parameter"], parameter, "{path}: {problem}");
    }
    world.end().await;
}

#[tokio::test]
async fn what_is_not_there_or_not_allowed_or_not_offered_says_what_is() {
    let world = World::new().await;
    for path in ["/nothing", "/slos/all/nothing", "/eventss"] {
        refused(&world.api.get(path).await, 404, "no-such-path");
    }
    refused(&world.api.get("/slos/nobody").await, 404, "not-found");
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
        let answer = answer(world.api.request(method.clone(), "/slos")).await;
        refused(&answer, 405, "method-not-allowed");
        assert_eq!(answer.header("allow"), "GET, HEAD", "{method}");
    }
    let erasures = answer(world.api.request(Method::GET, "/erasures")).await;
    refused(&erasures, 405, "method-not-allowed");
    assert_eq!(erasures.header("allow"), "POST");
    for (path, accept) in
        [("/slos", "text/html"), ("/health", "text/csv"), ("/stream", "application/json"), ("/", "text/csv")]
    {
        refused(&world.api.get_with(path, "accept", accept).await, 406, "not-acceptable");
    }
    // Nothing is allowed to pages of other origins: without tokens they are strangers.
    let preflight = world.api.request(Method::OPTIONS, "/slos").header("origin", "http://evil.example");
    let preflight = answer(preflight.header("access-control-request-method", "GET")).await;
    let told = preflight.headers.keys().filter(|name| name.as_str().starts_with("access-control"));
    assert_eq!((preflight.status, told.count()), (403, 0));
    world.end().await;
}

#[tokio::test]
async fn a_body_is_small_json_with_exactly_what_is_asked_for() {
    let world = World::new().await;
    let post = async |media: &str, body: &str| {
        let request = world.api.request(Method::POST, "/erasures").header("content-type", media);
        answer(request.body(body.to_owned())).await
    };
    let json = "application/json";
    for (media, body, status, code) in [
        (json, "", 400, "wrong-body"),
        (json, "{}", 400, "wrong-body"),
        (json, r#"{"user_ref": 1}"#, 400, "wrong-body"),
        (json, r#"{"user_ref": "u", "more": 1}"#, 400, "wrong-body"),
        (json, r#"{"user_ref": ""}"#, 400, "wrong-parameters"),
        (json, r#"{"user_ref": "a\u0000b"}"#, 400, "wrong-parameters"),
        (json, &format!(r#"{{"user_ref": "{}"}}"#, "x".repeat(5_000)), 413, "body-too-large"),
        ("text/plain", r#"{"user_ref": "u"}"#, 415, "unsupported-content-type"),
    ] {
        refused(&post(media, body).await, status, code);
    }
    let strange = world.api.request(Method::POST, "/erasures?x=1").header("content-type", json);
    refused(&answer(strange.body(r#"{"user_ref": "u"}"#)).await, 400, "wrong-parameters");
    world.end().await;
}

#[tokio::test]
async fn a_refusal_quotes_only_the_beginning_of_what_was_sent_and_nothing_that_acts() {
    let world = World::new().await;
    let answer = world.api.get(&format!("/slos?name=%1b[2J{}", "x".repeat(9_000))).await;
    let problem = refused(&answer, 400, "wrong-parameters");
    assert!(answer.body.len() < 2_500 && !answer.text().contains('\u{1b}'), "{problem}");
    assert!(problem["errors"][0]["message"].as_str().unwrap().contains(r"\u{1b}[2J"), "{problem}");
    world.end().await;
}
