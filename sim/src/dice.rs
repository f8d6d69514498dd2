//! Chance by seed: the same seed, the same throws.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Dice that everybody in a world throws, in the order of the one scheduler.
#[derive(Debug)]
pub struct Dice(Mutex<ChaCha8Rng>);

impl Dice {
    /// The `stream`-th dice of a seed: each part of the world has its own, so their rolls are independent.
    pub fn new(seed: u64, stream: u64) -> Dice {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Dice(Mutex::new(rng))
    }

    fn rng(&self) -> MutexGuard<'_, ChaCha8Rng> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One of `from..to`.
    pub fn between(&self, from: i64, to: i64) -> i64 {
        self.rng().random_range(from..to.max(from + 1))
    }

    /// One of `0..sides`.
    pub fn below(&self, sides: usize) -> usize {
        self.rng().random_range(0..sides.max(1))
    }

    /// One of these; an item that is listed more often is more likely.
    pub fn pick<T: Clone>(&self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    /// True in this many of a thousand cases.
    pub fn in_thousand(&self, cases: u32) -> bool {
        cases > 0 && self.rng().random_range(0..1_000) < cases
    }
}
