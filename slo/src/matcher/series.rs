//! Series by small ids: an SLO, an indicator of it, and the values of its groupBy.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use slipstream_schemas::event::EventView;

use super::Active;
use slipstream_definitions::definition::{GroupKey, Objective, Slo};

/// An indicator of an SLO and the values of its groupBy, interned in one [`super::Matcher`]; ids mean nothing in
/// another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesId(u32);

/// What a [`SeriesId`] stands for: the objectives of an SLO that have the same indicator share it.
#[derive(Debug, Clone)]
pub struct SeriesKey {
    /// The definition.
    pub slo: Arc<Slo>,
    /// Its generation.
    pub generation: i64,
    /// Which of the SLO's objectives count by it, by their index, ascending; at least one.
    pub shared_by: Arc<[usize]>,
    /// Values of groupBy, in its order.
    pub group: Arc<[String]>,
}

/// Where a definition's group values come from.
#[derive(Debug)]
pub(super) enum Grouping {
    /// No groupBy: one series, there from the start.
    One(SeriesId),
    /// By these dimensions.
    By(Vec<GroupKey>),
}

/// Every series met, by id and by key.
#[derive(Debug, Default)]
pub(super) struct SeriesTable {
    /// One per definition: what new keys are made of, without group values.
    definitions: Vec<SeriesKey>,
    keys: Vec<SeriesKey>,
    /// Per key: its definition.
    owners: Vec<u32>,
    index: HashTable<u32>,
}

impl SeriesKey {
    /// The objectives that count by it.
    pub fn objectives(&self) -> impl Iterator<Item = &Objective> {
        self.shared_by.iter().filter_map(|at| self.slo.objectives.get(*at))
    }
}

impl SeriesId {
    /// Dense from 0: below [`super::Matcher::series_len`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl Grouping {
    pub(super) fn reads_attributes(&self) -> bool {
        self.keys().iter().any(|key| matches!(key, GroupKey::Attribute(_)))
    }

    pub(super) fn reads_endpoint(&self) -> bool {
        self.keys().contains(&GroupKey::Endpoint)
    }

    fn keys(&self) -> &[GroupKey] {
        match self {
            Grouping::One(_) => &[],
            Grouping::By(keys) => keys,
        }
    }
}

impl SeriesTable {
    /// Takes the next definition: an indicator that is for these objectives of the SLO.
    pub(super) fn register(&mut self, active: &Active, objectives: Vec<usize>) -> Grouping {
        let definition = self.definitions.len() as u32;
        self.definitions.push(SeriesKey {
            slo: active.slo.clone(),
            generation: active.generation,
            shared_by: objectives.into(),
            group: Arc::default(),
        });
        if active.slo.group_by.is_empty() {
            return Grouping::One(self.add(definition, Arc::default()));
        }
        Grouping::By(active.slo.group_by.clone())
    }

    /// The series of an event; made where it is new. Finding one allocates nothing.
    pub(super) fn of(&mut self, definition: u32, grouping: &Grouping, event: &EventView<'_>) -> SeriesId {
        let dimensions = match grouping {
            Grouping::One(id) => return *id,
            Grouping::By(dimensions) => dimensions,
        };
        let status = StatusText::of(event.status_code);
        let value = |key: &GroupKey| group_value(key, event, &status);
        let hash = hash(definition, dimensions.iter().map(value));
        let same = |id: &u32| {
            let at = *id as usize;
            self.owners[at] == definition
                && self.keys[at]
                    .group
                    .iter()
                    .zip(dimensions)
                    .all(|(known, key)| known == group_value(key, event, &status))
        };
        if let Some(id) = self.index.find(hash, same) {
            return SeriesId(*id);
        }
        let group = dimensions.iter().map(|key| group_value(key, event, &status).to_owned()).collect();
        let id = self.add(definition, group);
        let SeriesTable { owners, keys, index, .. } = self;
        index.insert_unique(hash, id.0, |id| {
            self::hash(owners[*id as usize], keys[*id as usize].group.iter().map(String::as_str))
        });
        id
    }

    fn add(&mut self, definition: u32, group: Arc<[String]>) -> SeriesId {
        let key = SeriesKey { group, ..self.definitions[definition as usize].clone() };
        let id = SeriesId(self.keys.len() as u32);
        self.keys.push(key);
        self.owners.push(definition);
        id
    }

    pub(super) fn key(&self, id: SeriesId) -> &SeriesKey {
        &self.keys[id.index()]
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }
}

/// The value of a dimension; an attribute that the event lacks is in the group of the empty value.
fn group_value<'e>(key: &GroupKey, event: &'e EventView<'_>, status: &'e StatusText) -> &'e str {
    match key {
        GroupKey::Service => &event.service,
        GroupKey::Environment => &event.environment,
        GroupKey::Endpoint => &event.endpoint,
        GroupKey::Method => &event.method,
        GroupKey::StatusCode => status.as_str(),
        GroupKey::Attribute(key) => event.attribute(key).unwrap_or_default(),
    }
}

fn hash<'v>(definition: u32, values: impl Iterator<Item = &'v str>) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    hasher.write_u32(definition);
    for value in values {
        hasher.write(value.as_bytes());
        hasher.write_u8(0xFF);
    }
    hasher.finish()
}

/// A status code as decimal text, without allocating.
struct StatusText {
    digits: [u8; 5],
    from: usize,
}

impl StatusText {
    fn of(mut code: u16) -> StatusText {
        let mut text = StatusText { digits: [b'0'; 5], from: 5 };
        loop {
            text.from -= 1;
            text.digits[text.from] = b'0' + (code % 10) as u8;
            code /= 10;
            if code == 0 {
                return text;
            }
        }
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.digits[self.from..]).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_code_is_decimal_text() {
        for code in [0, 7, 99, 100, 404, 599, u16::MAX] {
            assert_eq!(StatusText::of(code).as_str(), code.to_string());
        }
    }
}
