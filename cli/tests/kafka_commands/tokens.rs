//! Tokens on Kafka: written by a command, known to gateways within seconds, asked for on another address than loopback.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::place::{Place, started, text};

/// Within what a change takes effect, and some time for a machine that is busy.
const SOON: Duration = Duration::from_secs(20);

async fn posted(gateway: &str, token: Option<&str>) -> Value {
    let event = json!({"time": jiff::Timestamp::now().to_string(), "service": "s", "endpoint": "/", "method": "GET",
        "status_code": 200});
    let _ = rustls::crypto::ring::default_provider().install_default();
    let request = reqwest::Client::new().post(format!("{gateway}/v1/events")).json(&event);
    let request = token.into_iter().fold(request, |request, token| request.bearer_auth(token));
    request.send().await.unwrap().json().await.unwrap()
}

async fn until(gateway: &str, token: Option<&str>, code: Option<&str>) {
    let deadline = Instant::now() + SOON;
    loop {
        let answer = posted(gateway, token).await;
        if answer["error"].as_str() == code {
            return;
        }
        assert!(Instant::now() < deadline, "{code:?} does not come: {answer}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn every_gateway_goes_by_the_tokens_of_the_log() {
    let place = Place::new().await;
    place.json(&["topics", "ensure"], 0).await;
    assert_eq!(place.json(&["token", "list"], 0).await, json!({"tokens": []}));
    let mut gateways = [started(place.process("gateway")).await, started(place.process("gateway")).await];
    let addresses = gateways.each_ref().map(|gateway| gateway.gateway());
    for address in &addresses {
        assert_eq!(posted(address, None).await["inserted"], 1, "without tokens loopback may everything");
    }
    let made = place.json(&["token", "create", "--name", "shop", "--scopes", "ingest"], 0).await;
    let (token, id) = (made["token"].as_str().unwrap(), made["id"].as_str().unwrap());
    for address in &addresses {
        until(address, Some(token), None).await;
        until(address, None, Some("token-missing")).await;
    }
    place.json(&["token", "revoke", id], 0).await;
    for address in &addresses {
        until(address, Some(token), Some("token-revoked")).await;
    }
    // One gateway makes it, the other learns of it.
    let admin = place.json(&["token", "create", "--name", "admin", "--scopes", "operate,ingest"], 0).await;
    let admin = place.file("admin.token", admin["token"].as_str().unwrap());
    let through = ["token", "create", "--name", "ci", "--scopes", "ingest", "--to", &addresses[0], "--token-file"];
    until(&addresses[0], Some(&std::fs::read_to_string(&admin).unwrap()), None).await;
    let made = place.json(&[&through[..], &[admin.to_str().unwrap()]].concat(), 0).await;
    until(&addresses[1], made["token"].as_str(), None).await;
    for gateway in &mut gateways {
        assert!(gateway.stop().await.unwrap().success(), "{}", gateway.stderr());
        // Whoever made or revoked it, a command or the other gateway, every log has a line of it, and one.
        let lines = gateway.stderr();
        let audit: Vec<Value> = lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let told = |message: &str, name: &str| {
            let is_it = |line: &&Value| line["target"] == "audit" && line["message"] == message && line["name"] == name;
            let found: Vec<&Value> = audit.iter().filter(is_it).collect();
            assert!(found.len() == 1 && found[0]["who"] != "-", "{message} {name}: {lines}");
        };
        told("a token was made", "shop");
        told("a token was revoked", "shop");
        told("a token was made", "admin");
        told("a token was made", "ci");
    }
}

#[tokio::test]
async fn another_address_than_loopback_needs_a_token_first() {
    let place = Place::new().await;
    place.json(&["topics", "ensure"], 0).await;
    let anywhere = ["run", "--roles", "gateway", "--listen", "0.0.0.0:0", "--ops-listen", "127.0.0.1:0"];
    let refused = place.command(&anywhere).await;
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("slipstream token create --name admin --scopes ingest,read,operate --config "), "{said}");
}
