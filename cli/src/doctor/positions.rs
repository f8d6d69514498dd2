//! How far the roles have come: facts from the log and the store, and what they mean.

use std::time::Duration;

use slipstream_log::kafka::admin::{Finding, Group};
use slipstream_log::{Log, LogError, SharedLog, TopicPartition};
use slipstream_role::names::{ALERTER, BURN, NOTIFIER, SINK, TALLY, is_notifier};
use slipstream_schemas::Topic;
use slipstream_store::{SharedStore, StoreError, StorePosition};

use super::clocks::{Ahead, now_ms};

/// Further behind, someone should look.
const BEHIND: Duration = Duration::from_secs(60);

/// A log that was examined, for what is compared with it.
pub struct Examined {
    /// The log.
    pub log: SharedLog,
    /// The broker's clock, where it could be asked.
    pub clock: Option<Ahead>,
    /// The groups of the installation.
    pub groups: Vec<Group>,
}

/// How far a store has come.
#[derive(Debug, Default)]
pub struct Stored {
    /// Its positions.
    pub positions: Vec<StorePosition>,
    /// Ids of the topics that they are places in.
    pub topics: Vec<(Topic, String)>,
}

impl Stored {
    /// Asks a store.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn of(store: &SharedStore) -> Result<Stored, StoreError> {
        Ok(Stored { positions: store.positions().await?, topics: store.claimed_topics().await? })
    }
}

/// Where a role stands in a topic.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Standing {
    /// Processes that work on it now.
    members: usize,
    /// Whether anything was ever done.
    began: bool,
    /// Offsets between what was done and the end: records, and the markers of transactions.
    lag: i64,
    /// How long ago, by the broker's clock, what was done last was written; where something is left to do.
    behind: Option<Duration>,
}

/// Each role that commits positions on Kafka.
pub async fn roles(log: &dyn Log, groups: &[Group], clock: Option<Ahead>) -> Vec<Finding> {
    let mut reading = vec![
        (TALLY.to_owned(), Topic::RequestEvents),
        (BURN.to_owned(), Topic::SliTallies),
        (ALERTER.to_owned(), Topic::BurnRates),
    ];
    let notifiers = groups.iter().filter(|group| is_notifier(&group.name));
    reading.extend(notifiers.map(|group| (group.name.clone(), Topic::Alerts)));
    let mut findings = Vec::new();
    for (role, topic) in &reading {
        match standing(log, role, *topic, groups, clock).await {
            Ok(standing) => findings.push(judge(role, &standing)),
            Err(error) => {
                let todo = "allow Describe on groups and topics to this user, or see the findings on brokers";
                findings.push(Finding::warn(format!("role {role}"), error.to_string(), todo));
            }
        }
    }
    if !groups.iter().any(|group| is_notifier(&group.name)) {
        let todo = "slipstream run --roles notifier --webhook URL (or `receivers` in the configuration)";
        findings.push(Finding::warn(format!("role {NOTIFIER}"), "has never run: alerts are sent to nobody", todo));
    }
    findings
}

async fn standing(
    log: &dyn Log,
    role: &str,
    topic: Topic,
    groups: &[Group],
    clock: Option<Ahead>,
) -> Result<Standing, LogError> {
    let members = groups.iter().find(|group| group.name == role).map_or(0, |group| group.members);
    let mut standing = Standing { members, ..Standing::default() };
    for partition in 0..log.partitions(topic).await? {
        let partition = TopicPartition { topic, partition };
        let (first, end) = log.bounds(partition).await?;
        let position = log.committed(role, partition).await?;
        standing.began |= position.is_some();
        let left = end - position.map_or(first, |p| p.offset.max(first));
        standing.lag += left.max(0);
        if let (Some(clock), Some(position), true) = (clock, position, left > 0) {
            let ago = now_ms() + clock.ms - position.log_time.0;
            standing.behind = standing.behind.max(Some(Duration::from_millis(ago.try_into().unwrap_or_default())));
        }
    }
    Ok(standing)
}

fn judge(role: &str, standing: &Standing) -> Finding {
    let check = format!("role {role}");
    let kind = if is_notifier(role) { NOTIFIER } else { role };
    let Standing { members, began, lag, behind } = standing;
    let start = || format!("slipstream run --roles {kind}");
    if *members == 0 {
        let message = match began {
            true => format!("no process is running it; {lag} offsets behind"),
            false => "has never run".to_owned(),
        };
        return Finding::warn(check, message, start());
    }
    match behind {
        Some(behind) if *behind > BEHIND => {
            let message = format!("{members} at work, {} s behind, {lag} offsets to do", behind.as_secs());
            let todo =
                format!("is it catching up? Run doctor again; if not, its log says why; {} shares the work", start());
            Finding::warn(check, message, todo)
        }
        _ => Finding::ok(check, format!("{members} at work, {lag} offsets to do (markers of transactions count)")),
    }
}

/// The sink: its positions are rows of the store.
pub async fn stored(examined: &Examined, stored: &Stored) -> Vec<Finding> {
    let positions = &stored.positions;
    let mut standing = Standing {
        members: examined.groups.iter().find(|group| group.name == SINK).map_or(0, |group| group.members),
        began: !positions.is_empty(),
        ..Standing::default()
    };
    let mut findings = Vec::new();
    for topic in slipstream_sink::run::TOPICS {
        if let Some(finding) = made_anew(examined, topic, &stored.topics).await {
            findings.push(finding);
            continue;
        }
        match left(examined, topic, positions, &mut standing).await {
            Ok(ahead) => findings.extend(ahead.into_iter().map(store_ahead)),
            Err(error) => findings.push(Finding::warn("role sink", error.to_string(), "see the findings on brokers")),
        }
    }
    findings.push(judge(SINK, &standing));
    findings
}

/// Adds what is left to store of a topic; answers partitions in which the store is ahead of the log.
async fn left(
    examined: &Examined,
    topic: Topic,
    positions: &[StorePosition],
    standing: &mut Standing,
) -> Result<Vec<TopicPartition>, LogError> {
    let mut ahead = Vec::new();
    for partition in 0..examined.log.partitions(topic).await? {
        let partition = TopicPartition { topic, partition };
        let (first, end) = examined.log.bounds(partition).await?;
        let at = positions.iter().find(|p| p.topic == topic && p.partition == partition.partition);
        let left = end - at.map_or(first, |p| p.offset.max(first));
        standing.lag += left.max(0);
        if left < 0 {
            ahead.push(partition);
        }
        if let (Some(clock), Some(at), true) = (examined.clock, at, left > 0) {
            let ago = now_ms() + clock.ms - at.log_time.0;
            standing.behind = standing.behind.max(Some(Duration::from_millis(ago.try_into().unwrap_or_default())));
        }
    }
    Ok(ahead)
}

fn store_ahead(partition: TopicPartition) -> Finding {
    let message = format!("the store holds more of {partition} than the log ever had: they do not belong together");
    let todo = "give --store the one of this log, or the sink a store of its own (another database; this one keeps what it has)";
    Finding::error("role sink", message, todo)
}

/// Whether the store's positions are places in another topic of the name.
async fn made_anew(examined: &Examined, topic: Topic, claimed: &[(Topic, String)]) -> Option<Finding> {
    let (_, was) = claimed.iter().find(|(claimed, _)| *claimed == topic)?;
    // Where nobody tells the id, what is left of the topic says what there is to say.
    let is = examined.log.topic_id(topic).await.ok().flatten()?;
    (is.as_str() != was).then(|| another(topic, was, is.as_str()))
}

fn another(topic: Topic, was: &str, is: &str) -> Finding {
    let message = format!(
        "{topic} was deleted and made anew (id {is}; the store's positions are places in {was}): the next sink stores it from \
         its first record on; what the old one had and the store has not is lost"
    );
    let follow = match topic {
        Topic::RequestEvents => "; tally and burn count offsets of the old one and do not go on",
        _ => "",
    };
    let todo = "docs/operations-kafka.md, \"A topic that was made anew\"";
    Finding::error("role sink", format!("{message}{follow}"), todo)
}

#[cfg(test)]
mod tests {
    use slipstream_log::kafka::admin::Severity;

    use super::*;

    #[test]
    fn another_topic_of_the_name_is_told_with_what_follows() {
        for (topic, stops) in [(Topic::RequestEvents, true), (Topic::Alerts, false)] {
            let found = another(topic, "old", "new");
            assert_eq!(found.severity, Severity::Error);
            assert!(found.message.contains("deleted and made anew (id new; ") && found.message.contains("in old)"));
            assert_eq!(found.message.contains("tally and burn"), stops, "{found:?}");
            assert!(found.todo.unwrap().contains("docs/operations-kafka.md"));
        }
    }

    #[test]
    fn standings() {
        let seconds = |n| Some(Duration::from_secs(n));
        let table = [
            (0, false, 0, None, Severity::Warn, "has never run"),
            (0, true, 7, seconds(1), Severity::Warn, "no process is running it; 7 offsets behind"),
            (2, true, 0, None, Severity::Ok, "2 at work, 0 offsets"),
            (2, true, 9, seconds(59), Severity::Ok, "2 at work, 9 offsets"),
            (1, true, 9, seconds(61), Severity::Warn, "1 at work, 61 s behind, 9 offsets"),
        ];
        for (members, began, lag, behind, severity, message) in table {
            let found = judge("notifier-pager", &Standing { members, began, lag, behind });
            assert!(found.severity == severity && found.message.contains(message), "{found:?}");
            let advice = found.todo.unwrap_or_default();
            assert!(severity == Severity::Ok || advice.contains("--roles notifier"), "{advice}");
        }
    }
}
