//! Bytes that are being worked on, over all requests: bounded, and never waited for. A caller who finds no room is sent
//! away with Retry-After at once; a queue of waiting bodies would only hide the pressure until memory ran out.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What one permit stands for: permits are counted in 32 bits.
const UNIT: usize = 1024;

/// The room there is.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    permits: Arc<Semaphore>,
    units: usize,
}

/// No room at present.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// What a request holds of it; given back when dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    budget: Budget,
    held: Option<OwnedSemaphorePermit>,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        let units = bytes.div_ceil(UNIT).min(Semaphore::MAX_PERMITS);
        Budget { permits: Arc::new(Semaphore::new(units)), units }
    }

    /// A reservation of nothing yet.
    pub(super) fn open(&self) -> Reservation {
        Reservation { budget: self.clone(), held: None, bytes: 0 }
    }

    /// Bytes held now.
    pub(super) fn in_use(&self) -> usize {
        (self.units - self.permits.available_permits().min(self.units)) * UNIT
    }
}

impl Reservation {
    /// Holds `more` bytes more, or as before.
    pub(super) fn grow(&mut self, more: usize) -> Result<(), Full> {
        let needed = (self.bytes + more).div_ceil(UNIT) - self.bytes.div_ceil(UNIT);
        let needed = u32::try_from(needed).map_err(|_| Full)?;
        if needed > 0 {
            let permit = self.budget.permits.clone().try_acquire_many_owned(needed).map_err(|_| Full)?;
            match &mut self.held {
                Some(held) => held.merge(permit),
                held => *held = Some(permit),
            }
        }
        self.bytes += more;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_bounded_and_comes_back() {
        let budget = Budget::new(10 * UNIT);
        let (mut a, mut b) = (budget.open(), budget.open());
        assert_eq!(a.grow(1), Ok(()));
        assert_eq!(a.grow(UNIT - 1), Ok(()), "within the unit it holds");
        assert_eq!(b.grow(9 * UNIT), Ok(()));
        assert_eq!(budget.in_use(), 10 * UNIT);
        assert_eq!(a.grow(1), Err(Full));
        assert_eq!(b.grow(0), Ok(()));
        drop(b);
        assert_eq!(a.grow(9 * UNIT), Ok(()));
        drop(a);
        assert_eq!(budget.in_use(), 0);
    }
}
