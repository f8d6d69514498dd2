//! The store in PostgreSQL: version, extension, rights, tables, clock.

use slipstream_log::kafka::admin::Finding;
use slipstream_store::postgres::{Inspection, Layout, inspect};
use slipstream_store::{PostgresOptions, PostgresStore, SharedStore, StoreError};

use super::clocks::{self, Ahead};
use super::positions::Stored;

const CHECK: &str = "database";

/// Examines a database; returns the sink's positions if it has tables. `broker`: the broker's clock.
pub async fn examine(options: &PostgresOptions, broker: Option<Ahead>) -> (Vec<Finding>, Option<Stored>) {
    let facts = match inspect(options).await {
        Ok(facts) => facts,
        Err(error) => return (vec![no_way_in(&error)], None),
    };
    let mut findings = judge(&facts);
    let within = (facts.round_trip_ms / 2.0).ceil() as i64 + 1;
    findings.push(clocks::database(Ahead { ms: facts.clock_difference_ms, within }, broker));
    if facts.schema_version != Some(facts.known_schema_version) {
        // No sink has begun with it yet.
        return (findings, facts.schema_version.is_none().then(Stored::default));
    }
    match stored(options).await {
        Ok(stored) => (findings, Some(stored)),
        Err(error) => {
            findings.push(Finding::error(CHECK, error.to_string(), "allow SELECT on the tables to this user"));
            (findings, None)
        }
    }
}

async fn stored(options: &PostgresOptions) -> Result<Stored, StoreError> {
    let store = PostgresStore::connect_read_only(options.clone()).await?;
    let shared: SharedStore = store.clone();
    let stored = Stored::of(&shared).await;
    store.close().await;
    stored
}

fn no_way_in(error: &StoreError) -> Finding {
    let todo = match error {
        StoreError::Unavailable { .. } => "is the address right, and is the server up? Is a firewall in between?",
        _ => "fix what the message says",
    };
    let message = match error {
        StoreError::Unavailable { doing, cause } | StoreError::Fatal { doing, cause } => format!("{doing}: {cause}"),
        error => error.to_string(),
    };
    Finding::error(CHECK, message, todo)
}

/// What the facts mean.
fn judge(facts: &Inspection) -> Vec<Finding> {
    let mut findings = vec![server(facts), extension(facts)];
    findings.extend(encoding(facts));
    findings.extend(rights(facts));
    findings.extend(tables(facts));
    findings.extend(connection(facts));
    findings
}

fn server(facts: &Inspection) -> Finding {
    let message = format!("{} responds: PostgreSQL {}", facts.place, facts.server_version);
    if !facts.server_new_enough {
        return Finding::error(CHECK, format!("{message}, which is too old"), "upgrade the server");
    }
    if facts.read_only {
        let todo = "point --store at the primary (or name all hosts, with target_session_attrs=read-write)";
        return Finding::error(CHECK, format!("{message}, a standby: nothing can be written"), todo);
    }
    Finding::ok(CHECK, message)
}

const TIMESCALE: &str = "timescaledb";

fn extension(facts: &Inspection) -> Finding {
    match (&facts.timescaledb, &facts.timescaledb_available) {
        (Some(version), _) => enabled(facts, version),
        (None, Some(version)) => available(facts, version),
        (None, None) => Finding::ok(TIMESCALE, "not on this server: events are in native partitions"),
    }
}

fn enabled(facts: &Inspection, version: &str) -> Finding {
    let kept = match facts.layout {
        Some(layout) => {
            let plain = plain_tables(layout, facts.timescaledb_license.as_deref() != Some("apache"));
            if !plain.is_empty() && facts.timescaledb_usable != Some(false) {
                let message =
                    format!("{version}, enabled after the tables were created: {} as without it", plain.join(", "));
                let todo = Some("slipstream store migrate, as the owner of the tables".to_owned());
                return Finding { todo, ..Finding::ok(TIMESCALE, message) };
            }
            "events, rollups and burn rates are in hypertables"
        }
        None => "the first sink will put events, rollups and burn rates into hypertables",
    };
    if let (Some(schema), Some(false)) = (&facts.timescaledb_schema, facts.timescaledb_usable) {
        let user = &facts.user;
        let message =
            format!("{version}: the user {user} may not use its schema {schema}, so it cannot call its functions");
        return Finding::error(TIMESCALE, message, format!("GRANT USAGE ON SCHEMA {schema} TO {user}"));
    }
    if facts.timescaledb_license.as_deref() == Some("apache") {
        let message = format!(
            "{version} under the Apache licence, which does not compress and has no continuous aggregates; {kept}"
        );
        let todo = match facts.timescaledb_apache_build {
            true => "this build is Apache-only; install the community edition to save four fifths of the space",
            false => "timescaledb.license = 'timescale' saves four fifths of the space",
        };
        return Finding::warn(TIMESCALE, message, todo);
    }
    Finding::ok(TIMESCALE, format!("{version}: {kept}"))
}

/// What is kept as if there were no TimescaleDB.
fn plain_tables(layout: Layout, is_community: bool) -> Vec<&'static str> {
    let Layout { events, rollups, burn_rates, continuous } = layout;
    let kept = [
        (events, "events"),
        (rollups, "rollups"),
        (burn_rates, "burn rates"),
        (continuous || !is_community, "aggregates"),
    ];
    kept.into_iter().filter(|(is_timescale, _)| !is_timescale).map(|(_, name)| name).collect()
}

const NATIVE: &str = "events are in native partitions";

/// Installed, and not enabled in this database.
fn available(facts: &Inspection, version: &str) -> Finding {
    if facts.schema_version.is_some() {
        let message = format!("{version} is installed but was not enabled when the tables were created: {NATIVE}");
        let todo = Some("to change that: CREATE EXTENSION timescaledb; slipstream store migrate".to_owned());
        return Finding { todo, ..Finding::ok(TIMESCALE, message) };
    }
    let message =
        format!("{version} is installed but not enabled: the first sink will put events into native partitions");
    match facts.timescaledb_preloaded {
        Some(false) => {
            let message =
                format!("{message}; it is not preloaded, so it cannot be enabled: CREATE EXTENSION would fail");
            let todo = "before starting a sink: set shared_preload_libraries = 'timescaledb' in postgresql.conf, restart the \
                        server, CREATE EXTENSION timescaledb";
            Finding::warn(TIMESCALE, message, todo)
        }
        _ => Finding::warn(TIMESCALE, message, "before starting a sink: CREATE EXTENSION timescaledb"),
    }
}

fn encoding(facts: &Inspection) -> Option<Finding> {
    (facts.encoding != "UTF8").then(|| {
        let message = format!("the database's encoding is {}", facts.encoding);
        Finding::error(
            CHECK,
            message,
            "create one with UTF8: CREATE DATABASE slipstream ENCODING 'UTF8' TEMPLATE template0",
        )
    })
}

fn rights(facts: &Inspection) -> Option<Finding> {
    let Inspection { user, schema, .. } = facts;
    if facts.can_write == Some(false) {
        let message = format!("the user {user} may not write to the tables in the schema {schema}");
        let todo = format!("make the user their owner, or GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {user}");
        return Some(Finding::error("rights", message, todo));
    }
    if facts.can_create_schema {
        return Some(Finding::ok("rights", format!("the user {user} may create and change what it needs")));
    }
    if facts.schema_version == Some(facts.known_schema_version) {
        return Some(Finding::ok("rights", format!("user {user} has write access; no tables need to be created")));
    }
    let (message, todo) = match facts.schema_exists {
        false => (
            format!("the user {user} may not create the schema {schema}"),
            format!("GRANT CREATE ON DATABASE <this one> TO {user}, or CREATE SCHEMA {schema} AUTHORIZATION {user}"),
        ),
        true => (
            format!("the user {user} may not create tables in the schema {schema}"),
            format!("ALTER SCHEMA {schema} OWNER TO {user}"),
        ),
    };
    Some(Finding::error("rights", message, todo))
}

fn tables(facts: &Inspection) -> Option<Finding> {
    let known = facts.known_schema_version;
    let check = "tables";
    if !facts.missing_tables.is_empty() {
        let message = format!("missing in the schema {}: {}", facts.schema, facts.missing_tables.join(", "));
        let todo = "find out what removed them, and restore them from a backup; until then the sink stores nothing, and \
                    the log keeps what is not stored yet for as long as its retention";
        return Some(Finding::error(check, message, todo));
    }
    Some(match facts.schema_version {
        None => Finding::ok(check, "none yet: the first sink makes them"),
        Some(version) if version == known => {
            Finding::ok(check, format!("schema version {version}, matches this program"))
        }
        Some(version) if version < known => Finding::ok(
            check,
            format!("schema version {version}: the next sink of this version upgrades it to {known}"),
        ),
        Some(version) => {
            let message = format!("schema version {version}, this program knows {known}");
            Finding::error(check, message, "upgrade this program")
        }
    })
}

fn connection(facts: &Inspection) -> Vec<Finding> {
    let check = "connection";
    let mut findings = Vec::new();
    let here = ["://127.", "://localhost", "://[::1]", ":///"].iter().any(|place| facts.place.contains(place));
    if !facts.encrypted && !here {
        let message = "is not encrypted: password and data can be read and changed in transit";
        findings.push(Finding::warn(check, message, "add sslmode=verify-full to the URL, and postgres.root_cert"));
    }
    if facts.connections * 10 > i64::from(facts.max_connections) * 9 {
        let message = format!("{} of {} connections are in use", facts.connections, facts.max_connections);
        findings.push(Finding::warn(check, message, "close idle connections, or raise max_connections"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use slipstream_log::kafka::admin::Severity;

    use super::*;

    fn healthy() -> Inspection {
        Inspection {
            place: "postgres://127.0.0.1:5432/shop".into(),
            server_version: "15.18".into(),
            server_version_number: 150_018,
            server_new_enough: true,
            encoding: "UTF8".into(),
            read_only: false,
            encrypted: false,
            timescaledb: None,
            timescaledb_available: None,
            timescaledb_preloaded: Some(false),
            timescaledb_license: None,
            timescaledb_apache_build: false,
            timescaledb_schema: None,
            timescaledb_usable: None,
            events_in_hypertable: Some(false),
            layout: Some(Layout::default()),
            missing_tables: Vec::new(),
            user: "slip".into(),
            schema: "slipstream".into(),
            schema_exists: true,
            can_create_schema: true,
            can_write: Some(true),
            schema_version: Some(1),
            known_schema_version: 1,
            clock_difference_ms: 0,
            round_trip_ms: 0.5,
            max_connections: 100,
            connections: 10,
        }
    }

    #[test]
    fn one_fact_changed() {
        use Severity::{Error, Warn};
        type Change = fn(&mut Inspection);
        let table: [(Change, Severity, &str); 16] = [
            (|f| f.server_new_enough = false, Error, "too old"),
            (|f| f.read_only = true, Error, "a standby"),
            (|f| f.encoding = "LATIN1".into(), Error, "encoding is LATIN1"),
            (|f| f.place = "postgres://db:5432/shop".into(), Warn, "is not encrypted"),
            (|f| f.connections = 95, Warn, "95 of 100 connections"),
            (|f| f.can_write = Some(false), Error, "may not write to the tables"),
            (|f| f.schema_version = Some(2), Error, "schema version 2, this program knows 1"),
            (|f| (f.can_create_schema, f.schema_version) = (false, None), Error, "may not create tables in the schema"),
            (
                |f| (f.can_create_schema, f.schema_exists, f.schema_version) = (false, false, None),
                Error,
                "may not create the schema slipstream",
            ),
            (|f| (f.timescaledb_available, f.schema_version) = (Some("2.1".into()), None), Warn, "not preloaded"),
            (
                |f| {
                    (f.timescaledb_available, f.schema_version) = (Some("2.1".into()), None);
                    f.timescaledb_preloaded = None;
                },
                Warn,
                "is installed but not enabled",
            ),
            (|f| (f.timescaledb, f.timescaledb_license, f.layout) = apache(), Warn, "does not compress"),
            (
                |f| {
                    (f.timescaledb, f.timescaledb_license, f.layout) = apache();
                    f.timescaledb_apache_build = true;
                },
                Warn,
                "does not compress",
            ),
            (
                |f| {
                    (f.timescaledb, f.layout) = (Some("2.1".into()), None);
                    (f.timescaledb_schema, f.timescaledb_usable) = (Some("ts".into()), Some(false));
                },
                Error,
                "may not use its schema ts",
            ),
            (|f| f.missing_tables = vec!["days".into()], Error, "missing in the schema slipstream: days"),
            (|f| (f.can_create_schema, f.schema_version) = (false, Some(0)), Error, "may not create tables"),
        ];
        for (change, severity, expected) in table {
            let mut facts = healthy();
            change(&mut facts);
            let wrong: Vec<Finding> = judge(&facts).into_iter().filter(|f| f.severity != Severity::Ok).collect();
            assert_eq!(wrong.len(), 1, "{expected}: {wrong:?}");
            assert!(wrong[0].severity == severity && wrong[0].message.contains(expected), "{wrong:?}");
            assert!(wrong[0].todo.is_some());
        }
    }

    const HYPER: Layout = Layout { events: true, rollups: true, burn_rates: true, continuous: true };

    fn apache() -> (Option<String>, Option<String>, Option<Layout>) {
        (Some("2.1".into()), Some("apache".into()), Some(Layout { continuous: false, ..HYPER }))
    }

    #[test]
    fn tables_that_could_be_hypertables_are_named() {
        let mut facts = healthy();
        facts.timescaledb = Some("2.28".into());
        let found = extension(&facts);
        assert!(found.message.contains("events, rollups, burn rates, aggregates as without it"), "{}", found.message);
        assert!(found.todo.unwrap_or_default().contains("slipstream store migrate"));
        facts.layout = Some(HYPER);
        assert_eq!(extension(&facts).todo, None);
    }

    #[test]
    fn advice_about_timescale_can_be_followed() {
        let todo = |change: fn(&mut Inspection)| {
            let mut facts = healthy();
            change(&mut facts);
            extension(&facts).todo.unwrap_or_default()
        };
        let installed: fn(&mut Inspection) = |f| (f.timescaledb_available, f.schema_version) = (Some("2".into()), None);
        assert!(todo(installed).contains("shared_preload_libraries = 'timescaledb'"));
        let licence = todo(|f| (f.timescaledb, f.timescaledb_license, f.layout) = apache());
        assert!(licence.contains("timescaledb.license"), "{licence}");
        let build = todo(|f| {
            (f.timescaledb, f.timescaledb_license, f.layout) = apache();
            f.timescaledb_apache_build = true;
        });
        assert!(build.contains("community") && !build.contains("license ="), "{build}");
        let usage = todo(|f| {
            (f.timescaledb, f.timescaledb_schema, f.timescaledb_usable) =
                (Some("2".into()), Some("ts".into()), Some(false));
            f.layout = Some(HYPER);
        });
        assert_eq!(usage, "GRANT USAGE ON SCHEMA ts TO slip");
    }

    #[test]
    fn what_is_as_it_must_be() {
        let changes: [fn(&mut Inspection); 6] = [
            |_| {},
            |f| (f.timescaledb, f.timescaledb_usable) = (Some("2.1".into()), Some(false)),
            |f| (f.place, f.encrypted) = ("postgres://db:5432/shop".into(), true),
            |f| {
                (f.timescaledb, f.timescaledb_license) = (Some("2.1".into()), Some("timescale".into()));
                f.layout = Some(HYPER);
            },
            |f| (f.schema_exists, f.can_write, f.schema_version) = (false, None, None),
            |f| f.can_create_schema = false,
        ];
        for (i, change) in changes.into_iter().enumerate() {
            let mut facts = healthy();
            change(&mut facts);
            assert!(judge(&facts).iter().all(|f| f.severity == Severity::Ok), "{i}: {:?}", judge(&facts));
        }
    }
}
