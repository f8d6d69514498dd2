//! The SLOs and their alerts as they were known at a time.

use slipstream_definitions::definition::{Document, Slo};
use slipstream_schemas::LogTime;
use slipstream_schemas::records::BurnRates;

use super::answers::rules::RuleStanding;
use super::answers::slos::{Known, Slos, Standing};
use super::past::log_time;
use super::{AskError, Past};

/// One SLO as it was known: its definition if it was in force, its standings, the states of its series.
pub struct SloThen {
    /// Its definition.
    pub slo: Option<Slo>,
    /// Its objectives, and their groups.
    pub standings: Vec<Standing>,
    /// What was published of its series.
    pub states: Vec<BurnRates>,
    /// When that was.
    pub known: Known,
}

impl Past {
    /// The SLOs as they were known at a time, worst budget first, and the Rules; `wanted` by service, and by the name by which they
    /// are asked for.
    pub async fn slos(&self, at: LogTime, wanted: impl Fn(&str, &str) -> bool) -> Result<Slos, AskError> {
        let answer = self.history()?.slos_as_of(at).await?;
        let slos = answer.slos.into_iter().map(Standing::from).filter(|slo| wanted(&slo.service, &slo.name));
        let slos: Vec<Standing> = slos.collect();
        let rules = answer.rules.into_iter().map(RuleStanding::from);
        let rules = rules.filter(|rule| wanted(&rule.service, rule.asked_as())).collect();
        let known = known_at(at, &slos);
        Ok(Slos { slos, rules, known })
    }

    /// One SLO as it was known at a time.
    pub async fn slo(&self, name: &str, at: LogTime) -> Result<SloThen, AskError> {
        let Slos { slos: standings, known, .. } = self.slos(at, |_, of| of == name).await?;
        let slo = self
            .history()?
            .definitions_at(at)
            .await?
            .into_iter()
            .find(|slo| slo.name == name && slo.document == Document::Slo);
        if slo.is_none() && standings.is_empty() {
            return Err(AskError::NoSuch { what: "SLO", name: name.to_owned() });
        }
        let mut states = self.store()?.slo_states(Some(at.0.div_euclid(1_000))).await?;
        states.retain(|state| state.slo == name);
        Ok(SloThen { slo, standings, states, known })
    }
}

fn known_at(at: LogTime, slos: &[Standing]) -> Known {
    // As of what is known now: what was never evaluated lacks nothing.
    let complete = slos.iter().filter(|standing| standing.as_of.is_some()).all(|standing| standing.complete);
    Known { as_of: Some(log_time(at)), complete, stale_for_seconds: None }
}
