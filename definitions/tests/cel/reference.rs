//! Our filters beside cel-go itself: `make test-cel`. The test vectors of the CEL specification, and expressions made at random.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]
#![allow(clippy::print_stdout, reason = "how much was compared is part of the answer")]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use proptest::sample::select;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde::Deserialize;
use serde_json::{Value, json};
use slipstream_schemas::event::EventView;

mod ours;
mod random_filters;
mod random_patterns;

use ours::{Ours, events};

/// Expressions made at random, unless SLIPSTREAM_CEL_EXPRESSIONS says how many.
const EXPRESSIONS: usize = 40_000;

/// The program in record/ with cel-go in it.
fn recorder(argument: &str) -> Child {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cel/record");
    let mut go = Command::new("go");
    go.args(["run", ".", argument]).current_dir(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
    go.spawn().expect("Go is installed: make test-cel says what it needs")
}

fn output(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The codes of what is valid CEL and left out of filters; type names are unknown names here.
const LEFT_OUT: [&str; 3] = ["unsupported-cel", "filter-type", "filter-unknown-name"];

#[derive(Deserialize)]
struct Vector {
    name: String,
    expression: String,
    verdict: String,
}

#[test]
fn the_test_vectors_of_the_specification_hold() {
    let event = events()["paid"].1.clone();
    let (mut wrong, mut same, mut left_out) = (Vec::new(), 0, BTreeMap::<String, usize>::new());
    for line in output(recorder("vectors")).lines() {
        let Vector { name, expression, verdict } = serde_json::from_str(line).unwrap();
        match Ours::of(&expression, &event) {
            Ours::Refused(error) if LEFT_OUT.contains(&error.code) && error.help.is_some() => {
                *left_out.entry(error.message).or_default() += 1;
            }
            ours if ours.answer() == Some(&*verdict) => same += 1,
            ours => wrong.push(format!("{name}: `{expression}`: {verdict}, not {ours:?}")),
        }
    }
    println!("{same} vectors have the answer of the specification; left out with a reason:");
    left_out.iter().for_each(|(reason, count)| println!("{count:6} {reason}"));
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(same >= 300, "{same}");
}

/// The judge's verdicts on expressions, in their order.
fn verdicts(asked: &[(String, &Value)]) -> Vec<String> {
    let mut judge = recorder("judge");
    let mut input = judge.stdin.take().unwrap();
    let lines: String = asked
        .iter()
        .map(|(expression, event)| json!({"expression": expression, "event": event}).to_string() + "\n")
        .collect();
    let writing = move || input.write_all(lines.as_bytes());
    let writer = std::thread::Builder::new().name("to-the-judge".to_owned()).spawn(writing).unwrap();
    let verdicts = output(judge).lines().map(str::to_owned).collect();
    writer.join().unwrap().unwrap();
    verdicts
}

#[test]
fn expressions_made_at_random_have_the_answers_of_cel_go() {
    let (mut runner, count) = runner();
    let events = events();
    let events: Vec<&(Value, EventView<'static>)> = events.values().collect();
    let strategy = random_filters::filter();
    let mut make = || strategy.new_tree(&mut runner).unwrap().current();
    let asked: Vec<(String, &(Value, EventView<'_>))> =
        (0..count).map(|at| (make(), events[at % events.len()])).collect();
    let questions: Vec<(String, &Value)> = asked.iter().map(|(text, event)| (text.clone(), &event.0)).collect();
    let verdicts = verdicts(&questions);
    assert_eq!(verdicts.len(), asked.len());
    let mut wrong = Vec::new();
    let mut counts = BTreeMap::<&str, usize>::new();
    for ((expression, (_, event)), verdict) in asked.iter().zip(&verdicts) {
        let ours = Ours::of(expression, event);
        *counts.entry(if ours.answer().is_some() { verdict } else { "refused here" }).or_default() += 1;
        if !agrees(&ours, verdict) {
            wrong.push(format!("`{expression}`: cel-go says {verdict}, we {ours:?}"));
        }
    }
    println!("{count} expressions, {counts:?}");
    wrong.sort_by_key(String::len);
    assert!(wrong.is_empty(), "{} differ, the shortest: {:#?}", wrong.len(), &wrong[..wrong.len().min(20)]);
}

/// The same answer, or refused by both, or refused here for a limit. A wrong pattern is refused wherever it stands; to cel-go
/// it is an error where it is evaluated.
fn agrees(ours: &Ours, verdict: &str) -> bool {
    match ours {
        Ours::Answer(_) => ours.answer() == Some(verdict),
        Ours::Refused(error) => {
            let here_only = ["filter-regex", "filter-too-deep", "filter-too-long"].contains(&error.code);
            here_only || verdict == "refused"
        }
    }
}

#[test]
fn patterns_made_at_random_match_where_they_match_in_cel_go() {
    let texts = [
        "",
        "a",
        "aab",
        "BkK",
        "é",
        "ſß",
        "a1_-",
        "a b",
        "&~<,:=!#",
        "[]",
        "{2}",
        "a\\nB",
        "\\u212a\\n",
        "(a)*+?|^$.",
        "٣中文",
        "Ж€",
        "e\\u0301\\u200d",
        "\\u00a0ﬁ",
        "𝒜😀",
    ];
    let strategy = (random_patterns::pattern(), select(texts.to_vec()));
    let (mut runner, count) = runner();
    let mut make = || strategy.new_tree(&mut runner).unwrap().current();
    let made = (0..count).map(|_| make());
    let sources: Vec<String> =
        made.map(|(pattern, text)| format!("\"{text}\".matches({})", random_patterns::quoted(&pattern))).collect();
    let events = events();
    let (written, event) = &events["paid"];
    let asked: Vec<(String, &Value)> = sources.into_iter().map(|source| (source, written)).collect();
    let verdicts = verdicts(&asked);
    assert_eq!(verdicts.len(), asked.len());
    let (mut wrong, mut counts) = (Vec::new(), BTreeMap::<&str, usize>::new());
    for ((source, _), verdict) in asked.iter().zip(&verdicts) {
        let ours = Ours::of(source, event);
        *counts.entry(verdict).or_default() += 1;
        let same = match &ours {
            Ours::Answer(_) => ours.answer() == Some(verdict),
            Ours::Refused(error) => verdict == "error" || error.message.contains("it compiles to more"),
        };
        if !same {
            wrong.push(format!("`{source}`: cel-go says {verdict}, we {ours:?}"));
        }
    }
    println!("{count} patterns, {counts:?}");
    wrong.sort_by_key(String::len);
    assert!(wrong.is_empty(), "{} differ, the shortest: {:#?}", wrong.len(), &wrong[..wrong.len().min(20)]);
}

/// Chance by SLIPSTREAM_CEL_SEED, and how much is made of it.
fn runner() -> (TestRunner, usize) {
    let setting = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = setting("SLIPSTREAM_CEL_SEED").unwrap_or(1);
    let count = setting("SLIPSTREAM_CEL_EXPRESSIONS").map_or(EXPRESSIONS, |count| count as usize);
    println!("seed {seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let chance = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    (TestRunner::new_with_rng(Config::default(), chance), count)
}
