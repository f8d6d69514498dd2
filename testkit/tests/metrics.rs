//! Names of metrics: base units written out, as Prometheus requires (promtool check metrics), and nothing refers to one
//! that is not there: not a dashboard, not a document; and the guide to metrics has every one.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What promtool takes for an abbreviated unit.
const ABBREVIATED: [&str; 16] =
    ["s", "ms", "us", "ns", "sec", "b", "kb", "mb", "gb", "tb", "pb", "m", "h", "d", "msec", "secs"];

const REGISTERED_BY: [&str; 4] = ["counter(", "gauge(", "seconds(", "histogram("];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All files of an extension below a folder of the repository.
fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") && !path.ends_with("node_modules") {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
}

/// The names that a text registers: a name is the first argument, on the same line or the next.
fn registered(text: &str) -> impl Iterator<Item = &str> {
    let calls = REGISTERED_BY.iter().flat_map(|call| text.split(call).skip(1));
    let first = calls.filter_map(|after| after.trim_start().strip_prefix('"')?.split('"').next());
    // One that takes its help from a variable has it before.
    first.filter(|name| name.starts_with("slipstream_"))
}

fn metrics() -> BTreeSet<String> {
    let mut sources = Vec::new();
    for entry in fs::read_dir(root()).unwrap() {
        let source = entry.unwrap().path().join("src");
        if source.is_dir() {
            files(&source, "rs", &mut sources);
        }
    }
    let texts = sources.iter().map(|source| fs::read_to_string(source).unwrap());
    texts.flat_map(|text| registered(&text).map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[test]
fn no_name_has_an_abbreviated_unit() {
    let metrics = metrics();
    assert!(metrics.len() > 25, "{metrics:#?}");
    for name in metrics {
        let abbreviated = name.split('_').find(|part| ABBREVIATED.contains(part));
        assert_eq!(abbreviated, None, "{name}: write the unit out, in base units");
    }
}

/// Words in a text that start like a metric.
fn mentioned(text: &str) -> impl Iterator<Item = &str> {
    let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    text.split(word).filter(|word| word.starts_with("slipstream_") && word.matches('_').count() > 1)
}

#[test]
fn dashboards_and_documents_speak_of_metrics_that_are_there() {
    let metrics = metrics();
    let mut texts = Vec::new();
    files(&root().join("grafana"), "json", &mut texts);
    files(&root().join("docs"), "md", &mut texts);
    files(&root().join("compose"), "yaml", &mut texts);
    assert!(texts.len() > 5, "{texts:?}");
    for path in texts {
        let text = fs::read_to_string(&path).unwrap();
        for name in mentioned(&text) {
            let base = ["_bucket", "_count", "_sum"].iter().find_map(|suffix| name.strip_suffix(suffix));
            let there = metrics.contains(name) || base.is_some_and(|base| metrics.contains(base));
            assert!(there, "{}: no metric {name}", path.display());
        }
    }
}

#[test]
fn the_guide_lists_every_metric() {
    let guide = fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let first = |line| str::strip_prefix(line, "| `").and_then(|rest| rest.split(['`', '{']).next());
    let listed = guide.lines().filter_map(first).filter(|name| name.starts_with("slipstream_"));
    assert_eq!(listed.map(str::to_owned).collect::<BTreeSet<_>>(), metrics());
}
