//! `slipstream query --server`: a server says what log and store say.

use std::process::{Output, Stdio};

use slipstream_testkit::process::Slipstream;
use tokio::process::Command;

use super::shop::{BINARY, with_traffic};

/// What a command printed: standard output, standard error, and whether it succeeded.
fn printed(output: Output) -> (String, String, bool) {
    let (out, said, code) = ended(output);
    (out, said, code == Some(0))
}

fn ended(output: Output) -> (String, String, Option<i32>) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code())
}

async fn there(process: &Slipstream, question: &[&str], more: &[&str]) -> (String, String, bool) {
    asked(&process.api(), question, more).await
}

async fn asked(api: &str, question: &[&str], more: &[&str]) -> (String, String, bool) {
    printed(output(api, question, more).await)
}

async fn output(api: &str, question: &[&str], more: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(question).args(["--server", api]).args(more).stdin(Stdio::null()).kill_on_drop(true);
    command.output().await.unwrap()
}

#[tokio::test]
async fn a_server_answers_what_log_and_store_answer() {
    let process = with_traffic(&[]).await;
    let (from, to) = ("2020-01-01", "2100-01-01T00:00:00Z");
    let questions: &[&[&str]] = &[
        &["query", "kpis"],
        &["query", "kpis", "--by", "endpoint", "--by", "status_code", "--step", "5m"],
        &["query", "kpis", "--by", "status_class", "--service", "payment", "--min-latency", "100", "--source", "raw"],
        &["query", "kpis", "--by", "service", "--by", "endpoint", "--by", "method", "--by", "status_code"],
        &["query", "hourly", "--by", "service"],
        &["query", "daily", "--by", "endpoint", "--by", "status_class"],
        &["query", "top", "--sort", "p95", "--limit", "2"],
        &["query", "top", "--status-code", "503", "--min-latency", "10", "--attribute", "region=eu-central-1"],
        &["query", "events", "--newest", "--limit", "3", "--status-code", "503", "--attribute", "region=eu-central-1"],
        &["query", "history", "payment-availability", "--from", from, "--to", to, "--step", "365d"],
        &["query", "contributors", "payment-availability", "--by", "attribute.region", "--limit", "1"],
        &["query", "alerts", "--from", from, "--state", "firing"],
        &["query", "notifications", "--from", from],
    ];
    for question in questions {
        let here = printed(process.command(*question).await.unwrap());
        assert!(
            here.2 && here.0.lines().count() > usize::from(question[1] != "notifications"),
            "{question:?}: {here:?}"
        );
        assert_eq!(there(&process, question, &[]).await, here, "{question:?}");
        let table: Vec<&str> = question.iter().copied().chain(["--csv"]).collect();
        let here = printed(process.command(&table).await.unwrap());
        let head = here.0.split("\r\n").next().unwrap_or_default();
        assert!(here.2 && head.contains(','), "{table:?}: {here:?}");
        assert_eq!(there(&process, &table, &[]).await, here, "{table:?}");
    }
    // One event, one alert: nothing of them is a table.
    let first = |text: &str, column: &str| {
        let (head, row) = text.split_once("\r\n").unwrap();
        let column = head.split(',').position(|name| name == column).unwrap();
        row.split(',').nth(column).unwrap().to_owned()
    };
    let (alerts, ..) = there(&process, &["query", "alerts", "--csv"], &[]).await;
    for question in [["query", "event", "e-42"], ["query", "alert", &first(&alerts, "id")]] {
        let here = printed(process.command(question).await.unwrap());
        assert!(here.2 && here.0.lines().count() > 4, "{question:?}: {here:?}");
        assert_eq!(there(&process, &question, &[]).await, here, "{question:?}");
    }
    let (event, ..) = there(&process, &["query", "event", "e-42", "--json"], &[]).await;
    assert!(!event.contains('\u{202e}'), "{event}");
    let event: serde_json::Value = serde_json::from_str(&event).unwrap();
    assert_eq!((&event["status_code"], &event["attributes"]["note"]), (&503.into(), &"a\u{202e}b".into()));
    let (slos, ..) = there(&process, &["slo", "status", "--csv"], &[]).await;
    assert!(slos.starts_with("name,service,objective,") && slos.contains("payment-availability"), "{slos}");
    // What it prints as JSON is the API's own answer.
    let (json, _, _) = there(&process, &["query", "kpis", "--by", "endpoint", "--json"], &[]).await;
    let rows: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((rows["rows"].as_array().unwrap().len(), rows["as_of"].is_string()), (3, true), "{json}");

    // A status is another one a second later.
    for question in [["query", "slos"], ["slo", "status"]] {
        let names = |(out, _, ok): (String, String, bool)| {
            assert!(ok && out.contains("New card provider"), "{out}");
            out.lines().filter_map(|line| line.split_whitespace().next().map(str::to_owned)).collect::<Vec<_>>()
        };
        let here = names(printed(process.command(question).await.unwrap()));
        assert_eq!(names(there(&process, &question, &[]).await), here);
    }
    let as_of = (jiff::Timestamp::now() - jiff::SignedDuration::from_secs(1)).to_string();
    let then = there(&process, &["slo", "status", "--as-of", &as_of, "--json"], &[]).await;
    assert!(then.2 && then.0.contains("payment-availability"), "{then:?}");
}

#[tokio::test]
async fn what_a_server_refuses_is_told_with_what_to_do() {
    let process = with_traffic(&[]).await;
    let (_, said, ok) = there(&process, &["query", "contributors", "nothing"], &[]).await;
    assert!(!ok && said.contains("status 404") && said.contains("nothing"), "{said}");
    let swapped = ["--from", "2026-02-01", "--to", "2026-01-01"];
    for (question, more, expected) in [
        (&["query", "events"][..], &swapped[..], "status 400"),
        (&["query", "kpis"], &["--by", "service", "--by", "service"], "status 400 Bad Request: by: service twice"),
        (&["query", "hourly"], &["--from", "2026-01-01T00:30:00Z"], "status 422"),
        (&["query", "history", "payment-availability"], &["--group", "colour=red"], "status 422"),
    ] {
        let (_, said, code) = ended(output(&process.api(), question, more).await);
        assert!(code == Some(2) && said.contains(expected), "{question:?} {more:?}: {code:?} {said}");
    }
    // Something else answers.
    let (_, said, code) = ended(output(&format!("{}/nowhere", process.api()), &["query", "kpis", "--json"], &[]).await);
    assert!(code == Some(1) && said.contains("status 404"), "{said}");
    let (_, said, code) = ended(output("slo.example.org:8470", &["query", "kpis"], &[]).await);
    assert!(code == Some(2) && said.contains("like http://host:8470"), "{said}");
    // Only one of both can be asked.
    let (_, said, ok) = there(&process, &["query", "kpis"], &["--data", "somewhere"]).await;
    assert!(!ok && said.contains("--server"), "{said}");
    let (_, said, ok) = there(&process, &["query", "kpis"], &["--token-file", "/nowhere/token"]).await;
    assert!(!ok && said.contains("--token-file"), "{said}");

    // From the first token on it asks for one.
    let made = process.command(["token", "create", "--name", "reader", "--scopes", "read,operate"]).await.unwrap();
    let token = String::from_utf8(made.stdout).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, &token).unwrap();
    super::shop::until("a token is asked for", async || !there(&process, &["query", "kpis"], &[]).await.2).await;
    let (_, said, _) = there(&process, &["query", "kpis"], &[]).await;
    assert!(said.contains("status 401") && said.contains("--token-file"), "{said}");
    let (out, said, ok) = there(&process, &["query", "kpis"], &["--token-file", file.to_str().unwrap()]).await;
    assert!(ok && out.contains("600"), "{said}");
    assert!(!said.contains(token.trim()));

    let gone = process.api();
    drop(process);
    let (_, said, ok) = asked(&gone, &["query", "kpis"], &[]).await;
    assert!(!ok && said.contains(&format!("{gone} does not answer")), "{said}");
}
