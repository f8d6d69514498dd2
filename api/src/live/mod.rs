//! What this process knows of the SLOs at the moment: kept warm by one thread ([`follow`]), read by everybody.
//!
//! Once a tick it makes a [`Snapshot`], with everything that answers need of it; an answer clones a pointer. What changed goes
//! to whoever follows the stream ([`hub`]), and so do transitions of alerts, as they come into the log ([`alerts`]).

mod alerts;
mod follow;
mod fresh;
mod hub;
mod snapshot;

use std::sync::Arc;

use slipstream_log::SharedLog;
use slipstream_query::counts::Counts;
use tokio::sync::watch;

use crate::ask::answers::slos::Known;
use crate::refusal::Refusal;

pub use alerts::Offsets;
pub use follow::{LiveError, follow};
pub use fresh::Fresh;
pub use hub::{Frame, Hub, Missed, Place, Topic, around_all, slos_data};
pub use snapshot::Snapshot;

/// Name of the role, and of its reader where the log asks for one.
pub(crate) const ROLE: &str = "api";

/// See the module.
pub struct Live {
    log: SharedLog,
    newest: watch::Sender<Option<Arc<Snapshot>>>,
    fresh: Fresh,
    hub: Hub,
    counts: Counts,
}

impl Live {
    /// Nothing is known yet. `log` is read for clients of the stream that were away.
    pub fn new(log: SharedLog) -> Arc<Live> {
        let (newest, _) = watch::channel(None);
        Arc::new(Live { log, newest, fresh: Fresh::default(), hub: Hub::default(), counts: Counts::default() })
    }

    /// The newest snapshot, and up to when it knows everything.
    ///
    /// # Errors
    /// While the state is being restored after the start.
    pub fn now(&self) -> Result<(Arc<Snapshot>, Known), Refusal> {
        let newest = self.newest.borrow().clone();
        let snapshot = newest.ok_or_else(|| {
            Refusal::Later("the state of the SLOs is being restored after the start; ask again".to_owned())
        })?;
        let known = self.known(&snapshot);
        Ok((snapshot, known))
    }

    /// A snapshot is the newest one from now on.
    fn renew(&self, snapshot: Arc<Snapshot>, moved: bool) {
        if moved {
            self.fresh.moved();
        }
        self.newest.send_replace(Some(snapshot));
    }

    /// As if it had just followed the log that far.
    #[cfg(test)]
    pub(crate) fn knows(&self, snapshot: Snapshot) {
        self.renew(Arc::new(snapshot), true);
    }

    /// Up to when a snapshot knows everything.
    pub fn known(&self, snapshot: &Snapshot) -> Known {
        let stale_for_seconds = self.fresh.stale_for(snapshot.as_of()).map(|stale| stale.as_secs());
        let complete = snapshot.complete() && stale_for_seconds.is_none();
        Known { as_of: snapshot.as_of().map(slipstream_store::text::seconds), complete, stale_for_seconds }
    }

    /// What is sent to clients of the stream.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// What series took in since the state is followed.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The log.
    pub fn log(&self) -> &SharedLog {
        &self.log
    }
}
