//! Notes how much consumers ask for, and commit, at a time.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use slipstream_log::{Fetch, Step, TopicPartition};
use slipstream_testkit::hooked::Hooks;

/// The most that was seen.
#[derive(Debug, Default)]
pub struct Most {
    /// Records of a fetch.
    pub records: AtomicUsize,
    /// Bytes of a fetch.
    pub bytes: AtomicUsize,
    /// Outputs of a step.
    pub outputs: AtomicUsize,
}

#[async_trait]
impl Hooks for Most {
    async fn reading(&self, _: TopicPartition, fetch: Fetch) {
        self.polling(fetch);
    }

    fn polling(&self, fetch: Fetch) {
        self.records.fetch_max(fetch.records, Ordering::Relaxed);
        self.bytes.fetch_max(fetch.bytes, Ordering::Relaxed);
    }

    fn committing(&self, step: &Step) {
        self.outputs.fetch_max(step.outputs.len(), Ordering::Relaxed);
    }
}
