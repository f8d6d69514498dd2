//! Through a gateway: the log gets what it would have got directly, once, whoever dies or is in the way.

use std::sync::Arc;

use slipstream_log::Log;
use slipstream_log::faults::CommitFault;
use slipstream_log::memory::{MemoryLog, MemoryOptions};
use slipstream_producer::gateway::{self, GatewayError, Limits};
use slipstream_producer::import::{Format, ImportError, Remote, Summary, Target, import_file};
use slipstream_producer::server::Credentials;
use slipstream_runtime::access::Access;
use slipstream_runtime::config::RateLimits;
use slipstream_runtime::{Health, Shutdown};
use slipstream_schemas::records::ImportPosition;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::files::{Kept, TestFile, import, json, json_lines, options};

/// More than two steps.
const LINES: usize = 20_000;

struct Gateway {
    log: Arc<MemoryLog>,
    address: String,
    health: Health,
    server: JoinSet<Result<(), GatewayError>>,
}

impl Gateway {
    async fn over(log: Arc<MemoryLog>) -> Self {
        Gateway::with(log, Limits::default()).await
    }

    async fn with(log: Arc<MemoryLog>, limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let mut server = JoinSet::new();
        let (seen, health, access) = (log.clone(), Health::default(), Access::new(RateLimits::default()));
        server.spawn(gateway::serve(listener, seen, access, limits, health.clone(), Shutdown::new()));
        // Another test of this process may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Gateway { log, address, health, server }
    }

    async fn new() -> Self {
        Gateway::over(MemoryLog::new(MemoryOptions::default())).await
    }

    fn target(&self) -> Target {
        Target::Gateway(Remote::new(&self.address, &Credentials::default()).unwrap())
    }

    async fn import(&self, file: &TestFile, format: Format) -> Result<Summary, ImportError> {
        import_file(&self.target(), &file.path, &options(format), &mut |_| {}, &Shutdown::new()).await
    }

    async fn send(&self, path: &str, body: impl Into<reqwest::Body>) -> reqwest::Response {
        reqwest::Client::new().post(format!("{}{path}", self.address)).body(body).send().await.unwrap()
    }

    async fn post(&self, body: String) -> (u16, serde_json::Value) {
        let response = self.send("/v1/imports", body).await;
        (response.status().as_u16(), response.json().await.unwrap())
    }
}

const LINES_OF_ALL_KINDS: &[u8] = b"h - - [01/Aug/1995:02:00:00 -0400] \"GET /a HTTP/1.0\" 200 17 \"-\" \"c\"\n\
    no request, and no text: \xFF\x00\n\n\
    h - - [01/Aug/1995:02:00:01 -0400] \"GET /caf\\xC3\\xA9\\\" HTTP/1.0\" 503 - \"-\" \"c\"\n";

#[tokio::test]
async fn the_log_gets_what_it_would_have_got_directly() {
    let (gateway, direct) = (Gateway::new().await, MemoryLog::new(MemoryOptions::default()));
    let file = TestFile::new(LINES_OF_ALL_KINDS);
    let through = gateway.import(&file, Format::Combined).await.unwrap();
    assert_eq!(through, import(&direct, &file, Format::Combined).await.unwrap());
    assert_eq!((through.events, through.rejected), (2, 1));
    let (got, want) = (Kept::of(&gateway.log).await, Kept::of(&direct).await);
    assert_eq!(got.events, want.events);
    assert_eq!(got.positions, want.positions);
    assert_eq!(got.dead, want.dead);
}

#[tokio::test]
async fn a_file_is_itself_whichever_way_it_comes() {
    let gateway = Gateway::new().await;
    let file = TestFile::new(json_lines(LINES));
    let first = gateway.import(&file, Format::Json).await.unwrap();
    assert_eq!((first.events, first.finished), (LINES as u64, true));
    for _ in 0..2 {
        let again = gateway.import(&file, Format::Json).await.unwrap();
        assert_eq!((again.events, again.already_imported), (0, LINES as u64));
    }
    let direct = import(&gateway.log, &file, Format::Json).await.unwrap();
    assert_eq!((direct.events, direct.already_imported), (0, LINES as u64));
    file.write(json_lines(LINES + 3));
    assert_eq!(gateway.import(&file, Format::Json).await.unwrap().events, 3);
    let other = TestFile::new(json_lines(LINES).replace("/10000\"", "/other\""));
    assert_eq!(gateway.import(&other, Format::Json).await.unwrap().events, LINES as u64);
}

#[tokio::test]
async fn l6_a_step_that_failed_or_is_in_doubt_is_there_once() {
    use CommitFault::{Aborted, InDoubtDone, InDoubtNot};
    let gateway = Gateway::new().await;
    let faults = [Aborted, InDoubtNot, InDoubtDone, Aborted, InDoubtDone];
    gateway.log.faults().fail_atomic_publishes("import", faults);
    let file = TestFile::new(json_lines(LINES));
    assert_eq!(gateway.import(&file, Format::Json).await.unwrap().events, LINES as u64);
    assert_eq!(Kept::of(&gateway.log).await.events.len(), LINES);
}

#[tokio::test]
async fn of_two_gateways_the_one_that_was_asked_last_goes_on() {
    let log = MemoryLog::new(MemoryOptions::default());
    let (a, b) = (Gateway::over(log.clone()).await, Gateway::over(log.sibling()).await);
    let file = TestFile::new(json_lines(LINES));
    assert_eq!(a.import(&file, Format::Json).await.unwrap().events, LINES as u64);
    file.write(json_lines(LINES + 1));
    assert_eq!(b.import(&file, Format::Json).await.unwrap().events, 1);
    for (more, gateway) in [(2, &a), (3, &b), (4, &a), (5, &a), (6, &b)] {
        file.write(json_lines(LINES + more));
        let last = gateway.import(&file, Format::Json).await.unwrap();
        assert_eq!((last.events, last.already_imported), (1, (LINES + more) as u64 - 1));
    }
    assert_eq!(Kept::of(&log).await.events.len(), LINES + 6);
}

#[tokio::test]
async fn an_import_into_the_log_itself_fences_a_gateway_only_for_the_moment() {
    let log = MemoryLog::new(MemoryOptions::default());
    let (gateway, direct) = (Gateway::over(log.clone()).await, log.sibling());
    let file = TestFile::new(json_lines(LINES));
    for more in [0, 2, 4] {
        file.write(json_lines(LINES + more));
        gateway.import(&file, Format::Json).await.unwrap();
        file.write(json_lines(LINES + more + 1));
        assert_eq!(import(&direct, &file, Format::Json).await.unwrap().events, 1);
    }
    assert_eq!(Kept::of(&log).await.events.len(), LINES + 5);
}

#[tokio::test]
async fn who_only_asks_stops_nobody() {
    let log = MemoryLog::new(MemoryOptions::default());
    let gateway = Gateway::over(log.clone()).await;
    let direct = log.sibling();
    direct.publish_atomically("import", Vec::new()).await.unwrap();
    let asked = gateway.send("/v1/imports/find", "the head of a file").await;
    assert_eq!(asked.json::<serde_json::Value>().await.unwrap(), serde_json::json!({"positions": []}));
    direct.publish_atomically("import", Vec::new()).await.expect("it goes on");
    assert_eq!(gateway.post(step(0)).await.0, 200);
    direct.publish_atomically("import", Vec::new()).await.expect_err("a step takes over");
}

const FILE: &str = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";

/// A step of one line, behind `from` lines, as a client would send it.
fn step(from: i64) -> String {
    let position = |n: i64| ImportPosition {
        file: FILE.to_owned(),
        head: 10,
        path: "requests.log".to_owned(),
        lines: n,
        bytes: 100 * n,
        events: n,
        rejected: 0,
        shift: 0,
        unfinished: 0,
        finished: false,
        hash: Some(n),
        checks: Vec::new(),
        reading: None,
    };
    let range = serde_json::json!({"from": position(from), "to": position(from + 1)});
    let event = json(from as usize).replacen('{', &format!(r#"{{"event_id":"f-{from}","service":"web","#), 1);
    format!("{range}\n{event}\n")
}

#[tokio::test]
async fn who_is_elsewhere_is_told_where_the_file_stands() {
    let gateway = Gateway::new().await;
    assert_eq!(gateway.post(step(0)).await.0, 200);
    assert_eq!(gateway.post(step(1)).await.0, 200);
    // An answer that was lost, a killed import that begins anew, and one that runs ahead.
    for (from, note) in [(1, "sent again"), (0, "behind"), (5, "ahead")] {
        let (status, answer) = gateway.post(step(from)).await;
        assert_eq!((status, answer["position"]["lines"].as_i64()), (409, Some(2)), "{note}: {answer}");
    }
    assert_eq!(gateway.post(step(2)).await.0, 200);
    let kept = Kept::of(&gateway.log).await;
    assert_eq!(kept.endpoints(), ["/0", "/1", "/2"]);
    assert_eq!(kept.last().lines, 3);
}

#[tokio::test]
async fn what_is_no_step_is_refused_and_writes_nothing() {
    let gateway = Gateway::new().await;
    let good = step(0);
    let (range, event) = good.split_once('\n').unwrap();
    for (body, why) in [
        (String::new(), "the body is empty"),
        (event.to_owned(), "line 1: not a file range"),
        (range.to_owned(), "the range does not match the lines that follow"),
        (format!("{range}\n{event}{event}"), "the range does not match the lines that follow"),
        (good.replace("\"events\":0", "\"events\":-9223372036854775808"), "a number is negative"),
        (good.replace(FILE, "f"), "`file` must be a SHA-256 in hex"),
        (good.replace(FILE, &format!("{FILE}-1")), "`file` must be a SHA-256 in hex"),
        (good.replace("requests.log", &"p".repeat(5_000)), "`path` has a length of 5000, at most 4096 are allowed"),
        (good.replace("requests.log", &"p".repeat(200_000)), "line 1: not a file range: it has a length of"),
        (
            good.replace("\"checks\":[]", &format!("\"checks\":[{}]", vec![r#"{"bytes":1,"hash":1}"#; 300].join(","))),
            "`checks` has a length of 300",
        ),
        (good.replace("\"status_code\":200", "\"status_code\":700"), "line 2: status_code"),
        (good.replace("\"event_id\":\"f-0\",", ""), "line 2: event_id"),
        (good.replacen(FILE, &FILE.replace('f', "0"), 1), "in both positions the same"),
        (format!("{range}\n{{\"rejected\":{{\"line\":\"1\"}}}}"), "line 2: "),
        (format!("{range}\n{}", rejected(&"c".repeat(70), "")), "line 2: `class` has a length of 70"),
        (format!("{range}\n{}", rejected("c", &"m".repeat(5_000))), "line 2: `message` has a length of 5000"),
    ] {
        let (status, answer) = gateway.post(body).await;
        assert_eq!(status, 400, "{why}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(why), "{why}: {answer}");
    }
    let kept = Kept::of(&gateway.log).await;
    assert!(kept.events.is_empty() && kept.positions.is_empty());
}

fn rejected(class: &str, message: &str) -> String {
    serde_json::json!({"rejected": {"line": "1", "class": class, "message": message, "text": ""}}).to_string()
}

#[tokio::test]
async fn a_step_that_moves_nothing_is_not_written() {
    let gateway = Gateway::new().await;
    let range = step(0).split_once('\n').unwrap().0.replace("\"events\":1", "\"events\":0");
    let still = range.replace("\"lines\":1", "\"lines\":0").replace("\"bytes\":100", "\"bytes\":0");
    assert_eq!(gateway.post(still.clone()).await.0, 409);
    let (head, tail) = still.rsplit_once("\"finished\":false").unwrap();
    let finished = format!("{head}\"finished\":true{tail}");
    assert_eq!(gateway.post(finished.clone()).await.0, 200);
    for _ in 0..3 {
        let (status, answer) = gateway.post(finished.clone()).await;
        assert_eq!((status, answer["position"]["finished"].as_bool()), (409, Some(true)), "{answer}");
    }
    assert_eq!(Kept::of(&gateway.log).await.positions.len(), 1);
}

#[tokio::test]
async fn an_import_is_answered_by_the_gateways_rules() {
    let gateway =
        Gateway::with(MemoryLog::new(MemoryOptions::default()), Limits { max_events: 3, ..Limits::default() });
    let mut gateway = gateway.await;
    let refused = gateway.send("/v1/imports", "nonsense").await;
    assert_eq!((refused.status().as_u16(), refused.headers()["x-request-id"].len()), (400, 36));
    let good = step(0);
    let (range, event) = good.split_once('\n').unwrap();
    let (status, answer) = gateway.post(format!("{range}\n{}", event.repeat(4))).await;
    assert_eq!((status, answer["error"].as_str()), (413, Some("too-many-events")));
    gateway.health.set_stopping();
    let taken = gateway.send("/v1/imports", step(0)).await;
    assert_eq!((taken.status().as_u16(), taken.headers()["connection"].to_str().unwrap()), (200, "close"));
    gateway.log.crash();
    let (status, answer) = gateway.post(step(1)).await;
    assert_eq!((status, answer["error"].as_str()), (500, Some("log-broken")), "{answer}");
    let ended = gateway.server.join_next().await.unwrap().unwrap();
    assert!(ended.expect_err("it ends").to_string().contains("crashed"));
}

#[tokio::test]
async fn a_log_that_does_not_answer_is_told_with_the_time_to_come_again() {
    let log = MemoryLog::new(MemoryOptions::default());
    let limits = Limits { publish_timeout: std::time::Duration::from_millis(50), ..Limits::default() };
    let gateway = Gateway::with(log.clone(), limits).await;
    assert_eq!(gateway.post(step(0)).await.0, 200);
    log.faults().fail_atomic_publishes("import", vec![CommitFault::Aborted; 1_000]);
    let response = gateway.send("/v1/imports", step(1)).await;
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (503, "1"));
}

#[tokio::test]
async fn an_address_where_no_gateway_is_is_named() {
    let none = Credentials::default();
    assert!(Remote::new("ftp://host", &none).is_err() && Remote::new("host:8480", &none).is_err());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let mut server = JoinSet::new();
    server.spawn(async move { axum::serve(listener, axum::Router::new()).await });
    let _ = rustls::crypto::ring::default_provider().install_default();
    let target = Target::Gateway(Remote::new(&address, &none).unwrap());
    let file = TestFile::new(json_lines(1));
    let error = import_file(&target, &file.path, &options(Format::Json), &mut |_| {}, &Shutdown::new()).await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains(&address) && error.contains("takes no imports"), "{error}");
}
