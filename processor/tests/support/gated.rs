//! Holds up the reading of single partitions, outside of groups.

use std::collections::BTreeSet;

use async_trait::async_trait;
use slipstream_log::{Fetch, TopicPartition};
use slipstream_testkit::hooked::Hooks;
use tokio::sync::watch;

/// At first all gates are open.
#[derive(Default)]
pub struct Gates {
    shut: watch::Sender<BTreeSet<TopicPartition>>,
    /// How many reads came to a shut gate.
    stopped: watch::Sender<usize>,
}

impl Gates {
    /// From now on whoever reads this partition waits.
    pub fn shut(&self, partition: TopicPartition) {
        self.shut.send_modify(|shut| {
            shut.insert(partition);
        });
    }

    /// Lets all of them read on.
    pub fn open(&self) {
        self.shut.send_modify(BTreeSet::clear);
    }

    /// Waits until so many reads in all have come to a shut gate.
    pub async fn stopped(&self, reads: usize) {
        self.stopped.subscribe().wait_for(|stopped| *stopped >= reads).await.unwrap();
    }
}

#[async_trait]
impl Hooks for Gates {
    async fn reading(&self, partition: TopicPartition, _: Fetch) {
        let mut shut = self.shut.subscribe();
        if shut.borrow().contains(&partition) {
            self.stopped.send_modify(|stopped| *stopped += 1);
            shut.wait_for(|shut| !shut.contains(&partition)).await.unwrap();
        }
    }
}
