//! Who holds back whom, as places: an alert that fires stands at the places of what it holds back, and a target looks at the
//! places of those that may hold it back. A place is looked up by what it is of, so a thousand alerts of one SLO cost no more
//! than one.
//!
//! Somebody always has to be told: an alert is held back only by one that it does not itself hold back, directly or through
//! others. Alerts that hold back each other in a circle are therefore all told, unless one outside of it holds them back.

use std::collections::{BTreeMap, BTreeSet};

/// Where sources stand, and targets look.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// Those that hold back a severity of their SLO, in lower case.
    Severity { slo: String, severity: String },
    /// Those that hold back what depends on their service.
    Dependants { service: String },
    /// Sources of a rule that agree in these labels; `one_sided`: of them those that are no targets of it, too.
    Rule { rule: usize, agreed: Vec<String>, one_sided: bool },
}

/// An alert that fires and holds back others.
#[derive(Debug)]
struct Source {
    stands: BTreeSet<Place>,
    looks: BTreeSet<Place>,
}

/// Who stands at a place: all, and by where they look themselves. Alerts that look at the same places are held back alike.
#[derive(Debug, Default)]
struct Standing {
    all: BTreeSet<String>,
    alike: BTreeMap<BTreeSet<Place>, BTreeSet<String>>,
}

/// The places of all that fires and holds back others.
#[derive(Debug, Default)]
pub(super) struct Places {
    sources: BTreeMap<String, Source>,
    at: BTreeMap<Place, Standing>,
    /// From a place to those where somebody stands who looks at it, with how many do.
    onward: BTreeMap<Place, BTreeMap<Place, usize>>,
}

impl Places {
    /// An alert fires that stands and looks there. Returns whether others may be concerned.
    pub fn insert(&mut self, id: &str, stands: BTreeSet<Place>, looks: impl FnOnce() -> BTreeSet<Place>) -> bool {
        let was = self.remove(id);
        if stands.is_empty() {
            return was;
        }
        let source = Source { stands, looks: looks() };
        for place in &source.stands {
            let standing = self.at.entry(place.clone()).or_default();
            standing.all.insert(id.to_owned());
            standing.alike.entry(source.looks.clone()).or_default().insert(id.to_owned());
        }
        for (from, to) in source.steps() {
            *self.onward.entry(from.clone()).or_default().entry(to.clone()).or_default() += 1;
        }
        self.sources.insert(id.to_owned(), source);
        true
    }

    /// An alert does not fire any more. Returns whether others may have been held back by it.
    pub fn remove(&mut self, id: &str) -> bool {
        let Some(source) = self.sources.remove(id) else { return false };
        for place in &source.stands {
            let Some(standing) = self.at.get_mut(place) else { continue };
            standing.remove(id, &source.looks);
            if standing.all.is_empty() {
                self.at.remove(place);
            }
        }
        for (from, to) in source.steps() {
            let Some(onward) = self.onward.get_mut(from) else { continue };
            if let Some(count) = onward.get_mut(to) {
                *count -= 1;
            }
            onward.retain(|_, count| *count > 0);
            if onward.is_empty() {
                self.onward.remove(from);
            }
        }
        true
    }

    /// Who holds back an alert that looks at these places; of several the one with the first id.
    pub fn by(&self, id: &str, looks: &BTreeSet<Place>) -> Option<&str> {
        let reached = self.sources.get(id).map(|own| self.reached(own)).unwrap_or_default();
        looks.iter().filter_map(|place| self.first(place, id, &reached)).min()
    }

    /// The first who stands at a place, but for an alert itself and for those that it holds back: they look where it reaches.
    fn first(&self, place: &Place, id: &str, reached: &BTreeSet<&Place>) -> Option<&str> {
        let Standing { all, alike } = self.at.get(place)?;
        let free = |looks: &BTreeSet<Place>| !looks.iter().any(|place| reached.contains(place));
        let first = all.iter().find(|other| *other != id)?;
        if self.sources.get(first).is_some_and(|source| free(&source.looks)) {
            return Some(first);
        }
        // Those that are held back alike are asked once.
        let others = alike.iter().filter(|(looks, _)| free(looks));
        others.filter_map(|(_, ids)| ids.iter().find(|other| *other != id)).min().map(String::as_str)
    }

    /// The places that an alert holds back, directly or through others.
    fn reached<'a>(&'a self, own: &'a Source) -> BTreeSet<&'a Place> {
        let mut reached = BTreeSet::new();
        let mut next: Vec<&Place> = own.stands.iter().collect();
        while let Some(place) = next.pop() {
            if reached.insert(place) {
                next.extend(self.onward.get(place).into_iter().flat_map(BTreeMap::keys));
            }
        }
        reached
    }
}

impl Source {
    fn steps(&self) -> impl Iterator<Item = (&Place, &Place)> {
        let Source { stands, looks } = self;
        looks.iter().flat_map(move |from| stands.iter().map(move |to| (from, to)))
    }
}

impl Standing {
    fn remove(&mut self, id: &str, looks: &BTreeSet<Place>) {
        self.all.remove(id);
        if let Some(ids) = self.alike.get_mut(looks) {
            ids.remove(id);
            if ids.is_empty() {
                self.alike.remove(looks);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn severity(severity: &str) -> Place {
        Place::Severity { slo: "a".to_owned(), severity: severity.to_owned() }
    }

    /// An alert with a severity that holds back others.
    fn fires(places: &mut Places, id: &str, is: &str, holds: &[&str]) {
        places.insert(id, holds.iter().map(|held| severity(held)).collect(), || [severity(is)].into());
    }

    #[test]
    fn a_thousand_that_are_alike_are_asked_once() {
        let mut places = Places::default();
        for group in 0..1_000 {
            fires(&mut places, &format!("p{group:03}"), "page", &["page", "ticket"]);
        }
        let of = |places: &Places, place: &str| {
            let steps = places.onward.values().map(BTreeMap::len).sum::<usize>();
            (places.at[&severity(place)].alike.len(), steps)
        };
        assert_eq!(of(&places, "page"), (1, 2), "all of them look at one place, and two steps lead on from it");
        assert_eq!(places.by("p500", &[severity("page")].into()), None, "each other");
        assert_eq!(places.by("t", &[severity("ticket")].into()), Some("p000"));
        fires(&mut places, "z", "critical", &["page"]);
        assert_eq!(of(&places, "page"), (2, 3), "another kind, and the step from where it looks");
        assert_eq!(places.by("p500", &[severity("page")].into()), Some("z"), "the last of all, found by its kind");
        (0..1_000).for_each(|group| assert!(places.remove(&format!("p{group:03}"))));
        assert!(places.remove("z") && places.at.is_empty() && places.onward.is_empty() && places.sources.is_empty());
    }
}
