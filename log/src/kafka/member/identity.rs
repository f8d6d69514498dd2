//! Which topics a member reads, by their ids: one that is deleted and recreated under its hands has other records at the same
//! offsets, and librdkafka reads on in it without a word.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use slipstream_schemas::Topic;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::kafka::positions::Ids;
use crate::kafka::shared::Shared;
use crate::port::LogError;

/// How often the ids are looked at,
const EVERY: Duration = Duration::from_secs(3);
/// and how often while one is in doubt.
pub(super) const AGAIN: Duration = Duration::from_millis(100);
/// How long a topic that is reported missing may be away: one that is being recreated comes back.
const AWAY: Duration = Duration::from_secs(30);

pub(super) struct Identity {
    topics: Vec<Topic>,
    ids: Ids,
    looked: Instant,
    /// Each with when it began.
    look: JoinSet<(Instant, Result<Ids, LogError>)>,
    doubts: BTreeMap<Topic, Doubt>,
}

/// Something was reported of a topic as it is when it was recreated.
struct Doubt {
    since: Instant,
    /// When it was reported last.
    last: Instant,
    /// What ends the reading if the topic stays away.
    error: Option<LogError>,
}

impl Identity {
    /// The topics as they are now.
    pub(super) async fn of(shared: &Arc<Shared>, topics: &[Topic]) -> Result<Identity, LogError> {
        let ids = shared.topic_ids(topics).await?;
        Ok(Identity::new(topics, ids))
    }

    fn new(topics: &[Topic], ids: Ids) -> Identity {
        let (looked, look, doubts) = (Instant::now(), JoinSet::new(), BTreeMap::new());
        Identity { topics: topics.to_vec(), ids, looked, look, doubts }
    }

    /// Ids by topic, as far as the cluster assigns them.
    pub(super) fn ids(&self) -> &Ids {
        &self.ids
    }

    /// Something odd was reported of a topic: nothing of it is to be delivered before a look that begins from now on has
    /// returned. `error`: the topic is missing.
    pub(super) fn doubt(&mut self, topic: Topic, error: Option<LogError>) {
        let now = Instant::now();
        let doubt = self.doubts.entry(topic).or_insert(Doubt { since: now, last: now, error: None });
        doubt.last = now;
        doubt.error = error.or(doubt.error.take());
    }

    /// Whether it is not known at present that a topic is the one it was.
    pub(super) fn doubts(&self, topic: Topic) -> bool {
        self.doubts.contains_key(&topic)
    }

    /// Whether any is in doubt.
    pub(super) fn is_in_doubt(&self) -> bool {
        !self.doubts.is_empty()
    }

    /// Looks again now and then, beside whoever polls.
    ///
    /// # Errors
    /// `Fatal` once a topic is another one than it was, or stays away.
    pub(super) fn look(&mut self, shared: &Arc<Shared>) -> Result<(), LogError> {
        let every = if self.is_in_doubt() { AGAIN } else { EVERY };
        if self.look.is_empty() && self.looked.elapsed() >= every {
            let began = Instant::now();
            self.looked = began;
            let (shared, topics) = (Arc::clone(shared), self.topics.clone());
            self.look.spawn(async move { (began, shared.topic_ids(&topics).await) });
        }
        match self.look.try_join_next() {
            Some(Ok((began, found))) => self.learn(began, found.ok()),
            _ => Ok(()),
        }
    }

    /// `found`: `None` if nobody answers, or a topic is away.
    fn learn(&mut self, began: Instant, found: Option<Ids>) -> Result<(), LogError> {
        if let Some(now) = found {
            compare(&self.ids, &now)?;
            self.doubts.retain(|_, doubt| doubt.last >= began);
            return Ok(());
        }
        let stays_away = |doubt: &Doubt| doubt.error.clone().filter(|_| doubt.since.elapsed() >= AWAY);
        self.doubts.values().find_map(stays_away).map_or(Ok(()), Err)
    }
}

fn compare(then: &Ids, now: &Ids) -> Result<(), LogError> {
    let other = then.iter().find_map(|(topic, was)| now.get(topic).filter(|is| *is != was).map(|is| (topic, was, is)));
    let Some((topic, was, is)) = other else { return Ok(()) };
    let cause = format!(
        "the topic was deleted and recreated while this process read it (its id was {was} and is {is}): the same offsets are \
         other records now. Start the process again; what to do: docs/operations-kafka.md, \"A topic that was recreated\""
    );
    Err(LogError::Fatal { doing: format!("reading {topic}"), cause: cause.into() })
}

#[cfg(test)]
mod tests {
    use crate::port::TopicId;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_topic_in_doubt_is_held_until_a_look_that_began_afterwards() {
        let ids: Ids = [(Topic::Alerts, TopicId::new("a"))].into_iter().collect();
        let mut identity = Identity::new(&[Topic::Alerts], ids.clone());
        let step = || tokio::time::advance(AGAIN);
        let before = Instant::now();
        step().await;
        identity.doubt(Topic::Alerts, None);
        assert!(identity.doubts(Topic::Alerts) && !identity.doubts(Topic::BurnRates));
        identity.learn(before, Some(ids.clone())).unwrap();
        assert!(identity.doubts(Topic::Alerts), "it may have been recreated since");
        step().await;
        identity.learn(Instant::now(), Some(ids)).unwrap();
        assert!(!identity.is_in_doubt());
        identity.doubt(Topic::Alerts, None);
        let other = [(Topic::Alerts, TopicId::new("b"))].into_iter().collect();
        assert!(matches!(identity.learn(before, Some(other)), Err(LogError::Fatal { .. })));
    }

    #[tokio::test(start_paused = true)]
    async fn a_topic_that_is_missing_may_come_back_for_a_while() {
        let mut identity = Identity::new(&[Topic::Alerts], Ids::new());
        let missing = LogError::Fatal { doing: "reading alerts".to_owned(), cause: "missing".into() };
        identity.doubt(Topic::Alerts, Some(missing));
        tokio::time::advance(AWAY / 2).await;
        identity.doubt(Topic::Alerts, None);
        identity.learn(Instant::now(), None).unwrap();
        tokio::time::advance(AWAY / 2).await;
        let ended = identity.learn(Instant::now(), None).unwrap_err();
        assert!(ended.to_string().contains("missing"), "{ended}");
    }

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
