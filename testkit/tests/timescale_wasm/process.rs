//! The program as a process: it says where it listens, keeps as many databases as it was told to, and ends with its parent.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use slipstream_testkit::services;
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

use crate::support::{Connected, DEADLINE, refused};

/// A shell whose child it is, and its address.
fn start(folder: &Path) -> (Child, String) {
    let testkit = env!("CARGO_MANIFEST_DIR");
    let script = format!(
        "node=$({testkit}/images/node) && packages=$({testkit}/images/npm-packages {testkit}/timescale-wasm) || exit 1
         $node {testkit}/timescale-wasm/main.mjs --packages $packages --databases 3 --folder $1 &
         echo $!; wait"
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", &script, "sh"]).arg(folder).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut shell = shell.spawn().unwrap();
    let said = BufReader::new(shell.stdout.take().unwrap());
    let said: Vec<String> = said.lines().take(2).map(Result::unwrap).collect();
    (shell, said[1].strip_prefix("listening on ").unwrap().to_owned())
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_so_many_databases_and_ends_with_its_parent() {
    if services::timescale_in_wasm().await.is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (mut shell, address) = start(folder.path());
    let url = |name: &str| format!("postgres://postgres:x@{address}/{name}");
    let first = Connected::to(&url("postgres")).await;
    first.run("CREATE DATABASE a").await;
    first.run("CREATE DATABASE b").await;
    let a = Connected::to(&url("a")).await;
    // There is no room for another: the one that nobody uses goes, and it is not the first.
    first.run("CREATE DATABASE c").await;
    let gone = tokio_postgres::connect(&url("b"), NoTls).await.map(drop);
    assert_eq!(refused(gone), SqlState::INVALID_CATALOG_NAME);
    let c = Connected::to(&url("c")).await;
    let full = first.client.batch_execute("CREATE DATABASE d").await;
    assert_eq!(refused(full), SqlState::TOO_MANY_CONNECTIONS);
    assert_eq!(a.number("SELECT 1::int8").await + c.number("SELECT 2::int8").await, 3);
    shell.kill().unwrap();
    shell.wait().unwrap();
    until("it is still there", || TcpStream::connect(&address).is_err());
    until("its files are still there", || std::fs::read_dir(folder.path()).unwrap().next().is_none());
}
