//! What PostgreSQL's errors mean for the caller: SQLSTATE classes (PostgreSQL manual, appendix A), and what happened to
//! the connection.

use std::io;
use std::time::Duration;

use slipstream_schemas::Cause;
use slipstream_schemas::cause::{chain, find};
use tokio_postgres::Error;
use tokio_postgres::error::DbError;

use crate::patience::LESS;
use crate::port::StoreError;

/// Adds what was being done, and distinguishes temporary from permanent errors.
///
/// No advice here may cost data: an error is one session's view, and a guess at its cause may be wrong. What is missing is
/// looked up by `slipstream doctor`.
pub fn at(doing: impl Into<String>) -> impl FnOnce(Error) -> StoreError {
    let doing = doing.into();
    move |error| {
        let told = match error.as_db_error() {
            Some(answer) => answered(doing, &answer.into()),
            None => broken(doing, &error),
        };
        keeping(told, error)
    }
}

/// An error with our own text keeps its source.
fn keeping(told: StoreError, error: Error) -> StoreError {
    match told {
        StoreError::Unavailable { doing, cause } => {
            StoreError::Unavailable { doing, cause: Cause::worded(cause.text(), error) }
        }
        StoreError::Fatal { doing, cause } => StoreError::Fatal { doing, cause: Cause::worded(cause.text(), error) },
        other => other,
    }
}

/// What a query was broken off by: somebody else than us, for nobody waits for an answer to what we break off. A pooler that hands
/// connections on may hit another one with the end of a question that was given up.
const BY_OTHERS: &str = "canceling statement due to user request";

/// Whether a query was broken off by somebody else: asked again it is answered.
pub fn is_by_others(error: &StoreError) -> bool {
    matches!(error, StoreError::Unavailable { cause, .. } if cause.text().contains(BY_OTHERS))
}

/// The same for a query: retrying one that takes too long makes no sense.
pub fn asking(doing: impl Into<String>) -> impl FnOnce(Error) -> StoreError {
    let doing = doing.into();
    move |error| match error.as_db_error() {
        Some(answer) if answer.code().code() == "57014" && answer.message() != BY_OTHERS => {
            StoreError::Refused(format!("{doing}: {}: {LESS}", answer.message()))
        }
        _ => at(doing)(error),
    }
}

/// No response within the deadline.
pub fn silent(doing: &str, waited: Duration) -> StoreError {
    StoreError::Unavailable {
        doing: doing.to_owned(),
        cause: format!("no response within {} s", waited.as_secs()).into(),
    }
}

/// A stored value that cannot be read back.
pub fn unreadable(what: &str, cause: impl Into<Cause>) -> StoreError {
    StoreError::Fatal {
        doing: format!("reading {what} from the store"),
        cause: cause.into().and(": it was written by a newer version, or by another program"),
    }
}

/// What a server, or a pooler before it, answered.
struct Answer<'a> {
    code: &'a str,
    message: &'a str,
    detail: Option<&'a str>,
    constraint: Option<&'a str>,
}

impl<'a> From<&'a DbError> for Answer<'a> {
    fn from(error: &'a DbError) -> Self {
        let (code, message) = (error.code().code(), error.message());
        Answer { code, message, detail: error.detail(), constraint: error.constraint() }
    }
}

/// Whether the database lacks the partition that a row belongs to.
fn lacks_partition(answer: &Answer<'_>) -> bool {
    answer.code == "23514" && answer.constraint.is_none() && answer.message.contains("partition")
}

fn answered(doing: String, answer: &Answer<'_>) -> StoreError {
    let Answer { code, message, detail, .. } = *answer;
    let detail = detail.map(|detail| format!(" ({detail})")).unwrap_or_default();
    let said = format!("{message}{detail} [SQLSTATE {code}]");
    let unavailable =
        |hint: &str| StoreError::Unavailable { doing: doing.clone(), cause: format!("{said}{hint}").into() };
    let fatal = |hint: &str| StoreError::Fatal { doing: doing.clone(), cause: format!("{said}: {hint}").into() };
    match (&code[..2], code) {
        (_, "23514") if lacks_partition(answer) => unavailable(": it was removed, and will be created again"),
        ("53", "53100") => unavailable(": free some space on the database's disk"),
        ("53", "53300") => unavailable(": raise max_connections, or allow the role more connections"),
        // PgBouncer with pool_mode=statement.
        (_, "08P01") if message.contains("statement pooling") => {
            fatal("a batch is one transaction: let the pooler's pool_mode be transaction or session")
        }
        // PgBouncer, at the start of every connection.
        (_, "08P01") if message.contains("unsupported startup parameter") => {
            fatal("remove it from the URL, or add it to the pooler's ignore_startup_parameters")
        }
        // Gone, going, starting; locked or cancelled; lost a race.
        ("08" | "53" | "40", _)
        | (_, "57P01" | "57P02" | "57P03" | "57P05" | "57014" | "55P03" | "55006" | "25P03" | "25P04") => {
            unavailable("")
        }
        (_, "25006") => unavailable(
            ": this server is read-only; use the address of the primary, or several hosts with target_session_attrs=read-write",
        ),
        ("58", _) => unavailable(": check the database's log and disk"),
        ("28", _) => fatal("check user and password, and the server's pg_hba.conf"),
        (_, "3D000") => fatal("create the database (CREATE DATABASE …), or correct the URL"),
        (_, "42501") => fatal(&grant(message)),
        (_, "42883") => fatal(
            "the function is missing, or the store's user may not use its schema (GRANT USAGE ON SCHEMA … TO …); \
             `slipstream doctor` says which",
        ),
        ("42" | "3F", _) => fatal(
            "part of the store's tables is missing, or the store's user may not see it; `slipstream doctor` says \
             which; nothing was changed",
        ),
        // A problem of the rows, not of the database.
        ("22" | "23" | "54", _) => StoreError::Refused(format!("{doing}: {said}")),
        _ => fatal("check the database's log"),
    }
}

/// The right that is missing, by what the database denies.
fn grant(denied: &str) -> String {
    let named = denied.strip_prefix("permission denied for ").and_then(|what| what.split_once(' '));
    let right = match named {
        Some(("schema", name)) => format!("GRANT USAGE, CREATE ON SCHEMA {name} TO <the store's user>"),
        Some(("database", name)) => {
            format!(
                "GRANT CREATE ON DATABASE {name} TO <the store's user>, or create the schema for it: CREATE SCHEMA … AUTHORIZATION …"
            )
        }
        // All of them: who is given one is refused the next.
        Some(("table" | "view" | "relation", _)) => {
            "GRANT ALL ON ALL TABLES IN SCHEMA <the store's schema> TO <the store's user>".to_owned()
        }
        Some((kind @ ("sequence" | "function" | "procedure"), name)) => {
            format!("GRANT ALL ON {} {name} TO <the store's user>", kind.to_uppercase())
        }
        _ if denied.starts_with("must be owner of ") => {
            "make the store's user its owner: ALTER … OWNER TO …".to_owned()
        }
        _ => "`slipstream doctor` checks the rights of the store's user".to_owned(),
    };
    format!("grant the right as the owner of the database: {right}")
}

/// No response of the database at all.
fn broken(doing: String, error: &Error) -> StoreError {
    // tokio-postgres has its causes only in `source`.
    let said = chain(error);
    if let Some(refused) = find::<rustls::Error>(error) {
        let hint = "see sslmode and sslrootcert; verify-full needs a certificate for the URL's host";
        let cause = format!("the database's certificate is not accepted: {refused}; {hint}").into();
        return StoreError::Fatal { doing, cause };
    }
    if said.contains("server does not support TLS") {
        let hint = "turn on ssl in the server, or use sslmode=disable on a network you trust";
        return StoreError::Fatal { doing, cause: format!("{said}: {hint}").into() };
    }
    if error.is_closed() || find::<io::Error>(error).is_some() || said.starts_with("timeout") {
        return StoreError::Unavailable { doing, cause: said.into() };
    }
    StoreError::Fatal { doing, cause: said.into() }
}

#[cfg(test)]
mod tests {
    use slipstream_schemas::cause;

    use super::*;

    /// Nothing listens there.
    async fn refused() -> Error {
        let (config, tls) = ("host=127.0.0.1 port=1", tokio_postgres::NoTls);
        tokio_postgres::connect(config, tls).await.map(drop).unwrap_err()
    }

    #[test]
    fn the_right_that_is_missing_is_named() {
        for (denied, right) in [
            ("permission denied for schema ts", "GRANT USAGE, CREATE ON SCHEMA ts TO"),
            ("permission denied for database shop", "GRANT CREATE ON DATABASE shop TO"),
            ("permission denied for table positions", "GRANT ALL ON ALL TABLES IN SCHEMA <the store's schema> TO"),
            ("permission denied for sequence dimensions_id_seq", "GRANT ALL ON SEQUENCE dimensions_id_seq TO"),
            ("must be owner of table events", "OWNER TO"),
            ("permission denied to create extension \"x\"", "slipstream doctor"),
        ] {
            assert!(grant(denied).contains(right), "{denied}: {}", grant(denied));
        }
    }

    #[test]
    fn what_passes_is_waited_for_and_what_does_not_says_what_to_do() {
        let table = [
            ("57014", "canceling statement due to statement timeout", None),
            ("25P04", "terminating connection due to transaction timeout", None),
            ("08P01", "server conn crashed?", None),
            ("08P01", "unsupported startup parameter: options", Some("ignore_startup_parameters")),
            ("08P01", "transaction blocks not allowed in statement pooling mode", Some("pool_mode")),
            ("42501", "permission denied for table events", Some("ALL TABLES IN SCHEMA")),
        ];
        for (code, message, todo) in table {
            let told = answered("storing".to_owned(), &Answer { code, message, detail: None, constraint: None });
            match (told, todo) {
                (StoreError::Unavailable { .. }, None) => {}
                (StoreError::Fatal { cause, .. }, Some(todo)) => assert!(cause.text().contains(todo), "{cause}"),
                (told, _) => panic!("{message}: {told:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_database_that_is_away_says_so_once_and_keeps_why() {
        let error = at("connecting")(refused().await);
        let line = format!("connecting: {}", chain(&refused().await));
        assert_eq!(cause::chain(&error), line);
        assert!(cause::find::<io::Error>(&error).is_some() && cause::find::<Error>(&error).is_some(), "{error}");
    }
}
