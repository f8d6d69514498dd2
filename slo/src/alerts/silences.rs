//! What silences hold back, and until when. Times are milliseconds since the epoch.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use slipstream_definitions::matchers::{MatcherError, Matchers};
use slipstream_definitions::recurrence::{Recurrence, RecurrenceError};
use slipstream_schemas::records::Silence as Written;

use super::labels::Labels;
use super::silence_index::SilenceIndex;

/// Why a silence cannot be worked with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SilenceError {
    /// A matcher is none, or all match everything.
    #[error(transparent)]
    Matcher(#[from] MatcherError),
    /// It would match alerts without any label.
    #[error(
        "the matchers {0} also match an alert without labels: add one that asks for something, like alertname=~\".+\""
    )]
    Everything(String),
    /// Its recurrence is none.
    #[error(transparent)]
    Recurrence(#[from] RecurrenceError),
    /// It ends before it begins.
    #[error("it ends before it begins")]
    Order,
}

/// A silence, ready to be asked.
#[derive(Debug, Clone)]
pub struct Silence {
    written: Written,
    matchers: Matchers,
    recurrence: Option<Recurrence>,
}

impl Silence {
    /// Reads a silence as recorded.
    ///
    /// # Errors
    /// See [`SilenceError`].
    pub fn new(written: Written) -> Result<Self, SilenceError> {
        let matchers = Matchers::new(&written.matchers)?;
        if matchers.match_all(|_| None) {
            return Err(SilenceError::Everything(matchers.to_string()));
        }
        if written.to.is_some_and(|to| to < written.from) {
            return Err(SilenceError::Order);
        }
        let recurrence = written.recurrence.as_ref().map(Recurrence::new).transpose()?;
        Ok(Silence { written, matchers, recurrence })
    }

    /// As recorded.
    pub fn written(&self) -> &Written {
        &self.written
    }

    /// What it matches.
    pub fn matchers(&self) -> &Matchers {
        &self.matchers
    }

    /// Whether an alert with these labels is one of its.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.matchers.match_all(|name| labels.get(name).map(String::as_str))
    }

    /// Until when it applies, if it applies at a time; `Some(None)`: until it is expired.
    pub fn applies(&self, at: i64) -> Option<Option<i64>> {
        let Written { from, to, .. } = &self.written;
        if at < *from || to.is_some_and(|to| at >= to) {
            return None;
        }
        match &self.recurrence {
            None => Some(*to),
            Some(recurrence) => {
                let (_, end) = recurrence.at(at.div_euclid(1_000))?;
                Some(Some(to.unwrap_or(i64::MAX).min(end * 1_000)))
            }
        }
    }

    /// Whether it will never apply from a time on.
    pub fn is_over(&self, at: i64) -> bool {
        self.written.to.is_some_and(|to| at >= to)
    }

    /// When it applies next, at a time or later; `None` if never again.
    pub fn next(&self, at: i64) -> Option<i64> {
        let at = at.max(self.written.from);
        if self.is_over(at) {
            return None;
        }
        let Some(recurrence) = &self.recurrence else { return Some(at) };
        if self.applies(at).is_some() {
            return Some(at);
        }
        let next = recurrence.begin_after(at.div_euclid(1_000))?.saturating_mul(1_000);
        (!self.is_over(next)).then_some(next)
    }
}

/// What holds an alert back, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silencing {
    /// Id of the silence.
    pub id: String,
    /// Until when it applies; `None`: until it is expired.
    pub until: Option<i64>,
}

/// All silences. Those that may concern an alert are found by a label that they ask for, so a thousand of them cost little.
#[derive(Debug, Clone, Default)]
pub struct Silences {
    all: BTreeMap<String, Silence>,
    /// Made when it is needed first after a change.
    index: OnceLock<SilenceIndex>,
}

impl Silences {
    /// Takes a silence, in place of an earlier one of its id.
    pub fn insert(&mut self, silence: Silence) {
        self.index.take();
        self.all.insert(silence.written.id.clone(), silence);
    }

    /// Forgets a silence.
    pub fn remove(&mut self, id: &str) {
        self.index.take();
        self.all.remove(id);
    }

    /// One by its id.
    pub fn get(&self, id: &str) -> Option<&Silence> {
        self.all.get(id)
    }

    /// All of them, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Silence> {
        self.all.values()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// What holds an alert back at a time: of several silences the one that applies longest.
    pub fn at(&self, labels: &Labels, at: i64) -> Option<Silencing> {
        if self.is_empty() {
            return None;
        }
        let index = self.index.get_or_init(|| SilenceIndex::new(self.all.values()));
        let applying = index.candidates(labels).filter_map(|id| {
            let silence = self.all.get(id)?;
            // When it applies may take a look at a calendar.
            silence.matches(labels).then(|| silence.applies(at)).flatten().map(|until| (until, &silence.written.id))
        });
        let longest = applying.max_by_key(|(until, id)| (until.unwrap_or(i64::MAX), *id))?;
        Some(Silencing { id: longest.1.clone(), until: longest.0 })
    }
}

#[cfg(test)]
mod tests {
    use slipstream_schemas::records::Recurrence;

    use super::*;

    fn written(id: &str, matchers: &str, from: i64, to: Option<i64>) -> Written {
        Written {
            id: id.to_owned(),
            matchers: Matchers::parse(matchers).unwrap().written(),
            from,
            to,
            recurrence: None,
            author: String::new(),
            reason: String::new(),
            created_at: 0,
        }
    }

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn holds(silences: &Silences, pairs: &[(&str, &str)], at: i64) -> Option<(String, Option<i64>)> {
        silences.at(&labels(pairs), at).map(|s| (s.id, s.until))
    }

    #[test]
    fn a_silence_holds_back_what_it_matches_while_it_applies() {
        let mut silences = Silences::default();
        silences.insert(Silence::new(written("a", "service=payment", 1_000, Some(5_000))).unwrap());
        silences.insert(Silence::new(written("b", "severity=~page|ticket", 4_000, None)).unwrap());
        let payment = [("service", "payment"), ("severity", "page")];
        let until = |id: &str, until| Some((id.to_owned(), until));
        assert_eq!(holds(&silences, &payment, 999), None);
        assert_eq!(holds(&silences, &payment, 1_000), until("a", Some(5_000)));
        assert_eq!(holds(&silences, &payment, 4_000), until("b", None), "the one that applies longest");
        assert_eq!(holds(&silences, &[("service", "search"), ("severity", "info")], 4_000), None);
        silences.remove("b");
        assert_eq!(holds(&silences, &payment, 5_000), None);
        let expired = Written { to: Some(2_000), ..written("a", "service=payment", 1_000, None) };
        silences.insert(Silence::new(expired).unwrap());
        assert_eq!(holds(&silences, &payment, 2_000), None, "the last record of an id counts");
        assert_eq!(silences.iter().count(), 1);
    }

    #[test]
    fn a_recurrence_applies_within_its_bounds() {
        let hour = 3_600_000;
        let nightly = Recurrence { cron: "0 2 * * *".to_owned(), zone: "UTC".to_owned(), seconds: 3_600 };
        let of = Written { recurrence: Some(nightly), ..written("n", "service=a", 0, Some(26 * hour + hour / 2)) };
        let silence = Silence::new(of).unwrap();
        assert_eq!(silence.applies(hour), None);
        assert_eq!(silence.applies(2 * hour), Some(Some(3 * hour)));
        assert_eq!(silence.applies(26 * hour), Some(Some(26 * hour + hour / 2)), "its own end comes first");
        assert_eq!(silence.next(0), Some(2 * hour));
        assert_eq!(silence.next(2 * hour + 1), Some(2 * hour + 1));
        assert_eq!(silence.next(3 * hour), Some(26 * hour));
        assert_eq!(silence.next(27 * hour), None);
    }

    #[test]
    fn what_cannot_be_a_silence_is_refused() {
        let everything = Written { matchers: Vec::new(), ..written("x", "a=b", 0, None) };
        for wrong in [everything, written("x", "team=", 0, None), written("x", "a!=b", 0, None)] {
            assert!(matches!(Silence::new(wrong), Err(SilenceError::Everything(_))));
        }
        assert_eq!(Silence::new(written("x", "a=b", 2, Some(1))).unwrap_err(), SilenceError::Order);
    }
}
