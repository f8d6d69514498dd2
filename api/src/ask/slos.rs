//! The SLOs and their alerts as they were known at a time.

use slipstream_definitions::definition::Slo;
use slipstream_log::TopicPartition;
use slipstream_role::names::ALERTER;
use slipstream_schemas::records::BurnRates;
use slipstream_schemas::{LogTime, Topic};

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
    /// The SLOs as they were known at a time, worst budget first.
    pub async fn slos(&self, at: LogTime, wanted: impl Fn(&Standing) -> bool) -> Result<Slos, AskError> {
        let answer = self.history()?.slos_as_of(at).await?;
        let slos: Vec<Standing> = answer.slos.into_iter().map(Standing::from).filter(wanted).collect();
        let known = known_at(at, &slos);
        Ok(Slos { slos, known })
    }

    /// One SLO as it was known at a time.
    pub async fn slo(&self, name: &str, at: LogTime) -> Result<SloThen, AskError> {
        let Slos { slos: standings, known } = self.slos(at, |standing| standing.name == name).await?;
        let slo = self.history()?.definitions_at(at).await?.into_iter().find(|slo| slo.name == name);
        if slo.is_none() && standings.is_empty() {
            return Err(AskError::NoSuch { what: "SLO", name: name.to_owned() });
        }
        let mut states = self.store()?.slo_states(Some(at.0.div_euclid(1_000))).await?;
        states.retain(|state| state.slo == name);
        Ok(SloThen { slo, standings, states, known })
    }

    /// Refuses a time of which not every transition is stored: those that burn's records of that time have led to.
    pub(super) async fn require_alerts(&self, at: LogTime) -> Result<(), AskError> {
        // Until then everything is evaluated, and burn rates are stored.
        self.history()?.slos_as_of(at).await?;
        let not_yet =
            || AskError::NotYet(format!("not every alert up to {} is stored yet: ask again in a moment", log_time(at)));
        let log = self.log();
        for partition in 0..log.partitions(Topic::BurnRates).await? {
            let partition = TopicPartition { topic: Topic::BurnRates, partition };
            let (_, end) = log.bounds(partition).await?;
            let decided = log.committed(ALERTER, partition).await?.map_or(0, |position| position.offset);
            if decided < end {
                return Err(not_yet());
            }
        }
        let stored = self.store()?.positions().await?;
        for partition in 0..log.partitions(Topic::Alerts).await? {
            let (_, end) = log.bounds(TopicPartition { topic: Topic::Alerts, partition }).await?;
            let found = stored.iter().find(|p| p.topic == Topic::Alerts && p.partition == partition);
            if found.map_or(0, |position| position.offset) < end {
                return Err(not_yet());
            }
        }
        Ok(())
    }
}

fn known_at(at: LogTime, slos: &[Standing]) -> Known {
    let complete = slos.iter().all(|standing| standing.complete);
    Known { as_of: Some(log_time(at)), complete, stale_for_seconds: None }
}
