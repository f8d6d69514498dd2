//! Everything that this program tests on the shared server, on each major of PostgreSQL that we support: it runs itself with that
//! server's address. And the conformance suite on each, behind PgBouncer in transaction mode.

use std::process::Command;
use std::sync::{Mutex, PoisonError};

use slipstream_store::conformance;
use slipstream_testkit::services::{self, MAJORS, Pooler, Postgres};

use crate::support::Schemas;

/// Modules whose tests start a server of their own, are about another than the shared one, or about what is before it.
const ELSEWHERE: [&str; 7] =
    ["extension::", "failures::", "majors::", "pooler::", "settings::", "timescale::", "tls::"];
/// At least so many tests are left.
const TESTS: usize = 20;

/// How many tests of this program have passed on a server.
fn passed_on(server: &Postgres) -> usize {
    let mut program = Command::new(std::env::current_exe().unwrap());
    for module in ELSEWHERE {
        program.args(["--skip", module]);
    }
    // What they use is reported by who started them.
    program.env(services::POSTGRES, server.url()).env_remove(services::REPORT);
    let run = program.output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "on {}:\n{said}\n{}", server.describe(), String::from_utf8_lossy(&run.stderr));
    let passed = said.split("test result: ok. ").nth(1).and_then(|rest| rest.split(' ').next());
    passed.and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("{said}"))
}

/// Each suite keeps a whole machine busy: one after the other, or all of them wait for a disk longer than a store does.
static ALONE: Mutex<()> = Mutex::new(());

fn the_suite_passes_on(major: u32) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let Some(server) = runtime.block_on(services::postgres_major(major)) else { return };
    let passed = passed_on(&server);
    assert!(passed >= TESTS, "{passed} tests only");
}

#[test]
fn the_suite_passes_on_postgres_14() {
    the_suite_passes_on(14);
}

#[test]
fn the_suite_passes_on_postgres_15() {
    the_suite_passes_on(15);
}

#[test]
fn the_suite_passes_on_postgres_16() {
    the_suite_passes_on(16);
}

#[test]
fn the_suite_passes_on_postgres_17() {
    the_suite_passes_on(17);
}

#[test]
fn the_suite_passes_on_postgres_18() {
    the_suite_passes_on(18);
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_pooler_the_store_conforms_on_each() {
    for major in MAJORS {
        let Some(server) = services::postgres_major(major).await else { continue };
        let Some(pooler) = Pooler::before(&server.fresh_database().await, "transaction", 2) else { return };
        conformance::all(&Schemas::at(pooler.url())).await;
    }
}
