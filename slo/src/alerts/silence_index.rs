//! Which of many silences may concern an alert: found by one label that each of them asks for, so that the others are not asked.

use std::collections::{BTreeMap, HashMap};

use slipstream_definitions::matchers::Matcher;
use slipstream_definitions::patterns::Patterns;

use super::labels::Labels;
use super::silences::Silence;

/// Where more silences than this ask for the same value, a regular expression tells them apart better.
const CROWD: usize = 16;

/// Silences by what they ask for.
#[derive(Debug, Clone, Default)]
pub(super) struct SilenceIndex {
    ids: Vec<String>,
    by_label: BTreeMap<String, OfLabel>,
    /// Those that ask for no value of any label.
    others: Vec<usize>,
}

/// Silences that ask for a value of one label, as places among the ids.
#[derive(Debug, Clone, Default)]
struct OfLabel {
    exactly: HashMap<String, Vec<usize>>,
    patterns: Patterns,
    /// By place among the patterns.
    by_pattern: Vec<usize>,
}

impl SilenceIndex {
    /// The index of silences.
    pub(super) fn new<'s>(silences: impl Iterator<Item = &'s Silence> + Clone) -> Self {
        let crowds = crowds(silences.clone());
        let ids = silences.clone().map(|silence| silence.written().id.clone()).collect();
        let mut index = SilenceIndex { ids, ..SilenceIndex::default() };
        let mut patterns: BTreeMap<&str, Vec<(&Matcher, usize)>> = BTreeMap::new();
        for (place, silence) in silences.enumerate() {
            match asks_for(silence, &crowds) {
                Some(Asked::Exactly(label, value)) => {
                    let of = index.by_label.entry(label.to_owned()).or_default();
                    of.exactly.entry(value.to_owned()).or_default().push(place);
                }
                Some(Asked::Pattern(matcher)) => {
                    patterns.entry(&matcher.written().label).or_default().push((matcher, place));
                }
                None => index.others.push(place),
            }
        }
        for (label, of) in patterns {
            index.add_patterns(label, &of);
        }
        index
    }

    fn add_patterns(&mut self, label: &str, of: &[(&Matcher, usize)]) {
        let places = of.iter().map(|(_, place)| *place);
        match Patterns::new(of.iter().map(|(matcher, _)| *matcher)) {
            Some(patterns) => {
                let here = self.by_label.entry(label.to_owned()).or_default();
                (here.patterns, here.by_pattern) = (patterns, places.collect());
            }
            None => self.others.extend(places),
        }
    }

    /// Ids of all silences that may match, and of few others.
    pub(super) fn candidates<'i>(&'i self, labels: &'i Labels) -> impl Iterator<Item = &'i String> + 'i {
        let asked = self.by_label.iter().filter_map(|(label, of)| Some((of, labels.get(label)?)));
        let asked = asked.flat_map(|(of, value)| {
            let exactly = of.exactly.get(value).into_iter().flatten().copied();
            exactly.chain(of.patterns.matching(value).map(|at| of.by_pattern[at]))
        });
        asked.chain(self.others.iter().copied()).map(|place| &self.ids[place])
    }
}

/// By what a silence is found.
enum Asked<'s> {
    Exactly(&'s str, &'s str),
    Pattern(&'s Matcher),
}

/// How many silences ask for each value of each label.
fn crowds<'s>(silences: impl Iterator<Item = &'s Silence>) -> HashMap<(&'s str, &'s str), usize> {
    let mut crowds = HashMap::new();
    for asked in silences.flat_map(|silence| silence.matchers().iter()).filter_map(Matcher::exactly) {
        *crowds.entry(asked).or_insert(0) += 1;
    }
    crowds
}

/// The value that the fewest ask for; where that is a crowd, a regular expression if there is one.
fn asks_for<'s>(silence: &'s Silence, crowds: &HashMap<(&str, &str), usize>) -> Option<Asked<'s>> {
    let all = || silence.matchers().iter();
    let crowd = |asked: &(&str, &str)| crowds.get(asked).copied().unwrap_or_default();
    let rarest = all().filter_map(Matcher::exactly).min_by_key(crowd);
    let pattern = all().find(|matcher| matcher.is_regular()).map(Asked::Pattern);
    match rarest {
        Some(asked) if crowd(&asked) <= CROWD || pattern.is_none() => Some(Asked::Exactly(asked.0, asked.1)),
        _ => pattern,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use slipstream_definitions::matchers::Matchers;
    use slipstream_schemas::records;

    use super::super::silences::{Silences, Silencing};
    use super::*;

    const LABELS: [&str; 3] = ["slo", "service", "team"];
    const VALUES: [&str; 4] = ["a", "b", "ab", ""];

    /// Matchers of all kinds, those that match an empty label among them.
    fn matcher() -> impl Strategy<Value = String> {
        let sign = prop_oneof![3 => Just("="), 1 => Just("!="), 3 => Just("=~"), 1 => Just("!~")];
        let value = prop_oneof![Just("a"), Just("b"), Just("a|b"), Just("a.*"), Just(".*"), Just("(b|c)?"), Just("")];
        (proptest::sample::select(&LABELS[..]), sign, value)
            .prop_map(|(label, sign, value)| format!("{label}{sign}\"{value}\""))
    }

    fn silence(id: usize, matchers: &[String], from: i64, length: i64) -> Option<Silence> {
        let matchers = Matchers::parse(&matchers.join(",")).unwrap().written();
        let (author, reason) = (String::new(), String::new());
        let (id, to) = (format!("s{id}"), (length > 0).then_some(from + length));
        Silence::new(records::Silence { id, matchers, from, to, recurrence: None, author, reason, created_at: 0 }).ok()
    }

    /// Every silence asked, one after the other.
    fn naive(all: &[Silence], labels: &Labels, at: i64) -> Option<Silencing> {
        let applying = all.iter().filter(|silence| silence.matches(labels));
        let applying = applying.filter_map(|s| s.applies(at).map(|until| (until, s.written().id.clone())));
        let (until, id) = applying.max_by_key(|(until, id)| (until.unwrap_or(i64::MAX), id.clone()))?;
        Some(Silencing { id, until })
    }

    proptest! {
        #[test]
        fn the_answer_is_that_of_asking_every_silence(
            written in proptest::collection::vec((proptest::collection::vec(matcher(), 1..4), 0..50i64, 0..50i64), 0..60),
            values in proptest::collection::vec(proptest::sample::select(&VALUES[..]), 3),
            lacks in proptest::bool::ANY,
            at in 0..100i64,
        ) {
            let all = written.iter().enumerate().filter_map(|(id, (matchers, from, length))| silence(id, matchers, *from, *length));
            let all: Vec<Silence> = all.collect();
            let mut silences = Silences::default();
            all.iter().cloned().for_each(|silence| silences.insert(silence));
            let labels = LABELS.iter().zip(&values).filter(|(_, value)| !(lacks && value.is_empty()));
            let labels: Labels = labels.map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect();
            prop_assert_eq!(silences.at(&labels, at), naive(&all, &labels, at));
            let Some(first) = all.first() else { return Ok(()) };
            silences.remove(&first.written().id);
            prop_assert_eq!(silences.at(&labels, at), naive(&all[1..], &labels, at));
        }
    }

    #[test]
    fn few_are_asked() {
        let all: Vec<Silence> = (0..1_000)
            .map(|i| {
                let matchers = match i % 4 {
                    0 => vec![format!("slo=other-{i}")],
                    1 => vec![format!("service=~\"other-{i}|more-{i}\"")],
                    2 => vec!["severity=page".to_owned(), format!("endpoint=a{i}")],
                    _ => vec!["severity=page".to_owned(), format!("slo=~\"other-{i}.*\"")],
                };
                silence(i, &matchers, 0, 0).unwrap()
            })
            .collect();
        let index = SilenceIndex::new(all.iter());
        let alert = |slo: &str, endpoint: &str| {
            let pairs = [("slo", slo), ("endpoint", endpoint), ("severity", "page"), ("service", "more-5")];
            pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<Labels>()
        };
        let asked = |labels: &Labels| index.candidates(labels).cloned().collect::<Vec<_>>();
        assert_eq!(asked(&alert("checkout", "/pay")), ["s5"]);
        assert_eq!(asked(&alert("other-7-eu", "a2")), ["s2", "s5", "s7"]);
    }
}
