//! The topic tokens: read to its end before anything is served, then followed, so that a new token and a revocation take
//! effect in every process within about two seconds.

use std::collections::BTreeMap;
use std::time::Duration;

use slipstream_log::{Log, Offset, RecordRef, SharedLog, TopicPartition};
use slipstream_runtime::access::Access;
use slipstream_runtime::config::RateLimits;
use slipstream_runtime::event::Event;
use slipstream_runtime::health::State;
use slipstream_runtime::{Health, Shutdown};
use slipstream_schemas::records::Token;
use slipstream_schemas::{Topic, codec};
use tokio::time::Instant;

use crate::patience::passes;
use crate::reading::{ReadError, Reader, decoded};
use crate::telemetry::{TokensRead, TokensUnread};

/// Name of the reader, where the log asks for one.
const READER: &str = "tokens";
/// Its name on the board of health.
const BOARD: &str = "tokens";
/// How often the log is asked for new ones.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long one look may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// All tokens of a log, and where it was read to.
pub struct Tokens {
    access: Access,
    next: BTreeMap<TopicPartition, Offset>,
}

impl Tokens {
    /// Reads the topic to its end. A log of an earlier version, which has no such topic, has no tokens.
    ///
    /// # Errors
    /// When the log fails, or a record was written by a newer version.
    pub async fn read(log: &dyn Log, limits: RateLimits) -> Result<Self, ReadError> {
        let mut tokens = Tokens { access: Access::new(limits), next: BTreeMap::new() };
        tokens.look(log, |access, found| access.learn(found)).await?;
        Ok(tokens)
    }

    /// Who may ask for what: kept up to date by [`Tokens::follow`].
    pub fn access(&self) -> Access {
        self.access.clone()
    }

    /// Goes on reading until `shutdown`, from a log that says when it cannot be read, and not one that waits; the audit tells
    /// what changes. While it cannot be read for now, the tokens that are known keep working, and the board of health, a metric
    /// and a warning say so.
    ///
    /// # Errors
    /// When it will never be read again, or a record was written by a newer version: what is missed may be a revocation.
    pub async fn follow(mut self, log: SharedLog, health: Health, shutdown: Shutdown) -> Result<(), ReadError> {
        let mut last = Instant::now();
        TokensRead { after: None }.emit();
        health.set(BOARD, State::Ready);
        let mut is_behind = false;
        while tokio::time::timeout(LOOK_EVERY, shutdown.cancelled()).await.is_err() {
            let looked = tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                looked = tokio::time::timeout(PATIENCE, self.look(log.as_ref(), Access::learn_news)) => looked,
            };
            let cause = match looked {
                Ok(Ok(())) => {
                    TokensRead { after: is_behind.then(|| last.elapsed()) }.emit();
                    health.set(BOARD, State::Ready);
                    (last, is_behind) = (Instant::now(), false);
                    continue;
                }
                Ok(Err(ReadError::Log { cause, .. })) if passes(&cause) => cause.to_string(),
                Ok(Err(error)) => return Err(error),
                Err(_) => format!("the log did not answer within {PATIENCE:?}"),
            };
            let since = last.elapsed();
            is_behind |= TokensUnread::is_due(since);
            if is_behind {
                let detail = format!("not read for {} s: what was revoked since is not known", since.as_secs());
                health.set(BOARD, State::Waiting(detail));
            }
            TokensUnread { since, cause: &cause }.emit();
        }
        Ok(())
    }

    /// Reads what has come since the last time, and learns it.
    async fn look(&mut self, log: &dyn Log, learn: fn(&Access, Vec<Found>)) -> Result<(), ReadError> {
        let reader = Reader { log, role: READER };
        for partition in reader.partitions(Topic::Tokens).await? {
            let (first, end) = reader.bounds(partition).await?;
            let next = self.next.get(&partition).copied().unwrap_or(first);
            // A topic that was made again begins anew; what is known stays.
            let from = if next > end { first } else { next.max(first) };
            let mut found = Vec::new();
            let next = reader.each(partition, from, end, |record| take(partition, record, &mut found)).await?;
            if !found.is_empty() {
                learn(&self.access, found);
            }
            self.next.insert(partition, next);
        }
        Ok(())
    }
}

/// A record's id, and the token unless the record says that it is withdrawn.
type Found = (String, Option<Token>);

fn take(partition: TopicPartition, record: RecordRef<'_>, found: &mut Vec<Found>) -> Result<(), ReadError> {
    found.push(match record.value() {
        Some(_) => {
            let token: Token = decoded(partition, record, codec::decode)?;
            (token.id.clone(), Some(token))
        }
        None => (String::from_utf8_lossy(record.key().unwrap_or_default()).into_owned(), None),
    });
    Ok(())
}
