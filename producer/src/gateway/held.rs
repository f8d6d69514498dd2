//! Bytes together with their reservation in the budget: reserved before they are allocated, released when they are
//! dropped. As [`Bytes`] they hold it as long as a part of them is in use: in the log's queue, in a socket.

use std::io;

use bytes::Bytes;

use super::budget::{Budget, Full, Reservation};

/// The least that is allocated.
const LEAST: usize = 512;

/// Bytes that grow within the budget.
#[derive(Debug)]
pub(super) struct Held {
    bytes: Vec<u8>,
    room: Reservation,
    /// They are not expected to become longer than this: room beyond it is not taken in advance.
    most: usize,
}

impl Held {
    pub(super) fn new(budget: &Budget, most: usize) -> Self {
        Held { bytes: Vec::new(), room: budget.open(), most }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Appends.
    pub(super) fn push(&mut self, more: &[u8]) -> Result<(), Full> {
        self.make_room(more.len())?;
        self.bytes.extend_from_slice(more);
        Ok(())
    }

    /// Appends what `write` appends, which should be no more than `bound` bytes.
    pub(super) fn append(&mut self, bound: usize, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Full> {
        self.make_room(bound)?;
        let held = self.bytes.capacity();
        write(&mut self.bytes);
        self.room.grow(self.bytes.capacity() - held)
    }

    /// The old and the new allocation exist at the same time while one is copied to the other.
    fn make_room(&mut self, more: usize) -> Result<(), Full> {
        let (length, old) = (self.bytes.len(), self.bytes.capacity());
        let needed = length.checked_add(more).ok_or(Full)?;
        if needed <= old {
            return Ok(());
        }
        let new = old.saturating_mul(2).min(self.most).max(needed).max(LEAST);
        self.room.grow(new)?;
        self.bytes.reserve_exact(new - length);
        self.room.shrink(old);
        Ok(())
    }

    pub(super) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl io::Write for Held {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.push(buf).map_err(io::Error::other)?;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allocated_is_reserved_until_the_last_part_is_dropped() {
        let budget = Budget::new(1 << 20, 0);
        let mut held = Held::new(&budget, 10_000);
        held.push(&[1; 600]).unwrap();
        held.push(&[2; 1_000]).unwrap();
        assert_eq!((held.len(), budget.in_use()), (1_600, held.bytes.capacity()));
        held.push(&[3; 7_000]).unwrap();
        assert_eq!(held.bytes.capacity(), 8_600);
        held.push(&[4; 100]).unwrap();
        assert_eq!(held.bytes.capacity(), 10_000, "no further than expected");
        held.append(10, |bytes| bytes.extend_from_slice(&[5; 5_000])).unwrap();
        assert_eq!(budget.in_use(), held.bytes.capacity(), "who writes more than announced is held to it");
        let all = held.into_bytes();
        let part = all.slice(100..200);
        drop(all);
        assert!(budget.in_use() > 10_000);
        drop(part);
        assert_eq!(budget.in_use(), 0);
    }

    #[test]
    fn old_and_new_must_both_find_room() {
        let budget = Budget::new(3_000, 0);
        let mut held = Held::new(&budget, usize::MAX);
        held.push(&[1; 1_000]).unwrap();
        assert_eq!(held.push(&[1; 1_000]), Ok(()));
        assert_eq!(held.push(&[1; 1_000]), Err(Full));
        assert_eq!((held.len(), budget.in_use()), (2_000, 2_000), "as before");
    }
}
