//! Where a file stands: read from the log, and committed with what was made of its lines.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use slipstream_log::{CommitError, Fetch, Log, LogError, Outgoing, TopicPartition};
use slipstream_runtime::Shutdown;
use slipstream_runtime::backoff::{Backoff, Retry};
use slipstream_schemas::records::ImportPosition;
use slipstream_schemas::{Topic, codec};

use super::error::ImportError;

/// The name under which imports write: the newest of that name fences older ones (L5).
const WRITER: &str = "import";
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(10), max: Duration::from_secs(1) };

/// The newest position of every file.
pub(crate) type Positions = HashMap<String, ImportPosition>;

/// Takes the writer's name over, so that an import that still runs elsewhere commits nothing behind our back, and reads
/// every position. `None` if it was shut down before that.
pub(crate) async fn take_over(log: &dyn Log, shutdown: &Shutdown) -> Result<Option<Positions>, ImportError> {
    let mut retry = Retry::new(BACKOFF, rand::random());
    while let Err(error) = log.publish_atomically(WRITER, Vec::new()).await {
        // An empty step in doubt is as good as one that failed.
        let (CommitError::Aborted(cause) | CommitError::InDoubt(cause)) = error else {
            return Err(refused(error));
        };
        if !waited(&mut retry, cause.text(), shutdown).await {
            return Ok(None);
        }
    }
    known(log, shutdown).await
}

/// Every file's position; what may pass is tried again. `None` if it was shut down before it passed.
async fn known(log: &dyn Log, shutdown: &Shutdown) -> Result<Option<Positions>, ImportError> {
    let mut retry = Retry::new(BACKOFF, rand::random());
    loop {
        match all(log).await {
            Err(ImportError::Log(error @ (LogError::Busy | LogError::Transient { .. }))) => {
                if !waited(&mut retry, &error.to_string(), shutdown).await {
                    return Ok(None);
                }
            }
            answer => return answer.map(Some),
        }
    }
}

/// Every file's position, the newest of each.
async fn all(log: &dyn Log) -> Result<Positions, ImportError> {
    let mut positions = Positions::new();
    for partition in 0..log.partitions(Topic::ImportPositions).await? {
        let partition = TopicPartition { topic: Topic::ImportPositions, partition };
        let (mut at, end) = log.settled_bounds(partition).await?;
        while at < end {
            let batch = match log.read(partition, at, end, Fetch::default()).await {
                // Retention was faster.
                Err(LogError::OutOfRange { first, .. }) if first > at => {
                    at = first;
                    continue;
                }
                read => read?,
            };
            for value in batch.iter().filter_map(|record| record.value()) {
                let position: ImportPosition = codec::decode(value)?;
                positions.insert(position.file.clone(), position);
            }
            // An empty batch is the end.
            at = if batch.is_empty() { end } else { batch.next };
        }
    }
    Ok(positions)
}

/// The record of a position.
pub(crate) fn record(position: &ImportPosition) -> Outgoing {
    Outgoing {
        topic: Topic::ImportPositions,
        partition: None,
        key: Some(Bytes::copy_from_slice(position.file.as_bytes())),
        value: Some(Bytes::from(codec::encode(position))),
        headers: Vec::new(),
    }
}

/// Commits a step, whose last record is the position `to`; resolves when its fate is known (L6). False: shut down before
/// that; the next import decides it anew from the position in the log.
pub(crate) async fn commit(
    log: &dyn Log,
    records: Vec<Outgoing>,
    to: &ImportPosition,
    shutdown: &Shutdown,
) -> Result<bool, ImportError> {
    let mut retry = Retry::new(BACKOFF, rand::random());
    loop {
        let cause = match log.publish_atomically(WRITER, records.clone()).await {
            Ok(_) => return Ok(true),
            Err(CommitError::Aborted(cause)) => cause,
            Err(CommitError::InDoubt(cause)) => match known(log, shutdown).await? {
                Some(positions) if positions.get(&to.file) == Some(to) => return Ok(true),
                Some(_) => cause,
                None => return Ok(false),
            },
            Err(error) => return Err(refused(error)),
        };
        if !waited(&mut retry, cause.text(), shutdown).await {
            return Ok(false);
        }
    }
}

fn refused(error: CommitError) -> ImportError {
    match error {
        CommitError::Lost(_) => ImportError::TakenOver,
        other => ImportError::Refused(other.to_string()),
    }
}

/// Waits before the same is sent again; false: shut down meanwhile.
async fn waited(retry: &mut Retry, cause: &str, shutdown: &Shutdown) -> bool {
    let pause = retry.failed();
    tracing::debug!(cause, ?pause, "the log did not take a step of an import; it is sent again");
    tokio::select! {
        () = shutdown.cancelled() => false,
        () = tokio::time::sleep(pause) => true,
    }
}
