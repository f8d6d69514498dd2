//! The example of a whole installation on Kafka and PostgreSQL does what it says: every event once, the alert, its end.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;

use slipstream_testkit::services;
use tokio::process::Command;

#[tokio::test]
async fn from_a_python_producer_to_the_alert_at_a_webhook() {
    let (kafka, postgres) = (services::kafka().await, services::postgres().await);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/kafka/pipeline.sh");
    let mut command = Command::new(script);
    command.args([kafka.bootstrap(), postgres.url()]).env("BIN", env!("CARGO_BIN_EXE_slipstream"));
    // Its Python packages are kept with what else tests keep.
    command.env("CARGO_TARGET_DIR", env!("CARGO_TARGET_TMPDIR")).kill_on_drop(true);
    let ran = command.output().await.unwrap();
    let (told, said) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{told}\n{said}");
    let line =
        |wanted: &str| assert!(told.lines().any(|line| line.starts_with(wanted)), "no line `{wanted}` in: {told}");
    line("6000 events published to Kafka, 6000 stored in PostgreSQL");
    line("firing\tpayment-availability\tpage\t");
    line("resolved\tpayment-availability\tpage\t");
}
