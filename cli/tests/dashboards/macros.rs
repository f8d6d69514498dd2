//! What Grafana does to a query before a data source gets it: variables, then macros
//! (<https://grafana.com/docs/grafana/latest/datasources/postgres/#macros>).

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use regex::{Captures, Regex};

use super::dashboard::Variable;

/// Seconds of an interval: what Grafana chooses for an hour on a narrow panel with `1m` as the least.
const INTERVAL: i64 = 60;

/// The chosen time, and the values of variables.
#[derive(Debug)]
pub struct Context {
    from: Timestamp,
    to: Timestamp,
    values: BTreeMap<String, Vec<String>>,
    all_values: BTreeMap<String, String>,
}

impl Context {
    pub fn last_hour() -> Context {
        let to = Timestamp::now();
        let from = to - SignedDuration::from_hours(1);
        Context { from, to, values: BTreeMap::new(), all_values: BTreeMap::new() }
    }

    /// Chooses what a reader sees first: all values, or the first.
    pub fn set(&mut self, variable: &Variable, values: Vec<String>) {
        if let Some(all) = &variable.all_value {
            self.all_values.insert(variable.name.clone(), all.clone());
        }
        let chosen = if variable.all { values.len() } else { 1 };
        self.values.insert(variable.name.clone(), values.into_iter().take(chosen).collect());
    }

    /// The query as the data source gets it.
    ///
    /// # Panics
    /// When something is left that Grafana would not know either.
    pub fn expand(&self, text: &str) -> String {
        let text = text.replace("$__interval_ms", &(INTERVAL * 1_000).to_string());
        // An hour, so that a short test has all its samples in it.
        let text = text.replace("$__rate_interval", "1h").replace("$__interval", &format!("{INTERVAL}s"));
        let text = replace(r"\$\{(\w+):(\w+)\}", &text, |c| self.formatted(&c[1], &c[2]));
        let text = replace(r"\$(__\w+)\(([^)]*)\)", &text, |c| self.called(&c[1], &c[2]));
        let text = replace(r"\$([a-z]\w*)", &text, |c| self.plain(&c[1]));
        assert!(!text.contains('$'), "a macro or variable that nobody knows: {text}");
        text
    }

    fn formatted(&self, name: &str, format: &str) -> String {
        let values = self.values.get(name).unwrap_or_else(|| panic!("no variable {name} yet"));
        match format {
            "raw" => values.join(","),
            "sqlstring" => {
                let quoted: Vec<String> = values.iter().map(|v| format!("'{}'", v.replace('\'', "''"))).collect();
                quoted.join(",")
            }
            other => panic!("a format that this test does not know: {other}"),
        }
    }

    fn plain(&self, name: &str) -> String {
        self.all_values.get(name).cloned().unwrap_or_else(|| self.formatted(name, "raw"))
    }

    fn called(&self, name: &str, arguments: &str) -> String {
        let arguments: Vec<&str> = arguments.split(',').map(str::trim).collect();
        let group = |column: &str| format!("floor(extract(epoch from {column})/{INTERVAL})*{INTERVAL}");
        match (name, arguments.as_slice()) {
            ("__timeFrom", _) => format!("'{}'", self.from),
            ("__timeTo", _) => format!("'{}'", self.to),
            ("__timeFilter", [column]) => format!("{column} BETWEEN '{}' AND '{}'", self.from, self.to),
            ("__timeGroup", [column, _]) => group(column),
            ("__timeGroupAlias", [column, _]) => format!("{} AS \"time\"", group(column)),
            _ => panic!("a macro that this test does not know: {name}"),
        }
    }
}

fn replace(pattern: &str, text: &str, with: impl Fn(&Captures<'_>) -> String) -> String {
    Regex::new(pattern).unwrap().replace_all(text, |c: &Captures<'_>| with(c)).into_owned()
}
