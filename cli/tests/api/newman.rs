//! The Postman collection runs as it is.

use std::process::Stdio;

use serde_json::Value;
use slipstream_testkit::tools;
use tokio::process::Command;

use crate::shop;

#[tokio::test]
async fn every_request_of_the_collection_gets_a_documented_status() {
    let newman = tokio::task::spawn_blocking(tools::newman).await.unwrap().unwrap();
    let mut process = shop::with_traffic(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let (collection, report) = (folder.path().join("collection.json"), folder.path().join("report.json"));
    let printed = process.command(["api", "postman"]).await;
    // It takes no --data: it needs no installation.
    assert!(printed.is_ok_and(|output| !output.status.success()));
    let printed = Command::new(shop::BINARY).args(["api", "postman"]).output().await.unwrap();
    std::fs::write(&collection, &printed.stdout).unwrap();
    let mut run = Command::new(newman);
    run.arg("run").arg(&collection).args(["--reporters", "json", "--reporter-json-export"]).arg(&report);
    run.args(["--env-var", &format!("baseUrl={}", process.api()), "--env-var", "token=not-needed"]);
    // The stream has no end: its request is given up after a while.
    run.args(["--timeout-request", "3000", "--folder", "SLOs", "--folder", "Requests", "--folder", "Alerts"]);
    run.args(["--folder", "Installation", "--folder", "Documents"]);
    let ran = run.stdin(Stdio::null()).output().await.unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    let report: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    let counted = &report["run"]["stats"];
    assert_eq!(counted["requests"]["total"], 22, "every operation but the stream");
    assert_eq!(
        (&counted["requests"]["failed"], &counted["assertions"]["failed"]),
        (&0.into(), &0.into()),
        "{report:#}"
    );
    assert_eq!(counted["assertions"]["total"], 22);
    process.stop().await.unwrap();
}
