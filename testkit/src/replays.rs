//! R1: what a replay of the log gives is what its roles published, but for what is exempt.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::Result;
use slipstream_log::{Log, TopicPartition};
use slipstream_role::names::ALERTER;
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

/// Why an episode may differ where the log broke L7.
const UNDERCUT: &str = "records became visible below what had been told (L7)";

/// The transitions of each episode in their order, by alert and beginning.
type Episodes = BTreeMap<(String, i64), Vec<AlertTransition>>;

/// Ticks of a partition of the SLOs that say nothing about a replay.
#[derive(Debug, Clone, Default)]
struct Disturbed {
    /// A source was missing.
    incomplete: BTreeSet<i64>,
    /// The log broke L7: records became visible below what had been told.
    undercut: BTreeSet<i64>,
    /// The tick after the last one that the alerter has decided about.
    next: i64,
}

/// Compares what a replay of a whole log gave with what the roles have published there.
///
/// # Errors
/// R1: when an episode differs and nothing exempts it, or the log cannot be read.
pub async fn r1(log: &dyn Log, replayed: &[AlertTransition]) -> Result<Compared> {
    let published: Vec<AlertTransition> = verdict::all(log, Topic::Alerts).await?;
    compare(&published, replayed, &disturbed(log).await?)
}

/// As [`r1`], with what is known of the ticks of each partition of the SLOs.
fn compare(published: &[AlertTransition], replayed: &[AlertTransition], ticks: &[Disturbed]) -> Result<Compared> {
    let (published, replayed) = (episodes(published), episodes(replayed));
    let partition = |all: &[AlertTransition]| &ticks[target_partition(&all[0].slo, ticks.len() as u32) as usize];
    let mut compared = Compared::default();
    for (key, told) in &published {
        let partition = partition(told);
        let again = replayed.get(key).map(|all| evaluated(all, told, partition.next));
        if again.as_deref().is_some_and(|again| again == since(told, again)) {
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
        let partition = partition(again);
        let told = published.contains_key(key) || again[0].tick >= partition.next;
        if told || partition.exempts(again, None).is_some() || partition.was_open(key, &published, &replayed) {
            continue;
        }
        let others: Vec<_> = published.range((key.0.clone(), i64::MIN)..).take_while(|(k, _)| k.0 == key.0).collect();
        anyhow::bail!("R1: replayed only: {again:#?}; published of it: {others:#?}; {partition:?}");
    }
    Ok(compared)
}

/// What of an episode a replay can tell that found it open when its range began: the last record before that, and those behind it. Its own
/// machine numbers records from 1 on, so only then it begins with another one.
fn since<'t>(told: &'t [AlertTransition], again: &[AlertTransition]) -> &'t [AlertTransition] {
    let first = again.first().map_or(1, |first| first.seq);
    &told[told.iter().position(|t| t.seq >= first).unwrap_or(told.len())..]
}

/// The replay may know further ticks, from `next` on, than the alerter had decided about when the roles ended.
fn evaluated(again: &[AlertTransition], told: &[AlertTransition], next: i64) -> Vec<AlertTransition> {
    let is_known = |(at, transition): &(usize, &AlertTransition)| *at < told.len() || transition.tick < next;
    again.iter().enumerate().take_while(is_known).map(|(_, transition)| transition.clone()).collect()
}

/// The last tick of an episode; the end of time while it is open.
fn end(episode: &[AlertTransition]) -> i64 {
    let last = &episode[episode.len() - 1];
    let over = matches!(last.kind, TransitionKind::Inactive | TransitionKind::Resolved);
    if over { last.tick } else { i64::MAX }
}

fn episodes(transitions: &[AlertTransition]) -> Episodes {
    let mut episodes = Episodes::new();
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
        if let Some(reason) = self.touches(begin, end(told)).or_else(|| self.cuts(told)) {
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
    fn began_otherwise(&self, (alert, begin): &(String, i64), replayed: &Episodes) -> Option<&'static str> {
        let before = replayed.range((alert.clone(), i64::MIN)..(alert.clone(), *begin)).next_back()?;
        self.touches(before.0.1, *begin)
    }

    /// The alert was open when the replay began it anew: what kept it open touches that episode, which is exempt itself.
    fn was_open(&self, (alert, begin): &(String, i64), published: &Episodes, replayed: &Episodes) -> bool {
        let before = |all: &Episodes| {
            all.range((alert.clone(), i64::MIN)..(alert.clone(), *begin))
                .next_back()
                .map(|(key, all)| (key.1, end(all)))
        };
        let Some((opened, closed)) = before(published) else { return false };
        let since = before(replayed).map_or(opened, |(again, _)| again.min(opened));
        closed >= *begin && self.touches(since, *begin).is_some()
    }

    /// A record that came below what had been told across the cut of the definition counted after it, and in a replay before it:
    /// by windows of any length that is seen.
    fn cuts(&self, told: &[AlertTransition]) -> Option<&'static str> {
        let is_within = |t: &AlertTransition| self.undercut.contains(&LogTime(t.generation).tick());
        told.iter().any(is_within).then_some(UNDERCUT)
    }

    fn touches(&self, begin: i64, end: i64) -> Option<&'static str> {
        let within = |ticks: &BTreeSet<i64>| ticks.range(begin - 1..=end).next().is_some();
        if within(&self.incomplete) {
            return Some("a tick of it, or the one before, lacked a source");
        }
        within(&self.undercut).then_some(UNDERCUT)
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
            Ok(())
        };
        let _: Vec<BurnRates> = fold.apply_watched(record.offset(), &batch, &revisions, &mut watch)?;
        Ok(())
    })
    .await?;
    let mut taken = Vec::new();
    for partition in 0..partitions {
        let position = log.committed(ALERTER, TopicPartition { topic: Topic::BurnRates, partition }).await?;
        taken.push(position.map_or(0, |position| position.offset));
    }
    verdict::each(log, Topic::BurnRates, |record, partition| {
        if record.offset() < taken[partition as usize] {
            let rates: BurnRates = codec::decode(record.value().unwrap_or_default())?;
            let next = &mut found[partition as usize].next;
            *next = (*next).max(rates.tick + 1);
        }
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    /// An episode of alert `a` with its pending and, where it ended, its resolved.
    fn episode(begin: i64, end: Option<i64>) -> Vec<AlertTransition> {
        let at = |seq, kind, tick| AlertTransition {
            alert_id: "a".to_owned(),
            episode: begin,
            seq,
            slo: "pay".to_owned(),
            service: "pay".to_owned(),
            objective: "o".to_owned(),
            group: Vec::new(),
            rule_set: "burn".to_owned(),
            rule: "fast".to_owned(),
            severity: "page".to_owned(),
            kind,
            tick,
            fired_at: Some(begin),
            values: Vec::new(),
            generation: 1,
            complete: true,
            labels: Vec::new(),
            annotations: Vec::new(),
            exemplars: Vec::new(),
            rule_kind: "burnrate".to_owned(),
            withdrawn: false,
            holds_since: None,
        };
        let resolved = end.map(|tick| at(2, TransitionKind::Resolved, tick));
        std::iter::once(at(1, TransitionKind::Firing, begin)).chain(resolved).collect()
    }

    fn compared(
        published: &[(i64, Option<i64>)],
        replayed: &[(i64, Option<i64>)],
        incomplete: &[i64],
    ) -> Result<Compared> {
        let all = |told: &[(i64, Option<i64>)]| told.iter().flat_map(|(b, e)| episode(*b, *e)).collect::<Vec<_>>();
        let ticks = Disturbed { incomplete: incomplete.iter().copied().collect(), next: 1_000, ..Disturbed::default() };
        compare(&all(published), &all(replayed), &[ticks])
    }

    #[test]
    fn an_episode_is_the_same_exempt_or_an_error() {
        let same = compared(&[(10, Some(20)), (30, None)], &[(10, Some(20)), (30, Some(1_000))], &[]).unwrap();
        assert_eq!(same, Compared { same: 2, exempt: BTreeMap::new() });
        let exempt = compared(&[(10, Some(20))], &[(10, Some(15))], &[14]).unwrap();
        assert_eq!((exempt.same, exempt.exempted()), (0, 1));
        assert!(compared(&[(10, Some(20))], &[(10, Some(15))], &[25]).is_err(), "disturbed after its end");
        assert!(compared(&[(10, Some(20))], &[], &[]).is_err(), "published only");
        assert!(compared(&[(10, None)], &[(10, Some(20))], &[]).is_err(), "resolved by the replay alone");
    }

    #[test]
    fn an_episode_of_the_replay_alone_is_one_too_many_unless_the_alert_was_still_open() {
        assert!(compared(&[], &[(30, Some(35))], &[]).is_err());
        assert!(compared(&[], &[(30, Some(35))], &[50]).is_err(), "disturbed after its end");
        assert!(compared(&[], &[(30, Some(35))], &[32]).is_ok());
        assert!(compared(&[], &[(1_000, None)], &[]).is_ok(), "not yet evaluated");
        // Missing sources kept it open from 10 on; the replay saw it end at 15 and begin anew.
        let held = compared(&[(10, Some(40))], &[(10, Some(15)), (30, Some(40))], &[14, 16]).unwrap();
        assert_eq!((held.same, held.exempted()), (0, 1));
        assert!(compared(&[(10, Some(20))], &[(10, Some(15)), (30, Some(40))], &[14]).is_err(), "over by then");
    }

    #[test]
    fn a_record_that_came_below_what_had_been_told_across_a_cut_counts_otherwise_for_long() {
        let ticks = [Disturbed { undercut: (11..=17).collect(), next: 1_000, ..Disturbed::default() }];
        let by_generation = |generation| {
            let told: Vec<_> = episode(24, None).into_iter().map(|t| AlertTransition { generation, ..t }).collect();
            (compare(&told, &[], &ticks), compare(&[], &told, &ticks))
        };
        let (lost, gained) = by_generation(13_762);
        assert_eq!(lost.unwrap().exempt, [(UNDERCUT, 1)].into());
        assert!(gained.is_ok());
        let (lost, gained) = by_generation(18_000);
        assert!(lost.is_err() && gained.is_err());
    }
}
