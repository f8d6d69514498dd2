//! Many regular expressions, asked at once: which of them match a value.

use regex::RegexSet;

use crate::matchers::{Matcher, whole};

/// Expressions in one automaton: more of them make one that is too large.
const AT_ONCE: usize = 256;

/// The regular expressions of matchers, compiled once.
#[derive(Debug, Clone, Default)]
pub struct Patterns {
    sets: Vec<RegexSet>,
}

impl Patterns {
    /// Those of matchers that [ask for a regular expression](Matcher::is_regular); `None` if they are too large together.
    pub fn new<'m>(matchers: impl IntoIterator<Item = &'m Matcher>) -> Option<Patterns> {
        let patterns: Vec<String> = matchers.into_iter().map(|matcher| whole(&matcher.written().value)).collect();
        let sets = patterns.chunks(AT_ONCE).map(RegexSet::new).collect::<Result<_, _>>().ok()?;
        Some(Patterns { sets })
    }

    /// Which of them match, by their place among the matchers.
    pub fn matching<'p>(&'p self, value: &'p str) -> impl Iterator<Item = usize> + 'p {
        let of = move |(i, set): (usize, &RegexSet)| {
            set.matches(value).into_iter().map(move |at| i * AT_ONCE + at).collect::<Vec<_>>()
        };
        self.sets.iter().enumerate().flat_map(of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_that_of_each_matcher() {
        let all: Vec<Matcher> = (0..600).map(|i| Matcher::parse(&format!("slo=~\"a{i}|b{i}.*\"")).unwrap()).collect();
        let patterns = Patterns::new(&all).unwrap();
        for value in ["a0", "b1", "b599-x", "a600", "", "a\n"] {
            let want: Vec<usize> = (0..all.len()).filter(|i| all[*i].matches(value)).collect();
            assert_eq!(patterns.matching(value).collect::<Vec<_>>(), want, "{value:?}");
        }
    }
}
