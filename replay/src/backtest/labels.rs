//! What happened, by the incidents that somebody noted down; and when a firing counts as being about one of them.

use super::Range;
use super::incidents::Incident;

/// Incidents, and how firings are held against them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Labels {
    /// The incidents that ought to be found.
    pub incidents: Vec<Incident>,
    /// Incidents that do not count: what fires in one of them alone is neither right nor false, it is not looked at.
    pub set_aside: Vec<Incident>,
    /// Seconds after its end in which a firing still is about an incident.
    pub grace: i64,
    /// An alert of any service finds an incident: services depend on each other, and labels name the cause.
    pub any_service: bool,
}

impl Labels {
    /// The last second in which a firing is about an incident.
    pub fn end(&self, incident: &Incident) -> i64 {
        incident.to.saturating_add(self.grace.max(0))
    }

    /// Whether an alert of one of these services may be about an incident.
    pub fn concerns<'s>(&self, incident: &Incident, services: impl IntoIterator<Item = &'s str>) -> bool {
        self.any_service
            || incident.service.is_empty()
            || services.into_iter().any(|service| service == incident.service)
    }

    /// Two halves, of which each has the other's incidents set aside: what was found on the first can be judged on the
    /// second. By time, every second incident goes to the second half, so both have early and late ones, and nothing is left
    /// to chance. The time without incidents is in both: the share of false alarms is not judged by this.
    pub fn split(&self) -> (Labels, Labels) {
        let mut sorted = self.incidents.clone();
        sorted.sort();
        let every_second = |odd: usize| sorted.iter().skip(odd).step_by(2).cloned().collect::<Vec<_>>();
        let (first, second) = (every_second(0), every_second(1));
        let half = |incidents: &[Incident], others: &[Incident]| Labels {
            incidents: incidents.to_vec(),
            set_aside: self.set_aside.iter().chain(others).cloned().collect(),
            ..*self
        };
        (half(&first, &second), half(&second, &first))
    }

    /// The parts of a range in which none of some incidents was, grace included. Where an alert may be about any of those, it is
    /// false there and nowhere else.
    pub fn quiet(&self, range: Range, watches: impl Fn(&Incident) -> bool) -> Quiet {
        let mut spans: Vec<(i64, i64)> = self
            .incidents
            .iter()
            .chain(&self.set_aside)
            .filter(|incident| watches(incident))
            .map(|incident| (incident.from.max(range.from), self.end(incident).saturating_add(1).min(range.to)))
            .filter(|(from, to)| from < to)
            .collect();
        spans.sort_unstable();
        let mut loud: Vec<(i64, i64)> = Vec::new();
        for (from, to) in spans {
            match loud.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => loud.push((from, to)),
            }
        }
        Quiet { range, loud }
    }
}

/// A range without the incidents in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quiet {
    range: Range,
    /// From, to (exclusive) of the incidents, apart from each other and by time.
    loud: Vec<(i64, i64)>,
}

impl Quiet {
    /// How long it is in all.
    pub fn seconds(&self) -> i64 {
        self.range.seconds() - self.loud.iter().map(|(from, to)| to - from).sum::<i64>()
    }

    /// Whether a second is in it.
    pub fn contains(&self, second: i64) -> bool {
        let begun = self.loud.partition_point(|(from, _)| *from <= second);
        let is_loud = begun.checked_sub(1).is_some_and(|last| second < self.loud[last].1);
        self.range.contains(second) && !is_loud
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incident(from: i64, to: i64, service: &str) -> Incident {
        Incident { from, to, service: service.to_owned(), what: String::new() }
    }

    fn labels(incidents: &[Incident]) -> Labels {
        Labels { incidents: incidents.to_vec(), grace: 10, ..Labels::default() }
    }

    #[test]
    fn time_is_quiet_outside_of_all_incidents() {
        let range = Range { from: 0, to: 1_000 };
        for (incidents, quiet) in [
            (vec![], 1_000),
            // A moment and its grace: seconds 100 to 110.
            (vec![incident(100, 100, "")], 989),
            // Overlapping, one within the other, and of different services.
            (vec![incident(100, 199, "a"), incident(150, 249, "b"), incident(160, 170, "")], 1_000 - 160),
            // Cut off at both ends of the range, and outside of it.
            (vec![incident(-50, 9, ""), incident(990, 2_000, ""), incident(3_000, 4_000, "")], 1_000 - 20 - 10),
            (vec![incident(-50, 2_000, "")], 0),
        ] {
            let found = labels(&incidents).quiet(range, |_| true);
            assert_eq!(found.seconds(), quiet, "{incidents:?}");
            let one_by_one = (-100..1_100).filter(|second| found.contains(*second)).count();
            assert_eq!(one_by_one as i64, quiet, "{incidents:?}");
        }
        assert_eq!(labels(&[incident(0, 9, "")]).quiet(Range { from: 5, to: 5 }, |_| true).seconds(), 0);
        let of_a = labels(&[incident(100, 199, "a"), incident(300, 399, "b")]);
        assert_eq!(of_a.quiet(range, |incident| incident.service == "a").seconds(), 1_000 - 110);
    }

    #[test]
    fn halves_alternate_and_set_each_other_aside() {
        let [a, b, c, d] = [(10, "a"), (20, "b"), (30, "c"), (5, "d")].map(|(from, name)| incident(from, from, name));
        let mut all = labels(&[a.clone(), b.clone(), c.clone()]);
        all.set_aside = vec![d.clone()];
        let (first, second) = all.split();
        assert_eq!((first.incidents, first.set_aside), (vec![a.clone(), c.clone()], vec![d.clone(), b.clone()]));
        assert_eq!((second.incidents, second.set_aside), (vec![b], vec![d, a, c]));
        assert_eq!((first.grace, second.any_service), (10, false));
    }
}
