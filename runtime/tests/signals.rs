//! Signals, sent to a real process: this test binary starts itself a second time.

#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use slipstream_runtime::signal;

const CHILD: &str = "SLIPSTREAM_TEST_SIGNAL_CHILD";

/// The process that is signalled; a test only because that is what this binary can run.
#[test]
fn child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let signals = signal::watch().unwrap();
        println!("watching");
        println!("told {:?}", signals.received().await);
        std::future::pending::<()>().await;
    });
}

fn send(signal: &str, child: &Child) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn the_first_signal_asks_and_the_second_ends_at_once() {
    // A person at a terminal is not kept waiting: SIGINT asks without a drain.
    for (first, second, asks) in [("-TERM", "-TERM", "told Drain"), ("-INT", "-TERM", "told Now")] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--nocapture"])
            .env(CHILD, "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line.contains("watching")));
        send(first, &child);
        let told = lines.find(|line| line.contains("told")).unwrap();
        assert!(told.contains(asks), "{first}: {told}");
        send(second, &child);
        assert_eq!(child.wait().unwrap().code(), Some(130));
    }
}
