//! How requests count for the series that are looked into.

use std::sync::Arc;

use slipstream_schemas::event::EventView;
use slipstream_slo::matcher::{Active, Matcher, SeriesId, SeriesKey, Verdict};

use super::Side;

/// Series that a matcher may know: with more it is made anew, for it keeps all that events bring.
const MOST_SERIES: usize = 100_000;

/// How requests count for some sides. What a request costs is a matter of the sides that it counts for, not of how many there are.
pub struct Judges<'s> {
    /// Each with the number of its definition, which is the generation by which the matcher knows it.
    sides: Vec<(&'s Side, i64)>,
    definitions: Vec<Active>,
    matcher: Matcher,
    /// Per series of the matcher: the sides that it is; `None`: not looked up yet.
    of_series: Vec<Option<Box<[usize]>>>,
    hits: Vec<(SeriesId, Verdict)>,
}

impl<'s> Judges<'s> {
    /// For these, by their places.
    pub fn new(sides: impl IntoIterator<Item = &'s Side>) -> Judges<'s> {
        let mut definitions: Vec<Active> = Vec::new();
        let number = |side: &'s Side| {
            let known = definitions.iter().position(|known| *known.slo == side.slo);
            let number = known.unwrap_or_else(|| {
                let generation = definitions.len() as i64;
                definitions.push(Active { slo: Arc::new(side.slo.clone()), generation });
                definitions.len() - 1
            });
            (side, number as i64)
        };
        let sides = sides.into_iter().map(number).collect();
        let matcher = Matcher::new(&definitions);
        Judges { sides, definitions, matcher, of_series: Vec::new(), hits: Vec::new() }
    }

    /// Whether they look at attributes.
    pub fn read_attributes(&self) -> bool {
        self.matcher.needs_attributes()
    }

    /// Tells each side that a request counts for how it does.
    pub fn judge(&mut self, event: &EventView<'_>, mut tell: impl FnMut(usize, Verdict)) {
        if self.matcher.series_len() > MOST_SERIES {
            (self.matcher, self.of_series) = (Matcher::new(&self.definitions), Vec::new());
        }
        let Judges { sides, matcher, of_series, hits, .. } = self;
        hits.clear();
        matcher.apply(event, &mut |series, verdict| hits.push((series, verdict)));
        for (series, verdict) in hits {
            let at = series.index();
            if at >= of_series.len() {
                of_series.resize(at + 1, None);
            }
            let of = of_series[at].get_or_insert_with(|| sides_of(sides, matcher.series(*series)));
            of.iter().for_each(|side| tell(*side, *verdict));
        }
    }
}

/// The sides that a series is.
fn sides_of(sides: &[(&Side, i64)], key: &SeriesKey) -> Box<[usize]> {
    let is = |(side, definition): &(&Side, i64)| {
        key.generation == *definition
            && *key.group == *side.group
            && key.objectives().any(|objective| objective.name == side.objective)
    };
    (0..sides.len()).filter(|at| is(&sides[*at])).collect()
}
