//! The compose file is one that compose takes, `compose/init` makes what it needs, and the image starts, works and stops.
#![allow(clippy::unwrap_used, reason = "a test")]

mod folder;
mod image;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use folder::Compose;
use image::{Container, Image, Volume};
use serde_json::Value;
use slipstream_runtime::config::Role;
use slipstream_testkit::services;

const SECRETS: [&str; 4] =
    ["grafana_admin_password", "grafana_reader_password", "postgres_password", "slipstream_password"];
/// How long a container may take until it is healthy.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn without_init_compose_says_what_to_do() {
    let said = Compose::copied().config().expect_err("there are no passwords yet");
    assert!(said.contains("run compose/init first"), "{said}");
}

#[test]
fn init_makes_passwords_that_differ_and_never_changes_them() {
    let (compose, other) = (Compose::copied(), Compose::copied());
    compose.init();
    other.init();
    let secrets = |of: &Compose| SECRETS.map(|name| of.read(&format!("secrets/{name}")));
    let made = secrets(&compose);
    let all: BTreeSet<String> = made.iter().cloned().chain(secrets(&other)).collect();
    assert_eq!(all.len(), 2 * SECRETS.len(), "every password is another");
    assert!(all.iter().all(|secret| secret.len() >= 32), "{all:?}");
    let mode = |path: &str| fs::metadata(compose.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("secrets"), mode(".env")), (0o700, 0o600), "other users of the machine see nothing");

    let (env, cluster) = (compose.read(".env"), other.read(".env"));
    assert_ne!(env, cluster, "every installation has a cluster id of its own");
    compose.init();
    assert_eq!((secrets(&compose), compose.read(".env")), (made, env));
}

#[test]
fn compose_takes_the_file() {
    let compose = Compose::copied();
    compose.init();
    let config = compose.config().unwrap_or_else(|said| panic!("{said}"));
    let services = config["services"].as_object().unwrap();

    let run: BTreeSet<&str> = services.values().filter_map(role).collect();
    assert_eq!(run, Role::ALL.map(Role::name).into(), "every role runs");
    for (name, service) in services {
        let image = service["image"].as_str().unwrap_or_else(|| panic!("{name} has an image"));
        let (_, tag) = image.rsplit_once(':').unwrap_or_else(|| panic!("{name}: {image} has a version"));
        assert!(tag != "latest" && !tag.is_empty(), "{name}: {image} is pinned");
        // The roles' check is the image's.
        let checked = service["healthcheck"]["test"].is_array() || image.starts_with("slipstream:");
        assert!(checked, "{name} says when it is healthy");
        for port in service["ports"].as_array().into_iter().flatten() {
            assert_eq!(port["host_ip"], "127.0.0.1", "{name}: {port} is for this machine only");
        }
        if role(service).is_some() {
            let waits = &service["depends_on"];
            assert_eq!(waits["topics"]["condition"], "service_completed_successfully", "{name}");
            assert_eq!(waits["kafka"]["condition"], "service_healthy", "{name}");
            assert_eq!(waits["timescaledb"]["condition"], "service_healthy", "{name}");
        }
    }
    // Other machines' clients reach both by their containers' addresses: they serve nobody without a token.
    let (gateway, api, token) = (&services["gateway"], &services["api"], &services["token"]);
    for (server, port) in [(gateway, 8480), (api, 8470)] {
        assert_eq!(server["depends_on"]["token"]["condition"], "service_completed_successfully");
        assert_eq!(server["ports"][0]["target"], port);
    }
    let file = gateway["environment"]["SLIPSTREAM_TOKEN_FILE"].as_str().unwrap();
    let command: Vec<&str> = token["command"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(command.starts_with(&["token", "create"]) && command.contains(&file), "{command:?}");
    for service in [gateway, token] {
        let volume = &service["volumes"][0];
        assert!(volume["source"] == "tokens" && file.starts_with(volume["target"].as_str().unwrap()), "{volume}");
    }
    for secret in SECRETS.map(|name| compose.read(&format!("secrets/{name}"))) {
        assert!(!config.to_string().contains(&secret), "no password is in a container's environment");
    }
}

/// The role that a service runs.
fn role(service: &Value) -> Option<&str> {
    let words: Vec<&str> = service["command"].as_array()?.iter().filter_map(Value::as_str).collect();
    let at = words.iter().position(|word| *word == "--roles")?;
    words.get(at + 1).copied()
}

#[test]
fn prometheus_scrapes_every_role() {
    let file = Compose::original().join("prometheus/prometheus.yaml");
    let checked = Command::new("promtool").args(["check", "config"]).arg(&file).output();
    let checked = checked.unwrap_or_else(|e| panic!("this test needs promtool: {e}; run `scripts/setup test`"));
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));

    let yaml: Value = serde_yaml_ng::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let names = yaml["scrape_configs"][0]["dns_sd_configs"][0]["names"].as_array().unwrap();
    assert_eq!(names.iter().map(|name| name.as_str().unwrap()).collect::<Vec<_>>(), Role::ALL.map(Role::name));
}

#[tokio::test]
async fn the_image_becomes_healthy_takes_events_and_stops_in_order() {
    if services::docker().await.is_none() {
        return;
    }
    let image = Image::of_the_binary(env!("CARGO_BIN_EXE_slipstream"));
    let volume = Volume::new();
    let token =
        image.run(&volume, &["token", "create", "--data", "/data", "--name", "test", "--scopes", "ingest,read"]);
    let container = Container::run(&image, &volume);
    container.until_healthy(PATIENCE).await;

    let gateway = format!("http://{}/v1/events", container.published(8480));
    let event = r#"{"event_id":"a","time":"2026-01-31T10:00:00Z","service":"shop","endpoint":"/","method":"GET","status_code":200}"#;
    // A second one to install it is told so, and may go on.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::new();
    let post = http.post(gateway).bearer_auth(&token).header("content-type", "application/json").body(event);
    assert!(post.send().await.unwrap().status().is_success());
    let slos = http.get(format!("http://{}/api/v1/slos", container.published(8470)));
    let (with, without) = (slos.try_clone().unwrap().bearer_auth(&token), slos);
    assert_eq!(with.send().await.unwrap().status(), 200);
    assert_eq!(without.send().await.unwrap().status(), 401);

    let process = container.exec(&["cat", "/proc/1/status"]);
    let ids = process.lines().find(|line| line.starts_with("Uid:")).unwrap();
    assert_eq!(ids.split_whitespace().collect::<Vec<_>>(), ["Uid:", "10001", "10001", "10001", "10001"]);

    assert_eq!(container.stop(), 0, "{}", container.logs());
    assert!(container.logs().contains("everything that was acknowledged is in the log"), "{}", container.logs());
}
