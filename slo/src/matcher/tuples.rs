//! What the definitions say about a tuple of dimensions, decided once and kept.
//!
//! Two levels. A scope is (service, environment, method, status code): it keeps what remains of every definition that
//! could still count. Where nothing that remains asks for the endpoint, the scope answers, however many endpoints there
//! are (imported logs may bring raw paths). Else there is a row set per endpoint. Both are bounded: when they have grown
//! too big they are forgotten and decided again as needed.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use slipstream_schemas::event::EventView;

use super::series::{Grouping, SeriesId, SeriesTable};
use super::{Decision, Definition, Verdict};
use slipstream_definitions::definition::GroupKey;
use slipstream_definitions::filter::Expression;
use slipstream_definitions::filter::reduce::{Known, reduce};

/// Most rows, tuples and 64-byte pieces of keys kept together; some tens of MiB.
const CAPACITY: usize = 1 << 18;

/// How the events of a tuple count for one definition.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) definition: u32,
    pub(super) series: SeriesOf,
    pub(super) decision: Decision,
}

/// Where a row's series comes from.
#[derive(Debug)]
pub(super) enum SeriesOf {
    /// The tuple determines it.
    Tuple(SeriesId),
    /// An attribute of each event does.
    Event,
}

/// The cache.
#[derive(Debug, Default)]
pub(super) struct Tuples {
    scopes: Vec<Scope>,
    scope_index: HashTable<u32>,
    endpoints: Vec<Endpoint>,
    endpoint_index: HashTable<u32>,
    size: usize,
}

#[derive(Debug)]
struct Scope {
    service: String,
    environment: String,
    method: String,
    status_code: u16,
    content: Content,
}

#[derive(Debug)]
enum Content {
    /// The endpoint does not matter.
    Rows(Vec<Row>),
    /// It does: what remains of each definition until it is known.
    Open(Vec<Remains>),
}

#[derive(Debug)]
struct Remains {
    definition: u32,
    total: Expression,
    side: Expression,
}

#[derive(Debug)]
struct Endpoint {
    scope: u32,
    endpoint: String,
    rows: Vec<Row>,
}

impl Tuples {
    /// The rows of an event's tuple. Finding them allocates nothing.
    pub(super) fn rows(
        &mut self,
        event: &EventView<'_>,
        definitions: &[Definition],
        series: &mut SeriesTable,
    ) -> &[Row] {
        if self.size > CAPACITY {
            *self = Tuples::default();
        }
        let scope = self.scope(event, definitions, series);
        if let Content::Open(_) = self.scopes[scope as usize].content {
            let endpoint = self.endpoint(scope, event, definitions, series);
            return &self.endpoints[endpoint as usize].rows;
        }
        match &self.scopes[scope as usize].content {
            Content::Rows(rows) => rows,
            Content::Open(_) => &[],
        }
    }

    fn scope(&mut self, event: &EventView<'_>, definitions: &[Definition], series: &mut SeriesTable) -> u32 {
        let hash = scope_hash(&event.service, &event.environment, &event.method, event.status_code);
        let same = |at: &u32| self.scopes[*at as usize].is_of(event);
        if let Some(at) = self.scope_index.find(hash, same) {
            return *at;
        }
        let at = self.scopes.len() as u32;
        let scope = Scope::decide(event, definitions, series);
        self.size += scope.size();
        self.scopes.push(scope);
        let scopes = &self.scopes;
        self.scope_index.insert_unique(hash, at, |at| scopes[*at as usize].hash());
        at
    }

    fn endpoint(
        &mut self,
        scope: u32,
        event: &EventView<'_>,
        definitions: &[Definition],
        series: &mut SeriesTable,
    ) -> u32 {
        let hash = endpoint_hash(scope, &event.endpoint);
        let same = |at: &u32| {
            let known = &self.endpoints[*at as usize];
            known.scope == scope && known.endpoint == event.endpoint
        };
        if let Some(at) = self.endpoint_index.find(hash, same) {
            return *at;
        }
        let rows = match &self.scopes[scope as usize].content {
            Content::Open(remains) => {
                remains.iter().filter_map(|remains| remains.at_endpoint(event, definitions, series)).collect()
            }
            Content::Rows(_) => Vec::new(),
        };
        let endpoint = Endpoint { scope, endpoint: event.endpoint.to_string(), rows };
        let at = self.endpoints.len() as u32;
        self.size += 1 + endpoint.rows.len() + endpoint.endpoint.len() / 64;
        self.endpoints.push(endpoint);
        let endpoints = &self.endpoints;
        self.endpoint_index.insert_unique(hash, at, |at| {
            let known = &endpoints[*at as usize];
            endpoint_hash(known.scope, &known.endpoint)
        });
        at
    }
}

impl Scope {
    fn decide(event: &EventView<'_>, definitions: &[Definition], series: &mut SeriesTable) -> Scope {
        let known = known(event, None);
        let remains: Vec<Remains> = (0u32..)
            .zip(definitions)
            .map(|(at, definition)| Remains {
                definition: at,
                total: reduce(&definition.total, &known),
                side: reduce(&definition.side, &known),
            })
            .filter(|remains| !remains.never_counts())
            .collect();
        let content = if remains.iter().any(|remains| remains.reads_endpoint(definitions)) {
            Content::Open(remains)
        } else {
            Content::Rows(remains.into_iter().filter_map(|remains| remains.row(event, definitions, series)).collect())
        };
        Scope {
            service: event.service.to_string(),
            environment: event.environment.to_string(),
            method: event.method.to_string(),
            status_code: event.status_code,
            content,
        }
    }

    fn is_of(&self, event: &EventView<'_>) -> bool {
        self.status_code == event.status_code
            && self.service == event.service
            && self.method == event.method
            && self.environment == event.environment
    }

    fn hash(&self) -> u64 {
        scope_hash(&self.service, &self.environment, &self.method, self.status_code)
    }

    fn size(&self) -> usize {
        let rows = match &self.content {
            Content::Rows(rows) => rows.len(),
            Content::Open(remains) => remains.len(),
        };
        1 + rows + (self.service.len() + self.environment.len() + self.method.len()) / 64
    }
}

impl Remains {
    fn never_counts(&self) -> bool {
        Decision::new(self.total.clone(), Expression::Unknown, Verdict::Good).is_none()
    }

    fn reads_endpoint(&self, definitions: &[Definition]) -> bool {
        self.total.reads_endpoint()
            || self.side.reads_endpoint()
            || definitions[self.definition as usize].grouping.reads_endpoint()
    }

    fn at_endpoint(&self, event: &EventView<'_>, definitions: &[Definition], series: &mut SeriesTable) -> Option<Row> {
        let known = known(event, Some(&event.endpoint));
        let (total, side) = (reduce(&self.total, &known), reduce(&self.side, &known));
        Remains { definition: self.definition, total, side }.row(event, definitions, series)
    }

    /// The row, once nothing of the tuple is open any more.
    fn row(self, event: &EventView<'_>, definitions: &[Definition], series: &mut SeriesTable) -> Option<Row> {
        let Definition { meaning, grouping, .. } = &definitions[self.definition as usize];
        let decision = Decision::new(self.total, self.side, *meaning)?;
        let certain = matches!(decision, Decision::Always(_) | Decision::Latency { .. });
        let series = match grouping {
            Grouping::One(id) => SeriesOf::Tuple(*id),
            // A series exists once an event counts for it: where that is not certain yet, each event is asked.
            Grouping::By(keys) if certain && !keys.iter().any(|key| matches!(key, GroupKey::Attribute(_))) => {
                SeriesOf::Tuple(series.of(self.definition, grouping, event))
            }
            Grouping::By(_) => SeriesOf::Event,
        };
        Some(Row { definition: self.definition, series, decision })
    }
}

fn known<'e>(event: &'e EventView<'_>, endpoint: Option<&'e str>) -> Known<'e> {
    Known {
        service: &event.service,
        environment: &event.environment,
        method: &event.method,
        status_code: event.status_code,
        endpoint,
    }
}

fn scope_hash(service: &str, environment: &str, method: &str, status_code: u16) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    for part in [service, environment, method] {
        hasher.write(part.as_bytes());
        hasher.write_u8(0xFF);
    }
    hasher.write_u16(status_code);
    hasher.finish()
}

fn endpoint_hash(scope: u32, endpoint: &str) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    hasher.write_u32(scope);
    hasher.write(endpoint.as_bytes());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::sync::Arc;

    use slipstream_definitions::definition::{Indicator, Objective, Ratio, Side, Slo, Window};
    use slipstream_schemas::fixtures::event;

    use super::*;
    use crate::matcher::{Active, Matcher};

    #[test]
    fn a_scope_is_as_big_as_its_names() {
        let size = |service: usize, environment: usize, method: usize| {
            let text = |length| "x".repeat(length);
            let (service, environment, method) = (text(service), text(environment), text(method));
            let content = Content::Rows(Vec::new());
            Scope { service, environment, method, status_code: 200, content }.size()
        };
        assert_eq!(size(8, 4, 3), 1);
        assert_eq!(size(256, 64, 64), 1 + 6);
        assert_eq!(size(64, 256, 0), 1 + 5);
    }

    #[test]
    fn an_endpoint_is_as_big_as_its_path_and_has_a_place_of_its_own() {
        let indicator = Indicator { total: "endpoint != \"/\"".into(), side: Side::Good("true".into()) };
        let slo = Slo {
            name: "a".into(),
            display_name: "a".into(),
            service: String::new(),
            description: String::new(),
            group_by: Vec::new(),
            window: Window::Rolling(86_400),
            objectives: vec![Objective::new("0", indicator, Ratio { num: 9, den: 10 })],
            composite: None,
            labels: Vec::new(),
            document: slipstream_definitions::definition::Document::Slo,
        };
        let mut matcher = Matcher::new(&[Active { slo: Arc::new(slo), generation: 0 }]);
        let mut grown = |path: &str| {
            let before = matcher.tuples.size;
            matcher.apply(&EventView { endpoint: Cow::Borrowed(path), ..event() }, &mut |_, _| {});
            matcher.tuples.size - before
        };
        // The scope and what remains of the definition, the endpoint and its row.
        assert_eq!(grown("/pay"), 2 + 2);
        assert_eq!(grown(&"/".repeat(640)), 2 + 10);
        assert_eq!(grown("/pay"), 0, "it is known");
        assert_ne!(endpoint_hash(0, "/pay"), endpoint_hash(0, "/cart"));
        assert_ne!(endpoint_hash(0, "/pay"), endpoint_hash(1, "/pay"));
    }
}
