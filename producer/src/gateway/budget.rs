//! The memory of all requests together, in bytes: bounded, and never waited for. A caller for which there is no room is
//! sent away with Retry-After at once; a queue of waiting bodies would only hide the pressure until memory ran out.
//!
//! Whatever a client can make larger is reserved here before it is allocated: bodies as sent and decompressed, events on
//! their way to the log, the response until it is written to the socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use slipstream_runtime::event::Event;

use super::Limits;
use super::events::InFlight;

/// What a reservation holds beyond this is large. So much for each connection is closed to what is large: a request of a few
/// events finds room whatever the large ones do.
const SMALL: usize = Limits::SMALL_REQUEST;

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

/// No room at the moment.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no room for more requests at the moment")]
pub(super) struct Full;

/// What a part of a request holds of it; released when dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    budget: Budget,
    bytes: usize,
}

impl Budget {
    /// Room of `limit` bytes, of which what is large leaves [`SMALL`] to each of `connections`, but has at least a half.
    pub(super) fn new(limit: usize, connections: usize) -> Self {
        let of_small = connections.saturating_mul(SMALL).min(limit / 2);
        Budget(Arc::new(Room {
            limit,
            limit_of_large: limit - of_small,
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
    #[cfg(test)]
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
        InFlight { more: more as i64 }.emit();
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
        InFlight { more: -(less as i64) }.emit();
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.shrink(self.bytes);
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
        let budget = Budget::new(16 * SMALL, 2);
        let (mut a, mut b) = (budget.open(), budget.open());
        assert_eq!(a.grow(4 * SMALL), Ok(()));
        assert_eq!(a.grow(12 * SMALL), Err(Full), "the last two parts are for what is small");
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
        let budget = Budget::new(64 * SMALL, 8);
        let mut large: Vec<Reservation> = (0..4).map(|_| budget.open()).collect();
        while large.iter_mut().any(|r| r.grow(SMALL).is_ok()) {}
        let mut small: Vec<Reservation> = (0..4).map(|_| budget.open()).collect();
        assert!(small[0].grow(2 * SMALL).is_err(), "it is large");
        for reservation in &mut small[..3] {
            assert_eq!(reservation.grow(SMALL / 4), Ok(()));
        }
    }

    #[test]
    fn what_is_kept_for_small_requests_grows_with_the_connections() {
        let free_of_large = |connections: usize| {
            let budget = Budget::new(1_000 * SMALL, connections);
            let mut large = budget.open();
            while large.grow(SMALL).is_ok() {}
            let small: Vec<Reservation> = std::iter::from_fn(|| {
                let mut small = budget.open();
                small.grow(SMALL).is_ok().then_some(small)
            })
            .collect();
            small.len()
        };
        assert_eq!((free_of_large(10), free_of_large(400)), (9, 399), "the large one has a small part itself");
        assert_eq!(free_of_large(5_000), 499);
    }
}
