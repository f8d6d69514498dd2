//! Who holds back whom: while an alert fires that is the source of a rule, its targets are not told. What the rules of alerts name
//! themselves is [`named`](super::named); who is found, and that somebody always is told, [`places`](super::places).
//!
//! As in Alertmanager an alert that is both source and target of a rule is not held back by another of that kind. Sources count
//! whether or not anybody is told of them.

use std::collections::{BTreeMap, BTreeSet};

use slipstream_definitions::inhibits::Inhibits;
use slipstream_runtime::config::{Inhibition, Routing};
use slipstream_slo::alerts::Labels;

use super::named::{self, Dependencies};
use super::places::{Place, Places};

const SERVICE: &str = "service";

/// The rules, and what fires.
#[derive(Debug, Default)]
pub struct Inhibitions {
    rules: Vec<Inhibition>,
    dependencies: Dependencies,
    places: Places,
}

impl Inhibitions {
    /// The rules of a configuration; nothing fires.
    pub fn new(routing: &Routing) -> Self {
        let services = routing.dependencies.keys();
        let dependencies = services.map(|service| (service.clone(), reached(service, &routing.dependencies))).collect();
        Inhibitions { rules: routing.inhibitions.clone(), dependencies, places: Places::default() }
    }

    /// An alert fires with these labels. Returns whether that may hold others back, or no longer does.
    pub fn fires(&mut self, id: &str, labels: &Labels, inhibits: &Inhibits) -> bool {
        let (rules, dependencies) = (&self.rules, &self.dependencies);
        let stands = rules.iter().enumerate().flat_map(|(i, of)| stands(i, of, labels));
        let stands = stands.chain(named::stands(labels, inhibits)).collect();
        self.places.insert(id, stands, || looks(rules, labels, dependencies))
    }

    /// An alert does not fire any more. Returns whether others may have been held back by it.
    pub fn over(&mut self, id: &str) -> bool {
        self.places.remove(id)
    }

    /// The alert that holds back another one; of several the one with the first id.
    pub fn by(&self, id: &str, labels: &Labels) -> Option<&str> {
        self.places.by(id, &looks(&self.rules, labels, &self.dependencies))
    }
}

/// Where a source of a rule stands: one that is a target, too, not where such ones look.
fn stands(rule: usize, of: &Inhibition, labels: &Labels) -> Vec<Place> {
    if !matches(&of.source, labels) {
        return Vec::new();
    }
    let agreed = agreed(of, labels, labels.get(SERVICE).map_or("", String::as_str));
    let at = |one_sided| Place::Rule { rule, agreed: agreed.clone(), one_sided };
    if matches(&of.target, labels) { vec![at(false)] } else { vec![at(false), at(true)] }
}

/// All places where an alert looks whether it is held back.
fn looks(rules: &[Inhibition], labels: &Labels, dependencies: &Dependencies) -> BTreeSet<Place> {
    let by_rules = rules.iter().enumerate().flat_map(|(i, of)| looks_by(i, of, labels, dependencies));
    by_rules.chain(named::looks(labels, dependencies)).collect()
}

fn looks_by(rule: usize, of: &Inhibition, labels: &Labels, dependencies: &Dependencies) -> Vec<Place> {
    if !matches(&of.target, labels) {
        return Vec::new();
    }
    let one_sided = matches(&of.source, labels);
    let at = |service: &str| Place::Rule { rule, agreed: agreed(of, labels, service), one_sided };
    if !of.dependants {
        return vec![at("")];
    }
    let needed = labels.get(SERVICE).and_then(|service| dependencies.get(service));
    needed.into_iter().flatten().map(|service| at(service)).collect()
}

fn matches(matchers: &slipstream_definitions::matchers::Matchers, labels: &Labels) -> bool {
    matchers.match_all(|name| labels.get(name).map(String::as_str))
}

/// Values of the labels that have to agree, and the source's service where that matters.
fn agreed(of: &Inhibition, labels: &Labels, service: &str) -> Vec<String> {
    let mut values: Vec<String> = of.equal.iter().map(|name| labels.get(name).cloned().unwrap_or_default()).collect();
    values.extend(of.dependants.then(|| service.to_owned()));
    values
}

/// All services that one depends on.
fn reached(service: &str, calls: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let (mut found, mut next) = (BTreeSet::new(), vec![service]);
    while let Some(at) = next.pop() {
        for called in calls.get(at).into_iter().flatten() {
            if called != service && found.insert(called.clone()) {
                next.push(called);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use slipstream_definitions::matchers::Matchers;

    use super::*;

    fn labels(text: &str) -> Labels {
        let pair = |part: &str| part.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap();
        text.split(' ').map(pair).collect()
    }

    /// Of an alert whose rule names nothing.
    fn fires(all: &mut Inhibitions, id: &str, labels: &Labels) -> bool {
        all.fires(id, labels, &Inhibits::default())
    }

    fn parse(text: &str) -> Matchers {
        Matchers::parse(text).unwrap()
    }

    fn rules() -> Routing {
        let severities = Inhibition {
            source: parse("severity=page"),
            target: parse("severity=~\"ticket|page\""),
            equal: vec!["slo".to_owned()],
            dependants: false,
        };
        let down = Inhibition { source: parse("alertname=ServiceDown"), dependants: true, ..Inhibition::default() };
        let calls = |services: &[&str]| services.iter().map(|s| (*s).to_owned()).collect();
        Routing {
            inhibitions: vec![severities, down],
            dependencies: [
                ("web".to_owned(), calls(&["checkout"])),
                ("checkout".to_owned(), calls(&["payment", "web"])),
            ]
            .into(),
            ..Routing::default()
        }
    }

    #[test]
    fn a_page_holds_back_the_tickets_of_its_slo_while_it_fires() {
        let mut all = Inhibitions::new(&rules());
        let ticket = labels("slo=a severity=ticket");
        assert!(fires(&mut all, "p", &labels("slo=a severity=page")));
        assert!(!fires(&mut all, "t", &ticket), "a ticket holds back nobody");
        assert_eq!(all.by("t", &ticket), Some("p"));
        assert_eq!(all.by("t", &labels("slo=b severity=ticket")), None, "another SLO");
        assert_eq!(all.by("p", &labels("slo=a severity=page")), None, "not itself");
        fires(&mut all, "q", &labels("slo=a severity=page"));
        assert_eq!(all.by("q", &labels("slo=a severity=page")), None, "nor one like itself");
        assert!(all.over("p") && all.over("q") && !all.over("q"));
        assert_eq!(all.by("t", &ticket), None);
        fires(&mut all, "p", &labels("slo=a severity=page"));
        assert!(fires(&mut all, "p", &labels("slo=a severity=info")), "it is no source any more");
        assert_eq!(all.by("t", &ticket), None);
    }

    #[test]
    fn what_depends_on_a_service_that_is_down_is_held_back() {
        let mut all = Inhibitions::new(&rules());
        fires(&mut all, "d", &labels("alertname=ServiceDown service=payment"));
        let cases = [("checkout", Some("d")), ("web", Some("d")), ("payment", None), ("search", None)];
        for (service, want) in cases {
            assert_eq!(all.by("x", &labels(&format!("slo=s service={service}"))), want, "{service}");
        }
        assert_eq!(all.by("x", &labels("slo=s")), None, "without a service");
    }

    /// A configuration in which tickets hold back pages of their SLO, beside rules that say the other way round.
    #[test]
    fn a_rule_of_the_configuration_and_one_that_names_the_other_way_are_both_told() {
        let back = Inhibition {
            source: parse("severity=ticket"),
            target: parse("severity=page"),
            equal: vec!["slo".to_owned()],
            dependants: false,
        };
        let mut all = Inhibitions::new(&Routing { inhibitions: vec![back], ..Routing::default() });
        let (page, ticket) = (labels("slo=a severity=page"), labels("slo=a severity=ticket"));
        all.fires("p", &page, &Inhibits::of_alert("severities=ticket,info"));
        all.fires("t", &ticket, &Inhibits::default());
        assert_eq!((all.by("p", &page), all.by("t", &ticket)), (None, None));
        assert_eq!(all.by("i", &labels("slo=a severity=info")), Some("p"));
        all.over("t");
        assert_eq!(all.by("t", &ticket), Some("p"), "it is none that fires any more");
    }

    /// By the meaning of a rule, one pair at a time.
    fn holds(of: &Routing, all: &Inhibitions, (source, inhibits): (&Labels, &Inhibits), target: &Labels) -> bool {
        let needs = |target: &Labels| {
            let needed = target.get(SERVICE).and_then(|service| all.dependencies.get(service));
            needed.is_some_and(|needed| source.get(SERVICE).is_some_and(|service| needed.contains(service)))
        };
        let by_rule = of.inhibitions.iter().any(|rule| {
            let both = |labels: &Labels| matches(&rule.source, labels) && matches(&rule.target, labels);
            let agree = rule.equal.iter().all(|name| source.get(name) == target.get(name));
            let concerned = matches(&rule.source, source) && matches(&rule.target, target);
            concerned && agree && (!rule.dependants || needs(target)) && !(both(source) && both(target))
        });
        let severity = target.get("severity").is_some_and(|severity| inhibits.holds_severity(severity));
        by_rule || (severity && source["slo"] == target["slo"]) || (inhibits.dependants && needs(target))
    }

    const SEVERITIES: [&str; 4] = ["page", "ticket", "info", "none"];

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whoever_holds_back_is_the_first_that_is_not_held_back_by_it_and_somebody_is_told(
            alerts in prop::collection::vec((0..4_usize, 0..2_usize, 0..4_usize, 0..16_usize, any::<bool>()), 1..9),
            over in prop::collection::vec(0..9_usize, 0..3),
            back in any::<bool>(),
        ) {
            let mut routing = rules();
            if back {
                let (source, target) = (parse("severity=ticket"), parse("severity=page"));
                routing.inhibitions.push(Inhibition { source, target, ..Inhibition::default() });
            }
            let mut all = Inhibitions::new(&routing);
            let mut firing = BTreeMap::new();
            for (i, (severity, slo, service, held, dependants)) in alerts.into_iter().enumerate() {
                let service = ["web", "checkout", "payment", "search"][service];
                let name = if dependants { "ServiceDown" } else { "Other" };
                let of = format!("slo={slo} severity={} service={service} alertname={name}", SEVERITIES[severity]);
                let severities = SEVERITIES.iter().enumerate().filter(|(bit, _)| held >> bit & 1 == 1);
                let severities = severities.map(|(_, name)| name.to_uppercase()).collect();
                let inhibits = Inhibits { severities, dependants };
                all.fires(&format!("{i}"), &labels(&of), &inhibits);
                firing.insert(format!("{i}"), (labels(&of), inhibits));
            }
            for gone in over {
                all.over(&gone.to_string());
                firing.remove(&gone.to_string());
            }
            let directly = |s: &String, t: &String| {
                let (source, inhibits) = &firing[s];
                s != t && holds(&routing, &all, (source, inhibits), &firing[t].0)
            };
            let reaches = |from: &String, to: &String| {
                let (mut found, mut next) = (BTreeSet::new(), vec![from]);
                while let Some(at) = next.pop() {
                    next.extend(firing.keys().filter(|t| directly(at, t) && found.insert(*t)));
                }
                found.contains(to)
            };
            for (id, (labels, _)) in &firing {
                let naive = firing.keys().find(|s| directly(s, id) && !reaches(id, s));
                prop_assert_eq!(all.by(id, labels), naive.map(String::as_str), "{}", id);
            }
            prop_assert!(firing.is_empty() || firing.iter().any(|(id, (labels, _))| all.by(id, labels).is_none()));
        }
    }
}
