//! A shop of two services, each with an SLO, whose requests fail as often as a test wants; and the Slipstream that watches it.

use std::time::Duration;

use serde_json::{Value, json};
use slipstream_testkit::process::Slipstream;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::interval;

const BINARY: &str = env!("CARGO_BIN_EXE_slipstream");
const SLOS: &str = include_str!("slos.yaml");
const SERVICES: [&str; 2] = ["payment", "checkout"];
pub const PAYMENT: &str = "payment-availability";
pub const CHECKOUT: &str = "checkout-availability";

/// How a service does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Health {
    /// Nothing fails. There is so little of it that what failed before is the most of a window until it has left it: a page is
    /// over at once, and is no ticket in between.
    Well,
    /// A fifth fails: a ticket.
    Ailing,
    /// All fails, and there is much of it: a page, within seconds of having been a ticket.
    Down,
}

/// The shop and its Slipstream. Both end with the value.
pub struct World {
    health: watch::Sender<[Health; 2]>,
    process: Slipstream,
    _traffic: JoinSet<()>,
    _home: TempDir,
}

impl World {
    /// All is well. `receivers` is the list of the configuration; `files` are those that it names.
    pub async fn new(receivers: &str, files: &[(&str, &str)]) -> World {
        let home = tempfile::tempdir().unwrap();
        let settings = format!("external_url: http://slipstream.test\nreceivers:\n{receivers}");
        for (name, text) in [files, &[("slos.yaml", SLOS), ("slipstream.yaml", &settings)]].concat() {
            std::fs::write(home.path().join(name), text).unwrap();
        }
        let file = |name: &str| home.path().join(name).into_os_string();
        let told = ["--slos".into(), file("slos.yaml"), "--config".into(), file("slipstream.yaml")];
        let mut process = Slipstream::new(BINARY).unwrap().with(told);
        process.start().await.unwrap_or_else(|error| panic!("{error:#}"));
        let health = watch::Sender::new([Health::Well; 2]);
        let mut traffic = JoinSet::new();
        traffic.spawn(requests(format!("{}/v1/events", process.gateway()), health.subscribe()));
        World { health, process, _traffic: traffic, _home: home }
    }

    /// From now on.
    pub fn payment_is(&self, now: Health) {
        self.health.send_modify(|health| health[0] = now);
    }

    /// From now on.
    pub fn checkout_is(&self, now: Health) {
        self.health.send_modify(|health| health[1] = now);
    }

    /// The end of a story in which every receiver took everything.
    pub async fn ends_well(mut self) {
        let query = self.process.json(["query", "notifications", "--json"]).await.unwrap();
        let all = query["notifications"].as_array().unwrap();
        let refused: Vec<&Value> = all.iter().filter(|note| note["outcome"] != "delivered").collect();
        assert!(!all.is_empty() && refused.is_empty(), "{refused:#?}");
        assert!(self.process.stop().await.unwrap().success());
    }
}

/// Five times a second, what has come to each service since.
async fn requests(url: String, health: watch::Receiver<[Health; 2]>) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::new();
    let mut clock = interval(Duration::from_millis(200));
    loop {
        clock.tick().await;
        let now = *health.borrow();
        let events: Vec<Value> =
            SERVICES.iter().zip(now).flat_map(|(service, health)| answers(service, health)).collect();
        let answer = client.post(&url).json(&events).send().await;
        // At the end the gateway goes first.
        let Ok(answer) = answer else { return };
        assert!(answer.status().is_success(), "{answer:?}");
    }
}

fn answers(service: &str, health: Health) -> Vec<Value> {
    let (fine, failed) = match health {
        Health::Well => (10, 0),
        Health::Ailing => (80, 20),
        Health::Down => (0, 2000),
    };
    let now = jiff::Timestamp::now().to_string();
    let event = |(status, weight): (u16, u32)| {
        json!({"time": now, "service": service, "endpoint": "/orders/{id}", "method": "POST", "status_code": status,
            "weight": weight})
    };
    [(200, fine), (503, failed)].into_iter().filter(|(_, weight)| *weight > 0).map(event).collect()
}
