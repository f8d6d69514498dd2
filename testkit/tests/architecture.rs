//! The allowed dependencies: cli -> {roles, query} -> role -> {log, store, runtime} -> slo -> definitions -> schemas,
//! and no role knows a role.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

const PREFIX: &str = "slipstream-";
const MEANING: [&str; 3] = ["schemas", "definitions", "slo"];
const PARTS: [&str; 3] = ["log", "store", "runtime"];
/// What the loops of roles have in common.
const LOOPS: [&str; 1] = ["role"];
const ROLES: [&str; 4] = ["producer", "processor", "sink", "alerter"];

/// What each crate may use.
fn allowed() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut arrows = BTreeMap::from([
        ("schemas", vec![]),
        ("definitions", vec!["schemas"]),
        ("slo", vec!["schemas", "definitions"]),
        ("slotest", MEANING.to_vec()),
    ]);
    arrows.extend([("log", vec!["schemas"]), ("store", vec!["schemas"]), ("runtime", MEANING.to_vec())]);
    arrows.insert("role", [&MEANING[..], &["log", "runtime"]].concat());
    arrows.extend(ROLES.map(|role| (role, [&MEANING[..], &PARTS, &LOOPS].concat())));
    // The notifier looks up what an alert is about.
    arrows.insert("alerter", [&MEANING[..], &PARTS, &LOOPS, &["query"]].concat());
    arrows.insert("query", [&MEANING[..], &PARTS, &LOOPS].concat());
    arrows.insert("replay", [&MEANING[..], &PARTS, &LOOPS, &["query"]].concat());
    // A role, and the only one that answers questions.
    arrows.insert("api", [&MEANING[..], &PARTS, &LOOPS, &["query"]].concat());
    arrows.insert("cli", [&MEANING[..], &PARTS, &LOOPS, &ROLES, &["query", "api", "replay", "slotest"]].concat());
    arrows.insert("testkit", [&MEANING[..], &PARTS, &LOOPS].concat());
    arrows.insert("oracles", MEANING.to_vec());
    arrows.insert("sim", [&MEANING[..], &PARTS, &LOOPS, &ROLES, &["replay", "testkit", "oracles"]].concat());
    arrows.insert("bench", [&MEANING[..], &["log", "store"]].concat());
    arrows
}

fn metadata() -> Metadata {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    MetadataCommand::new().manifest_path(manifest).no_deps().exec().expect("cargo metadata")
}

#[test]
fn dependencies_point_one_way() {
    let allowed = allowed();
    let mut wrong = Vec::new();
    for package in metadata().packages {
        let name = package.name.trim_start_matches(PREFIX).to_owned();
        let Some(may_use) = allowed.get(name.as_str()) else {
            wrong.push(format!("{name} has no place in the house: give it one in this test"));
            continue;
        };
        for dependency in &package.dependencies {
            let Some(used) = dependency.name.strip_prefix(PREFIX) else { continue };
            // A test may use the testkit, the oracles, and its own crate with other features.
            let for_tests = ["testkit", "oracles", &name].contains(&used);
            // With a broker that dies, the log's tests are as patient as roles are.
            let patience = name == "log" && ["role", "runtime"].contains(&used);
            // What a follower finds is compared with what tally and burn themselves have written.
            let followed = name == "query" && used == "processor";
            // What is replayed from the store is what the sink has written.
            let stored = name == "replay" && used == "sink";
            // What is answered is what the other roles have made of requests.
            let answered = name == "api" && ["processor", "sink", "alerter"].contains(&used);
            let in_tests = dependency.kind == DependencyKind::Development
                && (for_tests || patience || followed || stored || answered);
            if !in_tests && !may_use.contains(&used) {
                wrong.push(format!("{name} -> {used} ({:?})", dependency.kind));
            }
        }
    }
    assert!(wrong.is_empty(), "wrong arrows: {wrong:#?}");
}

#[test]
fn every_crate_of_the_house_is_there() {
    let there: BTreeSet<String> =
        metadata().packages.iter().map(|p| p.name.trim_start_matches(PREFIX).to_owned()).collect();
    let drawn: BTreeSet<String> = allowed().into_keys().map(str::to_owned).collect();
    assert!(there.is_superset(&drawn), "missing: {:?}", drawn.difference(&there).collect::<Vec<_>>());
}

#[test]
fn what_it_means_and_what_travels_know_no_runtime_no_chance_and_no_network() {
    const IMPURE: [&str; 12] = [
        "tokio",
        "async-trait",
        "futures",
        "rand",
        "rand_chacha",
        "uuid",
        "reqwest",
        "axum",
        "hyper",
        "rusqlite",
        "tempfile",
        "tracing",
    ];
    for package in metadata().packages {
        let name = package.name.trim_start_matches(PREFIX).to_owned();
        if MEANING.contains(&name.as_str()) || name == "slotest" {
            let normal = package.dependencies.iter().filter(|d| d.kind == DependencyKind::Normal);
            let impure: Vec<&str> = normal.map(|d| d.name.as_str()).filter(|d| IMPURE.contains(d)).collect();
            assert!(impure.is_empty(), "{name} is pure, but uses {impure:?}");
        }
    }
}
