//! The tokens of a log as a process knows them: from the first look on, while they change, and while the log is away.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use slipstream_log::memory::{MemoryLog, MemoryOptions};
use slipstream_log::{Log, LogError, Outgoing, TopicPartition};
use slipstream_role::reading::ReadError;
use slipstream_role::tokens::Tokens;
use slipstream_runtime::access::{Access, NewToken, Scope};
use slipstream_runtime::config::RateLimits;
use slipstream_runtime::health::State;
use slipstream_runtime::{Health, Shutdown, metrics};
use slipstream_schemas::records::Token;
use slipstream_schemas::{EventTime, Topic, codec};
use slipstream_testkit::hooked::{Hooked, Hooks};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Metrics are the process's.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// Within what a change takes effect.
const SOON: Duration = Duration::from_secs(2);

fn token() -> Token {
    let new = NewToken::generate().unwrap();
    Token {
        id: new.id().to_owned(),
        name: "ci".to_owned(),
        hash: new.hash(),
        scopes: vec![Scope::Ingest],
        created_at: EventTime(1),
        created_by: String::new(),
        expires_at: None,
        revoked_at: None,
        revoked_by: None,
    }
}

fn record(id: &str, value: Option<Vec<u8>>) -> Outgoing {
    let (key, value) = (Some(id.to_owned().into()), value.map(Into::into));
    Outgoing { topic: Topic::Tokens, partition: None, key, value, headers: Vec::new() }
}

async fn publish(log: &MemoryLog, token: &Token) {
    log.publish(vec![record(&token.id, Some(codec::encode(token)))]).await.unwrap();
}

/// A log of tokens that is away, or gone, when it is told to be.
#[derive(Default)]
struct Away {
    for_now: AtomicBool,
    for_good: AtomicBool,
}

impl Hooks for Away {
    fn failing(&self, _partition: TopicPartition) -> Result<(), LogError> {
        let doing = || "reading".to_owned();
        if self.for_good.load(Ordering::Relaxed) {
            return Err(LogError::Fatal { doing: doing(), cause: "there is no such topic".into() });
        }
        match self.for_now.load(Ordering::Relaxed) {
            true => Err(LogError::Transient { doing: doing(), cause: "it is away".into() }),
            false => Ok(()),
        }
    }
}

struct House {
    log: Arc<MemoryLog>,
    away: Arc<Away>,
    access: Access,
    health: Health,
    shutdown: Shutdown,
    following: JoinSet<Result<(), ReadError>>,
}

/// A process that follows a log which has these tokens already.
async fn house(tokens: &[&Token]) -> House {
    let log = MemoryLog::new(MemoryOptions::default());
    for token in tokens {
        publish(&log, token).await;
    }
    let (away, shutdown, mut following) = (Arc::new(Away::default()), Shutdown::new(), JoinSet::new());
    let seen = Hooked::over(log.clone(), &away);
    let read = Tokens::read(seen.as_ref(), RateLimits::default()).await.unwrap();
    let access = read.access();
    let health = Health::default();
    following.spawn(read.follow(seen, health.clone(), shutdown.clone()));
    House { log, away, access, health, shutdown, following }
}

impl House {
    async fn until(&self, what: impl Fn(&Access) -> bool) -> bool {
        let come = async {
            while !what(&self.access) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(SOON, come).await.is_ok()
    }
}

#[tokio::test(start_paused = true)]
async fn what_changes_in_the_log_takes_effect_soon() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let first = token();
    let mut house = house(&[&first]).await;
    assert_eq!(house.access.tokens(), std::slice::from_ref(&first), "known from the beginning");
    let second = token();
    publish(&house.log, &second).await;
    assert!(house.until(|access| access.token(&second.id).is_some()).await);
    publish(&house.log, &Token { revoked_at: Some(EventTime(2)), ..first.clone() }).await;
    assert!(house.until(|access| access.token(&first.id).is_some_and(|token| token.revoked_at.is_some())).await);
    house.log.publish(vec![record(&second.id, None)]).await.unwrap();
    assert!(house.until(|access| access.token(&second.id).is_none()).await, "withdrawn");
    assert!(house.access.needs_token());
    house.shutdown.cancel();
    assert!(matches!(house.following.join_next().await, Some(Ok(Ok(())))));
}

#[tokio::test(start_paused = true)]
async fn while_the_log_is_away_known_tokens_keep_working_and_it_is_told_since_when() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let known = token();
    let house = house(&[&known]).await;
    let read_at = || {
        let metrics = metrics::render();
        let line = metrics.lines().find_map(|line| line.strip_prefix("slipstream_tokens_read_seconds "));
        line.map(str::to_owned).unwrap()
    };
    assert!(house.until(|_| metrics::render().contains("slipstream_tokens_read_seconds ")).await);
    house.away.for_now.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(house.health.snapshot()["tokens"], State::Ready, "a moment is not worth a word");
    let before = read_at();
    let late = token();
    publish(&house.log, &late).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!((house.access.tokens(), read_at()), (vec![known.clone()], before.clone()));
    let State::Waiting(detail) = house.health.snapshot()["tokens"].clone() else { panic!("it waits") };
    assert!(detail.starts_with("not read for 6"), "{detail}");
    house.away.for_now.store(false, Ordering::Relaxed);
    assert!(house.until(|access| access.tokens().len() == 2).await);
    assert!(read_at() > before, "its time is the same number of digits");
    assert_eq!(house.health.snapshot()["tokens"], State::Ready);
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_is_never_read_again_ends_it_because_a_revocation_would_be_missed() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let mut house = house(&[&token()]).await;
    house.away.for_good.store(true, Ordering::Relaxed);
    let ended = timeout(SOON, house.following.join_next()).await.unwrap().unwrap().unwrap();
    let said = ended.unwrap_err().to_string();
    assert!(said.contains("there is no such topic"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_record_of_a_newer_version_ends_it_because_it_may_be_a_revocation() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let known = token();
    let mut house = house(&[&known]).await;
    let mut value = codec::encode(&known);
    value[3] ^= 1;
    house.log.publish(vec![record(&known.id, Some(value))]).await.unwrap();
    let ended = timeout(SOON, house.following.join_next()).await.unwrap().unwrap().unwrap();
    let said = ended.unwrap_err().to_string();
    assert!(said.contains("tokens") && said.ends_with("upgrade the readers first"), "{said}");
    let read = Tokens::read(house.log.as_ref(), RateLimits::default()).await;
    assert!(read.is_err(), "nor does one begin with it");
}
