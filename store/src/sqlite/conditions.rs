//! Conditions of a query, as SQL with question marks.

use rusqlite::types::Value;

use crate::events::trace_bytes;
use crate::filter::EventFilter;

/// Conditions that must all hold, as SQL, and their values.
#[derive(Default)]
pub struct Conditions {
    sql: Vec<String>,
    /// In the order of the question marks.
    pub values: Vec<Value>,
}

impl Conditions {
    /// One more; `values` for its question marks.
    pub fn and<const N: usize>(&mut self, sql: &str, values: [Value; N]) {
        self.sql.push(sql.to_owned());
        self.values.extend(values);
    }

    /// All of them.
    pub fn sql(&self) -> String {
        if self.sql.is_empty() { "1".to_owned() } else { self.sql.join(" AND ") }
    }

    /// `column = value` for each field of the filter.
    pub fn equal(&mut self, wanted: &[(&str, &Option<String>)]) {
        for (column, value) in wanted {
            if let Some(value) = value {
                self.and(&format!("{column} = ?"), [Value::Text(value.clone())]);
            }
        }
    }

    /// The dimensions of a filter, on a column that holds their id.
    pub fn dimensions(&mut self, filter: &EventFilter) {
        let mut tuple = Conditions::default();
        tuple.tuple(filter);
        if !tuple.sql.is_empty() {
            self.sql.push(format!("dimensions IN (SELECT id FROM dimensions WHERE {})", tuple.sql()));
            self.values.extend(tuple.values);
        }
    }

    /// The dimensions of a filter, on their table.
    pub fn tuple(&mut self, filter: &EventFilter) {
        self.equal(&[
            ("service", &filter.service),
            ("environment", &filter.environment),
            ("endpoint", &filter.endpoint),
            ("method", &filter.method),
        ]);
    }

    /// The conditions of a filter on an aggregate, except for time.
    pub fn aggregate(&mut self, filter: &EventFilter) {
        self.dimensions(filter);
        if let Some(class) = filter.status_class {
            self.and("status_class = ?", [Value::Integer(class.into())]);
        }
        if filter.errors_only {
            self.and("status_class >= 5", []);
        }
    }

    /// The conditions of a filter on a raw event, except for event time.
    pub fn raw_event(&mut self, filter: &EventFilter) {
        self.dimensions(filter);
        if let Some(code) = filter.status_code {
            self.and("status_code = ?", [Value::Integer(code.into())]);
        }
        if let Some(class) = filter.status_class {
            self.and("status_code / 100 = ?", [Value::Integer(class.into())]);
        }
        if filter.errors_only {
            self.and("status_code >= 500", []);
        }
        if let Some(min) = filter.min_latency_ms {
            self.and("latency_ms >= ?", [Value::Real(min)]);
        }
        if let Some(max) = filter.max_latency_ms {
            self.and("latency_ms <= ?", [Value::Real(max)]);
        }
        self.equal(&[("event_id", &filter.event_id), ("user_ref", &filter.user_ref)]);
        if let Some(trace) = &filter.trace_id {
            // What is not a trace id matches no event.
            self.and("trace_id = ?", [trace_bytes(trace).map_or(Value::Null, |bytes| Value::Blob(bytes.to_vec()))]);
        }
        for (name, value) in &filter.attributes {
            let pair = [name, value].map(|text| Value::Text(text.clone()));
            self.and("EXISTS (SELECT 1 FROM json_each(attributes) WHERE key = ? AND atom = ?)", pair);
        }
        if let Some(by) = filter.logged_by {
            self.and("log_time <= ?", [Value::Integer(by.0)]);
        }
    }
}
