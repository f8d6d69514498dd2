//! An SLO's own decision over stored requests, one by one.

use std::sync::Arc;

use slipstream_definitions::definition::Slo;
use slipstream_schemas::RequestEvent;
use slipstream_schemas::event::EventView;
use slipstream_slo::matcher::{Active, Matcher, Verdict};

use super::contributors::MOST_VALUES;
use crate::QueryError;

/// The objective that is meant.
pub fn objective(slo: &Slo, asked: Option<&str>) -> Result<String, QueryError> {
    let names = || slo.objectives.iter().map(|objective| objective.name.as_str());
    match asked {
        Some(name) if names().any(|known| known == name) => Ok(name.to_owned()),
        Some(name) => Err(QueryError::Unknown { what: "objective", name: name.to_owned() }),
        None if slo.objectives.len() == 1 => Ok(slo.objectives[0].name.clone()),
        None => {
            let names: Vec<&str> = names().collect();
            Err(QueryError::Refused(format!("{} has several objectives: say which of {}", slo.name, names.join(", "))))
        }
    }
}

/// An SLO's decision over single events.
pub struct Judge {
    active: Active,
    objective: String,
    matcher: Matcher,
}

impl Judge {
    /// For an objective that the SLO has.
    pub fn new(slo: Slo, objective: String) -> Judge {
        let active = Active { slo: Arc::new(slo), generation: 0 };
        Judge { matcher: Matcher::new(std::slice::from_ref(&active)), active, objective }
    }

    /// `None` if the event does not count for it.
    pub fn judge(&mut self, event: &EventView<'_>) -> Option<Verdict> {
        if self.matcher.series_len() > MOST_VALUES {
            self.matcher = Matcher::new(std::slice::from_ref(&self.active));
        }
        let mut hits = Vec::new();
        self.matcher.apply(event, &mut |series, verdict| hits.push((series, verdict)));
        let counts = |series| self.matcher.series(series).objectives().any(|o| o.name == self.objective);
        hits.into_iter().find(|(series, _)| counts(*series)).map(|(_, verdict)| verdict)
    }
}

/// An event as it was stored, for those who look at events.
pub fn view(event: &RequestEvent) -> EventView<'_> {
    EventView {
        event_id: event.event_id.as_str().into(),
        time: event.time,
        service: event.service.as_str().into(),
        environment: event.environment.as_str().into(),
        endpoint: event.endpoint.as_str().into(),
        method: event.method.as_str().into(),
        status_code: event.status_code as u16,
        latency_ms: event.latency_ms,
        weight: event.weight as u32,
        trace_id: event.trace_id.as_deref().map(Into::into),
        user_ref: event.user_ref.as_deref().map(Into::into),
        attributes: event
            .attributes
            .iter()
            .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
            .collect(),
    }
}
