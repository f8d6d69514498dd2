//! What guides list is what there is.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The source files of the crates, but for those of tests.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir()
            && !name.starts_with('.')
            && !["target", "tests", "testkit", "bench", "fuzz"].contains(&name.as_str())
        {
            sources(&path, found);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            found.push(path);
        }
    }
}

/// Texts that are names of our metrics, such as in `"slipstream_build_info"`.
fn metrics(text: &str) -> impl Iterator<Item = &str> {
    let quoted = text.split("\"slipstream_").skip(1).filter_map(|rest| rest.split_once('"').map(|(name, _)| name));
    quoted.filter(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
}

#[test]
fn the_guide_to_metrics_lists_every_metric() {
    let guide = std::fs::read_to_string(format!("{ROOT}/docs/metrics.md")).unwrap();
    let first = |line| str::strip_prefix(line, "| `slipstream_").and_then(|rest| rest.split(['`', '{']).next());
    let listed: BTreeSet<&str> = guide.lines().filter_map(first).filter(|name| !name.starts_with("slo_")).collect();
    let mut files = Vec::new();
    sources(Path::new(ROOT), &mut files);
    let texts: Vec<String> = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    // Those of SLOs are put together: the API's own test has them.
    let there = texts.iter().flat_map(|text| metrics(text)).filter(|name| !name.starts_with("slo_"));
    // Some tests of units ask for samples of a histogram.
    let there: BTreeSet<&str> = there.filter(|name| !name.ends_with("_sum") && !name.ends_with("_count")).collect();
    assert_eq!(there, listed);
}
