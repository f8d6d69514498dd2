//! `slipstream slo validate` and `slo list` on files as people write them.

#![allow(clippy::unwrap_used, reason = "a test")]
#![allow(clippy::disallowed_methods, reason = "it writes the files that the program reads")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const SHOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/shop/slos.yaml");

/// Five mistakes: in a name, a filter, a window, a method and a target.
const FIVE: &str = r#"apiVersion: openslo/v1
kind: SLO
metadata:
  name: Checkout Works
spec:
  service: checkout
  indicator:
    metadata: {name: success}
    spec:
      ratioMetric:
        counter: true
        good:
          metricSource:
            type: slipstream
            spec:
              filter: status < 500
        total:
          metricSource:
            type: slipstream
            spec:
              filter: service == "checkout"
  timeWindow:
    - duration: 30 days
      isRolling: true
  budgetingMethod: Ocurrences
  objectives:
    - target: 99.5
"#;

fn slo(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_slipstream")).arg("slo").args(args).output().unwrap()
}

fn validated(paths: &[&Path]) -> (Option<i32>, Value) {
    let paths: Vec<&str> = paths.iter().map(|path| path.to_str().unwrap()).collect();
    let output = slo(&[&["validate", "--json"], paths.as_slice()].concat());
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

fn codes(answer: &Value) -> Vec<&str> {
    answer["diagnostics"].as_array().unwrap().iter().map(|diagnostic| diagnostic["code"].as_str().unwrap()).collect()
}

#[test]
fn five_mistakes_are_five_errors_with_what_to_write_instead() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("checkout.yaml");
    fs::write(&file, FIVE).unwrap();
    let output = slo(&["validate", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains('\u{1b}'), "no colours where no terminal is");
    assert_eq!(text.lines().filter(|line| line.starts_with("error[")).count(), 5, "{text}");
    assert_eq!(text.lines().last(), Some("invalid: 5 errors"));
    for (line, marked, help) in [
        (4, "  name: Checkout Works", "write `checkout-works`"),
        (16, "              filter: status < 500", "did you mean `status_code`?"),
        (23, "    - duration: 30 days", "write `30d`"),
        (25, "  budgetingMethod: Ocurrences", "did you mean `Occurrences`?"),
        (27, "    - target: 99.5", "write `targetPercent: 99.5`"),
    ] {
        let place = format!("checkout.yaml:{line}:");
        assert!([place.as_str(), marked, help].iter().all(|words| text.contains(words)), "{line} {help}: {text}");
    }
    let (code, answer) = validated(&[&file]);
    assert_eq!((code, &answer["valid"]), (Some(1), &Value::Bool(false)));
    let places: Vec<_> =
        answer["diagnostics"].as_array().unwrap().iter().map(|d| d["line"].as_i64().unwrap()).collect();
    assert_eq!(places, [4, 16, 23, 25, 27]);
    for key in ["file", "line", "column", "severity", "tier", "code", "message"] {
        assert!(answer["diagnostics"][0].get(key).is_some(), "no {key} in {answer:#}");
    }
}

#[test]
fn a_directory_is_one_set_and_each_file_of_it_counts_once() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    fs::create_dir_all(at("team/.hidden")).unwrap();
    fs::copy(SHOP, at("team/shop.yaml")).unwrap();
    fs::copy(SHOP, at("team/.hidden/copy.yaml")).unwrap();
    fs::write(at("team/notes.txt"), "not a definition").unwrap();
    fs::write(at("team/shop.test.yaml"), "no definition either").unwrap();
    symlink(at("team"), at("team/circle")).unwrap();
    symlink(at("team/shop.yaml"), at("team/link.yaml")).unwrap();
    let (code, answer) = validated(&[&at("team"), &at("team/shop.yaml")]);
    assert_eq!((code, codes(&answer)), (Some(0), vec![]), "{answer:#}");
}

#[test]
fn a_directory_may_hold_other_files_and_says_which_it_skipped() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    fs::create_dir(at("charts")).unwrap();
    fs::copy(SHOP, at("shop.yaml")).unwrap();
    fs::write(at("package.json"), r#"{"name": "shop", "scripts": {"test": "true"}}"#).unwrap();
    fs::write(at("charts/service.yaml"), "apiVersion: v1\nkind: Service\nmetadata: {name: shop}\n").unwrap();
    fs::write(at("compose.yml"), "services: {shop: {image: shop}}\n").unwrap();
    assert!(Command::new("mkfifo").arg(at("pipe.yaml")).status().unwrap().success());
    let (code, answer) = validated(&[home.path()]);
    assert_eq!((code, codes(&answer)), (Some(0), vec![]), "{answer:#}");
    let skipped: Vec<&str> = answer["skipped"].as_array().unwrap().iter().map(|file| file.as_str().unwrap()).collect();
    assert_eq!(skipped.len(), 3, "{skipped:?}");
    let output = slo(&["validate", home.path().to_str().unwrap()]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("skipped: 3 files are not OpenSLO: ") && said.contains("package.json"), "{said}");

    // Of a file that was named, and of a definition with a slip, every mistake is told.
    let (code, answer) = validated(&[home.path(), &at("package.json")]);
    assert!(code == Some(1) && !codes(&answer).is_empty(), "{answer:#}");
    fs::write(at("slip.yaml"), "kind: SLO\nmetadata: {name: slip}\n").unwrap();
    assert_eq!(validated(&[home.path()]).0, Some(1));

    fs::remove_file(at("shop.yaml")).unwrap();
    fs::remove_file(at("slip.yaml")).unwrap();
    let output = slo(&["validate", home.path().to_str().unwrap()]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("no definitions: 3 files are not OpenSLO"), "{said}");
}

#[test]
fn a_pipe_without_a_writer_is_refused_and_one_with_a_writer_is_read() {
    let home = tempfile::tempdir().unwrap();
    let pipe = home.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let (code, answer) = validated(&[&pipe]);
    assert_eq!((code, codes(&answer)), (Some(1), vec!["unreadable-file"]), "{answer:#}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_slipstream"));
    let output = command.args(["slo", "validate", "/dev/stdin"]).stdin(fs::File::open(SHOP).unwrap()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_file_that_is_no_text_is_an_error_among_the_others() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("a.yaml"), b"kind: SLO\nname: caf\xe9\n").unwrap();
    fs::write(home.path().join("b.json"), "{").unwrap();
    let (code, answer) = validated(&[home.path()]);
    let mut found = codes(&answer);
    found.sort_unstable();
    assert_eq!((code, found), (Some(1), vec!["not-utf-8", "yaml-syntax"]));
    let broken = answer["diagnostics"].as_array().unwrap().iter().find(|d| d["code"] == "not-utf-8").unwrap();
    assert_eq!((&broken["line"], &broken["column"]), (&Value::from(2), &Value::from(10)));
}

#[test]
fn a_list_says_what_each_objective_is_a_share_of() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("slo.yaml");
    let sliced = FIVE
        .replace("Checkout Works", "checkout")
        .replace("status <", "status_code <")
        .replace("30 days", "1M")
        .replace(
            "isRolling: true",
            "isRolling: false\n      calendar: {startTime: 2026-01-01 00:00:00, timeZone: Europe/Berlin}",
        )
        .replace("Ocurrences", "Timeslices")
        .replace("target: 99.5", "{target: 0.995, timeSliceTarget: 0.95, timeSliceWindow: 1m}");
    fs::write(&file, sliced).unwrap();
    let output = slo(&["list", file.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    for words in ["99.500 %", "1m slices of 95.000 %", "1M Europe/Berlin"] {
        assert!(text.contains(words), "{words}: {text}{}", String::from_utf8_lossy(&output.stderr));
    }
}
