//! Who holds back whom: while an alert fires that is the source of a rule, its targets are not told. What the rules of alerts name
//! themselves is [`named`](super::named).
//!
//! As in Alertmanager an alert that is both source and target of a rule is not held back by another of that kind, so alerts
//! cannot silence each other. Sources count whether or not anybody is told of them.

use std::collections::{BTreeMap, BTreeSet};

use slipstream_definitions::inhibits::Inhibits;
use slipstream_runtime::config::{Inhibition, Routing};
use slipstream_slo::alerts::Labels;

use super::named::Named;

const SERVICE: &str = "service";

/// Values of the labels that have to agree, and the source's service where that matters.
type Agreed = Vec<String>;

#[derive(Debug)]
struct Rule {
    of: Inhibition,
    /// Ids of the sources that fire, and whether they are targets, too.
    sources: BTreeMap<Agreed, BTreeMap<String, bool>>,
}

/// The rules, and what fires.
#[derive(Debug, Default)]
pub struct Inhibitions {
    rules: Vec<Rule>,
    /// By service: all that it depends on, directly or not, without itself.
    dependencies: BTreeMap<String, BTreeSet<String>>,
    /// By alert: under what it is a source of which rule.
    firing: BTreeMap<String, Vec<(usize, Agreed)>>,
    named: Named,
}

impl Inhibitions {
    /// The rules of a configuration; nothing fires.
    pub fn new(routing: &Routing) -> Self {
        let rules = routing.inhibitions.iter().map(|of| Rule { of: of.clone(), sources: BTreeMap::new() });
        let services = routing.dependencies.keys();
        let dependencies = services.map(|service| (service.clone(), reached(service, &routing.dependencies))).collect();
        Inhibitions { rules: rules.collect(), dependencies, ..Inhibitions::default() }
    }

    /// An alert fires with these labels. Returns whether that may hold others back, or no longer does.
    pub fn fires(&mut self, id: &str, labels: &Labels, inhibits: Inhibits) -> bool {
        let was = self.over(id);
        let names = self.named.fires(id, labels, inhibits);
        let mut places = Vec::new();
        for (i, rule) in self.rules.iter_mut().enumerate().filter(|(_, rule)| matches(&rule.of.source, labels)) {
            let service = labels.get(SERVICE).map_or("", String::as_str);
            let agreed = agreed(&rule.of, labels, service);
            let target = matches(&rule.of.target, labels);
            rule.sources.entry(agreed.clone()).or_default().insert(id.to_owned(), target);
            places.push((i, agreed));
        }
        let is = !places.is_empty();
        if is {
            self.firing.insert(id.to_owned(), places);
        }
        was || is || names
    }

    /// An alert does not fire any more. Returns whether others may have been held back by it.
    pub fn over(&mut self, id: &str) -> bool {
        let named = self.named.over(id);
        let Some(places) = self.firing.remove(id) else { return named };
        for (rule, agreed) in places {
            let sources = &mut self.rules[rule].sources;
            if let Some(ids) = sources.get_mut(&agreed) {
                ids.remove(id);
                if ids.is_empty() {
                    sources.remove(&agreed);
                }
            }
        }
        true
    }

    /// The alert that holds back another one; of several the one with the first id.
    pub fn by(&self, id: &str, labels: &Labels) -> Option<&str> {
        self.by_rule(id, labels).or_else(|| self.named.by(id, labels, &self.dependencies))
    }

    fn by_rule(&self, id: &str, labels: &Labels) -> Option<&str> {
        self.rules.iter().filter(|rule| matches(&rule.of.target, labels)).find_map(|rule| {
            let two_sided = matches(&rule.of.source, labels);
            let sources = self.behind(rule, labels);
            let mut others =
                sources.into_iter().flatten().filter(|(source, target)| *source != id && !(two_sided && **target));
            others.next().map(|(source, _)| source.as_str())
        })
    }

    /// The sources of a rule that agree with a target.
    fn behind<'r>(&self, rule: &'r Rule, labels: &Labels) -> Vec<&'r BTreeMap<String, bool>> {
        if !rule.of.dependants {
            return rule.sources.get(&agreed(&rule.of, labels, "")).into_iter().collect();
        }
        let needed = labels.get(SERVICE).and_then(|service| self.dependencies.get(service));
        let agreed = needed.into_iter().flatten().map(|service| agreed(&rule.of, labels, service));
        agreed.filter_map(|agreed| rule.sources.get(&agreed)).collect()
    }
}

fn matches(matchers: &slipstream_definitions::matchers::Matchers, labels: &Labels) -> bool {
    matchers.match_all(|name| labels.get(name).map(String::as_str))
}

fn agreed(of: &Inhibition, labels: &Labels, service: &str) -> Agreed {
    let mut values: Agreed = of.equal.iter().map(|name| labels.get(name).cloned().unwrap_or_default()).collect();
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
    use slipstream_definitions::matchers::Matchers;

    use super::*;

    fn labels(text: &str) -> Labels {
        let pair = |part: &str| part.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap();
        text.split(' ').map(pair).collect()
    }

    /// Of an alert whose rule names nothing.
    fn fires(all: &mut Inhibitions, id: &str, labels: &Labels) -> bool {
        all.fires(id, labels, Inhibits::default())
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
}
