//! The API, fuzzed by its own description: nothing that is asked breaks it, and nothing is answered that is not documented.

use std::process::Stdio;
use std::time::Duration;

use slipstream_testkit::tools;
use tokio::process::Command;
use tokio::time::timeout;

use crate::shop;

/// What is checked, and why the others are not.
const CONFIGURATION: &str = include_str!("schemathesis.toml");
const HOOKS: &str = include_str!("hooks.py");
/// Longer than it takes in any case.
const PATIENCE: Duration = Duration::from_secs(900);

#[tokio::test]
async fn the_api_does_what_its_description_says_whatever_it_is_asked() {
    let schemathesis = tokio::task::spawn_blocking(tools::schemathesis).await.unwrap().unwrap();
    let mut process = shop::with_traffic(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("schemathesis.toml"), CONFIGURATION).unwrap();
    std::fs::write(folder.path().join("hooks.py"), HOOKS).unwrap();
    let mut run = Command::new(schemathesis);
    run.current_dir(folder.path()).env("NO_COLOR", "1");
    run.arg("run").arg(format!("{}/api/v1/openapi.json", process.api()));
    // `make test-api` gives it more time, and another seed.
    let seconds =
        std::env::var("SLIPSTREAM_TEST_API_SECONDS").ok().filter(|s| !s.is_empty()).unwrap_or("25".to_owned());
    let seed = std::env::var("SLIPSTREAM_TEST_API_SEED").ok().filter(|s| !s.is_empty()).unwrap_or("1".to_owned());
    run.args(["--max-time", &seconds, "--seed", &seed, "--workers", "2"]);
    let ran = timeout(PATIENCE, run.stdin(Stdio::null()).kill_on_drop(true).output()).await.expect("in time").unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    process.still_runs().unwrap();
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    println!("{said}");
    let errors = process.stderr();
    assert!(!errors.contains("ERROR") && !errors.contains("panicked"), "{errors}");
    process.stop().await.unwrap();
}
