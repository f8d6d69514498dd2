//! The memory of all requests together, in bytes: bounded, and never waited for. A caller for whom there is no room is sent
//! away with Retry-After at once; a queue of waiting bodies would only hide the pressure until memory ran out.
//!
//! Whatever a client can make larger is reserved here before it is allocated: bodies as sent and decompressed, events on
//! their way to the log, the answer until it is written to the socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use slipstream_runtime::event::Event;

use super::events::InFlight;

/// What a reservation holds beyond this is large. An eighth of the budget is closed to what is large, so that a request of
/// a few events finds room whatever the large ones do: 8 KiB for each of 2,048 connections, by default.
const SMALL: usize = 8 << 10;

/// The room there is.
#[derive(Debug, Clone)]
pub(super) struct Budget(Arc<Room>);

#[derive(Debug)]
struct Room {
    limit: usize,
    limit_of_large: usize,
    used: AtomicUsize,
    used_by_large: AtomicUsize,
    #[cfg(test)]
    peak: AtomicUsize,
}

/// No room at present.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no room for more requests at present")]
pub(super) struct Full;

/// What a part of a request holds of it; given back when dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(limit: usize) -> Self {
        Budget(Arc::new(Room {
            limit,
            limit_of_large: limit - limit / 8,
            used: AtomicUsize::new(0),
            used_by_large: AtomicUsize::new(0),
            #[cfg(test)]
            peak: AtomicUsize::new(0),
        }))
    }

    /// A reservation of nothing yet.
    pub(super) fn open(&self) -> Reservation {
        Reservation { budget: self.clone(), bytes: 0 }
    }

    /// Bytes held now.
    pub(super) fn in_use(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// The most that was held.
    #[cfg(test)]
    pub(super) fn peak(&self) -> usize {
        self.0.peak.load(Ordering::Relaxed)
    }
}

impl Reservation {
    /// Holds `more` bytes more, or as before.
    pub(super) fn grow(&mut self, more: usize) -> Result<(), Full> {
        let bytes = self.bytes.checked_add(more).ok_or(Full)?;
        let room = &self.budget.0;
        let large = large_part(bytes) - large_part(self.bytes);
        take(&room.used_by_large, large, room.limit_of_large)?;
        if take(&room.used, more, room.limit).is_err() {
            room.used_by_large.fetch_sub(large, Ordering::Relaxed);
            return Err(Full);
        }
        self.bytes = bytes;
        #[cfg(test)]
        room.peak.fetch_max(self.budget.in_use(), Ordering::Relaxed);
        Ok(())
    }

    /// Holds `less` bytes less.
    pub(super) fn shrink(&mut self, less: usize) {
        let less = less.min(self.bytes);
        let bytes = self.bytes - less;
        self.budget.0.used_by_large.fetch_sub(large_part(self.bytes) - large_part(bytes), Ordering::Relaxed);
        self.budget.0.used.fetch_sub(less, Ordering::Relaxed);
        self.bytes = bytes;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.shrink(self.bytes);
            InFlight { bytes: self.budget.in_use() }.emit();
        }
    }
}

fn large_part(bytes: usize) -> usize {
    bytes.saturating_sub(SMALL)
}

fn take(counter: &AtomicUsize, more: usize, limit: usize) -> Result<(), Full> {
    let fits = |used: usize| used.checked_add(more).filter(|sum| *sum <= limit);
    counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).map(drop).map_err(|_| Full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_bounded_and_comes_back() {
        let budget = Budget::new(16 * SMALL);
        let (mut a, mut b) = (budget.open(), budget.open());
        assert_eq!(a.grow(4 * SMALL), Ok(()));
        assert_eq!(a.grow(12 * SMALL), Err(Full), "the last eighth is for what is small");
        assert_eq!(b.grow(SMALL), Ok(()));
        assert_eq!(budget.in_use(), 5 * SMALL, "what was refused holds nothing");
        a.shrink(SMALL);
        assert_eq!(budget.in_use(), 4 * SMALL);
        drop(a);
        assert_eq!(budget.in_use(), SMALL);
        assert_eq!(b.grow(usize::MAX), Err(Full));
        drop(b);
        assert_eq!(budget.in_use(), 0);
    }

    #[test]
    fn a_small_request_finds_room_beside_large_ones() {
        let budget = Budget::new(64 * SMALL);
        let mut large: Vec<Reservation> = (0..4).map(|_| budget.open()).collect();
        while large.iter_mut().any(|r| r.grow(SMALL).is_ok()) {}
        let mut small: Vec<Reservation> = (0..4).map(|_| budget.open()).collect();
        assert!(small[0].grow(2 * SMALL).is_err(), "it is large");
        for reservation in &mut small[..3] {
            assert_eq!(reservation.grow(SMALL / 4), Ok(()));
        }
    }
}
