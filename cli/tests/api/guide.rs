//! docs/api.md says what is so: each of its requests is sent, and answered as it shows.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;

use crate::shop::{self, client};

const GUIDE: &str = include_str!("../../../docs/api.md");

/// A request of the guide, and what is shown below it.
struct Shown {
    command: String,
    answer: String,
}

/// Blocks that begin with `$ curl`: the command may go over several lines.
fn shown() -> Vec<Shown> {
    let mut found = Vec::new();
    for block in GUIDE.split("```").skip(1).step_by(2) {
        for part in block.split("\n$ ").skip(1) {
            let mut lines = part.lines();
            let mut command = lines.next().unwrap_or_default().to_owned();
            while command.ends_with('\\') {
                command.pop();
                command.push_str(lines.next().unwrap_or_default().trim_start());
            }
            found.push(Shown { command, answer: lines.collect::<Vec<_>>().join("\n").trim().to_owned() });
        }
    }
    found
}

/// The words of a command, quotes removed.
fn words(command: &str) -> Vec<String> {
    let word = Regex::new(r#"'([^']*)'|"([^"]*)"|(\S+)"#).unwrap();
    let of = |found: regex::Captures<'_>| (1..4).find_map(|i| found.get(i)).unwrap().as_str().to_owned();
    word.captures_iter(command).map(of).collect()
}

/// Every name in what is shown is there, with a value of the same kind: values themselves are of their time.
fn agrees(shown: &Value, real: &Value, at: &str) {
    match (shown, real) {
        (Value::Object(shown), Value::Object(real)) => {
            for (name, value) in shown {
                // Windows and the like are names of their own time.
                let found = real.get(name).unwrap_or_else(|| panic!("{at}.{name} is not in the answer: {real:?}"));
                agrees(value, found, &format!("{at}.{name}"));
            }
        }
        (Value::Array(shown), Value::Array(real)) => {
            let Some(first) = shown.first() else { return };
            let found = real.first().unwrap_or_else(|| panic!("{at} is empty"));
            agrees(first, found, at);
        }
        (Value::Null, _) | (_, Value::Null) => {}
        (shown, real) => {
            assert_eq!(std::mem::discriminant(shown), std::mem::discriminant(real), "{at}: {shown} and {real}");
        }
    }
}

/// Sends what a curl command says, to the process.
async fn send(words: &[String], base: &str) -> (u16, BTreeMap<String, String>, String) {
    let (mut method, mut headers, mut body, mut url) = ("GET", Vec::new(), None, String::new());
    let mut rest = words.iter().skip(1);
    while let Some(word) = rest.next() {
        match word.as_str() {
            "-s" | "-i" | "-si" | "-N" | "--max-time" | "3" => {}
            "-H" => headers.push(rest.next().unwrap().split_once(": ").unwrap()),
            "-d" => (method, body) = ("POST", rest.next().cloned()),
            other => url = other.to_owned(),
        }
    }
    let url = format!("{base}{}", url.strip_prefix("localhost:8470").unwrap_or_else(|| panic!("{url}")));
    let mut request = client().request(method.parse().unwrap(), url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    if let Some(body) = body {
        request = request.body(body);
    }
    let mut answer = request.send().await.unwrap();
    let told = answer.headers().iter().map(|(n, v)| (n.to_string(), v.to_str().unwrap().to_owned())).collect();
    let status = answer.status().as_u16();
    let mut text = String::new();
    // The stream has no end.
    while let Ok(Ok(Some(chunk))) = tokio::time::timeout(std::time::Duration::from_secs(3), answer.chunk()).await {
        text.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    (status, told, text)
}

#[tokio::test]
async fn requests_of_the_guide_are_answered_as_it_shows() {
    let mut process = shop::with_traffic(&[]).await;
    let requests = shown();
    assert!(requests.len() >= 8, "only {} requests were found", requests.len());
    for Shown { command, answer } in requests {
        let words = words(&command);
        if words[0] == "slipstream" {
            let arguments: Vec<&str> = words[1..].iter().map(String::as_str).take_while(|word| *word != ">").collect();
            let ran = tokio::process::Command::new(shop::BINARY).args(&arguments).output().await.unwrap();
            assert!(ran.status.success(), "{command}");
            continue;
        }
        let (status, headers, text) = send(&words, &process.api()).await;
        let (head, body) = match answer.strip_prefix("HTTP/1.1 ") {
            Some(shown) => {
                let (head, body) = shown.split_once("\n\n").unwrap_or((shown, ""));
                (Some(head), body)
            }
            None => (None, answer.as_str()),
        };
        let expected = head.map_or(200, |head| head[..3].parse().unwrap());
        assert_eq!(status, expected, "{command}: {text}");
        for line in head.into_iter().flat_map(|head| head.lines().skip(1)) {
            let (name, _) = line.split_once(": ").unwrap();
            assert!(headers.contains_key(name), "{command}: no {name} in {headers:?}");
        }
        let body = body.replace("...", "");
        match serde_json::from_str::<Value>(&body) {
            Ok(shown) => {
                agrees(&shown, &serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}")), &command)
            }
            // A table, or the stream: its first words are.
            Err(_) => {
                let first = body.lines().next().unwrap_or_default();
                let known: String = first.chars().take_while(|c| !c.is_ascii_digit() && *c != '{').collect();
                assert!(text.contains(known.trim_end()), "{command}: {known} is not in {text}");
            }
        }
    }
    process.stop().await.unwrap();
}

#[test]
fn every_operation_is_in_the_guide() {
    let api: Value = serde_json::from_str(&slipstream_api::openapi_text()).unwrap();
    for path in api["paths"].as_object().unwrap().keys() {
        let path = path.strip_prefix("/api/v1").unwrap();
        let described =
            path.starts_with("/viewer") || GUIDE.contains(&format!("`{path}`")) || GUIDE.contains(&format!("{path}`"));
        assert!(described, "{path} is not in docs/api.md");
    }
}
