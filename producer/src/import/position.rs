//! The position in a file: read from the log, and committed with the results of its lines.

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
    match take_writer(log, shutdown).await? {
        true => read(log, shutdown, &mut |_| true).await,
        false => Ok(None),
    }
}

/// Takes the writer's name over. From here on other processes commit nothing behind our back (L5). False: shut down before
/// that.
pub(crate) async fn take_writer(log: &dyn Log, shutdown: &Shutdown) -> Result<bool, ImportError> {
    let mut retry = Retry::new(BACKOFF, rand::random());
    while let Err(error) = log.take_writer(WRITER).await {
        let (CommitError::Aborted(cause) | CommitError::InDoubt(cause)) = error else {
            return Err(refused(error));
        };
        if !waited(&mut retry, cause.text(), shutdown).await {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Which positions are to be kept, of those that are read.
pub(crate) type Wanted<'a> = &'a mut (dyn FnMut(&ImportPosition) -> bool + Send);

/// The newest position of every file that is wanted; what may pass is tried again. `None` if it was shut down before it
/// passed.
pub(crate) async fn read(
    log: &dyn Log,
    shutdown: &Shutdown,
    wanted: Wanted<'_>,
) -> Result<Option<Positions>, ImportError> {
    let mut retry = Retry::new(BACKOFF, rand::random());
    loop {
        match all(log, wanted).await {
            Err(ImportError::Log(error @ (LogError::Busy | LogError::Transient { .. }))) => {
                if !waited(&mut retry, &error.to_string(), shutdown).await {
                    return Ok(None);
                }
            }
            answer => return answer.map(Some),
        }
    }
}

async fn all(log: &dyn Log, wanted: Wanted<'_>) -> Result<Positions, ImportError> {
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
                if wanted(&position) {
                    positions.insert(position.file.clone(), position);
                }
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
/// that; the next import decides it again from the position in the log.
pub(crate) async fn commit(
    log: &dyn Log,
    records: &[Outgoing],
    to: &ImportPosition,
    shutdown: &Shutdown,
) -> Result<bool, ImportError> {
    let mut retry = Retry::new(BACKOFF, rand::random());
    loop {
        let cause = match log.publish_atomically(WRITER, records.to_vec()).await {
            Ok(_) => return Ok(true),
            Err(CommitError::Aborted(cause)) => cause,
            Err(CommitError::InDoubt(cause)) => match read(log, shutdown, &mut |p| p.file == to.file).await? {
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
    tracing::debug!(cause, ?pause, "the log did not accept a step of an import; retrying");
    tokio::select! {
        () = shutdown.cancelled() => false,
        () = tokio::time::sleep(pause) => true,
    }
}
