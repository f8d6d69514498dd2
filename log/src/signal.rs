//! A bell that readers wait for instead of polling: rung when records become visible or a group changes.

use tokio::sync::watch;

/// Wakes all listeners. A listener does not miss a signal that came after it last looked.
#[derive(Debug, Clone)]
pub(crate) struct Signal(watch::Sender<u64>);

impl Signal {
    pub(crate) fn new() -> Self {
        Signal(watch::Sender::new(0))
    }

    pub(crate) fn ring(&self) {
        self.0.send_modify(|n| *n = n.wrapping_add(1));
    }

    pub(crate) fn listen(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}
