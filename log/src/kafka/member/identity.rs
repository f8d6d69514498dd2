//! Which topics a member reads, by their ids: one that is deleted and made anew under its hands has other records at the same
//! offsets, and librdkafka reads on in it without a word.

use std::sync::Arc;
use std::time::Duration;

use slipstream_schemas::Topic;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::kafka::positions::Ids;
use crate::kafka::shared::Shared;
use crate::port::LogError;

/// How often the ids are looked at.
const EVERY: Duration = Duration::from_secs(3);

pub(super) struct Identity {
    topics: Vec<Topic>,
    ids: Ids,
    looked: Instant,
    look: JoinSet<Result<Ids, LogError>>,
}

impl Identity {
    /// The topics as they are now.
    pub(super) async fn of(shared: &Arc<Shared>, topics: &[Topic]) -> Result<Identity, LogError> {
        let ids = shared.topic_ids(topics).await?;
        Ok(Identity { topics: topics.to_vec(), ids, looked: Instant::now(), look: JoinSet::new() })
    }

    /// Ids by topic, of those that the cluster gives one.
    pub(super) fn ids(&self) -> &Ids {
        &self.ids
    }

    /// Looks again now and then, beside whoever polls.
    ///
    /// # Errors
    /// `Fatal` once a topic is another one than it was.
    pub(super) fn look(&mut self, shared: &Arc<Shared>) -> Result<(), LogError> {
        if self.look.is_empty() && self.looked.elapsed() >= EVERY {
            self.looked = Instant::now();
            let (shared, topics) = (Arc::clone(shared), self.topics.clone());
            self.look.spawn(async move { shared.topic_ids(&topics).await });
        }
        match self.look.try_join_next() {
            Some(Ok(Ok(now))) => compare(&self.ids, &now),
            // Nobody answers, or a topic is away: who reads it hears of that.
            _ => Ok(()),
        }
    }
}

fn compare(then: &Ids, now: &Ids) -> Result<(), LogError> {
    let other = then.iter().find_map(|(topic, was)| now.get(topic).filter(|is| *is != was).map(|is| (topic, was, is)));
    let Some((topic, was, is)) = other else { return Ok(()) };
    let cause = format!(
        "the topic was deleted and made anew while this process read it (its id was {was} and is {is}): the same offsets are \
         other records now. Start the process again; what to do: docs/operations-kafka.md, \"A topic that was made anew\""
    );
    Err(LogError::Fatal { doing: format!("reading {topic}"), cause: cause.into() })
}

#[cfg(test)]
mod tests {
    use crate::port::TopicId;

    use super::*;

    #[test]
    fn only_another_id_is_another_topic() {
        let ids = |of: &[(Topic, &str)]| -> Ids { of.iter().map(|(t, id)| (*t, TopicId::new(*id))).collect() };
        let then = ids(&[(Topic::Alerts, "a"), (Topic::BurnRates, "b")]);
        for (now, fatal) in [
            (then.clone(), false),
            (ids(&[(Topic::Alerts, "a")]), false),
            (ids(&[]), false),
            (ids(&[(Topic::Alerts, "a"), (Topic::BurnRates, "c")]), true),
        ] {
            let compared = compare(&then, &now);
            assert_eq!(matches!(compared, Err(LogError::Fatal { .. })), fatal, "{now:?}");
        }
    }
}
