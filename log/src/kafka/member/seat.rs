//! How a consumer joins a group.

use std::sync::Arc;

use rdkafka::consumer::Consumer as _;
use slipstream_schemas::Topic;
use tokio::sync::Notify;

use crate::kafka::client::{ClientLog, Reader};
use crate::kafka::errors::log_error;
use crate::kafka::names::Names;
use crate::kafka::native::{Events, Place};
use crate::kafka::settings;
use crate::kafka::shared::Shared;
use crate::port::{LogError, Share};

/// A membership in a group.
pub(super) struct Seat {
    pub group: String,
    pub topics: Vec<Topic>,
    /// Number of the member among those of this process.
    pub n: u64,
    /// Partitions of each of its topics.
    pub partitions: Vec<u32>,
    /// Whether one member has all of them.
    pub share: Share,
}

/// A consumer that has joined.
pub(super) struct Link {
    pub consumer: Arc<Reader>,
    pub events: Events,
    pub woken: Arc<Notify>,
}

impl Seat {
    /// Whether a member that is given these partitions, or loses them, has or loses the whole: it is with the first partition of
    /// the first topic.
    pub(super) fn decides(&self, names: &Names, partitions: &[Place]) -> bool {
        let first = self.topics.first().map(|topic| names.of(*topic));
        partitions.iter().any(|(topic, partition)| *partition == 0 && Some(topic.as_str()) == first)
    }

    /// All partitions of its topics.
    pub(super) fn whole(&self, names: &Names) -> Vec<Place> {
        let of = |(topic, n): (&Topic, &u32)| {
            let name = names.of(*topic).to_owned();
            (0..*n as i32).map(move |partition| (name.clone(), partition))
        };
        self.topics.iter().zip(&self.partitions).flat_map(of).collect()
    }

    pub(super) fn take(&self, shared: &Shared) -> Result<Link, LogError> {
        let names = &shared.names;
        let doing = || format!("joining the group {}", shared.options.group_name(&self.group));
        let config = settings::member(&shared.options, &self.group, self.n, self.partitions.iter().sum());
        let mut consumer: Reader = config.create_with_context(ClientLog).map_err(|e| log_error(names, doing(), &e))?;
        let woken = Arc::new(Notify::new());
        let wake = Arc::clone(&woken);
        consumer.set_nonempty_callback(move || wake.notify_one());
        let topics: Vec<&str> = self.topics.iter().map(|t| names.of(*t)).collect();
        consumer.subscribe(&topics).map_err(|e| log_error(names, doing(), &e))?;
        let consumer = Arc::new(consumer);
        let events = Events::of(&consumer)
            .ok_or_else(|| LogError::Fatal { doing: doing(), cause: "the consumer has no queue".into() })?;
        Ok(Link { consumer, events, woken })
    }
}
