//! docs/slo.md says what is so: its definitions are valid, its mistakes are told as it shows, its tests pass, and fail as it
//! shows.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;
use std::process::{Command, Output};

use slipstream_definitions::definition::Ratio;
use slipstream_definitions::filter::Filter;
use slipstream_definitions::policy;

const GUIDE: &str = include_str!("../../docs/slo.md");
const DAY: i64 = 86_400;

/// A fenced block: the name in the comment above it, its language, its text.
struct Block {
    name: Option<&'static str>,
    language: &'static str,
    text: String,
}

fn blocks() -> Vec<Block> {
    let lines: Vec<&str> = GUIDE.lines().collect();
    let fences: Vec<usize> = (0..lines.len()).filter(|i| lines[*i].starts_with("```")).collect();
    let block = |pair: &[usize]| Block {
        name: lines[pair[0] - 1].strip_prefix("<!-- ").and_then(|line| line.strip_suffix(" -->")),
        language: lines[pair[0]].trim_start_matches('`'),
        text: lines[pair[0] + 1..pair[1]].join("\n") + "\n",
    };
    fences.chunks_exact(2).map(block).collect()
}

fn named(name: &str) -> String {
    blocks().into_iter().find(|block| block.name == Some(name)).unwrap_or_else(|| panic!("no block {name}")).text
}

/// Definitions that are given as they are: the first is the guide's example of five minutes.
fn definitions() -> Vec<String> {
    let plain = blocks().into_iter().filter(|block| block.name.is_none() && block.language == "yaml");
    plain.map(|block| block.text).collect()
}

fn slipstream(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slipstream"));
    command.args(arguments).current_dir(folder).env("NO_COLOR", "1").output().unwrap()
}

/// Standard output without the times that tests took.
fn told(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    let took = regex::Regex::new(r"( in)? +[0-9]+\.[0-9]+ s").unwrap();
    text.lines().map(|line| took.replace(line, "").into_owned()).collect::<Vec<_>>().join("\n")
}

fn in_folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn definitions_in_the_guide_are_valid_without_a_warning() {
    let definitions = definitions();
    assert!(definitions.len() >= 7, "only {} definitions were found", definitions.len());
    for text in definitions {
        let folder = in_folder(&[("slo.yaml", &text)]);
        let output = slipstream(folder.path(), &["slo", "validate", "slo.yaml"]);
        let (told, is_policy) = (told(&output), text.contains("kind: AlertPolicy"));
        assert!(output.status.success(), "{text}\n{told}");
        // A policy by itself guards nothing, which is worth a word.
        assert!(is_policy || told.starts_with("valid: "), "{text}\n{told}");
    }
}

#[test]
fn filters_in_the_guide_compile() {
    let from = GUIDE.find("A filter is a").unwrap();
    let to = GUIDE.find("Types are checked").unwrap();
    let filters: Vec<&str> = GUIDE[from..to].lines().filter_map(|line| line.strip_prefix("    ")).collect();
    assert_eq!(filters.len(), 5);
    for filter in filters {
        assert!(Filter::compile(filter).is_ok(), "{filter}");
    }
}

#[test]
fn mistakes_are_told_as_the_guide_shows() {
    let folder = in_folder(&[("mistakes.yaml", &named("mistakes.yaml"))]);
    let output = slipstream(folder.path(), &["slo", "validate", "mistakes.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), named("mistakes.txt").trim_end());
}

#[test]
fn the_guides_test_passes_and_fails_as_it_shows() {
    let test = named("payment.test.yaml");
    let folder = in_folder(&[("payment.yaml", &definitions()[0]), ("payment.test.yaml", &test)]);
    let output = slipstream(folder.path(), &["slo", "test", "."]);
    assert!(output.status.success(), "{}", told(&output));

    std::fs::write(folder.path().join("payment.test.yaml"), test.replace("53.7 %", "60 %")).unwrap();
    let output = slipstream(folder.path(), &["slo", "test", "payment.test.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    let shown = Output { stdout: named("payment.test.txt").into_bytes(), ..output.clone() };
    assert_eq!(told(&output).trim_end(), told(&shown).trim_end());
}

#[test]
fn lines_of_traffic_and_events_in_the_guide_are_read() {
    let indented = |text: &str, before: &str| text.lines().map(|line| format!("{before}{line}\n")).collect::<String>();
    let traffic = indented(&named("traffic"), "        - ");
    let events = indented(&named("events"), "        ");
    let head = "definitions: [payment.yaml]\ntests:\n  - name: all lines\n";
    let test = format!(
        "{head}    given:\n      traffic:\n{traffic}      events:\n{events}    expect:\n      - {{at: 3h, sli: above 0}}\n"
    );
    let folder = in_folder(&[("payment.yaml", &definitions()[0]), ("all.test.yaml", &test)]);
    let output = slipstream(folder.path(), &["slo", "test", "."]);
    assert!(output.status.success(), "{test}\n{}", told(&output));
}

#[test]
fn the_table_of_default_alerts_is_that_of_the_code() {
    let target = Ratio { num: 9_999, den: 10_000 };
    for days in [7, 28, 30, 90] {
        let begin = format!("| {days} d | ");
        let row = GUIDE.lines().find_map(|line| line.strip_prefix(&begin)).unwrap();
        let tiers: Vec<&str> = row.trim_end_matches(" |").split("; ").collect();
        let rules = policy::defaults(days * DAY, target).rules;
        assert_eq!(tiers.len(), rules.len(), "{days} d");
        for (written, rule) in tiers.iter().zip(rules) {
            let factor = rule.condition.threshold;
            let number = written.split(['(', ')']).nth(1).unwrap();
            assert!(
                written.starts_with(&format!("{}: ", rule.name)) && written.ends_with(&rule.severity.name),
                "{written}"
            );
            assert!((number.parse::<f64>().unwrap() - factor.as_f64()).abs() < 1e-4, "{written}");
        }
    }
}
