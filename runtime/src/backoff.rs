//! How long to wait before trying again: exponentially longer up to a bound, with jitter so that many that failed together
//! do not come back together. A pure function of seed and attempt; the caller owns the clock.

use std::time::Duration;

/// A bounded exponential backoff.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Wait after the first failure, before jitter.
    pub first: Duration,
    /// No wait is longer.
    pub max: Duration,
}

impl Backoff {
    /// For a peer that is expected to be back soon: 100 ms to 10 s.
    pub const PEER: Backoff = Backoff { first: Duration::from_millis(100), max: Duration::from_secs(10) };

    /// The wait after failure number `attempt` (from 0) without jitter: `first` x 2^attempt, at most `max`.
    pub fn full(&self, attempt: u32) -> Duration {
        self.first.saturating_mul(1u32.checked_shl(attempt).unwrap_or(u32::MAX)).min(self.max)
    }

    /// The wait after failure number `attempt` (from 0): between half and all of `first` x 2^attempt, at most `max`.
    /// The same `seed` and `attempt` give the same wait; give each waiter its own seed.
    pub fn wait(&self, seed: u64, attempt: u32) -> Duration {
        let full = self.full(attempt);
        let half = full / 2;
        let share = (mix(seed ^ mix(u64::from(attempt))) >> 11) as f64 / (1u64 << 53) as f64;
        half + half.mul_f64(share)
    }
}

/// A counter of failures with its backoff: `next` after a failure, `reset` after a success.
#[derive(Debug, Clone)]
pub struct Retry {
    backoff: Backoff,
    /// `None` for no jitter.
    seed: Option<u64>,
    attempt: u32,
}

impl Retry {
    /// No failure so far.
    pub fn new(backoff: Backoff, seed: u64) -> Self {
        Retry { backoff, seed: Some(seed), attempt: 0 }
    }

    /// The same without jitter, for a single waiter.
    pub fn steady(backoff: Backoff) -> Self {
        Retry { backoff, seed: None, attempt: 0 }
    }

    /// How long to wait after one more failure.
    pub fn failed(&mut self) -> Duration {
        let wait = match self.seed {
            Some(seed) => self.backoff.wait(seed, self.attempt),
            None => self.backoff.full(self.attempt),
        };
        self.attempt = self.attempt.saturating_add(1);
        wait
    }

    /// Failures since the last success.
    pub fn failures(&self) -> u32 {
        self.attempt
    }

    /// It worked: the next failure starts from the beginning.
    pub fn reset(&mut self) {
        self.attempt = 0;
    }
}

/// SplitMix64's finaliser: every bit of the input moves every bit of the output.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_within_half_and_full_and_end_at_the_bound() {
        let backoff = Backoff { first: Duration::from_millis(100), max: Duration::from_secs(5) };
        for attempt in 0..200 {
            let full = Duration::from_millis(100).saturating_mul(2u32.saturating_pow(attempt)).min(backoff.max);
            for seed in 0..50 {
                let wait = backoff.wait(seed, attempt);
                assert!(wait >= full / 2 && wait <= full, "attempt {attempt}: {wait:?} of {full:?}");
            }
        }
    }

    #[test]
    fn the_same_seed_waits_the_same_and_seeds_differ() {
        let waits = |seed| (0..5).map(|a| Backoff::PEER.wait(seed, a)).collect::<Vec<_>>();
        assert_eq!(waits(7), waits(7));
        assert_ne!(waits(7), waits(8));
    }

    #[test]
    fn without_jitter_waits_double_exactly() {
        let mut retry = Retry::steady(Backoff { first: Duration::from_millis(20), max: Duration::from_millis(100) });
        let waits: Vec<u128> = (0..5).map(|_| retry.failed().as_millis()).collect();
        assert_eq!(waits, [20, 40, 80, 100, 100]);
    }

    #[test]
    fn a_success_starts_over() {
        let mut retry = Retry::new(Backoff::PEER, 1);
        let first = retry.failed();
        retry.failed();
        assert_eq!(retry.failures(), 2);
        retry.reset();
        assert_eq!(retry.failed(), first);
    }
}
