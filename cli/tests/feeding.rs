//! Feeding an installation that runs: `slipstream import` goes through the gateway of the process that has the directory.
#![allow(clippy::unwrap_used, reason = "a test")]

mod support;

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use slipstream_testkit::process::Slipstream;
use support::{BINARY, arg, slipstream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Enough that an import is still under way when it, or what it feeds, is killed.
const LINES: usize = 150_000;

fn text(lines: usize) -> String {
    let line = |n: usize| {
        let (minute, second) = (n / 60 % 60, n % 60);
        format!("h - - [28/Nov/2026:19:{minute:02}:{second:02} +0000] \"GET /{n} HTTP/1.1\" 200 5 \"-\" \"c\"\n")
    };
    (0..lines).map(line).collect()
}

async fn import(running: &Slipstream, options: &[&str], file: &Path) -> (Value, String) {
    let given = ["import", "--json", "--format", "combined", "--service", "web"];
    let output = running.command([&given, options, &[arg(file)]].concat()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    (serde_json::from_slice(&output.stdout).unwrap(), said)
}

/// Waits until so many events are stored; there must never be more.
async fn stored(running: &Slipstream, want: usize) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let hits = running.json(["query", "kpis", "--json"]).await.unwrap()["hits"].as_u64().unwrap();
        assert!(hits <= want as u64, "{hits} of {want}");
        if hits == want as u64 {
            return;
        }
        assert!(Instant::now() < deadline, "only {hits} of {want}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_directory_that_is_in_use_is_fed_through_its_gateway() {
    let mut running = Slipstream::new(BINARY).unwrap();
    running.start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("access.log");
    std::fs::write(&file, text(1_000)).unwrap();
    let (report, said) = import(&running, &[], &file).await;
    assert_eq!(report["events"], 1_000);
    assert!(said.contains(&format!("importing through the gateway at {}", running.gateway())), "{said}");
    assert!(said.contains("acknowledged by the gateway"), "{said}");
    stored(&running, 1_000).await;
    // By its address; and when nothing runs any more, directly.
    std::fs::write(&file, text(1_001)).unwrap();
    let to = running.gateway();
    let output = slipstream(&["import", "--json", "--format", "combined", "--service", "web", "--to", &to, arg(&file)])
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((report["events"].as_u64(), report["files"][0]["already_imported"].as_u64()), (Some(1), Some(1_000)));
    running.stop().await.unwrap();
    let (report, said) = import(&running, &[], &file).await;
    assert!(report["events"] == 0 && !said.contains("gateway"), "{said}");
}

#[tokio::test]
async fn whoever_is_killed_each_line_counts_once() {
    let mut running = Slipstream::new(BINARY).unwrap();
    running.start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("access.log");
    std::fs::write(&file, text(LINES)).unwrap();
    let data = running.data();
    let args = ["import", "--format", "combined", "--service", "web", "--data", arg(&data), arg(&file)];
    let mut kills = 0;
    for after in [120, 200, 300] {
        let mut import = slipstream(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(after)).await;
        kills += usize::from(import.try_wait().unwrap().is_none());
        let _ = import.kill();
        import.wait().unwrap();
    }
    assert!(kills > 0, "no kill hit a running import");
    // Now the process that is fed, in the middle of an import: which waits for it to come back.
    let mut import = slipstream(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    tokio::time::sleep(Duration::from_millis(150)).await;
    running.kill().await.unwrap();
    running.start().await.unwrap();
    let ended = tokio::task::spawn_blocking(move || import.wait().unwrap()).await.unwrap();
    assert!(ended.success(), "{ended}");
    stored(&running, LINES).await;
}

#[tokio::test]
async fn definitions_are_not_taken_through_a_gateway() {
    let mut running = Slipstream::new(BINARY).unwrap();
    running.start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("access.log");
    std::fs::write(&file, text(10)).unwrap();
    let slos = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/shop/slos.yaml");
    let given = ["import", "--format", "combined", "--service", "web", "--slos", slos, arg(&file)];
    let output = running.command(given).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("slipstream run --slos PATH"), "{said}");
}

#[tokio::test]
async fn who_finds_no_place_is_told_at_once_and_so_is_who_operates() {
    const SOON: Duration = Duration::from_secs(20);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("slipstream.yaml");
    std::fs::write(&file, "gateway: {max_connections: 1, read_timeout: 120s, idle_timeout: 120s}\n").unwrap();
    let mut running = Slipstream::new(BINARY).unwrap().with(["--config".as_ref(), file.as_os_str()]);
    running.start().await.unwrap();
    let gateway = running.gateway();
    let address = gateway.strip_prefix("http://").unwrap();
    let mut held = TcpStream::connect(address).await.unwrap();
    held.write_all(b"POST /v1/ev").await.unwrap();
    // Accepted in order: there is no place for this one, long before the first one's time is over.
    let mut heard = String::new();
    let mut late = TcpStream::connect(address).await.unwrap();
    late.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    timeout(SOON, late.read_to_string(&mut heard)).await.expect("at once").unwrap();
    assert!(heard.starts_with("HTTP/1.1 503") && heard.contains("too-many-connections"), "{heard}");
    let deadline = Instant::now() + SOON;
    while !running.stderr().contains("too many connections") {
        assert!(Instant::now() < deadline, "nothing is logged: {}", running.stderr());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(held);
    assert!(running.stop().await.unwrap().success(), "{}", running.stderr());
}
