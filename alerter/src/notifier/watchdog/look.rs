//! Looks in the log how far the roles are, for [`chain`](super::chain) to judge.

use slipstream_log::{Log, LogError, Offset, Position, TopicPartition};
use slipstream_role::definitions::PARTITION as DEFINITIONS;
use slipstream_role::names::{ALERTER, BURN, TALLY};
use slipstream_role::reading::{ReadError, Reader};
use slipstream_schemas::{LogTime, Topic};

use super::chain::{Reached, Standing};

/// Roles that move on all the time, in the order of the pipeline.
const STEADY: [(&str, Topic); 2] = [(TALLY, Topic::RequestEvents), (BURN, Topic::SliTallies)];

/// How far everybody is whom an alert passes, in that order. `read`: how far the notifier `role` has read `alerts`.
pub(super) async fn standings(
    log: &dyn Log,
    role: &str,
    read: &[(TopicPartition, Offset)],
) -> Result<Vec<Standing>, ReadError> {
    let reader = Reader { log, role };
    let mut all = Vec::new();
    for (steady, topic) in STEADY {
        for partition in reader.partitions(topic).await? {
            let at = committed(log, steady, partition).await?;
            let reached = Reached::Until(at.map(|at| at.log_time));
            all.push(Standing { role: steady.to_owned(), partition, reached });
        }
    }
    for partition in reader.partitions(Topic::BurnRates).await? {
        let at = committed(log, ALERTER, partition).await?.unwrap_or_default();
        let reached = Reached::AllBut(reader.first_from(partition, at.offset).await?);
        all.push(Standing { role: ALERTER.to_owned(), partition, reached });
    }
    for (partition, offset) in read {
        let reached = Reached::AllBut(reader.first_from(*partition, *offset).await?);
        all.push(Standing { role: role.to_owned(), partition: *partition, reached });
    }
    Ok(all)
}

async fn committed(log: &dyn Log, role: &str, partition: TopicPartition) -> Result<Option<Position>, ReadError> {
    let doing = |cause: LogError| ReadError::Log { doing: "looking how far the roles are", cause };
    log.committed(role, partition).await.map_err(doing)
}

/// When the installation began: the log time of the first thing that was said in it. It stays, whoever asks.
pub(super) async fn began(log: &dyn Log, role: &str) -> Result<Option<LogTime>, ReadError> {
    Reader { log, role }.first_from(DEFINITIONS, 0).await
}
