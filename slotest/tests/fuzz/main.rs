//! Definitions, filters and test files that were changed at random: whatever they hold, there is an answer: no panic, no
//! hang, no stack overflow. What is taken is also held to what it promises: definitions are written and read back equal,
//! the matcher agrees with the filter.
//!
//! Every input follows from a seed and its number. `make test` runs as many as take a few seconds; `make fuzz FOR=10m
//! SEED=7` runs longer, from another seed.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test ends where it fails, and says what it did")]
#![allow(clippy::disallowed_methods, reason = "seed and duration are asked for, and inputs have a deadline")]

mod chance;
mod corpus;
mod filters;
mod mutate;
mod run;
mod targets;

use run::fuzz;

#[test]
fn definitions() {
    fuzz("definitions", 800, mutate::definitions, targets::definitions);
}

#[test]
fn filter_sources() {
    fuzz("filters", 5_000, filters::source, targets::filter);
}

#[test]
fn test_files() {
    fuzz("test-files", 500, mutate::test_file, targets::test_file);
}

#[test]
fn what_is_changed_is_right_before() {
    let loaded = targets::load(&corpus::rendered(&corpus::definitions()));
    assert!(loaded.is_valid() && loaded.slos.len() >= 6, "{:#?}", loaded.diagnostics);
    let suite =
        targets::read_tests(&corpus::rendered(&corpus::test_file())).unwrap_or_else(|found| panic!("{found:#?}"));
    assert!(suite.tests.len() >= 2);
}
