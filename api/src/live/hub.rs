//! What is sent to all clients of the stream, kept once for all of them.
//!
//! A client reads at its own speed from where it is, a frame at a time. How much is kept depends on the hub's bounds alone, however
//! many clients there are and however slow they are. A client that has fallen behind what is kept has missed
//! something, and its stream ends; it comes back with `Last-Event-ID` and is told what it needs.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::watch;

use super::alerts::Offsets;
use crate::ask::answers::slos::Known;

/// Bytes of frames that are kept, and how many of them.
const BYTES: usize = 16 << 20;
const FRAMES: usize = 4_096;

/// What a frame is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// Standings that changed.
    Slos,
    /// A transition of an alert.
    Alerts,
}

/// An event of the stream.
#[derive(Debug)]
pub struct Frame {
    /// What it is about.
    pub topic: Topic,
    /// The tick of standings, Unix seconds; 0 for alerts.
    pub tick: i64,
    /// Its data, one line of JSON.
    pub data: Bytes,
    /// Where a client is in `alerts` that has seen it.
    pub alerts: Offsets,
}

/// Where a client is: the number of the next frame.
pub type Place = u64;

#[derive(Default)]
struct Kept {
    frames: VecDeque<Arc<Frame>>,
    /// Number of the first frame that is kept.
    first: Place,
    bytes: usize,
    alerts: Offsets,
}

/// See the module.
pub struct Hub {
    kept: Mutex<Kept>,
    /// The number of the frame that comes next.
    next: watch::Sender<Place>,
    clients: AtomicUsize,
}

impl Default for Hub {
    fn default() -> Self {
        Hub { kept: Mutex::default(), next: watch::channel(0).0, clients: AtomicUsize::new(0) }
    }
}

/// A client has fallen behind what is kept.
#[derive(Debug, PartialEq, Eq)]
pub struct Missed;

impl Hub {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a frame, and drops the oldest beyond the bounds. The newest stays, however large.
    pub fn send(&self, topic: Topic, tick: i64, data: Bytes, alerts: Offsets) {
        let mut kept = self.kept();
        kept.bytes += data.len();
        kept.alerts = alerts.clone();
        kept.frames.push_back(Arc::new(Frame { topic, tick, data, alerts }));
        while kept.frames.len() > 1 && (kept.bytes > BYTES || kept.frames.len() > FRAMES) {
            let dropped = kept.frames.pop_front();
            kept.bytes -= dropped.map_or(0, |frame| frame.data.len());
            kept.first += 1;
        }
        let next = kept.first + kept.frames.len() as u64;
        drop(kept);
        self.next.send_replace(next);
    }

    /// Where `alerts` begins for clients that come now. Told once, before the first frame.
    pub fn begin_alerts(&self, at: Offsets) {
        self.kept().alerts = at;
    }

    /// Where a client begins that comes now, and where that is in `alerts`.
    pub fn now(&self) -> (Place, Offsets) {
        let kept = self.kept();
        (kept.first + kept.frames.len() as u64, kept.alerts.clone())
    }

    /// The frame at a place; `None` if it has not come yet.
    ///
    /// # Errors
    /// When it is not kept any more.
    pub fn at(&self, place: Place) -> Result<Option<Arc<Frame>>, Missed> {
        let kept = self.kept();
        let skip = place.checked_sub(kept.first).ok_or(Missed)?;
        Ok(kept.frames.get(usize::try_from(skip).unwrap_or(usize::MAX)).cloned())
    }

    /// Rings when there is a new frame.
    pub fn bell(&self) -> watch::Receiver<Place> {
        self.next.subscribe()
    }

    /// Whether anybody listens.
    pub fn has_clients(&self) -> bool {
        self.clients.load(Ordering::SeqCst) > 0
    }

    /// A client that listens from here on, until it [leaves](Hub::leave); false if there are as many as may be.
    pub fn join(&self, most: usize) -> bool {
        let joined = self.clients.fetch_add(1, Ordering::SeqCst) < most;
        if !joined {
            self.leave();
        }
        joined
    }

    /// A client that listens no longer.
    pub fn leave(&self) {
        self.clients.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The data of an event of standings: which are others than before, which are gone, and up to when that is known.
pub fn slos_data(changed: &[u8], gone: &[u8], known: &Known) -> Bytes {
    let parts: [&[u8]; 5] = [BEGIN, changed, b"],\"gone\":[", gone, b"],\"whole\":false,"];
    Bytes::from([&parts.concat(), &in_object(known)[..]].concat())
}

/// What stands around all standings, which are not copied for each client that they are sent to.
pub fn around_all(known: &Known) -> (Bytes, Bytes) {
    let parts: [&[u8]; 2] = [b"],\"gone\":[],\"whole\":true,", &in_object(known)];
    (Bytes::from_static(BEGIN), Bytes::from(parts.concat()))
}

const BEGIN: &[u8] = b"{\"slos\":[";

/// Of one shape with the answer of `/slos`: what is known follows in the same object.
fn in_object(known: &Known) -> Vec<u8> {
    let known = serde_json::to_vec(known).unwrap_or_default();
    known.get(1..).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(hub: &Hub, tick: i64, bytes: usize) {
        hub.send(Topic::Slos, tick, Bytes::from(vec![b' '; bytes]), Offsets::default());
    }

    fn ticks(hub: &Hub, from: Place) -> Result<Vec<i64>, Missed> {
        let mut ticks = Vec::new();
        for place in from.. {
            let Some(frame) = hub.at(place)? else { break };
            ticks.push(frame.tick);
        }
        Ok(ticks)
    }

    #[test]
    fn a_client_reads_on_from_where_it_is_until_it_is_too_far_behind() {
        let hub = Hub::default();
        send(&hub, 1, 10);
        let (place, _) = hub.now();
        assert_eq!(ticks(&hub, place), Ok(vec![]));
        for tick in 2..5 {
            send(&hub, tick, 10);
        }
        assert_eq!(ticks(&hub, place), Ok(vec![2, 3, 4]));
        assert_eq!(ticks(&hub, place + 3), Ok(vec![]));
        // Larger than all that is kept: it alone stays.
        send(&hub, 5, BYTES + 1);
        assert_eq!((ticks(&hub, place), ticks(&hub, place + 3)), (Err(Missed), Ok(vec![5])));
        send(&hub, 6, 10);
        assert_eq!(ticks(&hub, place + 4), Ok(vec![6]));
    }

    #[test]
    fn so_many_frames_are_kept() {
        let hub = Hub::default();
        for tick in 0..=FRAMES as i64 {
            send(&hub, tick, 1);
        }
        assert_eq!(ticks(&hub, 0), Err(Missed));
        assert_eq!(ticks(&hub, 1).map(|ticks| ticks.len()), Ok(FRAMES));
    }

    #[test]
    fn there_is_room_for_so_many_clients() {
        let hub = Hub::default();
        assert!(hub.join(1) && !hub.join(1) && hub.has_clients());
        hub.leave();
        assert!(!hub.has_clients() && hub.join(1));
    }
}
