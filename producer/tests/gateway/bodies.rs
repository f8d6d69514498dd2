//! Bodies: every form, plain and packed, right and wrong, strict and not.

use slipstream_producer::answer::Answer;
use slipstream_producer::gateway::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::house::{House, SOON, bad, event, gzip, house, reply};

const LINES: &str = "application/x-ndjson";
const JSON: &str = "application/json";

#[tokio::test]
async fn every_form_is_taken_plain_and_packed() {
    let one = event("a");
    let list = format!("[{},\n {}]", event("a"), event("b"));
    let wrapped = format!("{{\"events\": {list}}}");
    let lines = format!("{}\r\n\n{}\n", event("a"), event("b"));
    for (form, content_type, body, expected) in [
        ("one event", Some(JSON), &one, &["a"][..]),
        ("one event, no type", None, &one, &["a"]),
        ("one line", Some(LINES), &one, &["a"]),
        ("a list", Some(JSON), &list, &["a", "b"]),
        ("a list, curl's type", Some("application/x-www-form-urlencoded"), &list, &["a", "b"]),
        ("wrapped", Some("application/json; charset=utf-8"), &wrapped, &["a", "b"]),
        ("lines", Some(LINES), &lines, &["a", "b"]),
        ("lines, no type", None, &lines, &["a", "b"]),
    ] {
        for packed in [false, true] {
            let house = house(Limits::default()).await;
            let mut request = house.post("/v1/events");
            request = if packed {
                request.header("Content-Encoding", "gzip").body(gzip(body))
            } else {
                request.body(body.clone())
            };
            if let Some(content_type) = content_type {
                request = request.header("Content-Type", content_type);
            }
            let reply = reply(request).await;
            assert_eq!(reply.counts(), (200, expected.len() as u64, 0), "{form}, packed: {packed}: {:?}", reply.answer);
            assert_eq!(house.stored_ids().await, expected, "{form}, packed: {packed}");
        }
    }
}

#[tokio::test]
async fn an_event_arrives_as_it_was_sent() {
    let house = house(Limits::default()).await;
    let body = r#"{"event_id":"e","time":1772359200250000,"service":"pay","environment":"eu","endpoint":"/pay/{id}",
        "method":"POST","status_code":503,"latency_ms":12.5,"weight":7,"trace_id":"0123456789abcdef0123456789abcdef",
        "user_ref":"u1","attributes":{"region":"north","retries":2,"cached":false}}"#;
    assert_eq!(house.send("", body).await.counts(), (200, 1, 0));
    let [event] = &house.stored().await[..] else { panic!() };
    assert_eq!(
        (event.time.0, event.status_code, event.latency_ms, event.weight),
        (1_772_359_200_250_000, 503, Some(12.5), 7)
    );
    assert_eq!((event.environment.as_str(), event.user_ref.as_deref()), ("eu", Some("u1")));
    let attributes: Vec<(&str, &str)> = event.attributes.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(attributes, [("cached", "false"), ("region", "north"), ("retries", "2")]);
}

#[tokio::test]
async fn what_is_valid_goes_in_and_each_wrong_one_is_named() {
    let house = house(Limits::default()).await;
    let body = format!("[{}, {}, 7, {}]", event("a"), bad("b"), event("c"));
    let reply = house.send("", body).await;
    assert_eq!(reply.counts(), (200, 2, 2), "{:?}", reply.answer);
    let [wrong_status, no_event] = &reply.answer.errors[..] else { panic!("{:?}", reply.answer) };
    assert_eq!((wrong_status.index, wrong_status.event_id.as_deref()), (1, Some("b")));
    assert_eq!(wrong_status.field.as_deref(), Some("status_code"));
    assert!(wrong_status.message.contains("42"), "{}", wrong_status.message);
    assert_eq!((no_event.index, &no_event.event_id), (2, &None));
    assert_eq!((no_event.error.as_str(), no_event.field.as_deref()), ("not-an-event", None));
    assert_eq!(no_event.message, "must be a JSON object, found `7`");
    assert_eq!(house.stored_ids().await, ["a", "c"]);

    let lines = format!("{}\n{{\"broken\n{}\n", event("d"), event("e"));
    let reply = house.send("", lines).await;
    assert_eq!(reply.counts(), (200, 2, 1), "a broken line spoils no other: {:?}", reply.answer);
    assert_eq!(reply.answer.errors[0].index, 1);
    assert_eq!(house.stored_ids().await, ["a", "c", "d", "e"]);
}

#[tokio::test]
async fn strict_is_all_or_nothing() {
    let house = house(Limits::default()).await;
    let mixed = format!("[{}, {}]", event("a"), bad("b"));
    let reply = house.send("?strict=true", mixed.clone()).await;
    assert_eq!(reply.counts(), (422, 0, 1));
    assert_eq!((reply.code(), reply.answer.errors[0].index), ("rejected", 1));
    assert!(house.stored_ids().await.is_empty());
    let good = format!("[{}, {}]", event("a"), event("b"));
    assert_eq!(house.send("?strict=true", good).await.counts(), (200, 2, 0));
    assert_eq!(house.send("?strict=false", mixed).await.counts(), (200, 1, 1));
}

#[tokio::test]
async fn when_all_are_wrong_the_status_says_so() {
    let house = house(Limits::default()).await;
    let reply = house.send("", format!("[{}, {}]", bad("a"), bad("b"))).await;
    assert_eq!((reply.counts(), reply.code(), reply.answer.errors.len()), ((422, 0, 2), "rejected", 2));
    assert_eq!(house.send("", "[]").await.counts(), (200, 0, 0), "nothing was asked, nothing is wrong");
}

#[tokio::test]
async fn an_event_without_an_id_gets_one_and_the_sender_is_told() {
    let house = house(Limits::default()).await;
    let anonymous = event("x").replace("\"event_id\":\"x\",", "");
    let reply = house.send("", format!("[{anonymous}, {}, {anonymous}]", event("a"))).await;
    assert_eq!(reply.counts(), (200, 3, 0), "{:?}", reply.answer);
    let given: Vec<(usize, &str)> = reply.answer.ids.iter().map(|g| (g.index, g.event_id.as_str())).collect();
    let [(0, first), (2, second)] = given[..] else { panic!("{given:?}") };
    assert_ne!(first, second);
    assert_eq!(uuid::Uuid::parse_str(first).unwrap().get_version_num(), 7);
    let mut expected = vec![first.to_owned(), second.to_owned(), "a".to_owned()];
    expected.sort();
    assert_eq!(house.stored_ids().await, expected);
}

#[tokio::test]
async fn a_body_that_is_refused_as_a_whole_says_why_and_leaves_nothing() {
    let house = house(Limits { max_body: 4096, max_events: 3, ..Limits::default() }).await;
    let post = |query: &str| house.post(&format!("/v1/events{query}"));
    let large = format!("[{}]", vec![event("a"); 40].join(","));
    let packed = || post("").header("Content-Encoding", "gzip");
    for (what, request, status, code) in [
        ("empty", post("").body(""), 400, "malformed-body"),
        ("no JSON", post("").body("hello"), 400, "malformed-body"),
        ("half a list", post("").body("[{\"a\": 1},"), 400, "malformed-body"),
        ("bad UTF-8", post("").body(b"[\"\xE9\"]".to_vec()), 400, "malformed-body"),
        ("misspelt strict", post("?stict=true").body(event("a")), 400, "bad-parameter"),
        ("strict=maybe", post("?strict=maybe").body(event("a")), 400, "bad-parameter"),
        ("no gzip", packed().body(event("a")), 400, "not-gzip"),
        ("half a gzip", packed().body(gzip(event("a"))[..20].to_vec()), 400, "not-gzip"),
        ("too many events", post("").body("[1,2,3,4]"), 413, "too-many-events"),
        ("too many lines", post("").body(format!("{}\n", event("a")).repeat(4)), 413, "too-many-events"),
        ("too large", post("").body(large.clone()), 413, "body-too-large"),
        ("too large when unpacked", packed().body(gzip(&large)), 413, "body-too-large"),
        ("XML", post("").header("Content-Type", "application/xml").body("<a/>"), 415, "unsupported-content-type"),
        ("brotli", post("").header("Content-Encoding", "br").body(event("a")), 415, "unsupported-content-encoding"),
        (
            "twice packed",
            post("").header("Content-Encoding", "gzip, gzip").body(event("a")),
            415,
            "unsupported-content-encoding",
        ),
    ] {
        let reply = reply(request).await;
        assert_eq!((reply.status, reply.code()), (status, code), "{what}: {:?}", reply.answer);
        assert!(reply.answer.message.is_some_and(|m| m.len() > 10), "{what}");
    }
    assert!(house.stored().await.is_empty());
}

#[tokio::test]
async fn a_body_of_unannounced_size_is_held_to_the_limit_too() {
    let house = house(Limits { max_body: 4096, ..Limits::default() }).await;
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    let head = "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("3e8\r\n{}\r\n", " ".repeat(1000));
    stream.write_all(format!("{head}{}0\r\n\r\n", chunk.repeat(5)).as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(SOON, stream.read_to_string(&mut answer)).await.expect("answered").unwrap();
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("body-too-large"), "{answer}");
}

#[tokio::test]
async fn a_bomb_is_refused() {
    let house = house(Limits { max_body: 1 << 20, ..Limits::default() }).await;
    let bomb = gzip(vec![b' '; 256 << 20]);
    assert!(bomb.len() < 1 << 20);
    let reply = reply(house.post("/v1/events").header("Content-Encoding", "gzip").body(bomb)).await;
    assert_eq!((reply.status, reply.code()), (413, "body-too-large"));
}

#[tokio::test]
async fn a_body_much_larger_than_the_limit_still_gets_its_answer() {
    let house = house(Limits { max_body: 64 << 10, ..Limits::default() }).await;
    for _ in 0..3 {
        let reply = house.send("", vec![b' '; 20 << 20]).await;
        assert_eq!((reply.status, reply.code()), (413, "body-too-large"));
        let reply = house.send("?stict", vec![b' '; 20 << 20]).await;
        assert_eq!((reply.status, reply.code()), (400, "bad-parameter"));
    }
}

#[tokio::test]
async fn a_sender_that_asks_first_is_refused_before_it_sends() {
    let house = house(Limits { max_body: 4096, ..Limits::default() }).await;
    for (length, more, expected) in [(5000, "", "HTTP/1.1 413"), (10, "Content-Type: text/xml\r\n", "HTTP/1.1 415")] {
        let mut stream = TcpStream::connect(house.address).await.unwrap();
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n"
        );
        stream.write_all(format!("{head}{more}\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(SOON, stream.read_to_string(&mut answer)).await.expect("answered, and closed").unwrap();
        assert!(answer.starts_with(expected), "{answer}");
    }
}

#[tokio::test]
async fn a_large_packed_body_goes_in_whole() {
    let house = house(Limits::default()).await;
    let all: Vec<String> = (0..20_000).map(|i| event(&format!("e{i:05}"))).collect();
    let request = house.post("/v1/events").header("Content-Type", LINES).header("Content-Encoding", "gzip");
    let reply = reply(request.body(gzip(all.join("\n"))).timeout(SOON)).await;
    assert_eq!(reply.counts(), (200, 20_000, 0));
}

#[tokio::test]
async fn every_answer_names_its_request_and_the_root_says_what_this_is() {
    let house = house(Limits::default()).await;
    let reply = reply(house.post("/v1/events").header("x-request-id", "mine-1").body(event("a"))).await;
    assert_eq!(reply.headers["x-request-id"], "mine-1");
    let refused = house.send("", "nonsense").await;
    assert_eq!(refused.headers["x-request-id"].len(), 36);

    let get = |path: &str| house.http.get(format!("http://{}{path}", house.address)).send();
    let root = get("/").await.unwrap();
    assert!(root.status() == 200 && root.text().await.unwrap().contains("/v1/events"));
    let wrong = get("/v1/events").await.unwrap();
    assert_eq!((wrong.status().as_u16(), wrong.headers()["allow"].to_str().unwrap()), (405, "POST"));
    let wrong: Answer = wrong.json().await.unwrap();
    assert_eq!(wrong.error.as_deref(), Some("method-not-allowed"));
    assert!(wrong.message.is_some_and(|m| m.contains("GET is not allowed") && m.contains("POST events to /v1/events")));
    assert_eq!(reply_to_post_at_root(&house).await, (405, "GET, HEAD".to_owned()));
    assert_eq!(get("/v2/events").await.unwrap().status(), 404);
}

async fn reply_to_post_at_root(house: &House) -> (u16, String) {
    let reply = reply(house.post("/").body(event("a"))).await;
    (reply.status, reply.headers["allow"].to_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_time_that_is_hardly_meant_is_taken_and_told() {
    let house = house(Limits::default()).await;
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_micros();
    let at = |id: &str, time: u128| {
        format!(r#"{{"event_id":"{id}","time":{time},"service":"s","endpoint":"/","method":"GET","status_code":200}}"#)
    };
    let body = [at("fine", now), at("milliseconds", now / 1_000), at("seconds", now / 1_000_000), at("ahead", 2 * now)];
    let reply = house.send("", format!("[{}]", body[..3].join(","))).await;
    assert_eq!(reply.counts(), (200, 3, 0), "{:?}", reply.answer);
    let [late] = &reply.answer.warnings[..] else { panic!("{:?}", reply.answer) };
    assert_eq!((late.warning.as_str(), late.events, late.first), ("too-late", 2, 1));
    assert!(late.message.contains("(the first: 1970-01-") && late.message.contains("microseconds"), "{}", late.message);
    let reply = house.send("", body[3].clone()).await;
    assert_eq!(reply.answer.warnings[0].warning, "in-the-future", "{:?}", reply.answer);
    assert!(house.send("", body[0].clone()).await.answer.warnings.is_empty());
    // Other tests of this process count, too.
    let counted = |name: &str| {
        let metrics = slipstream_runtime::metrics::render();
        let line = metrics.lines().find(|line| line.starts_with(name)).expect("it is there").to_owned();
        line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    assert!(counted("slipstream_gateway_too_late_events_total ") >= 2);
    assert!(counted("slipstream_gateway_future_events_total ") >= 1);
}

#[tokio::test]
async fn what_is_answered_is_counted() {
    let house = house(Limits::default()).await;
    assert_eq!(house.send("", format!("[{}, {}]", event("a"), bad("b"))).await.counts(), (200, 1, 1));
    house.send("", "nonsense").await;
    let metrics = slipstream_runtime::metrics::render();
    for counter in [
        "slipstream_gateway_events_total{outcome=\"inserted\"}",
        "slipstream_gateway_events_total{outcome=\"rejected\"}",
        "slipstream_gateway_requests_total{answer=\"ok\"}",
        "slipstream_gateway_requests_total{answer=\"malformed-body\"}",
        "slipstream_gateway_body_bytes_total",
        "slipstream_gateway_request_seconds_count{answer=\"ok\"}",
    ] {
        let line = metrics.lines().find(|l| l.starts_with(counter)).unwrap_or_else(|| panic!("{counter}:\n{metrics}"));
        // Other tests of this process count, too.
        assert!(line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() >= 1.0, "{line}");
    }
}

#[tokio::test]
async fn what_a_store_cannot_keep_or_has_two_meanings_is_refused_at_the_door() {
    let house = house(Limits::default()).await;
    for (more, field) in [
        (r#""user_ref":"u\u0000""#, "user_ref"),
        (r#""attributes":{"tenant\u0000":"a"}"#, "attributes"),
        (r#""attributes":{"tenant":"a\u0000b"}"#, "attributes.tenant"),
        (r#""attributes":{"tenant":"a","tenant":"b"}"#, "attributes.tenant"),
        (r#""attributes":{"tenant":"a","tenant":"a"}"#, "attributes.tenant"),
        (r#""status_code":503"#, "status_code"),
    ] {
        let wrong = event("wrong").replacen('{', &format!("{{{more},"), 1);
        let reply = house.send("?strict=true", format!("[{}, {wrong}]", event("right"))).await;
        assert_eq!((reply.counts(), reply.code()), ((422, 0, 1), "rejected"), "{more}: {:?}", reply.answer);
        let [error] = &reply.answer.errors[..] else { panic!("{more}: {:?}", reply.answer) };
        assert_eq!((error.index, error.field.as_deref()), (1, Some(field)), "{more}");
        let reply = house.send("", wrong + "\n" + &event("right")).await;
        assert_eq!(reply.counts(), (200, 1, 1), "{more}: {:?}", reply.answer);
    }
    assert!(house.stored_ids().await.iter().all(|id| id == "right"));
}

#[tokio::test]
async fn numbers_in_attributes_arrive_with_every_digit() {
    let house = house(Limits::default()).await;
    let sent = [("a", "18446744073709551617"), ("b", "9007199254740993000007"), ("c", "0.10"), ("d", "-0")];
    let pairs: Vec<String> = sent.iter().map(|(key, number)| format!("\"{key}\":{number}")).collect();
    let body = event("digits").replacen('{', &format!("{{\"attributes\":{{{}}},", pairs.join(",")), 1);
    assert_eq!(house.send("", body).await.counts(), (200, 1, 0));
    let [kept] = &house.stored().await[..] else { panic!() };
    let attributes: Vec<(&str, &str)> = kept.attributes.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(attributes, sent);
}
