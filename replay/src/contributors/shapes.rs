//! Events by all that contributors tell of them. Many are alike in that, so they are counted together, and what they have in common
//! is made out at the end.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use slipstream_schemas::event::EventView;

use super::{Makeup, sum};
use crate::engine::Tuple;

/// Shapes that are kept of all that are looked at, at most.
const SHAPES: usize = 100_000;
/// Of one so many at least, and so many at most.
const OF_ONE: [usize; 2] = [250, 8_000];

/// Counts by shape. What they tell is what [`Makeup`] would.
#[derive(Debug)]
pub struct Shapes {
    most: usize,
    kept: HashTable<(Shape, [i64; 2])>,
    /// Those that were made out when there were too many.
    makeup: Makeup,
    /// Since then: how many came that were like one before.
    alike: usize,
    /// Nearly each one is of its own, so they are made out at once.
    differ: bool,
    all: [i64; 2],
}

#[derive(Debug)]
struct Shape {
    hash: u64,
    tuple: Tuple,
    attributes: Box<[(Box<str>, Box<str>)]>,
}

/// Of what is told of an event.
pub fn hash(event: &EventView<'_>) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    let mut text = |text: &str| {
        hasher.write(text.as_bytes());
        hasher.write_u8(0xFF);
    };
    [&event.service, &event.environment, &event.endpoint, &event.method].into_iter().for_each(|field| text(field));
    event.attributes.iter().for_each(|(key, value)| {
        text(key);
        text(value);
    });
    hasher.write_u16(event.status_code);
    hasher.finish()
}

impl Shapes {
    /// Without events, by one of so many. Dimensions with more than `values` values are left out.
    pub fn new(values: usize, looks: usize) -> Shapes {
        let [least, most] = OF_ONE;
        let most = (SHAPES / looks.max(1)).clamp(least, most);
        Shapes::of_most(values, most)
    }

    fn of_most(values: usize, most: usize) -> Shapes {
        Shapes { most, kept: HashTable::new(), makeup: Makeup::new(values), alike: 0, differ: false, all: [0; 2] }
    }

    /// Adds events that are all like this one, of which this is the [`hash`]: bad, good or bad.
    pub fn add(&mut self, event: &EventView<'_>, hash: u64, counts: [i64; 2]) {
        sum(&mut self.all, counts);
        if self.differ {
            return self.makeup.add_event(event, counts);
        }
        if let Some((_, sums)) = self.kept.find_mut(hash, |(shape, _)| shape.is_of(event, hash)) {
            self.alike += 1;
            return sum(sums, counts);
        }
        if self.kept.len() >= self.most {
            self.differ = self.alike < self.most;
            self.alike = 0;
            self.make_out();
        }
        self.kept.insert_unique(hash, (Shape::of(event, hash), counts), |(shape, _)| shape.hash);
    }

    /// Adds what another one counted.
    pub fn merge(&mut self, mut other: Shapes) {
        sum(&mut self.all, other.all);
        self.make_out();
        other.make_out();
        self.makeup.merge(other.makeup);
    }

    /// Bad ones, and all.
    pub fn all(&self) -> [i64; 2] {
        self.all
    }

    /// What they have in common.
    pub fn makeup(mut self) -> Makeup {
        self.make_out();
        self.makeup
    }

    fn make_out(&mut self) {
        for (shape, counts) in self.kept.drain() {
            self.makeup.add_event(&shape.event(), counts);
        }
    }
}

impl Shape {
    fn of(event: &EventView<'_>, hash: u64) -> Shape {
        let attributes = event.attributes.iter().map(|(key, value)| (key.as_ref().into(), value.as_ref().into()));
        Shape { hash, tuple: Tuple::of(event), attributes: attributes.collect() }
    }

    fn is_of(&self, event: &EventView<'_>, hash: u64) -> bool {
        let same = |((key, value), (k, v)): (&(Box<str>, Box<str>), &(_, _))| **key == *k && **value == *v;
        self.hash == hash
            && self.tuple.is_of(event)
            && self.attributes.len() == event.attributes.len()
            && self.attributes.iter().zip(&event.attributes).all(same)
    }

    fn event(&self) -> EventView<'_> {
        let borrowed = self.attributes.iter().map(|(key, value)| (key.as_ref().into(), value.as_ref().into()));
        EventView { attributes: borrowed.collect(), ..self.tuple.event() }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::contributors::tests::tuple;

    #[test]
    fn they_tell_what_single_events_would_however_many_are_alike() {
        // (values of an attribute, most shapes): all alike, more than are kept, each of its own.
        for (values, most) in [(1, 10), (30, 10), (100_000, 10), (30, 1_000)] {
            let (mut shapes, mut makeup) = (Shapes::of_most(50, most), Makeup::new(50));
            for n in 0_i64..3_000 {
                let tuple = tuple(["/a", "/b"][(n % 2) as usize]);
                let value = Cow::Owned((n * 7_919 % values).to_string());
                let event = EventView { attributes: vec![(Cow::Borrowed("a"), value)], ..tuple.event() };
                let counts = [n % 3, 3];
                shapes.add(&event, hash(&event), counts);
                makeup.add_event(&event, counts);
            }
            assert_eq!(shapes.all(), [makeup.bad(), makeup.total()]);
            assert_eq!(shapes.makeup().told(), makeup.told(), "{values} {most}");
        }
    }
}
