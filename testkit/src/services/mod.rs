//! Real services for tests: Apache Kafka and PostgreSQL, shared by all tests of a process or one test's own.
//!
//! Where they come from, in this order: an address in the environment (`SLIPSTREAM_TEST_KAFKA`,
//! `SLIPSTREAM_TEST_POSTGRES`), Docker through testcontainers if a daemon is running, native processes.
//! `SLIPSTREAM_TEST_SERVICES=docker` or `native` forces a way. A test that cannot get its service fails.

mod acls;
mod background;
mod container;
mod daemon;
mod guardian;
mod image;
mod instance;
mod kafka;
mod native;
mod pooler;
pub mod ports;
mod postgres;
mod programs;
mod report;
mod secured;
mod way;

use std::sync::Arc;

use tokio::sync::OnceCell;

pub use acls::{Acl, Operation, Resource};
pub use daemon::{docker, started};
pub use kafka::{KAFKA_VERSION, Kafka};
pub use pooler::Pooler;
pub use postgres::Postgres;
pub use programs::POSTGRES_HOME;
pub use report::{REPORT, Use, Uses};
pub use secured::{SecuredKafka, User};
pub use way::{KAFKA, POSTGRES, SERVICES, TIMESCALE};

/// A service, or why there is none; either is found out once.
type Shared<T> = OnceCell<Result<Arc<T>, String>>;

/// The Kafka that all tests of this process share; the first caller starts it. In a run of all tests other processes
/// share it too: topics, groups and transactional ids need unique names.
///
/// # Panics
/// When there is none and none can be started, saying what to do.
pub async fn kafka() -> Arc<Kafka> {
    static KAFKA: Shared<Kafka> = OnceCell::const_new();
    let started = || async {
        let kafka = background::on_own_runtime(Kafka::shared()).await;
        kafka.map_err(|error| way::advice("Kafka", &error))
    };
    let kafka = KAFKA.get_or_init(started).await.clone().unwrap_or_else(|why| panic!("{why}"));
    report::note("kafka", Use::Shared, &kafka.describe());
    kafka
}

/// The PostgreSQL that all tests of this process share; the first caller starts it. Tests use their own databases
/// from it with [`Postgres::fresh_database`].
///
/// # Panics
/// When there is none and none can be started, saying what to do.
pub async fn postgres() -> Arc<Postgres> {
    static POSTGRES: Shared<Postgres> = OnceCell::const_new();
    let started = || async {
        let postgres = background::on_own_runtime(Postgres::shared()).await;
        postgres.map_err(|error| way::advice("PostgreSQL", &error))
    };
    let postgres = POSTGRES.get_or_init(started).await.clone().unwrap_or_else(|why| panic!("{why}"));
    report::note("postgres", Use::Shared, &postgres.describe());
    postgres
}

/// The PostgreSQL with the TimescaleDB extension that all tests of this process share, where there is one: its image is
/// in no registry that every machine reaches. A test that gets none returns; the run's closing list counts it.
pub async fn timescale() -> Option<Arc<Postgres>> {
    static TIMESCALE: Shared<Postgres> = OnceCell::const_new();
    let started = || async {
        let postgres = background::on_own_runtime(Postgres::timescale()).await;
        postgres.map_err(|error| format!("{error:#}"))
    };
    match TIMESCALE.get_or_init(started).await {
        Ok(postgres) => {
            report::note("timescale", Use::Shared, &postgres.describe());
            Some(Arc::clone(postgres))
        }
        Err(why) => {
            report::note("timescale", Use::Missing, why);
            None
        }
    }
}
