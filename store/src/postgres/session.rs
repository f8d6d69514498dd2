//! Connections: one for writing, a few for queries.
//!
//! A pooler (PgBouncer in transaction mode) assigns any free session to each transaction, and that session to others
//! afterwards. So no state of ours is in a session: every statement runs in a transaction, and every transaction begins
//! by setting what it needs, for itself only.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_postgres::{Client, IsolationLevel, Transaction, TransactionBuilder};

use super::cancel::cancel;
use super::error;
use super::options::Target;
use crate::patience;
use crate::port::StoreError;

/// Connections for concurrent queries; further queries wait.
const READERS: usize = 4;

/// The server ends what takes longer,
const STATEMENT: Duration = Duration::from_secs(60);
/// and we do not wait much longer for its response.
pub const DEADLINE: Duration = Duration::from_secs(90);

/// How long the server may take to notice that nobody wants an answer any more.
const ENDING: Duration = Duration::from_secs(10);
/// So often a question is asked again that somebody else broke off.
const AGAIN: usize = 4;
/// A server that does not begin a transaction for somebody who waits only so long is down.
const BEGINNING: Duration = Duration::from_secs(5);

/// An open connection. Its task ends with it.
pub struct Session {
    client: Client,
    /// What every transaction sets first.
    settings: String,
    _driver: JoinSet<Result<(), tokio_postgres::Error>>,
}

impl Session {
    /// Connects, and finds out what transactions have to set.
    ///
    /// # Errors
    /// When connecting fails; see [`error::at`].
    pub async fn open(target: &Target) -> Result<Self, StoreError> {
        let doing = format!("connecting to {}", target.place);
        let opened = async {
            let (client, connection) =
                target.config.connect(target.tls.clone()).await.map_err(error::at(doing.clone()))?;
            let mut driver = JoinSet::new();
            // A broken connection is reported to the caller of the next query.
            driver.spawn(connection.into_future());
            let settings = match settings(&client, &target.schema).await {
                Ok(settings) => settings,
                // What it was closed with says more than that it was.
                Err(closed) if closed.is_closed() => {
                    let ended = driver.join_next().await;
                    return Err(error::at(doing.clone())(match ended {
                        Some(Ok(Err(why))) => why,
                        _ => closed,
                    }));
                }
                Err(error) => return Err(error::at(doing.clone())(error)),
            };
            Ok(Session { client, settings, _driver: driver })
        };
        within(DEADLINE, &doing, opened).await
    }

    /// Begins a transaction. Whatever a role's or a database's default says, each of its statements sees what is committed:
    /// after waiting for a row it reads what was committed.
    ///
    /// # Errors
    /// When the server does not begin one.
    pub async fn begin(&mut self, doing: &str) -> Result<Transaction<'_>, StoreError> {
        let Session { client, settings, .. } = self;
        start(client.build_transaction().isolation_level(IsolationLevel::ReadCommitted), settings, doing).await
    }

    /// Begins a transaction that changes nothing and sees one state of the tables.
    ///
    /// # Errors
    /// When the server does not begin one.
    pub async fn begin_reading(&mut self, doing: &str) -> Result<Transaction<'_>, StoreError> {
        let Session { client, settings, .. } = self;
        let reading = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
        start(reading, settings, doing).await
    }

    /// Runs a statement that may make the server end the session: not for a session that is used afterwards.
    ///
    /// # Errors
    /// As reported by the server.
    pub async fn risk(self, statement: &str) -> Result<(), tokio_postgres::Error> {
        self.client.batch_execute(statement).await
    }

    /// Runs a statement outside of a transaction of ours: one that makes its own. Nothing is set for it.
    ///
    /// # Errors
    /// As reported by the server.
    pub async fn alone(&mut self, statement: &str) -> Result<(), tokio_postgres::Error> {
        self.client.batch_execute(statement).await
    }

    /// Ends what the server is doing for this session, and waits until it has.
    async fn end(self, target: Target) {
        let ended = async {
            if cancel(&target, self.client.cancel_token()).await.is_ok() {
                // Behind all that was sent before, and its end.
                drop(self.client.batch_execute("").await);
            }
        };
        drop(tokio::time::timeout(ENDING, ended).await);
    }

    /// Whether the connection broke.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }
}

async fn start<'a>(
    transaction: TransactionBuilder<'a>,
    settings: &str,
    doing: &str,
) -> Result<Transaction<'a>, StoreError> {
    let transaction = transaction.start().await.map_err(error::at(doing))?;
    transaction.batch_execute(settings).await.map_err(error::at(doing))?;
    Ok(transaction)
}

/// Waits for a response, but not forever: a server that hangs is as good as down.
pub async fn within<T>(
    deadline: Duration,
    doing: &str,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(deadline, work).await.unwrap_or_else(|_| Err(error::silent(doing, deadline)))
}

/// One statement that sets what a transaction needs, until its end. The schema comes first; TimescaleDB's functions are
/// found wherever they are. The time limits also release the locks of a client that vanished; an acknowledged commit is
/// on the disk, whatever the server's default. Sketches are compressed again with every batch: lz4, if the server has
/// it, does that in a fraction of the time.
async fn settings(client: &Client, schema: &str) -> Result<String, tokio_postgres::Error> {
    let sql = "SELECT (SELECT quote_ident(nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
                       WHERE e.extname = 'timescaledb'),
               EXISTS (SELECT FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)),
               EXISTS (SELECT FROM pg_settings WHERE name = 'transaction_timeout'),
               EXISTS (SELECT FROM pg_settings WHERE name = 'timescaledb.max_tuples_decompressed_per_dml_transaction')";
    let row = client.query_typed_one(sql, &[]).await?;
    let path = [Some(schema), Some("public"), row.get(0)].into_iter().flatten().collect::<Vec<_>>().join(", ");
    let statement = STATEMENT.as_millis();
    let (statement, lock) = (statement.to_string(), (statement / 2).to_string());
    let mut fixed = vec![
        ("search_path", path.as_str()),
        ("timezone", "UTC"),
        ("client_min_messages", "warning"),
        ("statement_timeout", &statement),
        ("lock_timeout", &lock),
        ("idle_in_transaction_session_timeout", &statement),
    ];
    if row.get(1) {
        fixed.push(("default_toast_compression", "lz4"));
    }
    // From PostgreSQL 17 on. A role's limit is for others: a batch or a migration may take as long as its statements.
    if row.get(2) {
        fixed.push(("transaction_timeout", "0"));
    }
    // What comes late into a compressed chunk is written whatever it takes: the limit is for those who do so by mistake.
    if row.get(3) {
        fixed.push(("timescaledb.max_tuples_decompressed_per_dml_transaction", "0"));
    }
    let set = |(name, value): (&str, &str)| format!("set_config('{name}', '{}', true)", value.replace('\'', "''"));
    let fixed: Vec<String> = fixed.into_iter().map(set).collect();
    Ok(format!(
        "SELECT {}, set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') IN ('off', 'local')
         THEN 'on' ELSE current_setting('synchronous_commit') END, true)",
        fixed.join(", ")
    ))
}

/// A response in progress.
pub type Asked<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// Connections for questions.
pub struct Readers {
    target: Target,
    idle: Mutex<Vec<Session>>,
    free: Arc<Semaphore>,
    /// Questions that nobody waits for any more, until the server has ended them.
    ending: Mutex<JoinSet<()>>,
}

/// A session that works on a question. Where nobody waits for its end any more, the server is told so, and its turn ends when the
/// server's work does.
struct Working<'a> {
    readers: &'a Readers,
    session: Option<Session>,
    turn: Arc<OwnedSemaphorePermit>,
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        let Some(session) = self.session.take().filter(|session| !session.is_closed()) else { return };
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let (target, turn) = (self.readers.target.clone(), self.turn.clone());
        let mut ending = self.readers.ending.lock().unwrap_or_else(PoisonError::into_inner);
        while ending.try_join_next().is_some() {}
        ending.spawn(async move {
            session.end(target).await;
            drop(turn);
        });
    }
}

impl Readers {
    /// None open yet.
    pub fn new(target: Target) -> Self {
        let (idle, free) = (Mutex::new(Vec::new()), Arc::new(Semaphore::new(READERS)));
        Readers { target, idle, free, ending: Mutex::default() }
    }

    /// Runs a query in a transaction that sees one state of the tables. If its connection is broken, it is run
    /// once more on a new one: the server may have been restarted since. What others broke off is run again.
    ///
    /// # Errors
    /// When the query fails, or the server does not respond.
    pub async fn ask<T>(
        &self,
        doing: &str,
        question: impl for<'a> Fn(&'a Transaction<'a>) -> Asked<'a, T>,
    ) -> Result<T, StoreError> {
        let turn = Arc::new(self.free.clone().acquire_owned().await.map_err(|_| closed(doing))?);
        for _ in 0..AGAIN {
            match self.ask_once(&turn, doing, &question).await {
                Err(error) if error::is_by_others(&error) => {}
                answer => return answer,
            }
        }
        self.ask_once(&turn, doing, &question).await
    }

    async fn ask_once<T>(
        &self,
        turn: &Arc<OwnedSemaphorePermit>,
        doing: &str,
        question: &impl for<'a> Fn(&'a Transaction<'a>) -> Asked<'a, T>,
    ) -> Result<T, StoreError> {
        let used = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop().filter(|s| !s.is_closed());
        if let Some(session) = used
            && let (answer, true) = self.ask_on(session, turn, doing, question).await
        {
            return answer;
        }
        let opening = patience::current().map_or(DEADLINE, |_| 2 * BEGINNING);
        let session = within(opening, doing, Session::open(&self.target)).await?;
        self.ask_on(session, turn, doing, question).await.0
    }

    /// The result, and whether the connection is still usable.
    async fn ask_on<T>(
        &self,
        session: Session,
        turn: &Arc<OwnedSemaphorePermit>,
        doing: &str,
        question: &impl for<'a> Fn(&'a Transaction<'a>) -> Asked<'a, T>,
    ) -> (Result<T, StoreError>, bool) {
        let mut working = Working { readers: self, session: Some(session), turn: turn.clone() };
        let Some(session) = working.session.as_mut() else { return (Err(closed(doing)), false) };
        let asked = async {
            let patience = patience::current().map(|patience| patience.min(STATEMENT));
            let beginning = patience.map_or(DEADLINE, |_| BEGINNING);
            let transaction = within(beginning, doing, session.begin_reading(doing)).await?;
            if patience.is_some() {
                have_patience(&transaction, Duration::ZERO, doing).await?;
            }
            let answer = question(&transaction).await?;
            transaction.commit().await.map_err(error::at(doing))?;
            Ok(answer)
        };
        let answer = within(DEADLINE, doing, asked).await;
        let alive = !matches!(answer, Err(StoreError::Unavailable { .. }));
        let alive = alive && working.session.as_ref().is_some_and(|session| !session.is_closed());
        if alive && let Some(session) = working.session.take() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
        }
        (answer, alive)
    }

    /// Ends every connection, and waits for what is being ended; further questions are refused.
    pub async fn close(&self) {
        self.free.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let ending = std::mem::take(&mut *self.ending.lock().unwrap_or_else(PoisonError::into_inner));
        ending.join_all().await;
    }
}

/// Lets the server work on what is asked next for as long as the asker still waits, of which some has passed. Who has no patience of its
/// own waits for each statement as long as any may take.
///
/// # Errors
/// `Refused` when it does not wait any more.
pub async fn have_patience(asked: &Transaction<'_>, passed: Duration, doing: &str) -> Result<(), StoreError> {
    let Some(patience) = patience::current() else { return Ok(()) };
    let Some(left) = patience.min(STATEMENT).checked_sub(passed).filter(|left| !left.is_zero()) else {
        return Err(StoreError::Refused(format!("{doing}: it takes too long: {}", patience::LESS)));
    };
    let limit = format!("SET LOCAL statement_timeout TO {}", left.as_millis().max(1));
    asked.batch_execute(&limit).await.map_err(error::at(doing))
}

fn closed(doing: &str) -> StoreError {
    StoreError::Fatal { doing: doing.to_owned(), cause: "the store is closed".into() }
}
