//! The rows that a sink has stored, put into its emptied table once more, by others.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::{Bytes, BytesMut};
use futures::{SinkExt, TryStreamExt};
use tokio_postgres::Client;

use crate::database::on;

/// Bytes that go to the server at a time, about; as the sink sends them.
const PIECE: usize = 256 << 10;
/// Connections of timescaledb-parallel-copy: what two cores can serve.
const WORKERS: &str = "4";

/// See the module.
pub struct Again<'a> {
    url: &'a str,
    schema: String,
    rows: u64,
}

impl<'a> Again<'a> {
    /// Of a database in which a sink has stored so many rows.
    ///
    /// # Errors
    /// When there is no table with them.
    pub fn of(url: &'a str, rows: u64) -> Result<Again<'a>> {
        let schema = "SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                      WHERE c.relname = 'events' AND c.relkind IN ('r', 'p')";
        let ask = async |client: &Client| Ok(client.query_one(schema, &[]).await?.get(0));
        let again = Again { url, schema: on(url, ask).context("looking for the table")?, rows };
        again.all_there()?;
        Ok(again)
    }

    /// How long one COPY on one connection in one transaction takes.
    ///
    /// # Errors
    /// When the server refuses something.
    pub fn copied(&self) -> Result<Duration> {
        let took = on(self.url, async |client| {
            let rows = self.taken_out(client, "BINARY").await.context("reading rows")?;
            self.empty(client).await?;
            let began = Instant::now();
            let copy = format!("COPY {}.events FROM STDIN BINARY", self.schema);
            let mut sink = std::pin::pin!(client.copy_in(&copy).await.context("starting COPY")?);
            for piece in rows {
                sink.send(piece).await.context("sending rows")?;
            }
            sink.finish().await.context("ending COPY")?;
            Ok(began.elapsed())
        })?;
        self.all_there()?;
        Ok(took)
    }

    /// How long timescaledb-parallel-copy takes with a CSV of them: as it comes, and with rows that stay rows.
    ///
    /// # Errors
    /// When the server or the program refuses something.
    pub fn copied_by(&self, program: &Path, file: &Path) -> Result<[Duration; 2]> {
        on(self.url, async |client| {
            let mut out = File::create(file).context("creating a file of rows")?;
            for piece in self.taken_out(client, "CSV").await.context("reading rows")? {
                out.write_all(&piece).context("writing rows")?;
            }
            Ok(())
        })?;
        let once = |compressed: bool| {
            on(self.url, async |client| self.empty(client).await)?;
            let mut command = Command::new(program);
            command.args(["--connection", self.url, "--schema", &self.schema, "--table", "events"]);
            command.args(["--workers", WORKERS, "--file"]).arg(file);
            if !compressed {
                command.arg("--disable-direct-compress");
            }
            let began = Instant::now();
            let done = command.stdin(Stdio::null()).output().context("running timescaledb-parallel-copy")?;
            let took = began.elapsed();
            ensure!(done.status.success(), "timescaledb-parallel-copy: {}", String::from_utf8_lossy(&done.stderr));
            self.all_there()?;
            anyhow::Ok(took)
        };
        Ok([once(true)?, once(false)?])
    }

    async fn empty(&self, client: &Client) -> Result<()> {
        let statement = format!("TRUNCATE {}.events; CHECKPOINT", self.schema);
        client.batch_execute(&statement).await.context("emptying the table")
    }

    fn all_there(&self) -> Result<()> {
        let count = format!("SELECT count(*) FROM {}.events", self.schema);
        let rows: i64 = on(self.url, async |client| Ok(client.query_one(&count, &[]).await?.get(0)))?;
        ensure!(rows.unsigned_abs() == self.rows, "{rows} of {} rows are in the table", self.rows);
        Ok(())
    }

    async fn taken_out(&self, client: &Client, format: &str) -> Result<Vec<Bytes>, tokio_postgres::Error> {
        let copy = format!("COPY (SELECT * FROM {}.events) TO STDOUT {format}", self.schema);
        let mut out = std::pin::pin!(client.copy_out(&copy).await?);
        let (mut pieces, mut piece) = (Vec::new(), BytesMut::with_capacity(PIECE));
        while let Some(bytes) = out.try_next().await? {
            piece.extend_from_slice(&bytes);
            if piece.len() >= PIECE {
                pieces.push(std::mem::replace(&mut piece, BytesMut::with_capacity(PIECE)).freeze());
            }
        }
        pieces.push(piece.freeze());
        Ok(pieces)
    }
}
