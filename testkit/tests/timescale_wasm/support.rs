//! Connections, and what they find.

use std::time::Duration;

use slipstream_testkit::services;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

/// How long anything may take.
pub const DEADLINE: Duration = Duration::from_secs(60);
/// Long enough for a statement to be answered, if nothing keeps it waiting.
pub const MOMENT: Duration = Duration::from_millis(400);

/// A client with its connection's task, which ends with it.
pub struct Connected {
    pub client: Client,
    connection: AbortHandle,
    _task: JoinSet<()>,
}

impl Connected {
    pub async fn to(url: &str) -> Connected {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        let mut task = JoinSet::new();
        let connection = task.spawn(async move { drop(connection.await) });
        Connected { client, connection, _task: task }
    }

    /// The socket is closed without a word.
    pub fn vanish(self) {
        self.connection.abort();
    }

    pub async fn run(&self, sql: &str) {
        self.client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    pub async fn number(&self, sql: &str) -> i64 {
        let answer = timeout(DEADLINE, self.client.query_one(sql, &[])).await.expect("an answer in time");
        answer.unwrap_or_else(|error| panic!("{sql}: {error:?}")).get(0)
    }

    pub async fn text(&self, sql: &str) -> String {
        self.client.query_one(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}")).get(0)
    }
}

/// An empty database, or none where there is no Node.
pub async fn fresh_database() -> Option<String> {
    Some(services::timescale_in_wasm().await?.fresh_database().await)
}

/// The SQLSTATE of a refusal.
#[track_caller]
pub fn refused<T: std::fmt::Debug>(answer: Result<T, tokio_postgres::Error>) -> SqlState {
    let error = answer.expect_err("it was to be refused");
    error.code().unwrap_or_else(|| panic!("{error:?}")).clone()
}
