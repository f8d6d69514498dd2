//! A receiver of webhooks that responds, fails, is slow, or accepts without responding.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use slipstream_alerter::notifier::dispatch::{Answer, Delivery};
use slipstream_alerter::notifier::transport::Transport;
use slipstream_testkit::webhook;
use tokio::time::sleep;

use crate::weather::{BEGIN, Weather};

/// The behaviour of a receiver; cases per thousand attempts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manners {
    /// It returns 503 and did not accept it.
    pub unavailable: u32,
    /// It returns 500 and may have accepted it: here it has.
    pub broken: u32,
    /// It accepts it, and its response is lost.
    pub mute: u32,
}

/// A receiver. What it took it keeps over crashes of the notifier.
pub struct Receiver {
    /// Its name.
    pub name: String,
    manners: Mutex<Manners>,
    took: Mutex<Vec<webhook::Delivery>>,
    weather: Arc<Weather>,
}

impl Receiver {
    /// A receiver without deliveries yet.
    pub fn new(name: &str, manners: Manners, weather: Arc<Weather>) -> Arc<Receiver> {
        let (manners, took) = (Mutex::new(manners), Mutex::default());
        Arc::new(Receiver { name: name.to_owned(), manners, took, weather })
    }

    /// It is well from now on.
    pub fn recover(&self) {
        *self.manners.lock().unwrap_or_else(PoisonError::into_inner) = Manners::default();
    }

    /// What it took, in order.
    pub fn deliveries(&self) -> Vec<webhook::Delivery> {
        self.took.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn take(&self, delivery: &Delivery) {
        let at: SystemTime = UNIX_EPOCH + Duration::from_millis((BEGIN + self.weather.elapsed()) as u64);
        let body = serde_json::to_value(&delivery.message).unwrap_or_default();
        let took = webhook::Delivery { text: body.to_string(), body, headers: Vec::new(), status: 200, at };
        self.took.lock().unwrap_or_else(PoisonError::into_inner).push(took);
        let keys: Vec<&str> = delivery.parts.iter().map(|p| p.key.as_str()).collect();
        self.weather.say(&self.name, &format!("takes {}, {} alerts", keys.join(" "), delivery.message.alerts.len()));
    }
}

#[async_trait]
impl Transport for Receiver {
    fn host(&self) -> &str {
        &self.name
    }

    async fn attempt(&self, delivery: &Delivery) -> Answer {
        let manners = *self.manners.lock().unwrap_or_else(PoisonError::into_inner);
        self.weather.pause(&self.name).await;
        let failed = |status, doubt, kind: &'static str| {
            self.weather.fault(&self.name, kind, "");
            Answer::Failed { status, detail: kind.to_owned(), retry_after: None, doubt }
        };
        if self.weather.dice.in_thousand(manners.unavailable) {
            return failed(Some(503), false, "receiver unavailable");
        }
        self.take(delivery);
        self.weather.pause(&self.name).await;
        if self.weather.dice.in_thousand(manners.broken) {
            return failed(Some(500), true, "receiver broken");
        }
        if self.weather.dice.in_thousand(manners.mute) {
            sleep(Duration::from_millis(2_000)).await;
            return failed(None, true, "receiver's answer lost");
        }
        Answer::Delivered { status: 200 }
    }
}
