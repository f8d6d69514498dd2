//! What rules name themselves: while an alert fires, it holds back alerts of its SLO with the severities that its rule names,
//! or those of services that depend on its own.

use std::collections::{BTreeMap, BTreeSet};

use slipstream_definitions::inhibits::Inhibits;
use slipstream_slo::alerts::{Labels, SEVERITY};

use super::places::Place;

const SLO: &str = "slo";
const SERVICE: &str = "service";

/// By service: all that it depends on, directly or not, without itself.
pub(super) type Dependencies = BTreeMap<String, BTreeSet<String>>;

/// Where an alert stands that holds back what its rule names.
pub(super) fn stands(labels: &Labels, inhibits: &Inhibits) -> impl Iterator<Item = Place> {
    let severities = inhibits.severities.iter().map(move |held| severity(labels, held));
    severities.chain(inhibits.dependants.then(|| dependants(value(labels, SERVICE))))
}

/// Where an alert looks whether it is held back.
pub(super) fn looks(labels: &Labels, dependencies: &Dependencies) -> impl Iterator<Item = Place> {
    let needed = dependencies.get(value(labels, SERVICE)).into_iter().flatten();
    needed.map(|service| dependants(service)).chain([severity(labels, value(labels, SEVERITY))])
}

fn severity(labels: &Labels, severity: &str) -> Place {
    Place::Severity { slo: value(labels, SLO).to_owned(), severity: severity.to_ascii_lowercase() }
}

fn dependants(service: &str) -> Place {
    Place::Dependants { service: service.to_owned() }
}

fn value<'l>(labels: &'l Labels, name: &str) -> &'l str {
    labels.get(name).map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notifier::policy::places::Places;

    fn fires(places: &mut Places, id: &str, labels: &Labels, inhibits: &Inhibits) -> bool {
        places.insert(id, stands(labels, inhibits).collect(), || looks(labels, &dependencies()).collect())
    }

    fn by(places: &Places, id: &str, labels: &Labels) -> Option<String> {
        places.by(id, &looks(labels, &dependencies()).collect()).map(str::to_owned)
    }

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
        let mut places = Places::default();
        for (id, of, inhibits) in firing {
            fires(&mut places, id, &labels(of), &Inhibits::of_alert(inhibits));
        }
        firing.iter().filter_map(|(id, of, _)| Some((*id, by(&places, id, &labels(of))?))).collect()
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
            (
                "nor three in a circle, but whom they hold back together",
                vec![
                    ("a", "slo=a severity=page", "severities=ticket"),
                    ("b", "slo=a severity=ticket", "severities=info,none"),
                    ("c", "slo=a severity=info", "severities=page"),
                    ("d", "slo=a severity=none", ""),
                ],
                vec![("d", "b")],
            ),
            (
                "a circle that another one holds back",
                vec![
                    ("a", "slo=a severity=page", "severities=ticket"),
                    ("b", "slo=a severity=ticket", "severities=page"),
                    ("z", "slo=a severity=critical", "severities=page"),
                ],
                vec![("a", "z")],
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
        let tickets = Inhibits::parse("severities=ticket").unwrap();
        let mut places = Places::default();
        assert!(fires(&mut places, "p", &page, &tickets) && by(&places, "t", &ticket).as_deref() == Some("p"));
        assert!(places.remove("p") && by(&places, "t", &ticket).is_none());
        assert!(!places.remove("p"), "nobody is concerned a second time");
        fires(&mut places, "p", &page, &tickets);
        let nothing = Inhibits::default();
        assert!(fires(&mut places, "p", &page, &nothing), "its severity is another one, whose rule names nothing");
        assert!(by(&places, "t", &ticket).is_none() && !fires(&mut places, "p", &page, &nothing));
    }
}
