//! Evidence in notifications: gathered from the store that this process reads, if there is one.

use std::sync::{Arc, OnceLock};

use slipstream_alerter::notifier::evidence::{EvidenceSource, Explained, Shared, Stored};
use slipstream_alerter::notifier::transport::{self, Journal, Transport};
use slipstream_alerter::{AlerterError, ReceiverConfig};
use slipstream_log::SharedLog;
use slipstream_role::markers::FollowedMarkers;
use slipstream_runtime::config::{Config, LogAddress, Role, StoreAddress};
use slipstream_runtime::stage::Stage;
use slipstream_runtime::supervise::Supervisor;
use slipstream_store::SharedStore;

use crate::parts::{Installation, ReadPlace};

/// What notifications are explained by.
#[derive(Clone)]
pub struct Explaining {
    /// One for all receivers; `None`: an alert says what it knows itself.
    source: Option<Arc<dyn EvidenceSource>>,
    trace_url: String,
    /// Evidence and remediations ask for the same markers.
    markers: FollowedMarkers,
}

impl Explaining {
    /// By a store that is open.
    pub fn by_store(log: SharedLog, store: SharedStore) -> Explaining {
        Explaining::without_store(String::new(), FollowedMarkers::default())
            .and_by(log, Arc::new(OnceLock::from(store)))
    }

    fn without_store(trace_url: String, markers: FollowedMarkers) -> Explaining {
        Explaining { source: None, trace_url, markers }
    }

    fn and_by(self, log: SharedLog, cell: Arc<OnceLock<SharedStore>>) -> Explaining {
        let stored = Stored::new(log, cell, self.markers.clone());
        Explaining { source: Some(Arc::new(Shared::new(stored))), ..self }
    }

    /// As the configuration says; a database is opened beside, once it is up. `None`: it wants no evidence, or nothing is sent.
    pub fn start(config: &Config, installation: &Installation, supervisor: &mut Supervisor) -> Option<Explaining> {
        if !config.evidence || config.receivers.is_empty() || !config.roles.contains(&Role::Notifier) {
            return None;
        }
        let reach = config.receivers.iter().map(|receiver| receiver.format.reaches_back()).max();
        let markers = FollowedMarkers::reaching(reach.unwrap_or_default());
        let explaining = Explaining::without_store(config.trace_url.clone().unwrap_or_default(), markers);
        let Some(place) = place(config, installation) else { return Some(explaining) };
        let cell = Arc::new(OnceLock::new());
        let (opened, shutdown) = (cell.clone(), supervisor.token(Stage::Deliver));
        let open = async move { place.await_open("notifier", &opened, &shutdown).await };
        supervisor.job(Stage::Deliver, "evidence-store", open);
        Some(explaining.and_by(installation.log.patient(), cell))
    }

    /// The way to a receiver, with evidence; what remediations do is recorded in `log`.
    ///
    /// # Errors
    /// When the receiver is configured wrongly.
    pub fn way_to(&self, receiver: &ReceiverConfig, log: &SharedLog) -> Result<Arc<dyn Transport>, AlerterError> {
        let way = transport::open(receiver, Journal::of(log, &self.markers))?;
        Ok(Arc::new(Explained::new(way, self.source.clone(), &receiver.name, &self.trace_url)))
    }
}

/// The store that is asked. On Kafka a process that writes none has one only where it was told of one: the default is a directory
/// that nobody fills.
fn place(config: &Config, installation: &Installation) -> Option<ReadPlace> {
    let own = installation.store.as_ref();
    let is_there = own.is_some()
        || config.store_place.is_some()
        || matches!(config.store, StoreAddress::Postgres(_))
        || matches!(config.log, LogAddress::Sqlite(_));
    is_there.then(|| ReadPlace::of(config, own))
}
