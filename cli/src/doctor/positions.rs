//! The positions of the roles: facts from the log and the store, and what they mean.

use std::time::Duration;

use slipstream_log::kafka::OfDeletedTopic;
use slipstream_log::kafka::admin::{Finding, Group};
use slipstream_log::{Log, LogError, SharedLog, TopicPartition};
use slipstream_role::names::{ALERTER, BURN, NOTIFIER, SINK, TALLY, is_notifier};
use slipstream_schemas::{Topic, cause};
use slipstream_store::{Claimed, SharedStore, StoreError, StorePosition};

use super::clocks::{Ahead, now_ms};

/// Further behind, someone should look.
const BEHIND: Duration = Duration::from_secs(60);

/// A log that was examined, for comparisons with it.
pub struct Examined {
    /// The log.
    pub log: SharedLog,
    /// The broker's clock, if it could be read.
    pub clock: Option<Ahead>,
    /// The groups of the installation.
    pub groups: Vec<Group>,
}

/// The positions of a store.
#[derive(Debug, Default)]
pub struct Stored {
    /// Its positions.
    pub positions: Vec<StorePosition>,
    /// Ids of the topics that they are places in.
    pub topics: Vec<Claimed>,
}

impl Stored {
    /// Reads them from a store.
    ///
    /// # Errors
    /// When it does not respond.
    pub async fn of(store: &SharedStore) -> Result<Stored, StoreError> {
        Ok(Stored { positions: store.positions().await?, topics: store.claimed_topics().await? })
    }
}

/// The progress of a role in a topic.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Standing {
    /// Processes that work on it now.
    members: usize,
    /// Whether it ever committed a position.
    began: bool,
    /// Offsets between its position and the end: records, and transaction markers.
    lag: i64,
    /// How long ago, by the broker's clock, the last processed record was written; `None` if nothing is left to do.
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
            Err(error) => findings.push(unknown(role, &error)),
        }
    }
    if !groups.iter().any(|group| is_notifier(&group.name)) {
        let todo = "slipstream run --roles notifier --webhook URL (or `receivers` in the configuration)";
        findings.push(Finding::warn(format!("role {NOTIFIER}"), "has never run: no alerts are sent", todo));
    }
    findings
}

/// Why it is not known where a role stands.
fn unknown(role: &str, error: &LogError) -> Finding {
    let check = format!("role {role}");
    match cause::find::<OfDeletedTopic>(error) {
        Some(deleted) => Finding::error(check, format!("{deleted}: the role does not start"), RECREATED),
        None => {
            let todo = "allow Describe on groups and topics to this user, or see the findings on brokers";
            Finding::warn(check, error.to_string(), todo)
        }
    }
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
            true => format!("no process runs it; {lag} offsets behind"),
            false => "has never run".to_owned(),
        };
        return Finding::warn(check, message, start());
    }
    match behind {
        Some(behind) if *behind > BEHIND => {
            let message = format!("{members} running, {} s and {lag} offsets behind", behind.as_secs());
            let todo =
                format!("is it catching up? Run doctor again; if not, its log says why; {} shares the work", start());
            Finding::warn(check, message, todo)
        }
        _ => Finding::ok(check, format!("{members} running, {lag} offsets behind (transaction markers count)")),
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
        if let Some(finding) = recreated(examined, topic, &stored.topics).await {
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

/// Adds the lag of a topic; returns the partitions in which the store is ahead of the log.
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
    let message = format!("the store is ahead of the log in {partition}: they do not belong together");
    let todo = "pass the store of this log to --store, or use a new store (another database; this one keeps its data)";
    Finding::error("role sink", message, todo)
}

/// Whether the store's positions are places in another topic of the name.
async fn recreated(examined: &Examined, topic: Topic, claimed: &[Claimed]) -> Option<Finding> {
    let claimed = claimed.iter().find(|claimed| claimed.topic == topic)?;
    // Where nobody tells the id, what is left of the topic says what there is to say.
    let is = examined.log.topic_id(topic).await.ok().flatten()?;
    another(claimed, is.as_str())
}

const RECREATED: &str = "docs/operations-kafka.md, \"A topic that was recreated\"";

fn another(claimed: &Claimed, is: &str) -> Option<Finding> {
    let Claimed { topic, id: was, retired } = claimed;
    if is == was {
        return None;
    }
    if retired.iter().any(|retired| retired == is) {
        let message =
            format!("the store has moved on to another {topic} (id {was}; the log's has {is}): no sink starts");
        return Some(Finding::error(
            "role sink",
            message,
            "is --log or --store right? Each log has a store of its own",
        ));
    }
    let follow = match topic {
        Topic::RequestEvents => "; tally and burn still hold offsets of the old topic and cannot continue",
        _ => "",
    };
    let message = format!(
        "{topic} was recreated (id {is}; the store's positions refer to {was}). The next sink starts from its first record; events \
         of the old topic that were not stored are lost{follow}"
    );
    Some(Finding::error("role sink", message, RECREATED))
}

#[cfg(test)]
mod tests {
    use slipstream_log::TopicId;
    use slipstream_log::kafka::admin::Severity;
    use slipstream_schemas::Cause;

    use super::*;

    #[test]
    fn another_topic_of_the_name_is_told_with_what_follows() {
        for (topic, stops) in [(Topic::RequestEvents, true), (Topic::Alerts, false)] {
            let claimed = Claimed { topic, id: "old".to_owned(), retired: vec!["oldest".to_owned()] };
            assert_eq!(another(&claimed, "old"), None);
            let found = another(&claimed, "new").unwrap();
            assert_eq!(found.severity, Severity::Error);
            assert!(found.message.contains("was recreated (id new; the store's positions refer to old)"), "{found:?}");
            assert_eq!(found.message.contains("tally and burn"), stops, "{found:?}");
            assert!(found.todo.unwrap().contains("docs/operations-kafka.md"));
            let found = another(&claimed, "oldest").unwrap();
            assert_eq!(found.severity, Severity::Error);
            assert!(found.message.contains("moved on to another") && found.todo.unwrap().contains("--log"));
        }
    }

    #[test]
    fn a_position_in_a_deleted_topic_keeps_the_role_from_starting() {
        let (was, is) = (TopicId::new("old"), TopicId::new("new"));
        let doing = || "looking where alerter stands".to_owned();
        let deleted = OfDeletedTopic { offset: 7, was, is };
        let found = unknown("alerter", &LogError::Fatal { doing: doing(), cause: Cause::of(deleted).and("; more") });
        assert_eq!((found.severity, found.todo.as_deref()), (Severity::Error, Some(RECREATED)));
        assert!(found.message.contains("offset 7 belongs to the deleted topic (id old)"), "{found:?}");
        let found = unknown("alerter", &LogError::Fatal { doing: doing(), cause: "not allowed".into() });
        assert_eq!(found.severity, Severity::Warn);
        assert!(found.todo.unwrap().contains("allow Describe"));
    }

    #[test]
    fn standings() {
        let seconds = |n| Some(Duration::from_secs(n));
        let table = [
            (0, false, 0, None, Severity::Warn, "has never run"),
            (0, true, 7, seconds(1), Severity::Warn, "no process runs it; 7 offsets behind"),
            (2, true, 0, None, Severity::Ok, "2 running, 0 offsets"),
            (2, true, 9, seconds(59), Severity::Ok, "2 running, 9 offsets"),
            (1, true, 9, seconds(61), Severity::Warn, "1 running, 61 s and 9 offsets behind"),
        ];
        for (members, began, lag, behind, severity, message) in table {
            let found = judge("notifier-pager", &Standing { members, began, lag, behind });
            assert!(found.severity == severity && found.message.contains(message), "{found:?}");
            let advice = found.todo.unwrap_or_default();
            assert!(severity == Severity::Ok || advice.contains("--roles notifier"), "{advice}");
        }
    }
}
