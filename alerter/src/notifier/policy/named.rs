//! What rules name themselves: while an alert fires, it holds back alerts of its SLO with the severities that its rule names,
//! or those of services that depend on its own.
//!
//! Two alerts that would hold back each other both are told: somebody has to be.

use std::collections::{BTreeMap, BTreeSet};

use slipstream_definitions::inhibits::Inhibits;
use slipstream_slo::alerts::{Labels, SEVERITY};

const SLO: &str = "slo";
const SERVICE: &str = "service";

/// By service: all that it depends on, directly or not, without itself.
type Dependencies = BTreeMap<String, BTreeSet<String>>;

/// An alert that fires and holds back others.
#[derive(Debug)]
struct Source {
    inhibits: Inhibits,
    labels: Labels,
}

/// The alerts that fire and hold back others.
#[derive(Debug, Default)]
pub(super) struct Named {
    sources: BTreeMap<String, Source>,
    /// By SLO, those that name severities.
    of_slo: BTreeMap<String, BTreeSet<String>>,
    /// By service, those that name dependants.
    of_service: BTreeMap<String, BTreeSet<String>>,
}

impl Named {
    /// An alert fires, and this is what it holds back. Returns whether others may be concerned.
    pub fn fires(&mut self, id: &str, labels: &Labels, inhibits: Inhibits) -> bool {
        let was = self.over(id);
        if inhibits == Inhibits::default() {
            return was;
        }
        if !inhibits.severities.is_empty() {
            self.of_slo.entry(value(labels, SLO).to_owned()).or_default().insert(id.to_owned());
        }
        if inhibits.dependants {
            self.of_service.entry(value(labels, SERVICE).to_owned()).or_default().insert(id.to_owned());
        }
        self.sources.insert(id.to_owned(), Source { inhibits, labels: labels.clone() });
        true
    }

    /// An alert does not fire any more. Returns whether others may have been held back by it.
    pub fn over(&mut self, id: &str) -> bool {
        let Some(source) = self.sources.remove(id) else { return false };
        for (index, label) in [(&mut self.of_slo, SLO), (&mut self.of_service, SERVICE)] {
            let of = value(&source.labels, label);
            if let Some(ids) = index.get_mut(of) {
                ids.remove(id);
                if ids.is_empty() {
                    index.remove(of);
                }
            }
        }
        true
    }

    /// The alert that holds back another one; of several the one with the first id.
    pub fn by(&self, id: &str, labels: &Labels, dependencies: &Dependencies) -> Option<&str> {
        let of_slo = self.of_slo.get(value(labels, SLO)).into_iter();
        let needed = dependencies.get(value(labels, SERVICE)).into_iter().flatten();
        let of_services = needed.filter_map(|service| self.of_service.get(service));
        let own = self.sources.get(id);
        let holds = |other: &&String| {
            let Some(source) = self.sources.get(*other).filter(|_| *other != id) else { return false };
            let in_return = own.is_some_and(|own| holds(&own.inhibits, labels, &source.labels, dependencies));
            holds(&source.inhibits, &source.labels, labels, dependencies) && !in_return
        };
        of_slo.chain(of_services).filter_map(|ids| ids.iter().find(holds)).min().map(String::as_str)
    }
}

/// Whether an alert holds back another one, by the labels of both.
fn holds(inhibits: &Inhibits, source: &Labels, target: &Labels, dependencies: &Dependencies) -> bool {
    let same_slo = value(source, SLO) == value(target, SLO);
    let needs = dependencies.get(value(target, SERVICE)).is_some_and(|needed| needed.contains(value(source, SERVICE)));
    (same_slo && inhibits.holds_severity(value(target, SEVERITY))) || (inhibits.dependants && needs)
}

fn value<'l>(labels: &'l Labels, name: &str) -> &'l str {
    labels.get(name).map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Labels {
        let pair = |part: &str| part.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap();
        text.split(' ').map(pair).collect()
    }

    /// web calls checkout, that payment; search and suggest call each other.
    fn dependencies() -> Dependencies {
        let of =
            |service: &str, needed: &[&str]| (service.to_owned(), needed.iter().map(|s| (*s).to_owned()).collect());
        [
            of("web", &["checkout", "payment"]),
            of("checkout", &["payment"]),
            of("search", &["suggest"]),
            of("suggest", &["search"]),
        ]
        .into()
    }

    /// Which of these alerts, that all fire, is held back by whom: an id, labels, and what it holds back.
    fn held<'a>(firing: &[(&'a str, &str, &str)]) -> Vec<(&'a str, String)> {
        let mut named = Named::default();
        for (id, of, inhibits) in firing {
            named.fires(id, &labels(of), Inhibits::of_alert(inhibits));
        }
        let by = |id: &str, of: &str| named.by(id, &labels(of), &dependencies()).map(str::to_owned);
        firing.iter().filter_map(|(id, of, _)| Some((*id, by(id, of)?))).collect()
    }

    #[test]
    fn severities_of_its_slo_and_dependants_of_its_service_are_held_back() {
        let page = ("p", "slo=a service=pay severity=page", "severities=ticket");
        let down = ("d", "slo=down service=payment severity=page", "dependants");
        type Case<'c> = (&'c str, Vec<(&'c str, &'c str, &'c str)>, Vec<(&'c str, &'c str)>);
        let cases: Vec<Case<'_>> = vec![
            ("a ticket of its SLO", vec![page, ("t", "slo=a severity=ticket", "")], vec![("t", "p")]),
            ("in upper case", vec![page, ("t", "slo=a severity=Ticket", "")], vec![("t", "p")]),
            ("a ticket of another", vec![page, ("t", "slo=b severity=ticket", "")], vec![]),
            ("a page of its SLO", vec![page, ("q", "slo=a severity=page", "")], vec![]),
            (
                "of several the first",
                vec![page, ("o", page.1, page.2), ("t", "slo=a severity=ticket", "")],
                vec![("t", "o")],
            ),
            (
                "who calls it, and who calls that",
                vec![
                    down,
                    ("c", "slo=x service=checkout", ""),
                    ("w", "slo=y service=web", ""),
                    ("s", "slo=z service=search", ""),
                    ("n", "slo=n", ""),
                ],
                vec![("c", "d"), ("w", "d")],
            ),
            ("its own service goes on", vec![down, ("e", "slo=x service=payment", "")], vec![]),
            (
                "one that is down because another is",
                vec![down, ("c", "slo=c service=checkout", "dependants")],
                vec![("c", "d")],
            ),
            (
                "not each other",
                vec![("a", "slo=a service=search", "dependants"), ("b", "slo=b service=suggest", "dependants")],
                vec![],
            ),
            (
                "nor pages that name pages",
                vec![
                    ("a", "slo=a severity=page", "severities=page,ticket"),
                    ("b", "slo=a severity=page", "severities=page"),
                ],
                vec![],
            ),
            ("without an SLO of services", vec![("a", "slo=a severity=page", "severities=ticket; dependants")], vec![]),
        ];
        for (what, firing, want) in cases {
            let want: Vec<(&str, String)> = want.into_iter().map(|(id, by)| (id, by.to_owned())).collect();
            assert_eq!(held(&firing), want, "{what}");
        }
    }

    #[test]
    fn it_ends_with_the_alert_and_with_a_rule_that_names_nothing() {
        let (page, ticket) = (labels("slo=a severity=page"), labels("slo=a severity=ticket"));
        let tickets = || Inhibits::parse("severities=ticket").unwrap();
        let mut named = Named::default();
        let by = |named: &Named| named.by("t", &ticket, &Dependencies::new()).map(str::to_owned);
        assert!(named.fires("p", &page, tickets()) && by(&named).as_deref() == Some("p"));
        assert!(named.over("p") && by(&named).is_none());
        assert!(!named.over("p"), "nobody is concerned a second time");
        named.fires("p", &page, tickets());
        assert!(named.fires("p", &page, Inhibits::default()), "its severity is another one, whose rule names nothing");
        assert!(by(&named).is_none() && !named.fires("p", &page, Inhibits::default()));
    }
}
