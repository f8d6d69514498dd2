//! What PostgreSQL's errors mean to who called: SQLSTATE classes (PostgreSQL manual, appendix A), and what happened to the
//! connection.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use tokio_postgres::Error;
use tokio_postgres::error::DbError;

use crate::port::StoreError;

/// Adds what was being done, and tells what may pass from what will not.
pub fn at(doing: impl Into<String>) -> impl FnOnce(Error) -> StoreError {
    let doing = doing.into();
    move |error| match error.as_db_error() {
        Some(answer) => answered(doing, answer),
        None => broken(doing, &error),
    }
}

/// The same for a question: one that takes too long makes no sense again.
pub fn asking(doing: impl Into<String>) -> impl FnOnce(Error) -> StoreError {
    let doing = doing.into();
    move |error| match error.as_db_error() {
        Some(answer) if answer.code().code() == "57014" => {
            StoreError::Refused(format!("{doing}: {}: ask for a shorter range of time", answer.message()))
        }
        _ => at(doing)(error),
    }
}

/// No answer within the deadline.
pub fn silent(doing: &str, waited: Duration) -> StoreError {
    StoreError::Unavailable { doing: doing.to_owned(), cause: format!("no answer within {} s", waited.as_secs()) }
}

/// A stored value that cannot be read back.
pub fn unreadable(what: &str, cause: impl std::fmt::Display) -> StoreError {
    StoreError::Fatal {
        doing: format!("reading {what} from the store"),
        cause: format!("{cause}: it was written by a newer version, or by somebody else"),
    }
}

/// Whether the database lacks the partition that a row belongs to.
fn lacks_partition(answer: &DbError) -> bool {
    answer.code().code() == "23514" && answer.constraint().is_none() && answer.message().contains("partition")
}

/// An error with everything behind it: tokio-postgres tells its causes only when asked.
pub fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = cause.source();
    }
    text
}

fn answered(doing: String, answer: &DbError) -> StoreError {
    let code = answer.code().code();
    let detail = answer.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
    let said = format!("{}{detail} [SQLSTATE {code}]", answer.message());
    let unavailable = |hint: &str| StoreError::Unavailable { doing: doing.clone(), cause: format!("{said}{hint}") };
    let fatal = |hint: &str| StoreError::Fatal { doing: doing.clone(), cause: format!("{said}: {hint}") };
    match (&code[..2], code) {
        (_, "23514") if lacks_partition(answer) => unavailable(": somebody removed it, it will be made again"),
        ("53", "53100") => unavailable(": free some space on the database's disk"),
        ("53", "53300") => unavailable(": raise max_connections, or give the role more connections"),
        // Gone, going, starting; locked or cancelled; lost a race.
        ("08" | "53" | "40", _)
        | (_, "57P01" | "57P02" | "57P03" | "57P05" | "57014" | "55P03" | "55006" | "25P03") => unavailable(""),
        (_, "25006") => unavailable(
            ": this server only reads; name the primary, or several hosts with target_session_attrs=read-write",
        ),
        ("58", _) => unavailable(": look at the database's log and disk"),
        ("28", _) => fatal("check user and password, and the server's pg_hba.conf"),
        (_, "3D000") => fatal("create the database (CREATE DATABASE …), or correct the URL"),
        (_, "42501") => fatal(
            "give the user the right, as the owner of the database: GRANT CREATE ON DATABASE … TO …, or make the schema \
             for it: CREATE SCHEMA … AUTHORIZATION …",
        ),
        ("42" | "3F", _) => fatal(
            "the store's tables are not as this version made them; restore them, or let the sink write anew into an empty \
             schema",
        ),
        // What is written, not where.
        ("22" | "23" | "54", _) => StoreError::Refused(format!("{doing}: {said}")),
        _ => fatal("look at the database's log"),
    }
}

/// No answer of the database at all.
fn broken(doing: String, error: &Error) -> StoreError {
    let cause = chain(error);
    if let Some(refused) = find::<rustls::Error>(error) {
        let hint = "see sslmode and sslrootcert; verify-full needs a certificate for the URL's host";
        return StoreError::Fatal { doing, cause: format!("the database's certificate is no good: {refused}; {hint}") };
    }
    if cause.contains("server does not support TLS") {
        let hint = "switch ssl on in the server, or, on a network you trust, give sslmode=disable";
        return StoreError::Fatal { doing, cause: format!("{cause}: {hint}") };
    }
    if error.is_closed() || find::<io::Error>(error).is_some() || cause.starts_with("timeout") {
        return StoreError::Unavailable { doing, cause };
    }
    StoreError::Fatal { doing, cause }
}

/// The first error of a kind behind another; also inside of I/O errors, which hide theirs.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref::<T>() {
            return Some(found);
        }
        let hidden = cause.downcast_ref::<io::Error>().and_then(|io| io.get_ref());
        if let Some(found) = hidden.and_then(|hidden| hidden.downcast_ref::<T>()) {
            return Some(found);
        }
        next = cause.source();
    }
    None
}
