//! What the bad events of a series have in common: values of each dimension, with their share of the bad events and of all.

mod makeups;
pub mod shapes;

use std::collections::BTreeMap;

use slipstream_schemas::event::EventView;

use crate::outcome::{Contributor, Contributors};
pub use makeups::Makeups;
pub use shapes::Shapes;

/// Values that are told of each dimension.
const TOLD: usize = 10;
/// Attributes that are told apart. Where requests have more of them in all, none is.
const ATTRIBUTES: usize = 100;
/// How their names begin among dimensions.
const ATTRIBUTE: &str = "attributes.";

/// Counts by dimension and value.
///
/// Memory is bounded. Whether something is left out depends on which events were added, not on their order, nor on how they were
/// divided before they were merged.
#[derive(Debug, Clone)]
pub struct Makeup {
    /// A dimension with more values than this, such as an attribute that each request has of its own, says nothing in common.
    most: usize,
    /// Per dimension and value: bad, good or bad; `None`: it has too many values.
    dimensions: BTreeMap<String, Option<Values>>,
    /// Of all events: bad, good or bad.
    all: [i64; 2],
    /// How many of the dimensions are attributes; `None`: too many.
    attributes: Option<usize>,
}

type Values = BTreeMap<String, [i64; 2]>;

impl Makeup {
    /// Without events. Dimensions with more than `most` values are left out.
    pub fn new(most: usize) -> Makeup {
        Makeup { most, dimensions: BTreeMap::new(), all: [0; 2], attributes: Some(0) }
    }

    /// Adds events that are all like this one: bad, good or bad.
    pub fn add_event(&mut self, event: &EventView<'_>, counts: [i64; 2]) {
        sum(&mut self.all, counts);
        self.add("service", &event.service, counts);
        self.add("environment", &event.environment, counts);
        self.add("endpoint", &event.endpoint, counts);
        self.add("method", &event.method, counts);
        self.add("status_code", &event.status_code.to_string(), counts);
        for (key, value) in &event.attributes {
            self.add(&attribute(key), value, counts);
        }
    }

    /// Adds what another one counted.
    pub fn merge(&mut self, other: Makeup) {
        sum(&mut self.all, other.all);
        if other.attributes.is_none() {
            self.leave_attributes();
        }
        for (dimension, values) in other.dimensions {
            match values {
                Some(values) => values.into_iter().for_each(|(value, counts)| self.add(&dimension, &value, counts)),
                None => self.leave(&dimension),
            }
        }
    }

    /// How many values it was ever given of its dimensions, of one that has too many the least number that is too many.
    fn size(&self) -> usize {
        self.dimensions.values().map(|values| values.as_ref().map_or(self.most + 1, Values::len)).sum()
    }

    /// Adds events of one value of a dimension.
    fn add(&mut self, dimension: &str, value: &str, counts: [i64; 2]) {
        if !self.dimensions.contains_key(dimension) && !self.admit(dimension) {
            return;
        }
        let Some(Some(values)) = self.dimensions.get_mut(dimension) else { return };
        if let Some(sums) = values.get_mut(value) {
            sum(sums, counts);
        } else if values.len() < self.most {
            values.insert(value.to_owned(), counts);
        } else {
            self.leave(dimension);
        }
    }

    /// Makes room for a dimension, unless it is one attribute too many.
    fn admit(&mut self, dimension: &str) -> bool {
        if dimension.starts_with(ATTRIBUTE) {
            match self.attributes {
                Some(known) if known < ATTRIBUTES => self.attributes = Some(known + 1),
                Some(_) => {
                    self.leave_attributes();
                    return false;
                }
                None => return false,
            }
        }
        self.dimensions.insert(dimension.to_owned(), Some(Values::new()));
        true
    }

    /// Leaves a dimension out from now on.
    fn leave(&mut self, dimension: &str) {
        if self.dimensions.contains_key(dimension) || self.admit(dimension) {
            self.dimensions.insert(dimension.to_owned(), None);
        }
    }

    /// Leaves all attributes out from now on.
    fn leave_attributes(&mut self) {
        self.attributes = None;
        self.dimensions.retain(|name, _| !name.starts_with(ATTRIBUTE));
    }

    /// Bad events.
    pub fn bad(&self) -> i64 {
        self.all[0]
    }

    /// Events, good or bad.
    pub fn total(&self) -> i64 {
        self.all[1]
    }

    /// The values with bad events, most first; dimensions by name, those of the event before attributes. One that says nothing,
    /// because all events have the same value, is left out.
    pub fn told(&self) -> Vec<Contributors> {
        if self.all[0] == 0 {
            return Vec::new();
        }
        let known = self.dimensions.iter().filter_map(|(name, values)| Some((name, values.as_ref()?)));
        let (attributes, fields): (Vec<_>, Vec<_>) = known.partition(|(name, _)| name.starts_with(ATTRIBUTE));
        let told = fields.into_iter().chain(attributes).filter(|(_, values)| values.len() > 1);
        told.map(|(dimension, values)| self.of(dimension, values)).filter(|found| !found.values.is_empty()).collect()
    }

    fn of(&self, dimension: &str, values: &Values) -> Contributors {
        let mut bad: Vec<(&String, &[i64; 2])> = values.iter().filter(|(_, [bad, _])| *bad > 0).collect();
        bad.sort_by(|(a, [a_bad, a_total]), (b, [b_bad, b_total])| (b_bad, a_total, a).cmp(&(a_bad, b_total, b)));
        let more = bad.len().saturating_sub(TOLD);
        let share = |part: i64, whole: i64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        let values = bad.into_iter().take(TOLD).map(|(value, [bad, total])| Contributor {
            value: value.clone(),
            bad: *bad,
            total: *total,
            share_of_bad: share(*bad, self.all[0]),
            share_of_all: share(*total, self.all[1]),
        });
        Contributors { dimension: dimension.to_owned(), values: values.collect(), more }
    }
}

fn attribute(key: &str) -> String {
    format!("{ATTRIBUTE}{key}")
}

fn sum(sums: &mut [i64; 2], counts: [i64; 2]) {
    (sums[0], sums[1]) = (sums[0] + counts[0], sums[1] + counts[1]);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::engine::Tuple;

    pub(super) fn tuple(endpoint: &str) -> Tuple {
        Tuple {
            service: "shop".into(),
            environment: "production".into(),
            endpoint: endpoint.into(),
            method: "GET".into(),
            status_code: 503,
        }
    }

    /// Dimensions with the number of their values.
    fn told(makeup: &Makeup) -> Vec<(String, usize)> {
        makeup.told().into_iter().map(|told| (told.dimension, told.values.len() + told.more)).collect()
    }

    #[test]
    fn a_dimension_with_too_many_values_is_left_out_however_events_are_divided() {
        let of = |endpoints: std::ops::Range<u32>, attribute: &str| {
            let mut makeup = Makeup::new(3);
            for at in endpoints {
                let (tuple, value) = (tuple(&format!("/{at}")), if at % 2 == 0 { "even" } else { "odd" });
                let attributes = vec![(Cow::Borrowed(attribute), Cow::Borrowed(value))];
                makeup.add_event(&EventView { attributes, ..tuple.event() }, [1, 2]);
            }
            makeup
        };
        let (three, four) = (of(0..3, "a"), of(0..4, "a"));
        assert_eq!(told(&three), [("endpoint".to_owned(), 3), ("attributes.a".to_owned(), 2)]);
        assert_eq!(told(&four), [("attributes.a".to_owned(), 2)]);
        let mut divided = of(0..2, "a");
        divided.merge(of(2..4, "a"));
        assert_eq!(divided.told(), four.told());
        assert_eq!((divided.bad(), divided.total(), divided.size()), (4, 8, four.size()));
        let mut again = three;
        again.merge(divided);
        assert_eq!((told(&again), again.bad()), (vec![("attributes.a".to_owned(), 2)], 7));
    }

    #[test]
    fn too_many_attributes_are_none() {
        let of = |keys: std::ops::Range<usize>| {
            let mut makeup = Makeup::new(10);
            for key in keys {
                for value in ["x", "y"] {
                    let attributes = vec![(Cow::Owned(format!("k{key}")), Cow::Borrowed(value))];
                    makeup.add_event(&EventView { attributes, ..tuple("/").event() }, [1, 1]);
                }
            }
            makeup
        };
        assert_eq!(told(&of(0..ATTRIBUTES)).len(), ATTRIBUTES);
        assert_eq!(told(&of(0..ATTRIBUTES + 1)), []);
        let mut divided = of(0..60);
        divided.merge(of(40..ATTRIBUTES));
        assert_eq!(told(&divided).len(), ATTRIBUTES);
        divided.merge(of(ATTRIBUTES..ATTRIBUTES + 1));
        assert_eq!(told(&divided), []);
        divided.merge(of(0..2));
        assert_eq!(told(&divided), []);
    }
}
