//! As it was known, on Kafka: of topics with transactions, under traffic that never ends, at once.

use jiff::Timestamp;
use serde_json::Value;
use slipstream_testkit::process::Slipstream;
use tokio::time::{Duration, Instant, sleep};

use crate::place::{Place, started, text};
use crate::stream::{self, Stream};

/// What is waited for comes within this time.
const DEADLINE: Duration = Duration::from_secs(60);

async fn asked(api: &Slipstream, path: &str) -> (u16, String) {
    let answer = reqwest::get(format!("{}/api/v1{path}", api.api())).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// The answer, once there is one.
async fn answered(api: &Slipstream, path: &str) -> String {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match asked(api, path).await {
            (200, text) => return text,
            (503, text) => assert!(Instant::now() < deadline, "{path}: {text}"),
            (status, text) => panic!("{path}: {status}: {text}"),
        }
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn what_was_stored_once_is_answered_at_once_under_traffic_without_end() {
    let place = Place::new().await;
    place.json(&["topics", "ensure", "--partitions", "request-events=2,sli-tallies=2,burn-snapshots=2"], 0).await;
    let slos = place.file("slos.yaml", &stream::slo());
    let process = place.process("gateway,tally,burn,sink,alerter,api").with(["--slos".into(), slos.into_os_string()]);
    let mut process = started(process).await;
    let stream = Stream::start(&process);
    answered(&process, "/slos/stream/history").await;
    let then = Timestamp::now();
    let paths: Vec<String> = ["/slos?", "/slos/stream?", "/kpis?", "/events?limit=5&", "/alerts?"]
        .map(|path| format!("{path}as_of={then}"))
        .into();
    // It takes some seconds until all of that moment is evaluated and stored, and not more.
    let mut first = Vec::new();
    for path in &paths {
        first.push(answered(&process, path).await);
    }
    assert!(first[0].contains("\"name\":\"stream\""), "{}", first[0]);
    for _ in 0..20 {
        for (path, first) in paths.iter().zip(&first) {
            assert_eq!(asked(&process, path).await, (200, first.clone()), "{path}");
        }
    }
    // Who has seen nothing yet finds it as well; and what lies ahead is refused, alerts too.
    let told = place.json(&["query", "slos", "--as-of", &then.to_string()], 0).await;
    let same: Value = serde_json::from_str(&first[0]).unwrap();
    assert_eq!(
        (&told["slos"][0]["total"], &told["slos"][0]["as_of"]),
        (&same["slos"][0]["total"], &same["slos"][0]["as_of"])
    );
    place.json(&["query", "alerts", "--as-of", &then.to_string()], 0).await;
    let ahead = Timestamp::now() + jiff::SignedDuration::from_hours(1);
    for query in [&["query", "alerts"][..], &["query", "top"], &["query", "kpis"]] {
        let output = place.command(&[query, &["--as-of", &ahead.to_string()]].concat()).await;
        let said = text(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains("lies ahead"), "{query:?}: {said}");
    }

    // Without traffic the store is behind by nothing, although each transaction has left an offset behind its last record.
    stream.end().await;
    let deadline = Instant::now() + DEADLINE;
    loop {
        let (_, health) = asked(&process, "/health").await;
        let health: Value = serde_json::from_str(&health).unwrap();
        if health["store"]["lag"] == 0 && health["status"] == "ok" {
            break;
        }
        assert!(Instant::now() < deadline, "{health}");
        sleep(Duration::from_millis(100)).await;
    }
    let user = serde_json::json!({"user_ref": "nobody"});
    let erase =
        reqwest::Client::new().post(format!("{}/api/v1/erasures", process.api())).json(&user).send().await.unwrap();
    let erased: Value = erase.json().await.unwrap();
    assert_eq!(erased["more_to_come"], false, "{erased}");
    assert!(process.stop().await.unwrap().success(), "{}", process.stderr());
}
