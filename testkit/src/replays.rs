//! R1: what a replay of the log gives is what its roles published, but for what is exempt.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::{Result, ensure};
use slipstream_log::Log;
use slipstream_schemas::records::{AlertTransition, BurnRates, TallyBatch, TransitionKind};
use slipstream_schemas::{LogTime, Topic, codec};
use slipstream_slo::burn::Burn;
use slipstream_slo::hash::target_partition;
use slipstream_slo::scale::Scale;

use crate::verdict;

/// How many episodes were compared, and how many were not, by the reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// Byte for byte the same.
    pub same: usize,
    /// Not compared.
    pub exempt: BTreeMap<&'static str, usize>,
}

impl Compared {
    /// Adds those of another log.
    pub fn add(&mut self, other: &Compared) {
        self.same += other.same;
        for (reason, count) in &other.exempt {
            *self.exempt.entry(reason).or_default() += count;
        }
    }

    /// How many were not compared.
    pub fn exempted(&self) -> usize {
        self.exempt.values().sum()
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} episodes replayed to the byte", self.same)?;
        self.exempt.iter().try_for_each(|(reason, count)| write!(f, ", {count} exempt: {reason}"))
    }
}

/// Ticks of a partition of the SLOs that say nothing about a replay.
#[derive(Debug, Clone, Default)]
struct Disturbed {
    /// A source was missing.
    incomplete: BTreeSet<i64>,
    /// The log broke L7: records became visible below what had been told.
    undercut: BTreeSet<i64>,
    /// The next tick to be evaluated.
    next: i64,
}

/// Compares what a replay of a whole log gave with what the roles have published there.
///
/// # Errors
/// R1: when an episode differs and nothing exempts it, or the log cannot be read.
pub async fn r1(log: &dyn Log, replayed: &[AlertTransition]) -> Result<Compared> {
    let disturbed = disturbed(log).await?;
    let published: Vec<AlertTransition> = verdict::all(log, Topic::Alerts).await?;
    let (published, replayed) = (episodes(&published), episodes(replayed));
    let mut compared = Compared::default();
    for (key, told) in &published {
        let partition = &disturbed[target_partition(&told[0].slo, disturbed.len() as u32) as usize];
        let again = replayed.get(key).map(|all| common(all, told));
        if again.as_deref().is_some_and(|again| again == told.as_slice()) {
            compared.same += 1;
        } else if let Some(reason) =
            partition.exempts(told, again.as_deref()).or_else(|| partition.began_otherwise(key, &replayed))
        {
            *compared.exempt.entry(reason).or_default() += 1;
        } else {
            let others: Vec<_> = replayed.keys().filter(|other| other.0 == key.0).collect();
            anyhow::bail!("R1: published {told:#?}, replayed {again:#?}; its episodes: {others:?}; {partition:?}");
        }
    }
    for (key, again) in &replayed {
        let partition = &disturbed[target_partition(&again[0].slo, disturbed.len() as u32) as usize];
        let told = published.contains_key(key) || again[0].tick >= partition.next;
        ensure!(told || partition.touches(key.1, i64::MAX).is_some(), "R1: replayed only: {again:#?}");
    }
    Ok(compared)
}

/// The replay may know further ticks than were evaluated when the roles ended.
fn common(again: &[AlertTransition], told: &[AlertTransition]) -> Vec<AlertTransition> {
    again.iter().take(told.len()).cloned().collect()
}

fn episodes(transitions: &[AlertTransition]) -> BTreeMap<(String, i64), Vec<AlertTransition>> {
    let mut episodes: BTreeMap<(String, i64), Vec<AlertTransition>> = BTreeMap::new();
    for transition in transitions {
        episodes.entry((transition.alert_id.clone(), transition.episode)).or_default().push(transition.clone());
    }
    episodes.values_mut().for_each(|all| all.sort_by_key(|t| t.seq));
    episodes
}

impl Disturbed {
    /// Why an episode need not be the same; `None`: it has to be.
    fn exempts(&self, told: &[AlertTransition], again: Option<&[AlertTransition]>) -> Option<&'static str> {
        let begin = told[0].episode;
        let last = &told[told.len() - 1];
        let over = matches!(last.kind, TransitionKind::Inactive | TransitionKind::Resolved);
        let end = if over { last.tick } else { i64::MAX };
        if let Some(reason) = self.touches(begin, end) {
            return Some(reason);
        }
        // Exemplars are remembered for longer than an episode.
        let bare = |all: &[AlertTransition]| {
            let without = |t: &AlertTransition| AlertTransition { exemplars: Vec::new(), ..t.clone() };
            all.iter().map(without).collect::<Vec<_>>()
        };
        let remembered = self.incomplete.range(begin - 3_600..begin).chain(self.undercut.range(begin - 3_600..begin));
        let same = again.is_some_and(|again| bare(again) == bare(told));
        (same && remembered.count() > 0).then_some("it remembers bad events of ticks before it that are exempt")
    }

    /// The alert was open already in the replay: what made it begin at another tick touches this episode, too.
    fn began_otherwise(
        &self,
        (alert, begin): &(String, i64),
        replayed: &BTreeMap<(String, i64), Vec<AlertTransition>>,
    ) -> Option<&'static str> {
        let before = replayed.range((alert.clone(), i64::MIN)..(alert.clone(), *begin)).next_back()?;
        self.touches(before.0.1, *begin)
    }

    fn touches(&self, begin: i64, end: i64) -> Option<&'static str> {
        let within = |ticks: &BTreeSet<i64>| ticks.range(begin - 1..=end).next().is_some();
        if within(&self.incomplete) {
            return Some("a tick of it, or the one before, lacked a source");
        }
        within(&self.undercut).then_some("records became visible below what had been told (L7)")
    }
}

async fn disturbed(log: &dyn Log) -> Result<Vec<Disturbed>> {
    let revisions = verdict::revisions(log).await?;
    let partitions = log.partitions(Topic::SliTallies).await?;
    let undercut = undercut(log).await?;
    let mut folds: Vec<Burn> = (0..partitions).map(|p| Burn::new(p, partitions, 16, Scale::REAL)).collect();
    let mut found = vec![Disturbed { undercut, ..Disturbed::default() }; partitions as usize];
    verdict::each(log, Topic::SliTallies, |record, partition| {
        let batch: TallyBatch = codec::decode(record.value().unwrap_or_default())?;
        let (fold, found) = (&mut folds[partition as usize], &mut found[partition as usize]);
        let mut known = fold.incomplete_ticks();
        let mut watch = |burn: &Burn, tick: i64, _: &mut Vec<BurnRates>| {
            if burn.incomplete_ticks() > known {
                known = burn.incomplete_ticks();
                found.incomplete.insert(tick);
            }
            found.next = tick + 1;
            Ok(())
        };
        let _: Vec<BurnRates> = fold.apply_watched(record.offset(), &batch, &revisions, &mut watch)?;
        Ok(())
    })
    .await?;
    Ok(found)
}

/// The ticks between the log time of a record and what had been told of its partition before it was visible.
async fn undercut(log: &dyn Log) -> Result<BTreeSet<i64>> {
    let mut told: BTreeMap<i32, Vec<(i64, LogTime)>> = BTreeMap::new();
    verdict::each(log, Topic::SliTallies, |record, partition| {
        if partition == 0 {
            let batch: TallyBatch = codec::decode(record.value().unwrap_or_default())?;
            told.entry(batch.source).or_default().push((batch.to, batch.stamp));
        }
        Ok(())
    })
    .await?;
    let mut ticks = BTreeSet::new();
    verdict::each(log, Topic::RequestEvents, |record, partition| {
        let of_source = told.get(&(partition as i32)).map_or(&[][..], Vec::as_slice);
        let before = of_source.partition_point(|(to, _)| *to <= record.offset());
        let stamp = of_source[..before].last().map_or(LogTime(0), |(_, stamp)| *stamp);
        if stamp > record.log_time() {
            ticks.extend(record.log_time().tick()..=stamp.tick());
        }
        Ok(())
    })
    .await?;
    Ok(ticks)
}
