//! Shares of all requests of a range, from the rollups. They know endpoints and status classes, so they are asked only where the
//! SLO decides by the class of a status: then they count what it counts.

use std::collections::BTreeMap;

use slipstream_store::kpis::{Field, FieldValue, KpiRow};

use super::answer::{Breakdown, ValueCounts};

/// Whether requests of a status class (1 to 5) are bad.
pub type Sides = BTreeMap<i64, bool>;

/// By service, endpoint and status class; `None` if there is a class of which nothing is known.
pub fn breakdowns(rows: &[KpiRow], sides: &Sides) -> Option<Vec<Breakdown>> {
    let (mut services, mut endpoints, mut classes) = (Counted::default(), Counted::default(), Counted::default());
    for row in rows {
        let Some(FieldValue::Number(class)) = row.key.get(Field::StatusClass.name()) else { return None };
        let total = i64::try_from(row.kpis.hits).unwrap_or(i64::MAX);
        let bad = if *sides.get(class)? { total } else { 0 };
        services.add(text(row, Field::Service).to_owned(), bad, total);
        endpoints.add(endpoint(text(row, Field::Method), text(row, Field::Endpoint)), bad, total);
        classes.add(class_name(*class), bad, total);
    }
    let all = [("service", services), ("endpoint", endpoints), ("status_class", classes)];
    Some(all.into_iter().map(|(dimension, counted)| counted.breakdown(dimension)).collect())
}

/// `POST /pay`
pub fn endpoint(method: &str, endpoint: &str) -> String {
    if method.is_empty() { endpoint.to_owned() } else { format!("{method} {endpoint}") }
}

/// `5xx`
pub fn class_name(class: i64) -> String {
    format!("{class}xx")
}

fn text(row: &KpiRow, field: Field) -> &str {
    match row.key.get(field.name()) {
        Some(FieldValue::Text(text)) => text,
        _ => "",
    }
}

#[derive(Default)]
struct Counted(BTreeMap<String, (i64, i64)>);

impl Counted {
    fn add(&mut self, value: String, bad: i64, total: i64) {
        let counts = self.0.entry(value).or_default();
        counts.0 = counts.0.saturating_add(bad);
        counts.1 = counts.1.saturating_add(total);
    }

    fn breakdown(self, dimension: &str) -> Breakdown {
        let values = self.0.into_iter().map(|(value, (bad, total))| ValueCounts { value, bad, total });
        Breakdown::of(dimension.to_owned(), false, values)
    }
}
