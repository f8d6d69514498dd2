//! What makes up the bad events of each series of a reading.

use std::collections::BTreeMap;

use slipstream_slo::burn::is_other;
use slipstream_slo::tally::columns::Share;

use super::Makeup;
use crate::engine::{SeriesName, Tuple};
use crate::outcome::Contributors;

/// Values that are kept of all SLOs together, unless there are very many of them;
const KEPT: usize = 1_000_000;
/// of each, so many at most,
const MOST: usize = 200_000;
/// and so many whatever the number of SLOs. Of a dimension of a series, half of it.
const LEAST: usize = 10_000;

/// What makes up the bad events of each series, since its SLO means what it meant last.
///
/// Bounded like [`Makeup`]: of an SLO whose groups have too many values in all, nothing is told.
#[derive(Debug, Clone)]
pub struct Makeups {
    /// Values of an SLO, at most.
    most: usize,
    slos: BTreeMap<String, OfSlo>,
}

/// Of one generation of an SLO.
#[derive(Debug, Clone)]
struct OfSlo {
    generation: i64,
    /// By objective and group; `None`: they have too many values.
    series: Option<BTreeMap<(String, Vec<String>), Makeup>>,
    /// The sum of their sizes.
    size: usize,
}

impl OfSlo {
    fn new(generation: i64) -> OfSlo {
        OfSlo { generation, series: Some(BTreeMap::new()), size: 0 }
    }
}

impl Makeups {
    /// For so many SLOs.
    pub fn new(slos: usize) -> Makeups {
        Makeups { most: (KEPT / slos.max(1)).clamp(LEAST, MOST), slos: BTreeMap::new() }
    }

    /// Adds the events of a tuple that counted for a series.
    pub fn add(&mut self, tuple: &Tuple, share: &Share) {
        let [good, total, _] = share.counts;
        for objective in share.objectives.iter().filter_map(|at| share.slo.objectives.get(*at)) {
            self.with((&share.slo.name, share.generation), (&objective.name, &share.group), |makeup| {
                makeup.add_event(&tuple.event(), [total - good, total]);
            });
        }
    }

    /// Adds what another thread counted.
    pub fn merge(&mut self, other: Makeups) {
        for (slo, OfSlo { generation, series, .. }) in other.slos {
            match series {
                Some(series) => series.into_iter().for_each(|((objective, group), makeup)| {
                    self.with((&slo, generation), (&objective, &group), |sums| sums.merge(makeup));
                }),
                None => self.of(&slo, generation).into_iter().for_each(|of_slo| of_slo.series = None),
            }
        }
    }

    /// What is told of a series whose SLO is of a generation, and that counted so many events, good or bad. Groups beyond burn's
    /// cap are here by themselves, so of all of them together nothing is told.
    pub fn told(
        &self,
        SeriesName { slo, objective, group }: &SeriesName,
        generation: i64,
        total: i64,
    ) -> Vec<Contributors> {
        let of_slo = self.slos.get(slo).filter(|of_slo| of_slo.generation == generation);
        let series = of_slo.and_then(|of_slo| of_slo.series.as_ref());
        let makeup = series.and_then(|series| series.get(&(objective.clone(), group.clone())));
        // A group may have that name.
        let makeup = makeup.filter(|makeup| !is_other(group) || makeup.total() == total);
        makeup.map(Makeup::told).unwrap_or_default()
    }

    fn with(
        &mut self,
        (slo, generation): (&str, i64),
        (objective, group): (&str, &[String]),
        change: impl FnOnce(&mut Makeup),
    ) {
        let most = self.most;
        let Some(of_slo) = self.of(slo, generation) else { return };
        let Some(series) = &mut of_slo.series else { return };
        let series = series.entry((objective.to_owned(), group.to_vec()));
        let makeup = series.or_insert_with(|| Makeup::new(most / 2));
        let before = makeup.size();
        change(makeup);
        of_slo.size += makeup.size().saturating_sub(before);
        if of_slo.size > most {
            of_slo.series = None;
        }
    }

    /// `None` if a later generation of the SLO is known.
    fn of(&mut self, slo: &str, generation: i64) -> Option<&mut OfSlo> {
        if self.slos.get(slo).is_none_or(|known| known.generation < generation) {
            self.slos.insert(slo.to_owned(), OfSlo::new(generation));
        }
        self.slos.get_mut(slo).filter(|known| known.generation == generation)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use crate::contributors::tests::tuple;

    #[test]
    fn an_slo_whose_groups_have_too_many_values_is_left_out_and_no_other() {
        let mut makeups = Makeups { most: 12, slos: BTreeMap::new() };
        let mut add = |slo: &str, group: &str| {
            let group = [group.to_owned()];
            makeups.with((slo, 1), ("answered", &group), |makeup| {
                makeup.add_event(&tuple("/a").event(), [1, 1]);
                makeup.add_event(&tuple("/b").event(), [0, 1]);
            });
        };
        // Six values each.
        add("small", "eu");
        add("small", "us");
        add("large", "eu");
        add("large", "us");
        add("large", "asia");
        let name = |slo: &str, group: &str| SeriesName {
            slo: slo.to_owned(),
            objective: "answered".to_owned(),
            group: vec![group.to_owned()],
        };
        assert_eq!(makeups.told(&name("small", "us"), 1, 2).len(), 1);
        assert_eq!(makeups.told(&name("large", "eu"), 1, 2), []);
        let other = makeups.clone();
        makeups.merge(other);
        assert_eq!(makeups.told(&name("small", "us"), 1, 2)[0].values[0].bad, 2);
        assert_eq!(makeups.told(&name("large", "eu"), 1, 2), []);
    }

    #[test]
    fn a_later_generation_begins_anew_in_whichever_thread_it_comes() {
        let group = ["eu".to_owned()];
        let of = |generation: i64, endpoints: &[&str]| {
            let mut makeups = Makeups { most: 12, slos: BTreeMap::new() };
            for endpoint in endpoints {
                makeups.with(("shop", generation), ("answered", &group), |makeup| {
                    makeup.add_event(&tuple(endpoint).event(), [1, 1]);
                });
            }
            makeups
        };
        let name = SeriesName { slo: "shop".to_owned(), objective: "answered".to_owned(), group: group.to_vec() };
        let (before, after) = (of(1, &["/a", "/b", "/c"]), of(2, &["/c", "/d"]));
        let too_many: Vec<String> = (0..20).map(|at| format!("/{at}")).collect();
        let too_many = of(1, &too_many.iter().map(String::as_str).collect::<Vec<_>>());
        for order in [[&before, &after, &too_many], [&too_many, &after, &before], [&after, &before, &too_many]] {
            let mut merged = Makeups { most: 12, slos: BTreeMap::new() };
            order.into_iter().for_each(|makeups| merged.merge(makeups.clone()));
            let told = merged.told(&name, 2, 2);
            assert_eq!((told[0].dimension.as_str(), told[0].values.len()), ("endpoint", 2));
            assert_eq!(merged.told(&name, 1, 3), []);
        }
    }

    #[test]
    fn groups_that_are_counted_together_have_no_contributors_but_one_of_their_name_has() {
        let other = ["other".to_owned()];
        let mut makeups = Makeups { most: 12, slos: BTreeMap::new() };
        for endpoint in ["/a", "/b"] {
            makeups
                .with(("shop", 1), ("answered", &other), |makeup| makeup.add_event(&tuple(endpoint).event(), [1, 1]));
        }
        let name = SeriesName { slo: "shop".to_owned(), objective: "answered".to_owned(), group: other.to_vec() };
        assert_eq!(makeups.told(&name, 1, 2).len(), 1);
        assert_eq!(makeups.told(&name, 1, 3), []);
    }
}
