//! Holds reading back, and sees what is delivered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use slipstream_log::{Fetch, Polled, TopicPartition};
use slipstream_testkit::hooked::Hooks;
use tokio::sync::watch;

/// What is seen.
pub struct Watched {
    /// Bytes that were delivered.
    pub bytes: AtomicUsize,
    /// How often partitions that had delivered were paused, and delivered again.
    pub resumed: AtomicUsize,
    /// Nothing more is wanted at present.
    pub held_back: AtomicBool,
    /// Ranges of the held partition that were asked for.
    pub asked: AtomicUsize,
    /// Ranges of this partition wait until they are let go.
    held: TopicPartition,
    go: watch::Sender<bool>,
}

impl Watched {
    pub fn holding(held: TopicPartition) -> Arc<Self> {
        Arc::new(Watched {
            bytes: AtomicUsize::default(),
            resumed: AtomicUsize::default(),
            held_back: AtomicBool::default(),
            asked: AtomicUsize::default(),
            held,
            go: watch::Sender::new(false),
        })
    }

    /// Ranges of the held partition are read from now on.
    pub fn let_go(&self) {
        self.go.send_replace(true);
    }
}

#[async_trait]
impl Hooks for Watched {
    async fn reading(&self, partition: TopicPartition, _: Fetch) {
        if partition == self.held {
            self.asked.fetch_add(1, Ordering::SeqCst);
            self.go.subscribe().wait_for(|go| *go).await.unwrap();
        }
    }

    fn polled(&self, polled: &Polled) {
        if let Polled::Records(records) = polled {
            self.bytes.fetch_add(records.bytes(), Ordering::SeqCst);
        }
    }

    fn pausing(&self, partitions: &[TopicPartition]) {
        let delivered = self.bytes.load(Ordering::SeqCst) > 0;
        self.held_back.store(delivered && !partitions.is_empty(), Ordering::SeqCst);
    }

    fn resuming(&self, _: &[TopicPartition]) {
        if self.held_back.swap(false, Ordering::SeqCst) {
            self.resumed.fetch_add(1, Ordering::SeqCst);
        }
    }
}
