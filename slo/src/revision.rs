//! Revisions: which definitions are in force at a log time. A fold over slo-definitions in the order of its offsets.
//!
//! A revision's cut is its own log time plus the installation's cut delay; it applies to records whose log time reaches
//! the cut. Of two revisions with one cut the later wins. A change of meaning starts a new generation, named by its
//! cut.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use slipstream_schemas::records::{Definition, Settings};
use slipstream_schemas::{Cause, LogTime};

use crate::matcher::Active;
use crate::rule::Kinds;
use slipstream_definitions::definition::{Document, Objective, Slo};
use slipstream_definitions::diagnostic::Diagnostic;
use slipstream_definitions::openslo;

/// Why a record of slo-definitions cannot be applied. Nothing may be counted by definitions that cannot be parsed, so
/// each of these stops the role.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RevisionError {
    /// An SLO came before the installation was set up.
    #[error(
        "slo-definitions, offset {offset}: SLO {name} comes before the Settings record; run `slipstream topics ensure` first"
    )]
    NoSettings {
        /// Offset of the record.
        offset: i64,
        /// The SLO.
        name: String,
    },
    /// Settings are fixed for an installation.
    #[error(
        "slo-definitions, offset {offset}: the Settings record differs from the first one; it is fixed for an installation"
    )]
    SettingsChanged {
        /// Offset of the record.
        offset: i64,
    },
    /// A document that this version cannot read.
    #[error(
        "slo-definitions, offset {offset}: {kind} {name} cannot be read: {cause}; upgrade this role if a newer version wrote it"
    )]
    Unreadable {
        /// Offset of the record.
        offset: i64,
        /// Its kind.
        kind: String,
        /// Its name.
        name: String,
        /// What is wrong with it.
        #[source]
        cause: Cause,
    },
    /// A record was given twice or in the wrong order.
    #[error("slo-definitions: offset {offset} was given after {end} had been read")]
    OutOfOrder {
        /// Offset of the record.
        offset: i64,
        /// End offset applied before.
        end: i64,
    },
}

/// The content of a record about one SLO.
#[derive(Debug, Clone)]
struct Revision {
    offset: i64,
    cut: LogTime,
    name: Arc<str>,
    /// `None` if it was deleted.
    slo: Option<Arc<Slo>>,
}

/// A definition in force, with what its revisions say about its past.
#[derive(Debug, Clone)]
pub struct InForce {
    /// The definition and its generation.
    pub active: Active,
    /// Per objective of the definition: the cut from which on it has been there without a break in this generation, ms.
    pub objectives_since: Vec<i64>,
    /// Objectives that this generation had before. One that comes back may not mean something else.
    former: Vec<Objective>,
    /// What its rules mean.
    pub kinds: Kinds,
}

/// Every revision there was, in the order of their offsets.
#[derive(Debug, Clone, Default)]
pub struct Revisions {
    settings: Option<Settings>,
    revisions: Vec<Revision>,
    of_name: HashMap<Arc<str>, Vec<usize>>,
    end: i64,
    kinds: Kinds,
}

impl Revisions {
    /// Before any record.
    pub fn new() -> Revisions {
        Revisions::default()
    }

    /// The same, for definitions with rules of these kinds.
    pub fn with_kinds(kinds: Kinds) -> Revisions {
        Revisions { kinds, ..Revisions::default() }
    }

    /// What rules mean.
    pub fn kinds(&self) -> Kinds {
        self.kinds
    }

    /// Applies the record at `offset`. A definition of another kind than SLO, Rule and Settings is passed over.
    ///
    /// # Errors
    /// See [`RevisionError`].
    pub fn apply(&mut self, offset: i64, log_time: LogTime, definition: &Definition) -> Result<(), RevisionError> {
        let unreadable = |cause: Cause| RevisionError::Unreadable {
            offset,
            kind: definition.kind.clone(),
            name: definition.name.clone(),
            cause,
        };
        match (definition.kind.as_str(), &definition.document) {
            ("SLO" | "Rule", None) => match self.newest(&definition.name) {
                // One name, two kinds: what the other kind has put there stays.
                Some(newest) if newest.document.kind() != definition.kind => self.advance(offset),
                _ => self.apply_slo(offset, log_time, &definition.name, None),
            },
            ("SLO" | "Rule", Some(document)) => {
                let slo = openslo::parse_document(document).map_err(|found| unreadable(first_error(&found).into()))?;
                if (slo.name.as_str(), slo.document.kind()) != (definition.name.as_str(), definition.kind.as_str()) {
                    return Err(unreadable(format!("it is the {} {}", slo.document.kind(), slo.name).into()));
                }
                self.apply_slo(offset, log_time, &definition.name, Some(slo))
            }
            ("Settings", Some(document)) => {
                let settings = serde_json::from_str(document).map_err(|e| unreadable(Cause::of(e)))?;
                self.apply_settings(offset, settings)
            }
            _ => self.advance(offset),
        }
    }

    /// The last definition of a name, unless it was deleted.
    fn newest(&self, name: &str) -> Option<&Slo> {
        let last = self.of_name.get(name)?.last()?;
        self.revisions[*last].slo.as_deref()
    }

    /// Applies the content of a record about an SLO, or a Rule with series of its own; `None` if it was deleted.
    ///
    /// # Errors
    /// When Settings have not come yet, a rule is of an unknown kind, or the offset was applied before.
    pub fn apply_slo(
        &mut self,
        offset: i64,
        log_time: LogTime,
        name: &str,
        slo: Option<Slo>,
    ) -> Result<(), RevisionError> {
        let Some(settings) = &self.settings else {
            return Err(RevisionError::NoSettings { offset, name: name.to_owned() });
        };
        if let Some(rule) = slo.iter().flat_map(Slo::rules).find(|rule| !self.kinds.has(&rule.condition)) {
            let cause = format!(
                "rule {} is of the kind {}, which this version does not support",
                rule.name, rule.condition.kind
            );
            return Err(RevisionError::Unreadable {
                offset,
                kind: slo.as_ref().map_or(Document::Slo, |slo| slo.document).kind().to_owned(),
                name: name.to_owned(),
                cause: cause.into(),
            });
        }
        let last_cut = self.revisions.last().map_or(i64::MIN, |r| r.cut.0);
        let cut = LogTime((log_time.0 + settings.cut_delay_ms).max(last_cut));
        self.advance(offset)?;
        let name: Arc<str> = name.into();
        self.of_name.entry(Arc::clone(&name)).or_default().push(self.revisions.len());
        self.revisions.push(Revision { offset, cut, name, slo: slo.map(Arc::new) });
        Ok(())
    }

    /// Applies the installation's settings.
    ///
    /// # Errors
    /// When they differ from those that came first, or the offset was applied before.
    pub fn apply_settings(&mut self, offset: i64, settings: Settings) -> Result<(), RevisionError> {
        if self.settings.as_ref().is_some_and(|first| *first != settings) {
            return Err(RevisionError::SettingsChanged { offset });
        }
        self.advance(offset)?;
        self.settings = Some(settings);
        Ok(())
    }

    /// The same revisions with every definition changed. What is counted may not change: targets and rules may.
    #[must_use]
    pub fn map(&self, change: impl Fn(&Slo) -> Slo) -> Revisions {
        let mut changed = self.clone();
        for slo in changed.revisions.iter_mut().filter_map(|revision| revision.slo.as_mut()) {
            *slo = Arc::new(change(slo));
        }
        changed
    }

    /// Says that everything below `end` was read, also where no record is left there.
    pub fn read_up_to(&mut self, end: i64) {
        self.end = self.end.max(end);
    }

    fn advance(&mut self, offset: i64) -> Result<(), RevisionError> {
        if offset < self.end {
            return Err(RevisionError::OutOfOrder { offset, end: self.end });
        }
        self.end = offset + 1;
        Ok(())
    }

    /// The installation's settings, once they came.
    pub fn settings(&self) -> Option<&Settings> {
        self.settings.as_ref()
    }

    /// End offset of slo-definitions that was applied.
    pub fn end(&self) -> i64 {
        self.end
    }

    /// How many SLOs there ever was a definition of.
    pub fn slo_names(&self) -> usize {
        self.of_name.len()
    }

    /// How many revisions below the offset `upto` have reached their cut at log time `at`. Equal numbers mean equal
    /// definitions in force.
    pub fn in_force(&self, at: LogTime, upto: i64) -> usize {
        let by_cut = self.revisions.partition_point(|r| r.cut <= at);
        by_cut.min(self.below(upto))
    }

    /// The definitions in force at log time `at` by the revisions below the offset `upto`, by name.
    pub fn active_at(&self, at: LogTime, upto: i64) -> Vec<Active> {
        let count = self.in_force(at, upto);
        let names: BTreeSet<&Arc<str>> = self.revisions[..count].iter().map(|r| &r.name).collect();
        names.into_iter().filter_map(|name| self.fold(name, count)).map(|found| found.active).collect()
    }

    /// One definition as [`Revisions::active_at`] gives it.
    pub fn slo_at(&self, name: &str, at: LogTime, upto: i64) -> Option<InForce> {
        self.fold(name, self.in_force(at, upto))
    }

    /// Every definition of an SLO that there was.
    pub fn definitions_of(&self, name: &str) -> impl Iterator<Item = &Slo> {
        let numbers = self.of_name.get(name).map_or(&[][..], Vec::as_slice);
        numbers.iter().filter_map(|number| self.revisions[*number].slo.as_deref())
    }

    /// The next cut after `at` of a revision below `upto`.
    pub fn next_cut_after(&self, at: LogTime, upto: i64) -> Option<LogTime> {
        let next = self.revisions.partition_point(|r| r.cut <= at);
        (next < self.below(upto)).then(|| self.revisions[next].cut)
    }

    /// The first cut of all, by the revisions below `upto`: ticks begin there.
    pub fn first_cut(&self, upto: i64) -> Option<LogTime> {
        (self.below(upto) > 0).then(|| self.revisions[0].cut)
    }

    /// The SLOs that were deleted, each time, and from which log time on.
    pub fn deletions(&self) -> impl Iterator<Item = (&str, LogTime)> {
        self.revisions.iter().filter(|r| r.slo.is_none()).map(|r| (r.name.as_ref(), r.cut))
    }

    /// The SLOs that the revisions numbered `from..to` are about, each once, by name.
    pub(crate) fn names(&self, from: usize, to: usize) -> BTreeSet<Arc<str>> {
        self.revisions[from.min(to)..to].iter().map(|r| Arc::clone(&r.name)).collect()
    }

    /// The ticks that hold the cuts of an SLO's revisions numbered `from..to`.
    pub(crate) fn ticks_of(&self, name: &str, from: usize, to: usize) -> impl Iterator<Item = i64> {
        let numbers = self.of_name.get(name).map_or(&[][..], Vec::as_slice);
        let mine = &numbers[numbers.partition_point(|n| *n < from)..numbers.partition_point(|n| *n < to)];
        mine.iter().map(|n| self.revisions[*n].cut.tick())
    }

    /// What the first `count` revisions make of an SLO.
    pub(crate) fn fold(&self, name: &str, count: usize) -> Option<InForce> {
        let numbers = self.of_name.get(name)?;
        let mine = numbers.iter().take_while(|n| **n < count).map(|n| &self.revisions[*n]);
        mine.fold(None, |before, revision| {
            revision.slo.as_ref().map(|slo| succeed(before, slo, revision.cut, self.kinds))
        })
    }

    fn below(&self, upto: i64) -> usize {
        self.revisions.partition_point(|r| r.offset < upto)
    }
}

/// What a revision makes of its predecessor, if there is one: the same generation unless the meaning changed.
fn succeed(before: Option<InForce>, slo: &Arc<Slo>, cut: LogTime, kinds: Kinds) -> InForce {
    let same = |b: &InForce| b.active.slo.same_meaning(slo) && b.former.iter().all(|old| slo.keeps_meaning(old));
    let before = before.filter(same);
    let generation = before.as_ref().map_or(cut.0, |b| b.active.generation);
    let since = |name: &str| {
        let before = before.as_ref()?;
        let index = before.active.slo.objectives.iter().position(|o| o.name == name)?;
        before.objectives_since.get(index).copied()
    };
    let objectives_since = slo.objectives.iter().map(|o| since(&o.name).unwrap_or(cut.0)).collect();
    let gone = |old: &Objective| slo.objectives.iter().all(|o| o.name != old.name);
    let former = before.map_or_else(Vec::new, |b| {
        let InForce { active, mut former, .. } = b;
        former.extend(active.slo.objectives.iter().cloned());
        former.retain(gone);
        former
    });
    InForce { active: Active { slo: Arc::clone(slo), generation }, objectives_since, former, kinds }
}

fn first_error(found: &[Diagnostic]) -> String {
    match found.iter().find(|d| d.is_error()).or(found.first()) {
        Some(d) => format!("line {}, column {}: {}", d.line, d.column, d.message),
        None => "it is not an SLO document".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slipstream_definitions::definition::{Indicator, Objective, Ratio, Side, Window};
    use slipstream_schemas::cause;

    const ALL: i64 = i64::MAX;

    fn slo(total: &str, objectives: &[&str]) -> Slo {
        let indicator = Indicator { total: total.into(), side: Side::Good("true".into()) };
        Slo {
            name: "a".into(),
            display_name: "a".into(),
            service: String::new(),
            description: String::new(),
            group_by: Vec::new(),
            window: Window::Rolling(86_400),
            objectives: objectives
                .iter()
                .map(|name| Objective::new(*name, indicator.clone(), Ratio { num: 9, den: 10 }))
                .collect(),
            composite: None,
            labels: Vec::new(),
            document: slipstream_definitions::definition::Document::Slo,
        }
    }

    fn revisions(cut_delay_ms: i64, list: &[(i64, Option<Slo>)]) -> Revisions {
        let mut revisions = Revisions::new();
        revisions.apply_settings(0, Settings { redelivery_window_ms: 1, cut_delay_ms }).unwrap();
        for (i, (at, slo)) in list.iter().enumerate() {
            revisions.apply_slo(i as i64 + 1, LogTime(*at), "a", slo.clone()).unwrap();
        }
        revisions
    }

    fn generation(revisions: &Revisions, at: i64) -> Option<i64> {
        revisions.slo_at("a", LogTime(at), ALL).map(|found| found.active.generation)
    }

    #[test]
    fn every_definition_is_told_but_for_deletions() {
        let list = [(1_000, Some(slo("true", &["0"]))), (2_000, None), (3_000, Some(slo("true", &["0", "1"])))];
        let found = revisions(0, &list);
        assert_eq!(found.definitions_of("a").map(|slo| slo.objectives.len()).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(found.definitions_of("b").count(), 0);
    }

    #[test]
    fn a_revision_applies_from_its_cut_on() {
        let revisions = revisions(5_000, &[(1_000, Some(slo("true", &["0"])))]);
        assert!(revisions.active_at(LogTime(5_999), ALL).is_empty());
        assert_eq!(revisions.active_at(LogTime(6_000), ALL).len(), 1);
        assert!(revisions.active_at(LogTime(6_000), 1).is_empty(), "not read yet");
        assert_eq!(revisions.first_cut(ALL), Some(LogTime(6_000)));
        assert_eq!(revisions.first_cut(1), None);
        assert_eq!(revisions.next_cut_after(LogTime(5_999), ALL), Some(LogTime(6_000)));
        assert_eq!(revisions.next_cut_after(LogTime(6_000), ALL), None);
    }

    #[test]
    fn only_a_change_of_meaning_starts_a_generation() {
        let first = || Some(slo("true", &["0"]));
        let mut retargeted = slo("true", &["0"]);
        retargeted.objectives[0].target = Ratio { num: 1, den: 2 };
        let other = || Some(slo("false", &["0"]));
        let found = revisions(0, &[(10, first()), (20, Some(retargeted)), (30, other()), (40, None), (50, other())]);
        let table = [(9, None), (10, Some(10)), (20, Some(10)), (30, Some(30)), (40, None), (50, Some(50))];
        for (at, expected) in table {
            assert_eq!(generation(&found, at), expected, "at {at}");
        }
    }

    #[test]
    fn of_two_revisions_with_one_cut_the_later_wins() {
        let found = revisions(
            0,
            &[(10, Some(slo("true", &["0"]))), (20, Some(slo("x", &["0"]))), (20, Some(slo("y", &["0"])))],
        );
        assert_eq!(found.active_at(LogTime(20), ALL)[0].slo.objectives[0].indicator.total, "y");
        assert_eq!(found.in_force(LogTime(20), ALL), 3);
    }

    #[test]
    fn an_objective_is_known_since_the_revision_that_brought_it() {
        let found = revisions(
            0,
            &[(10, Some(slo("true", &["a"]))), (20, Some(slo("true", &["b", "a"]))), (30, Some(slo("true", &["b"])))],
        );
        let since = |at| found.slo_at("a", LogTime(at), ALL).unwrap().objectives_since;
        assert_eq!((since(10), since(20), since(30)), (vec![10], vec![20, 10], vec![20]));
    }

    #[test]
    fn an_objective_that_comes_back_as_something_else_starts_a_generation() {
        let with = |total: &str| {
            let mut slo = slo("x", &["kept", "other"]);
            slo.objectives[1].indicator.total = total.into();
            slo
        };
        let without = slo("x", &["kept"]);
        let came_back = |total: &str| {
            let list = [(10, Some(with("x"))), (20, Some(without.clone())), (30, Some(with(total)))];
            generation(&revisions(0, &list), 30)
        };
        assert_eq!((came_back("x"), came_back("y")), (Some(10), Some(30)));
    }

    #[test]
    fn changed_definitions_are_in_force_when_the_former_ones_were() {
        let list = [(10, Some(slo("x", &["a"]))), (20, None), (30, Some(slo("y", &["a"])))];
        let all = revisions(0, &list);
        let changed = all.map(|slo| Slo { display_name: format!("{} of {}", slo.name, slo.service), ..slo.clone() });
        for at in [5, 10, 20, 30] {
            let found = |revisions: &Revisions| revisions.active_at(LogTime(at), ALL).into_iter().next();
            let (before, after) = (found(&all), found(&changed));
            assert_eq!(before.as_ref().map(|b| b.generation), after.as_ref().map(|a| a.generation), "{at}");
            assert!(after.iter().all(|after| after.slo.display_name == "a of "), "{at}");
        }
        assert_eq!((all.end(), all.first_cut(ALL)), (changed.end(), changed.first_cut(ALL)));
    }

    #[test]
    fn what_cannot_be_counted_by_is_refused() {
        let mut found = Revisions::new();
        let no_settings = found.apply_slo(0, LogTime(1), "a", None).unwrap_err();
        assert!(no_settings.to_string().contains("topics ensure"), "{no_settings}");
        let settings = Settings { redelivery_window_ms: 120_000, cut_delay_ms: 0 };
        found.apply_settings(0, settings.clone()).unwrap();
        assert!(matches!(found.apply_settings(0, settings.clone()), Err(RevisionError::OutOfOrder { .. })));
        found.apply_settings(1, settings).unwrap();
        let other = Settings { redelivery_window_ms: 1, cut_delay_ms: 0 };
        assert!(matches!(found.apply_settings(2, other), Err(RevisionError::SettingsChanged { offset: 2 })));
        let document = |kind: &str, text: &str| Definition {
            kind: kind.into(),
            name: "a".into(),
            document: Some(text.into()),
            author: "me".into(),
        };
        let unreadable = found.apply(2, LogTime(1), &document("SLO", "kind: [")).unwrap_err();
        assert!(unreadable.to_string().starts_with("slo-definitions, offset 2: SLO a cannot be read"), "{unreadable}");
        let settings = found.apply(2, LogTime(1), &document("Settings", "{}")).unwrap_err();
        let behind = cause::find::<serde_json::Error>(&settings).expect("the parser's error");
        let said = "slo-definitions, offset 2: Settings a cannot be read";
        let advice = "upgrade this role if a newer version wrote it";
        assert_eq!(cause::chain(&settings), format!("{said}: {behind}; {advice}"));
        found.apply(2, LogTime(1), &document("Annotation", "of a later version")).unwrap();
        assert_eq!(found.end(), 3);
    }
}
