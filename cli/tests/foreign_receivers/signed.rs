//! Libraries that receivers are made of read our notifications: Standard Webhooks' own verifies the signatures, and a model of
//! Alertmanager's webhook takes the bodies.

use std::process::Stdio;

use serde_json::{Value, json};
use slipstream_testkit::tools;
use slipstream_testkit::webhook::{Delivery, Receiver};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::world::{Health, PAYMENT, World};
use crate::{PATIENCE, installed};

const READER: &str = include_str!("signed.py");
const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDuo4xEvXZkB8=";
const UNKNOWN: &str = "whsec_plJ3nmyCDGBKInavdOK15jsl0uZjQxZ4gvZ1bQbCfXA=";

#[tokio::test(flavor = "multi_thread")]
async fn signatures_hold_for_each_secret_and_bodies_are_alertmanagers() {
    let python = installed(tools::readers).await;
    let receiver = Receiver::start().await.unwrap();
    let receivers = format!("  - {{name: ops, url: '{}', signing_secret_file: secrets}}\n", receiver.url());
    let world = World::new(&receivers, &[("secrets", &format!("{OLD}\n{NEW}\n"))]).await;
    let has = |severity: &'static str, status: &'static str| {
        move |delivery: &Delivery| {
            let alerts = delivery.body["alerts"].as_array().unwrap();
            alerts.iter().any(|a| a["labels"]["severity"] == severity && a["status"] == status)
        }
    };
    for (health, severity, status) in
        [(Health::Ailing, "ticket", "firing"), (Health::Down, "page", "firing"), (Health::Well, "page", "resolved")]
    {
        world.payment_is(health);
        receiver.until(PATIENCE, |all| all.iter().any(has(severity, status))).await.unwrap();
    }
    let came = receiver.deliveries();
    let asked: Vec<Value> = came.iter().map(|d| json!({"text": d.text, "headers": headers(d)})).collect();
    let found = read(&python, &json!({"secrets": [OLD, NEW, UNKNOWN], "deliveries": asked})).await;
    for (delivery, found) in came.iter().zip(found.as_array().unwrap()) {
        assert_eq!(found["holds"], json!([true, true, false]), "{found:#}");
        assert_eq!(found["changed"], json!([false, false, false]), "of another body: {found:#}");
        assert_eq!(found["slo"], PAYMENT);
        assert_eq!(found["status"], delivery.body["status"]);
        assert_eq!(found["alerts"], delivery.body["alerts"].as_array().unwrap().len());
    }
    world.ends_well().await;
}

fn headers(delivery: &Delivery) -> serde_json::Map<String, Value> {
    delivery.headers.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect()
}

async fn read(python: &std::path::Path, asked: &Value) -> Value {
    let mut command = Command::new(python);
    command.args(["-c", READER]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn().unwrap();
    child.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    let wrong = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {wrong}"))
}
