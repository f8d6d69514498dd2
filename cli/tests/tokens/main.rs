//! `slipstream token`, and what a process does with tokens: embedded, by its own commands, while it runs and while it does not.
#![allow(clippy::unwrap_used, reason = "a test")]

mod doors;
#[path = "../support/mod.rs"]
mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::{Value, json as object};
use slipstream_testkit::process::Slipstream;
use support::{BINARY, arg, json, run, slipstream, told};

/// Within what a change takes effect in every process, and some time for a machine that is busy.
const SOON: Duration = Duration::from_secs(10);

const EVENT: &str =
    r#"{"event_id":"a","time":"2026-03-01T10:00:00Z","service":"pay","endpoint":"/","method":"GET","status_code":200}"#;

fn token(data: &Path, args: &[&str]) -> Output {
    run(&[&["token"], args, &["--data", arg(data)]].concat())
}

/// A new token's text.
fn created(data: &Path, name: &str, scopes: &str, more: &[&str]) -> String {
    let made = token(data, &[&["create", "--name", name, "--scopes", scopes], more].concat());
    let (code, printed, said) = told(&made);
    assert_eq!(code, Some(0), "{said}");
    printed.trim_end().to_owned()
}

fn listed(data: &Path) -> Vec<Value> {
    json(&["token", "list", "--json", "--data", arg(data)])["tokens"].as_array().unwrap().clone()
}

/// Status and answer of an event that is posted.
async fn posted(gateway: &str, token: Option<&str>) -> (u16, Value) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let request = reqwest::Client::new().post(format!("{gateway}/v1/events")).body(EVENT);
    let request = token.into_iter().fold(request, |request, token| request.bearer_auth(token));
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn until(gateway: &str, token: Option<&str>, code: Option<&str>) {
    let deadline = Instant::now() + SOON;
    loop {
        let (status, answer) = posted(gateway, token).await;
        if answer["error"].as_str() == code {
            return;
        }
        assert!(Instant::now() < deadline, "{code:?} does not come: {status} {answer}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[test]
fn a_token_is_made_listed_and_revoked_in_a_directory_that_nobody_owns() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let made = token(&data, &["create", "--name", "admin", "--scopes", "operate,ingest,operate", "--expires", "90d"]);
    let (code, printed, said) = told(&made);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("every request to it needs one") && said.contains("the only time"), "{said}");
    let text = printed.trim_end();
    assert!(text.starts_with("slp_") && text.len() == 85 && printed.ends_with('\n'), "the token and nothing else");
    let (id, secret) = (&text[4..20], &text[21..]);

    let all = listed(&data);
    let [only] = &all[..] else { panic!("{all:?}") };
    assert_eq!((&only["id"], &only["name"], &only["state"]), (&object!(id), &object!("admin"), &object!("valid")));
    assert_eq!(only["scopes"], object!(["ingest", "operate"]));
    let time = |field: &str| only[field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let lasts = time("expires_at").duration_since(time("created_at")).as_hours();
    assert!((90 * 24 - 1..=90 * 24).contains(&lasts), "{only}");
    let table = told(&token(&data, &["list"])).1;
    assert!(table.starts_with("ID ") && table.contains("ingest,operate") && table.contains(id), "{table}");
    assert!(!table.contains(secret) && !format!("{all:?}").contains(secret), "it is shown once");

    let (code, printed, said) = told(&token(&data, &["revoke", id]));
    assert_eq!(code, Some(0), "{said}");
    assert!(printed.starts_with(&format!("revoked: admin ({id})")), "{printed}");
    let revoked = json(&["token", "revoke", id, "--json", "--data", arg(&data)]);
    assert_eq!((&revoked["state"], &listed(&data)[0]["state"]), (&object!("revoked"), &object!("revoked")));
    let (code, _, said) = told(&token(&data, &["revoke", "0123456789abcdef"]));
    assert!(code == Some(1) && said.contains("there is no token with the id 0123456789abcdef"), "{said}");
    let json = json(&["token", "create", "--name", "x", "--scopes", "read", "--json", "--data", arg(&data)]);
    assert!(json["token"].as_str().unwrap().starts_with("slp_") && json["expires_at"].is_null(), "{json}");
}

#[test]
fn a_file_gets_the_token_for_its_owner_alone_and_nothing_is_overwritten() {
    let home = tempfile::tempdir().unwrap();
    let (data, file) = (home.path().join("data"), home.path().join("ci.token"));
    let create = ["create", "--name", "ci", "--scopes", "ingest", "--out", arg(&file)];
    let (code, printed, said) = told(&token(&data, &create));
    assert_eq!((code, printed.as_str()), (Some(0), ""), "{said}");
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(text.starts_with("slp_") && !said.contains(&text[21..85]), "{said}");

    let (code, _, said) = told(&token(&data, &create));
    assert!(code == Some(1) && said.contains("nothing is overwritten, and no token was made"), "{said}");
    assert_eq!((listed(&data).len(), std::fs::read_to_string(&file).unwrap()), (1, text.clone()));

    let reuse = [&create[..], &["--reuse"]].concat();
    let (code, _, said) = told(&token(&data, &reuse));
    assert!(code == Some(0) && said.contains("nothing to do"), "{said}");
    assert_eq!((listed(&data).len(), std::fs::read_to_string(&file).unwrap()), (1, text.clone()));
    let more = ["create", "--name", "ci", "--scopes", "ingest,read", "--out", arg(&file), "--reuse", "--json"];
    let (code, printed, said) = told(&token(&data, &more));
    let made: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((code, made.get("token")), (Some(0), None), "{said}");
    assert_ne!(std::fs::read_to_string(&file).unwrap(), text, "its scopes were too few");
    assert!(token(&data, &["revoke", made["id"].as_str().unwrap()]).status.success());
    assert!(token(&data, &reuse).status.success());
    assert_eq!(listed(&data).len(), 3, "a revoked one is replaced");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 2, "no draft is left");
}

#[test]
fn what_is_wrong_is_told_and_a_token_in_the_wrong_place_is_not_repeated() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let secret = format!("slp_0123456789abcdef_{}", "ab".repeat(32));
    let long = "x".repeat(129);
    for (args, code, said) in [
        (&["create", "--scopes", "read"][..], 2, "--name"),
        (&["create", "--name", "a"], 2, "--scopes"),
        (&["create", "--name", "a", "--scopes", "admin"], 2, "expected one of ingest, read, operate"),
        (&["create", "--name", "a", "--scopes", "read", "--expires", "soon"], 2, "expected a duration"),
        (&["create", "--name", "a", "--scopes", "read", "--reuse"], 2, "--out"),
        (&["create", "--name", &long, "--scopes", "read"], 2, "1 to 128 bytes, is 129"),
        (&["revoke", &secret], 2, "expected a token's id"),
        (&["revoke", "0123456789abcdef"], 1, "no such data directory"),
        (&["list"], 1, "no such data directory"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let (found, printed, told) = told(&token(&home.path().join("nothing"), args));
        assert_eq!((found, told.contains(said)), (Some(code), true), "{args:?}: {told}");
        assert!(!printed.contains("abab") && !told.contains("abab"), "{told}");
    }
    assert!(!data.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_process_runs_tokens_go_through_its_gateway_and_take_effect_at_once() {
    let mut process = Slipstream::new(BINARY).unwrap();
    process.start().await.unwrap();
    let (data, gateway) = (process.data(), process.gateway());
    assert_eq!(posted(&gateway, None).await.0, 200, "without tokens loopback may everything");
    let home = tempfile::tempdir().unwrap();
    let admin = home.path().join("admin.token");
    let (code, _, said) = told(&token(&data, &["create", "--name", "shop", "--scopes", "ingest"]));
    assert!(code == Some(1) && said.contains("must have `operate` in the installation's first token"), "{said}");
    assert_eq!(posted(&gateway, None).await.0, 200, "nobody is locked out");
    let (code, _, said) =
        told(&token(&data, &["create", "--name", "admin", "--scopes", "operate", "--out", arg(&admin)]));
    assert!(code == Some(0) && said.contains("the directory is in use: asking the gateway at"), "{said}");
    assert!(said.contains("every request to it needs one") && !said.contains("no token has the scope"), "{said}");
    assert_eq!(posted(&gateway, None).await.1["error"], "token-missing");

    let (code, _, said) = told(&token(&data, &["create", "--name", "shop", "--scopes", "ingest"]));
    assert!(code == Some(1) && said.contains("--token-file FILE"), "{said}");
    let shown = ["--token-file", arg(&admin)];
    let shop = created(&data, "shop", "ingest", &shown);
    assert_eq!(posted(&gateway, Some(&shop)).await.0, 200);
    let by_variable = slipstream(&["token", "revoke", &shop[4..20], "--to", &gateway])
        .env("SLIPSTREAM_TOKEN", std::fs::read_to_string(&admin).unwrap())
        .output()
        .unwrap();
    assert!(by_variable.status.success(), "{}", told(&by_variable).2);
    assert_eq!(posted(&gateway, Some(&shop)).await.1["error"], "token-revoked");
    let states: Vec<Value> = listed(&data).into_iter().map(|token| token["state"].clone()).collect();
    assert_eq!(states, ["valid", "revoked"], "read beside the owner");

    // A proxy of the environment sees nothing of it.
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let variable = format!("http://{}", proxy.local_addr().unwrap());
    let mut list = slipstream(&["token", "list", "--to", &gateway, "--token-file", arg(&admin)]);
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        list.env(name, &variable);
    }
    let (code, _, said) = told(&list.env_remove("NO_PROXY").env_remove("no_proxy").output().unwrap());
    assert_eq!(code, Some(0), "{said}");
    assert!(proxy.accept().is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock));

    let short = created(&data, "short", "ingest", &[&shown[..], &["--expires", "1s"]].concat());
    until(&gateway, Some(&short), Some("token-expired")).await;
    // Commands that bring something in show theirs in the same way.
    let ingest = home.path().join("ingest.token");
    created(&data, "ingest", "ingest", &[&shown[..], &["--out", arg(&ingest)]].concat());
    let file = home.path().join("events.ndjson");
    std::fs::write(&file, format!("{EVENT}\n")).unwrap();
    for (command, with) in [
        (&["mark", "note", "x"][..], "SLIPSTREAM_TOKEN_FILE"),
        (&["import", "--format", "json", arg(&file)], "SLIPSTREAM_TOKEN_FILE"),
    ] {
        let args = [command, &["--to", &gateway]].concat();
        let (code, _, said) = told(&run(&args));
        assert!(code == Some(1) && said.contains("pass one with --token-file FILE"), "{command:?}: {said}");
        let good = slipstream(&args).env(with, &ingest).output().unwrap();
        assert!(good.status.success(), "{command:?}: {}", told(&good).2);
    }
    assert!(process.stop().await.unwrap().success());
}

/// Every form in which the secret of a token could be found.
fn forms(token: &str) -> Vec<String> {
    vec![token[21..].to_owned(), token[21..53].to_owned(), format!("{}_", &token[..20])]
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_reaches_a_line_or_a_metric_whatever_is_logged() {
    let mut process = Slipstream::new(BINARY).unwrap().with(["--log-level", "trace"]);
    let good = created(&process.data(), "good", "ingest", &[]);
    let other = created(&process.data(), "other", "operate", &[]);
    process.start().await.unwrap();
    let gateway = process.gateway();
    let wrong = format!("{}{}", &good[..21], "cd".repeat(32));
    let broken = format!("{good}x");
    assert_eq!(posted(&gateway, Some(&good)).await.0, 200);
    for (token, code) in [(&other, "scope-missing"), (&wrong, "token-unknown"), (&broken, "token-malformed")] {
        assert_eq!(posted(&gateway, Some(token)).await.1["error"], code);
    }
    let made = tokio::task::spawn_blocking({
        let (gateway, other) = (gateway.clone(), other.clone());
        move || {
            let args =
                ["token", "create", "--name", "new", "--scopes", "read", "--to", &gateway, "--log-level", "trace"];
            slipstream(&args).env("SLIPSTREAM_TOKEN", other).output().unwrap()
        }
    });
    let made = made.await.unwrap();
    let (code, printed, said) = told(&made);
    assert_eq!(code, Some(0), "{said}");
    let new = printed.trim_end().to_owned();
    let failed = slipstream(&["mark", "note", "x", "--to", &gateway]).env("SLIPSTREAM_TOKEN", &wrong).output().unwrap();
    let metrics = reqwest::get(format!("{}/metrics", process.ops())).await.unwrap().text().await.unwrap();
    assert!(process.stop().await.unwrap().success());
    let lines = process.stderr();
    let (_, marked, refused) = told(&failed);
    for what in [&good, &other, &wrong, &broken, &new] {
        for form in forms(what) {
            for (place, text) in
                [("lines", &lines), ("metrics", &metrics), ("create", &said), ("mark", &marked), ("mark", &refused)]
            {
                assert!(!text.contains(&form), "{form} is in {place}");
            }
        }
    }
    assert!(!lines.to_ascii_lowercase().contains("bearer "), "no header either");

    // And what is told of who did what.
    let audit: Vec<Value> = lines
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .filter(|line: &Value| line["target"] == "audit")
        .collect();
    let find = |matches: &dyn Fn(&Value) -> bool| audit.iter().find(|line| matches(line)).cloned().unwrap_or_default();
    let who = |token: &str, name: &str| format!("{name} ({})", &token[4..20]);
    let ingested = find(&|line| line["outcome"] == "200");
    assert_eq!(
        (&ingested["level"], &ingested["who"], &ingested["route"], &ingested["peer"]),
        (&object!("DEBUG"), &object!(who(&good, "good")), &object!("/v1/events"), &object!("127.0.0.1"))
    );
    let made = find(&|line| line["outcome"] == "201");
    assert_eq!(
        (&made["level"], &made["who"], &made["method"]),
        (&object!("INFO"), &object!(who(&other, "other")), &object!("POST"))
    );
    let recorded = find(&|line| line["message"] == "a token was made");
    assert_eq!((&recorded["who"], &recorded["name"]), (&object!(who(&other, "other")), &object!("new")), "{audit:#?}");
    let lacking = find(&|line| line["outcome"] == "scope-missing");
    assert_eq!(
        (&lacking["level"], &lacking["who"], &lacking["scope"]),
        (&object!("INFO"), &object!(who(&other, "other")), &object!("ingest"))
    );
    let unknown = find(&|line| line["outcome"] == "token-unknown");
    assert_eq!((&unknown["who"], &unknown["refusals"]), (&object!("-"), &object!(1)), "{audit:#?}");
    assert!(
        metrics.contains("slipstream_access_requests_total{outcome=\"token-unknown\",scope=\"ingest\"} "),
        "{metrics}"
    );
}
