//! Repetitions: `*`, `+`, `?`, `{2}`, `{2,}`, `{2,5}`, and RE2's limits on them.

use super::{Refusal, Translator};

/// Most repetitions, also of repetitions in repetitions taken together.
const MOST: u32 = 1_000;

/// How often something is repeated; no `most`: without an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Count {
    least: u32,
    most: Option<u32>,
}

impl Count {
    pub(super) fn new(least: u32, most: Option<u32>) -> Count {
        Count { least, most }
    }

    /// Parses `2}`, `2,}` or `2,5}` after a `{`. `None` if it is something else: then the `{` is a character.
    pub(super) fn parse(source: &str) -> Option<(Count, &str)> {
        let (inside, rest) = source.split_once('}')?;
        let count = match inside.split_once(',') {
            None => number(inside).map(|exact| Count::new(exact, Some(exact)))?,
            Some((least, "")) => Count::new(number(least)?, None),
            Some((least, most)) => Count::new(number(least)?, Some(number(most)?)),
        };
        Some((count, rest))
    }

    /// Whether RE2 writes the repetition out, which its limit is for.
    fn is_written_out(self) -> bool {
        self.least >= 2 || self.most.is_some_and(|most| most >= 2)
    }

    /// How often a part that is repeated `weight` times is repeated now.
    fn times(self, weight: u32) -> u32 {
        match self.most.unwrap_or(self.least) {
            0 if self.most.is_some() => 1,
            times => weight.saturating_mul(times.max(1)),
        }
    }
}

/// Digits without a leading zero. What is too great for a number is too great for the limit as well.
fn number(digits: &str) -> Option<u32> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = digits == "0" || !digits.starts_with('0');
    (plain && canonical).then(|| digits.parse().unwrap_or(u32::MAX))
}

impl Translator<'_> {
    /// Repeats what was written last; `repeated`: the character before belongs to another repetition. Returns true,
    /// because this is one.
    pub(super) fn repeat(&mut self, count: Count, repeated: bool) -> Result<bool, Refusal> {
        let Count { least, most } = count;
        if least > MOST || most.is_some_and(|most| most > MOST) {
            return Refusal::new(format!("a repetition of more than {MOST} times"), "for no limit, write `*` or `+`");
        }
        if most.is_some_and(|most| most < least) {
            return Refusal::new(
                format!("the minimum in `{{{least},{}}}` is above the maximum", most.unwrap_or_default()),
                "write the smaller number first",
            );
        }
        let Some(atom) = &mut self.atom else {
            return Refusal::new(
                "there is nothing to repeat before a `*`, `+`, `?` or `{n}`",
                "write `\\\\*` for the character itself; `.*` is any text",
            );
        };
        if repeated {
            let help = "`?` behind one makes it lazy; write `(?:a*)*` for anything else";
            return Refusal::new("a repetition follows a repetition", help);
        }
        let weight = count.times(atom.weight);
        if count.is_written_out() && weight > MOST {
            return Refusal::new(format!("nested repetitions exceed {MOST}"), "for no limit, write `*` or `+`");
        }
        if atom.repeated {
            self.out.insert_str(atom.start, "(?:");
            self.out.push(')');
        }
        (atom.weight, atom.repeated) = (weight, true);
        self.out.push_str(&written(count));
        self.eat("?");
        Ok(true)
    }
}

fn written(count: Count) -> String {
    match (count.least, count.most) {
        (0, None) => "*".to_owned(),
        (1, None) => "+".to_owned(),
        (0, Some(1)) => "?".to_owned(),
        (least, None) => format!("{{{least},}}"),
        (least, Some(most)) => format!("{{{least},{most}}}"),
    }
}
