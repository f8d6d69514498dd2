//! The timeline of alerts that a test expects, held against the transitions that came.

use slipstream_schemas::records::{AlertTransition, TransitionKind};

use crate::bind::{Subject, SubjectName};
use crate::{file, span};
use slipstream_definitions::document::fields::{Fields, Text, as_written};
use slipstream_definitions::document::report::{Place, Report};
use slipstream_definitions::document::yaml::Node;

/// An entry of `alerts` as it was read.
pub(crate) struct AlertDraft {
    pub place: Place,
    pub subject: Subject,
    pub when: When,
    pub kind: TransitionKind,
    pub rule: Option<(String, Place)>,
    pub severity: Option<String>,
}

/// An expected transition.
pub(crate) struct Expected {
    pub place: Place,
    pub subject: SubjectName,
    pub when: When,
    pub kind: TransitionKind,
    pub rule: Option<String>,
    pub severity: Option<String>,
}

/// A stretch of time, its ends included; seconds since the start.
#[derive(Debug, Clone)]
pub(crate) struct When {
    pub first: i64,
    pub last: i64,
    pub text: String,
}

const KINDS: [(&str, TransitionKind); 7] = [
    ("pending", TransitionKind::Pending),
    ("inactive", TransitionKind::Inactive),
    ("firing", TransitionKind::Firing),
    ("severity", TransitionKind::Severity),
    ("keeping", TransitionKind::Keeping),
    ("resumed", TransitionKind::Resumed),
    ("resolved", TransitionKind::Resolved),
];

/// Whether receivers hear of a transition, so that a test must name it.
pub(crate) fn is_sent(kind: TransitionKind) -> bool {
    kind.is_told()
}

/// Reads an entry.
pub(crate) fn read(report: &mut Report<'_>, node: &Node, path: &str, start: i64) -> Option<AlertDraft> {
    let fields = Fields::of(report, node, path)?;
    fields.check_ours(report, &["at", "is", "slo", "objective", "group", "rule", "severity"]);
    let at = fields.required(report, "at").and_then(|node| as_written(report, node, &fields.path_of("at")));
    let when = at.and_then(|text| when(report, text, start));
    let words = KINDS.map(|(word, _)| word);
    let kind = fields.required_word(report, "is", &words);
    let kind = kind.and_then(|text| KINDS.iter().find(|(word, _)| *word == text.value));
    let subject = Subject::read(report, &fields);
    let rule = fields.text(report, "rule").map(|text| (text.value.to_owned(), text.place));
    let severity = fields.text(report, "severity").map(|text| text.value.to_owned());
    Some(AlertDraft { place: fields.place, subject, when: when?, kind: kind?.1, rule, severity })
}

/// `10m`, `10m ± 30s`, `10m within 30s`, `10m to 11m`.
fn when(report: &mut Report<'_>, text: Text<'_>, start: i64) -> Option<When> {
    let part = |value| Text { value, place: text.place };
    if let Some((first, last)) = text.value.split_once(" to ") {
        let first = file::time(report, part(first.trim()), start)?;
        let last = file::time(report, part(last.trim()), start)?;
        if first > last {
            let message = format!("expected the earlier time first, found `{}`", text.value);
            report.error(text.place, "invalid-time", message, None);
            return None;
        }
        return Some(When { first, last, text: text.value.to_owned() });
    }
    let split = ["±", "+-", " within "].iter().find_map(|word| text.value.split_once(word));
    let (middle, off) = match split {
        None => (text.value, 0),
        Some((middle, off)) => {
            let Some(seconds) = span::parse(off.trim()) else {
                let message = format!("expected a tolerance such as 30s, found `{}`", off.trim());
                report.error(text.place, "invalid-time", message, None);
                return None;
            };
            (middle.trim(), seconds)
        }
    };
    let middle = file::time(report, part(middle), start)?;
    let last = file::within(report, middle.saturating_add(off), text.place)?;
    Some(When { first: (middle - off).max(0), last, text: text.value.to_owned() })
}

/// Which transitions belong to which entries.
pub(crate) struct Matched<'a> {
    /// Entries without a transition; with the one that is nearest to it in time among those like it.
    pub missing: Vec<(&'a Expected, Option<&'a AlertTransition>)>,
    /// Transitions that receivers hear of and no entry names.
    pub unexpected: Vec<&'a AlertTransition>,
}

/// When a transition is known: the end of its second, since the start.
pub(crate) fn since(transition: &AlertTransition, start: i64) -> i64 {
    transition.tick + 1 - start
}

/// Gives each entry a transition of its own. Entries are served in the order of their ends, and each takes the earliest
/// that fits.
pub(crate) fn matched<'a>(expected: &'a [Expected], came: &'a [AlertTransition], start: i64) -> Matched<'a> {
    let mut order: Vec<&Expected> = expected.iter().collect();
    order.sort_by_key(|entry| (entry.when.last, entry.when.first));
    let mut taken = vec![false; came.len()];
    let mut alone = Vec::new();
    for entry in order {
        let fits =
            |t: &AlertTransition| (entry.when.first..=entry.when.last).contains(&since(t, start)) && entry.is_like(t);
        match (0..came.len()).find(|i| !taken[*i] && fits(&came[*i])) {
            Some(i) => taken[i] = true,
            None => alone.push(entry),
        }
    }
    let free = || came.iter().zip(&taken).filter(|(_, taken)| !**taken).map(|(t, _)| t);
    let nearest = |entry: &Expected| {
        let off = |t: &&AlertTransition| (since(t, start) - entry.when.first).abs();
        free().filter(|t| t.kind == entry.kind && entry.subject.is_of(t)).min_by_key(off)
    };
    alone.sort_by_key(|entry| (entry.place.line, entry.place.column));
    let missing = alone.into_iter().map(|entry| (entry, nearest(entry))).collect();
    Matched { missing, unexpected: free().filter(|t| is_sent(t.kind)).collect() }
}

impl Expected {
    /// An entry that expects a severity does not ask whether it fired with another one before.
    fn is_like(&self, transition: &AlertTransition) -> bool {
        let worsens = self.kind == TransitionKind::Firing
            && self.severity.is_some()
            && transition.kind == TransitionKind::Severity;
        (worsens || self.kind == transition.kind)
            && self.subject.is_of(transition)
            && self.rule.as_ref().is_none_or(|rule| *rule == transition.rule)
            && self.severity.as_ref().is_none_or(|severity| *severity == transition.severity)
    }

    /// What is expected, in words.
    pub(crate) fn words(&self) -> String {
        let severity = self.severity.as_ref().map(|severity| format!(" {severity}")).unwrap_or_default();
        let rule = self.rule.as_ref().map(|rule| format!(" by {rule}")).unwrap_or_default();
        format!("{}{severity}{rule} at {}", self.kind.name(), self.when.text)
    }
}

/// A transition in words.
pub(crate) fn words(transition: &AlertTransition, start: i64) -> String {
    let severity = if transition.severity.is_empty() { String::new() } else { format!(" {}", transition.severity) };
    let at = span::format(since(transition, start));
    format!("{}{severity} by {} at {at}", transition.kind.name(), transition.rule)
}
