//! What was read of a file, in a few numbers, by which a file is recognised before an import of it continues.

use std::hash::Hasher;

use slipstream_schemas::records::ImportCheck;
use twox_hash::XxHash3_64;

/// Bytes between checks at least; a line is rarely shorter.
const NARROWEST: u64 = 128;
/// Beyond that, there is a check whenever a file has grown by this fraction: wherever it is truncated, fifteen
/// sixteenths of it can be compared.
const PART: u64 = 16;
/// Checks at most, which are enough for 10 GB.
pub(super) const MOST_CHECKS: usize = 256;

/// A hash of everything read so far, and what it was at places on the way.
///
/// XXH3 costs almost nothing compared with reading a line, and collides once in 2^64: the identity that separates
/// unrelated files is the SHA-256 of a file's head.
#[derive(Clone)]
pub(super) struct Trail {
    hasher: XxHash3_64,
    bytes: u64,
    checks: Vec<ImportCheck>,
    /// Where the next check is due.
    due: u64,
}

impl Trail {
    pub(super) fn new() -> Self {
        Trail { hasher: XxHash3_64::new(), bytes: 0, checks: Vec::new(), due: NARROWEST }
    }

    /// The next bytes that were read. The positions of checks do not depend on the size of reads.
    pub(super) fn add(&mut self, read: &[u8]) {
        let mut rest = read;
        while self.bytes + rest.len() as u64 >= self.due {
            let (before, behind) = rest.split_at((self.due - self.bytes) as usize);
            self.hasher.write(before);
            self.bytes = self.due;
            self.check();
            rest = behind;
        }
        self.hasher.write(rest);
        self.bytes += rest.len() as u64;
    }

    /// Bytes read so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Their hash, as the 64 bits of a signed number.
    pub(super) fn hash(&self) -> i64 {
        self.hasher.finish() as i64
    }

    /// The hashes of beginnings, shortest first.
    pub(super) fn checks(&self) -> &[ImportCheck] {
        &self.checks
    }

    fn check(&mut self) {
        self.checks.push(ImportCheck { bytes: self.bytes as i64, hash: self.hash() });
        let is_last = self.checks.len() == MOST_CHECKS;
        self.due = if is_last { u64::MAX } else { self.bytes + NARROWEST.max(self.bytes / PART) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_does_not_depend_on_how_bytes_came() {
        let text: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
        let mut whole = Trail::new();
        whole.add(&text);
        for size in [1, 7, 4_096] {
            let mut parts = Trail::new();
            text.chunks(size).for_each(|part| parts.add(part));
            assert_eq!((parts.bytes(), parts.hash()), (whole.bytes(), whole.hash()), "{size}");
            assert_eq!(parts.checks(), whole.checks(), "{size}");
        }
    }

    #[test]
    fn checks_stay_few_and_lie_close() {
        for lines in [0, 1, 10, 100, 1_000, 100_000] {
            let mut trail = Trail::new();
            (0..lines).for_each(|n| trail.add(format!("a line of a log, with number {n:05}\n").as_bytes()));
            let places: Vec<i64> = trail.checks().iter().map(|check| check.bytes).collect();
            assert!(places.len() <= MOST_CHECKS, "{lines}: {}", places.len());
            let end = trail.bytes() as i64;
            for (from, to) in [0].iter().chain(&places).zip(places.iter().chain([&end])) {
                let most = (NARROWEST as i64).max(from / PART as i64);
                assert!(to - from <= most, "{lines}: from {from} to {to}");
            }
        }
    }
}
