//! docs/operations.md names metrics and settings. Each of them exists.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Words of letters, digits, dots and underlines that are in backticks, without what may follow in braces.
fn quoted(text: &str) -> BTreeSet<&str> {
    let inside = text.split('`').skip(1).step_by(2);
    inside.flat_map(|code| code.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '_'))).collect()
}

fn sources(folder: &Path, found: &mut String) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_metric_and_setting_that_operations_names_is_there() {
    let guide = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let mut code = String::new();
    for part in ["producer", "processor", "sink", "alerter", "role", "runtime"] {
        sources(&root().join(part).join("src"), &mut code);
    }
    let settings = fs::read_to_string(root().join("runtime/slipstream.yaml")).unwrap();
    let words = quoted(&guide);
    let metrics: Vec<&str> = words.iter().filter(|w| w.starts_with("slipstream_")).copied().collect();
    assert!(metrics.len() > 10, "{metrics:?}");
    for metric in metrics.iter().filter(|m| !m.starts_with("slipstream_processor")) {
        assert!(code.contains(&format!("\"{metric}\"")), "no metric {metric}");
    }
    let sections = ["gateway", "kafka", "retention", "logging"];
    let named = words.iter().filter_map(|w| w.split_once('.')).filter(|(section, _)| sections.contains(section));
    let named: Vec<_> = named.collect();
    assert!(named.len() > 5, "{named:?}");
    for (section, setting) in named {
        let (_, of_section) = settings.split_once(&format!("\n{section}:")).unwrap();
        let end = of_section.find("\n\n").unwrap_or(of_section.len());
        assert!(of_section[..end].contains(&format!("\n  {setting}:")), "no setting {section}.{setting}");
    }
}

#[test]
fn the_name_that_mirrormaker_gives_a_copy_is_the_topic_of_the_prefix_that_the_guide_says() {
    let guide = fs::read_to_string(root().join("docs/operations-kafka.md")).unwrap();
    let guide = guide.split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, step) = guide.split_once("MirrorMaker 2 names its copy").expect("what MirrorMaker makes of the name");
    let (name, rest) = step.split_once("the topic of an installation with `prefix: ").expect("whose topic that is");
    let (prefix, _) = rest.split_once('`').unwrap();
    assert!(prefix.starts_with("ALIAS."), "{prefix}");
    assert!(name.contains(&format!("`{prefix}request-events`")), "{name}");
}
