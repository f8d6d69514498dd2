//! A range of seconds in steps of one length.

/// Steps from `from` on; the last one may be shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    from: i64,
    to: i64,
    length: i64,
}

/// Steps that a range has at most.
const MOST: i64 = 10_000;
/// About as many as a chart shows, where nothing else was asked for.
const USUAL: i64 = 120;
/// Lengths that people think in, seconds.
const LENGTHS: [i64; 16] = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600];

impl Steps {
    /// The seconds `[from, to)` in steps of `length` seconds, longer if they would be too many.
    pub fn new(from: i64, to: i64, length: i64) -> Steps {
        let least = (to - from + MOST - 1) / MOST;
        Steps { from, to: to.max(from), length: length.max(least).max(1) }
    }

    /// The same in about as many steps as a chart shows.
    pub fn usual(from: i64, to: i64) -> Steps {
        let wanted = (to - from) / USUAL;
        let length = LENGTHS.iter().copied().find(|length| *length >= wanted);
        Steps::new(from, to, length.unwrap_or(wanted.div_euclid(86_400).max(1) * 86_400))
    }

    /// Those that begin before a second; the last one ends there.
    #[must_use]
    pub fn until(self, second: i64) -> Steps {
        Steps { to: second.clamp(self.from, self.to), ..self }
    }

    /// Length of a step, seconds.
    pub fn length(&self) -> i64 {
        self.length
    }

    /// Where the range begins, Unix seconds.
    pub fn from(&self) -> i64 {
        self.from
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        usize::try_from((self.to - self.from + self.length - 1) / self.length).unwrap_or(0)
    }

    /// The step of a second; `None` if it is outside.
    pub fn of(&self, second: i64) -> Option<usize> {
        if second < self.from || second >= self.to {
            return None;
        }
        usize::try_from((second - self.from) / self.length).ok()
    }

    /// The step whose last second this is.
    pub fn ended_by(&self, second: i64) -> Option<usize> {
        let step = self.of(second)?;
        let last = (self.begin(step) + self.length).min(self.to) - 1;
        (second == last).then_some(step)
    }

    /// The first second of a step.
    pub fn begin(&self, step: usize) -> i64 {
        self.from + step as i64 * self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_its_step_and_the_last_one_of_a_step_ends_it() {
        let steps = Steps::new(100, 125, 10);
        assert_eq!(steps.count(), 3);
        // (second, its step, the step that it ends)
        let table = [
            (99, None, None),
            (100, Some(0), None),
            (109, Some(0), Some(0)),
            (110, Some(1), None),
            (120, Some(2), None),
            (124, Some(2), Some(2)),
            (125, None, None),
        ];
        for (second, step, ended) in table {
            assert_eq!((steps.of(second), steps.ended_by(second)), (step, ended), "{second}");
        }
    }

    #[test]
    fn what_ends_early_has_fewer_steps_of_the_same_length() {
        let steps = Steps::new(100, 125, 10);
        for (second, count, ended) in
            [(90, 0, None), (100, 0, None), (101, 1, Some(0)), (111, 2, Some(1)), (200, 3, None)]
        {
            let cut = steps.until(second);
            assert_eq!((cut.count(), cut.ended_by(second - 1), cut.length()), (count, ended, 10), "{second}");
        }
    }

    #[test]
    fn the_usual_length_is_one_that_people_think_in_and_bounds_their_number() {
        for (span, length) in [(60, 1), (3_600, 30), (86_400, 900), (30 * 86_400, 21_600), (400 * 86_400, 259_200)] {
            let steps = Steps::usual(0, span);
            assert_eq!(steps.length(), length, "{span}");
            assert!(steps.count() <= 160, "{span}");
        }
        assert_eq!(Steps::new(0, 1_000_000, 1).length(), 100);
        assert_eq!(Steps::new(5, 5, 1).count(), 0);
    }
}
