//! Burn's state, kept warm: restored once, then updated from the log, so that querying the SLOs costs no restore.
//!
//! It reads what burn reads, through the same fold, but publishes nothing: it joins no group and commits no position, so
//! there may be any number of them, with or without a burn. Its state equals a restore at the same offsets (P4).
//!
//! It holds a state for each partition of sli-tallies, whose number is fixed when an installation is created: a series
//! never moves.

use slipstream_definitions::definition::Slo;
use slipstream_log::{Log, LogError, SharedLog, TopicPartition};
use slipstream_role::burn_state::{BurnStateError, Folded};
use slipstream_role::definitions::PARTITION as DEFINITIONS;
use slipstream_role::reading::ReadError;
use slipstream_role::revisions::Definitions;
use slipstream_schemas::records::{BurnRates, WindowRates};
use slipstream_schemas::{LogTime, Topic};
use slipstream_slo::burn::{Burn, BurnFault};
use slipstream_slo::revision::Revisions;

use crate::counts::Counts;
use crate::definitions::{in_force, in_force_at};
use crate::error::{DefinitionsError, FollowError};
use crate::rules;
use crate::slos::SloAnswer;

/// The status of the SLOs, as of the part of the log that was read.
pub struct Follower {
    log: SharedLog,
    role: &'static str,
    definitions: Definitions,
    partitions: Vec<Followed>,
    counts: Counts,
}

/// A partition of sli-tallies.
struct Followed {
    partition: TopicPartition,
    /// `None` if it is to be restored, for the first time or again.
    state: Option<Folded>,
}

impl Follower {
    /// Restores the state at the current end of the log. `role` is the reader; one that keeps following passes
    /// a patient log ([`slipstream_role::patience::patient`]), so that temporary errors are waited out.
    ///
    /// # Errors
    /// When the log cannot be read, or holds records that this version does not support.
    pub async fn open(log: SharedLog, role: &'static str) -> Result<Follower, FollowError> {
        let definitions = Definitions::open(log.clone(), role).await.map_err(DefinitionsError::from)?;
        let partitions = log.partitions(Topic::SliTallies).await.map_err(BurnStateError::Log)?;
        let followed =
            |partition| Followed { partition: TopicPartition { topic: Topic::SliTallies, partition }, state: None };
        let partitions = (0..partitions).map(followed).collect();
        let mut follower = Follower { log, role, definitions, partitions, counts: Counts::default() };
        follower.fold().await?;
        Ok(follower)
    }

    /// Reads on to the current end of the log. A partition that cannot be continued, because retention has passed it or
    /// its topic was recreated, is restored. After an error of the log, or if dropped while it waits, it is at most
    /// further than before, and the next call continues from there.
    ///
    /// # Errors
    /// As of [`Follower::open`].
    pub async fn follow(&mut self) -> Result<(), FollowError> {
        self.read_definitions().await.map_err(FollowError::Definitions)?;
        self.fold().await?;
        self.forget_gone()
    }

    /// Counts what series take in from here on.
    #[must_use]
    pub fn counting(self, counts: Counts) -> Follower {
        Follower { counts, ..self }
    }

    /// Groups come and go: what was counted of many that are gone is forgotten.
    fn forget_gone(&self) -> Result<(), FollowError> {
        const SOME: usize = 1_000;
        let series = self.partitions.iter().filter_map(|followed| followed.state.as_ref());
        let series: usize = series.map(|state| state.burn().series()).sum();
        if self.counts.len() > 2 * series + SOME {
            self.counts.keep(&self.states()?);
        }
        Ok(())
    }

    async fn read_definitions(&mut self) -> Result<(), DefinitionsError> {
        let (_, end) = self.log.bounds(DEFINITIONS).await.map_err(DefinitionsError::Reading)?;
        if end < self.definitions.revisions().end() {
            self.definitions = Definitions::unread(self.log.clone(), self.role);
            self.partitions.iter_mut().for_each(|followed| followed.state = None);
        }
        Ok(self.definitions.read_new().await?)
    }

    async fn fold(&mut self) -> Result<(), FollowError> {
        for followed in &mut self.partitions {
            followed.follow(self.log.as_ref(), &mut self.definitions, &mut self.counts).await?;
        }
        Ok(())
    }

    /// The state of every series at the last known tick, published or not; by partition, then SLO, objective and
    /// group.
    ///
    /// # Errors
    /// When a partition cannot be restored, or a definition cannot be folded.
    pub fn states(&self) -> Result<Vec<BurnRates>, FollowError> {
        self.of_all(|burn, revisions| burn.states(revisions))
    }

    /// As [`Follower::states`], each with a window of so many seconds, whether its rules look at that or not.
    ///
    /// # Errors
    /// As of [`Follower::states`].
    pub fn states_over(&self, seconds: i64) -> Result<Vec<(BurnRates, Option<WindowRates>)>, FollowError> {
        self.of_all(|burn, revisions| burn.states_over(revisions, seconds))
    }

    fn of_all<T>(&self, of: impl Fn(&Burn, &Revisions) -> Result<Vec<T>, BurnFault>) -> Result<Vec<T>, FollowError> {
        let mut states = Vec::new();
        for Followed { partition, state } in &self.partitions {
            let state = state.as_ref().ok_or(FollowError::NotRestored(*partition))?;
            states.extend(of(state.burn(), self.definitions.revisions()).map_err(BurnStateError::Fault)?);
        }
        Ok(states)
    }

    /// Up to when everything is known: the end of the last tick that every partition has evaluated, Unix seconds. `None`
    /// before the first tick.
    pub fn known_up_to(&self) -> Option<i64> {
        let states = self.partitions.iter().filter_map(|followed| followed.state.as_ref());
        states.filter_map(|state| state.burn().next_tick()).min()
    }

    /// By which revisions the definitions are, and how many of those are in force: others if any definition changed.
    pub fn revision(&self) -> (i64, usize) {
        let revisions = self.definitions.revisions();
        (revisions.end(), revisions.in_force(self.evaluated(), revisions.end()))
    }

    /// The SLOs in force at the last known tick, by which states are, and those that are to come.
    pub fn definitions(&self) -> Vec<Slo> {
        let revisions = self.definitions.revisions();
        let mut slos = in_force_at(revisions, self.evaluated());
        let mut to_come = in_force(revisions);
        // By name, both.
        to_come.retain(|slo| slos.binary_search_by(|known| known.name.cmp(&slo.name)).is_err());
        slos.append(&mut to_come);
        slos.sort_by(|a, b| a.name.cmp(&b.name));
        slos
    }

    /// Within the last known tick.
    fn evaluated(&self) -> LogTime {
        LogTime(self.known_up_to().map_or(i64::MIN, |end| end * 1_000 - 1))
    }

    /// Looks up which Rules of an answer are kept firing: only the log of alerts knows that.
    ///
    /// # Errors
    /// When alerts cannot be read.
    pub async fn find_kept(&self, answer: &mut SloAnswer) -> Result<(), ReadError> {
        let Some(end) = self.known_up_to() else { return Ok(()) };
        rules::find_kept(self.log.as_ref(), &self.definitions(), end - 1, &mut answer.rules).await
    }

    /// The SLOs in force and the status of each, worst budget first.
    ///
    /// # Errors
    /// As of [`Follower::states`].
    pub fn slos(&self) -> Result<SloAnswer, FollowError> {
        Ok(SloAnswer::worst_first(&self.definitions(), &self.states()?))
    }
}

impl Followed {
    async fn follow(
        &mut self,
        log: &dyn Log,
        definitions: &mut Definitions,
        counts: &mut Counts,
    ) -> Result<(), BurnStateError> {
        if let Some(state) = &mut self.state {
            match read_on(state, log, definitions, counts).await {
                // If even a restore does not join, the restore reports it.
                Err(BurnStateError::Log(LogError::OutOfRange { .. }) | BurnStateError::Fault(_)) => self.state = None,
                answer => return answer,
            }
        }
        self.state = Some(Folded::at_the_end(log, self.partition, definitions).await?);
        Ok(())
    }
}

async fn read_on(
    state: &mut Folded,
    log: &dyn Log,
    definitions: &mut Definitions,
    counts: &mut Counts,
) -> Result<(), BurnStateError> {
    let (partition, offset) = (state.partition(), state.next());
    let (first, end) = log.bounds(partition).await?;
    if !(first..=end).contains(&offset) {
        return Err(LogError::OutOfRange { partition, offset, first, end }.into());
    }
    state.read_on(log, end, definitions, counts).await?;
    Ok(())
}
