//! Conditions of a query, as SQL with numbered parameters.

use tokio_postgres::types::{FromSql, ToSql, Type};

use super::stamp::Stamp;
use crate::events::trace_bytes;
use crate::filter::EventFilter;

type Value = Box<dyn ToSql + Sync + Send>;

/// Conditions that must all hold, and their values.
#[derive(Default)]
pub struct Conditions {
    sql: Vec<String>,
    values: Vec<(Value, Type)>,
}

/// A trace id as a uuid has it.
#[derive(Debug)]
pub struct Uuid(pub [u8; 16]);

impl ToSql for Uuid {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut bytes::BytesMut,
    ) -> Result<tokio_postgres::types::IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(tokio_postgres::types::IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }

    tokio_postgres::types::to_sql_checked!();
}

impl<'a> FromSql<'a> for Uuid {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Uuid(raw.try_into()?))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }
}

impl Conditions {
    /// The place of one more value: `$3`.
    pub fn value(&mut self, value: impl ToSql + Sync + Send + 'static, ty: Type) -> String {
        self.values.push((Box::new(value), ty));
        format!("${}", self.values.len())
    }

    /// One more condition.
    pub fn and(&mut self, sql: String) {
        self.sql.push(sql);
    }

    /// All of them.
    pub fn sql(&self) -> String {
        if self.sql.is_empty() { "true".to_owned() } else { self.sql.join(" AND ") }
    }

    /// The values, for a query.
    pub fn values(&self) -> Vec<(&(dyn ToSql + Sync), Type)> {
        self.values.iter().map(|(value, ty)| (&**value as &(dyn ToSql + Sync), ty.clone())).collect()
    }

    /// `column = value` for each field of the filter.
    pub fn equal(&mut self, wanted: &[(&str, &Option<String>)]) {
        let conditions = self.equalities(wanted);
        self.sql.extend(conditions);
    }

    fn equalities(&mut self, wanted: &[(&str, &Option<String>)]) -> Vec<String> {
        let mut conditions = Vec::new();
        for (column, value) in wanted {
            match value {
                // No text of the database has one.
                Some(value) if value.contains('\0') => conditions.push("false".to_owned()),
                Some(value) => conditions.push(format!("{column} = {}", self.value(value.clone(), Type::TEXT))),
                None => {}
            }
        }
        conditions
    }

    /// `from <= column < to`, of event time.
    pub fn between(&mut self, column: &str, from: i64, to: i64) {
        let (from, to) = (self.value(Stamp(from), Type::TIMESTAMPTZ), self.value(Stamp(to), Type::TIMESTAMPTZ));
        self.and(format!("{column} >= {from} AND {column} < {to}"));
    }

    /// The dimensions of a filter, on a column that holds their id.
    pub fn dimensions(&mut self, column: &str, filter: &EventFilter) {
        let tuple = self.equalities(&[
            ("service", &filter.service),
            ("environment", &filter.environment),
            ("endpoint", &filter.endpoint),
            ("method", &filter.method),
        ]);
        if !tuple.is_empty() {
            self.and(format!("{column} IN (SELECT id FROM dimensions WHERE {})", tuple.join(" AND ")));
        }
    }

    /// The conditions of a filter on an aggregate, except for time.
    pub fn aggregate(&mut self, filter: &EventFilter) {
        self.dimensions("dimensions", filter);
        if let Some(class) = filter.status_class {
            self.and(format!("status_class = {class}"));
        }
        if filter.errors_only {
            self.and("status_class >= 5".to_owned());
        }
    }

    /// The conditions of a filter on a raw event `e`, except for event time.
    pub fn raw_event(&mut self, filter: &EventFilter) {
        self.dimensions("e.dimensions", filter);
        if let Some(code) = filter.status_code {
            self.and(format!("e.status_code = {code}"));
        }
        if let Some(class) = filter.status_class {
            self.and(format!("e.status_code / 100 = {class}"));
        }
        if filter.errors_only {
            self.and("e.status_code >= 500".to_owned());
        }
        for (bound, latency) in [(">=", filter.min_latency_ms), ("<=", filter.max_latency_ms)] {
            if let Some(latency) = latency {
                let value = self.value(latency, Type::FLOAT8);
                self.and(format!("e.latency_ms {bound} {value}"));
            }
        }
        self.equal(&[("e.event_id", &filter.event_id), ("e.user_ref", &filter.user_ref)]);
        for (name, value) in &filter.attributes {
            if name.contains('\0') || value.contains('\0') {
                self.and("false".to_owned());
                continue;
            }
            let (name, value) = (self.value(name.clone(), Type::TEXT), self.value(value.clone(), Type::TEXT));
            self.and(format!("e.attributes ->> {name} = {value}"));
        }
        if let Some(by) = filter.logged_by {
            let by = self.value(Stamp::log(by), Type::TIMESTAMPTZ);
            self.and(format!("e.log_time <= {by}"));
        }
        // No event has an invalid trace id.
        match filter.trace_id.as_ref().map(|trace| trace_bytes(trace)) {
            Some(Some(bytes)) => {
                let value = self.value(Uuid(bytes), Type::UUID);
                self.and(format!("e.trace_id = {value}"));
            }
            Some(None) => self.and("false".to_owned()),
            None => {}
        }
    }
}
