//! Real services for tests: Apache Kafka and PostgreSQL, shared by all tests of a process or one test's own; TimescaleDB and
//! each major of PostgreSQL, shared.
//!
//! Where they come from, in this order: an address in the environment (`SLIPSTREAM_TEST_KAFKA`,
//! `SLIPSTREAM_TEST_POSTGRES`), Docker through testcontainers if a daemon is running, native processes.
//! `SLIPSTREAM_TEST_SERVICES=docker` or `native` forces a way. A test that cannot get its service fails. What comes from npm,
//! which not every machine has, may be missing: a test that gets none returns, except in CI (`CI=true`), where it fails.

mod acls;
mod background;
mod container;
mod daemon;
mod guardian;
mod image;
mod instance;
mod kafka;
mod majors;
mod native;
mod pooler;
pub mod ports;
mod postgres;
mod programs;
mod report;
mod secured;
mod timescale;
mod way;

use std::sync::Arc;

use tokio::sync::OnceCell;

pub use acls::{Acl, Operation, Resource};
pub use daemon::{docker, started};
pub use kafka::{KAFKA_VERSION, Kafka};
pub use majors::MAJORS;
pub use pooler::Pooler;
pub use postgres::Postgres;
pub use programs::POSTGRES_HOME;
pub use report::{REPORT, Use, Uses};
pub use secured::{SecuredKafka, User};
pub use way::{KAFKA, NONE, POSTGRES, SERVICES, TIMESCALE};

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

/// The PostgreSQL with the TimescaleDB extension that all tests of this process share: an external one, its image, or WASM
/// from npm. A test that gets none returns; the run's closing list counts it.
///
/// # Panics
/// When there is none and CI wants it.
pub async fn timescale() -> Option<Arc<Postgres>> {
    static TIMESCALE: Shared<Postgres> = OnceCell::const_new();
    let started =
        || async { background::on_own_runtime(timescale::shared()).await.map_err(|error| format!("{error:#}")) };
    optional("timescale", way::TIMESCALE, TIMESCALE.get_or_init(started).await)
}

/// TimescaleDB in WASM, shared by the tests of this process that are about the program that runs it: `timescale()` may be
/// another. A test that gets none returns; the run's closing list counts it.
///
/// # Panics
/// When there is none and CI wants it.
pub async fn timescale_in_wasm() -> Option<Arc<Postgres>> {
    static WASM: Shared<Postgres> = OnceCell::const_new();
    let started =
        || async { background::on_own_runtime(timescale::wasm()).await.map_err(|error| format!("{error:#}")) };
    optional("timescale-wasm", way::TIMESCALE, WASM.get_or_init(started).await)
}

/// The PostgreSQL of a major that all tests of this process share, always a native process: one of [`MAJORS`]. A test that
/// gets none returns; the run's closing list counts it.
///
/// # Panics
/// When there is none and CI wants it, or for another major.
pub async fn postgres_major(major: u32) -> Option<Arc<Postgres>> {
    static SERVERS: [Shared<Postgres>; MAJORS.len()] = [const { OnceCell::const_new() }; MAJORS.len()];
    let at = MAJORS.iter().position(|known| *known == major).unwrap_or_else(|| panic!("PostgreSQL {major}"));
    let started =
        || async { background::on_own_runtime(majors::shared(major)).await.map_err(|error| format!("{error:#}")) };
    optional(&format!("postgres-{major}"), &majors::variable(major), SERVERS[at].get_or_init(started).await)
}

/// Notes what a test gets. In CI somebody must have said by the variable that there is none.
fn optional(service: &str, variable: &str, found: &Result<Arc<Postgres>, String>) -> Option<Arc<Postgres>> {
    match found {
        Ok(postgres) => {
            report::note(service, Use::Shared, &postgres.describe());
            Some(Arc::clone(postgres))
        }
        Err(why) => {
            let chosen = way::given(variable).ok().flatten().is_some_and(|given| given == way::NONE);
            assert!(chosen || !way::is_ci(), "{service} is not available, and CI=true wants it: {why}");
            report::note(service, Use::Missing, why);
            None
        }
    }
}
