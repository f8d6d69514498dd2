//! Chance that can be repeated.

/// SplitMix64 (Steele, Lea, Flood 2014): every seed gives its own sequence.
pub struct Chance(u64);

impl Chance {
    /// The sequence of an input.
    pub fn of(seed: u64, number: u64) -> Chance {
        let mut chance = Chance(seed);
        chance.0 = chance.next() ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        chance.next();
        chance
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is at least 1.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of them.
    pub fn of_these<'t, T: ?Sized>(&mut self, these: &[&'t T]) -> &'t T {
        these[self.below(these.len())]
    }

    /// Any number, small ones and the ends of their range more often.
    pub fn number(&mut self) -> i64 {
        match self.below(6) {
            0 => self.below(4) as i64,
            1 => self.below(1_000) as i64,
            2 => -(self.below(1_000) as i64),
            3 => [i64::MAX, i64::MIN, i64::from(i32::MAX), 1 << 53][self.below(4)],
            _ => self.next() as i64,
        }
    }
}
