//! Connections: one to write with, a few to ask with, each with what it needs of the server.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_postgres::{Client, IsolationLevel, Transaction};

use super::error;
use super::options::Target;
use crate::port::StoreError;

/// Connections that ask at the same time; further questions wait.
const READERS: usize = 4;

/// The server ends what takes longer,
const STATEMENT: Duration = Duration::from_secs(60);
/// and we do not wait much longer for its answer.
pub const DEADLINE: Duration = Duration::from_secs(90);

/// An open connection. Its task ends with it.
pub struct Session {
    /// To talk to the server.
    pub client: Client,
    _driver: JoinSet<()>,
}

impl Session {
    /// Connects and sets the session up.
    ///
    /// # Errors
    /// When there is no way in; see [`error::at`].
    pub async fn open(target: &Target) -> Result<Self, StoreError> {
        let doing = format!("connecting to {}", target.place);
        let opened = async {
            let (client, connection) =
                target.config.connect(target.tls.clone()).await.map_err(error::at(doing.clone()))?;
            let mut driver = JoinSet::new();
            // Who asks is told when it breaks.
            driver.spawn(async move { drop(connection.await) });
            client.batch_execute(&settings(&target.schema)).await.map_err(error::at(doing.clone()))?;
            Ok(Session { client, _driver: driver })
        };
        within(DEADLINE, &doing, opened).await
    }
}

/// Waits for an answer, but not for ever: a server that hangs is as good as down.
pub async fn within<T>(
    deadline: Duration,
    doing: &str,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(deadline, work).await.unwrap_or_else(|_| Err(error::silent(doing, deadline)))
}

/// The schema comes first; TimescaleDB's functions are found wherever they were put. Of a client that vanished the server
/// keeps no locks; a commit that was answered is on the disk, whatever the server's default. Sketches are packed again with
/// every batch: lz4, where the server has it, does that in a fraction of the time.
fn settings(schema: &str) -> String {
    let statement = STATEMENT.as_millis();
    format!(
        "SELECT set_config('search_path', concat_ws(', ', '{schema}', 'public', (SELECT quote_ident(nspname)
           FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'timescaledb')), false);
         SET timezone TO 'UTC'; SET client_min_messages TO warning;
         SET statement_timeout TO {statement}; SET lock_timeout TO {}; SET idle_in_transaction_session_timeout TO {statement};
         SET tcp_keepalives_idle TO 30; SET tcp_keepalives_interval TO 10; SET tcp_keepalives_count TO 3;
         SELECT set_config('synchronous_commit', 'on', false)
         WHERE current_setting('synchronous_commit') IN ('off', 'local');
         SELECT set_config(name, 'lz4', false) FROM pg_settings
         WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals);",
        statement / 2
    )
}

/// An answer under way.
pub type Asked<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// Connections for questions.
pub struct Readers {
    target: Target,
    idle: Mutex<Vec<Session>>,
    free: Semaphore,
}

impl Readers {
    /// None open yet.
    pub fn new(target: Target) -> Self {
        Readers { target, idle: Mutex::new(Vec::new()), free: Semaphore::new(READERS) }
    }

    /// Runs a question in a transaction that sees one state of the tables. One that finds its connection broken is asked
    /// once more on a new one: the server may have been restarted since.
    ///
    /// # Errors
    /// As the question answers, or when the server does not.
    pub async fn ask<T>(
        &self,
        doing: &str,
        question: impl for<'a> Fn(&'a Transaction<'a>) -> Asked<'a, T>,
    ) -> Result<T, StoreError> {
        let _turn = self.free.acquire().await.map_err(|_| closed(doing))?;
        let used = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop().filter(|s| !s.client.is_closed());
        if let Some(session) = used
            && let (answer, true) = self.ask_on(session, doing, &question).await
        {
            return answer;
        }
        let session = Session::open(&self.target).await?;
        self.ask_on(session, doing, &question).await.0
    }

    /// The answer, and whether the connection outlived it.
    async fn ask_on<T>(
        &self,
        mut session: Session,
        doing: &str,
        question: &impl for<'a> Fn(&'a Transaction<'a>) -> Asked<'a, T>,
    ) -> (Result<T, StoreError>, bool) {
        let asked = async {
            let transaction = session.client.build_transaction().isolation_level(IsolationLevel::RepeatableRead);
            let transaction = transaction.read_only(true).start().await.map_err(error::at(doing))?;
            let answer = question(&transaction).await?;
            transaction.commit().await.map_err(error::at(doing))?;
            Ok(answer)
        };
        let answer = within(DEADLINE, doing, asked).await;
        let alive = !matches!(answer, Err(StoreError::Unavailable { .. })) && !session.client.is_closed();
        if alive {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
        }
        (answer, alive)
    }

    /// Ends every connection; further questions are refused.
    pub fn close(&self) {
        self.free.close();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn closed(doing: &str) -> StoreError {
    StoreError::Fatal { doing: doing.to_owned(), cause: "the store is closed".into() }
}
