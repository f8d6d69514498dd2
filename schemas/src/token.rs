//! The rules of a token, for the command line and the gateway the same; and tokens as JSON, without what makes them secret.

use serde::Serialize;

use crate::decode::{self, EventError};
use crate::records::{Scope, Token};
use crate::time::EventTime;

const ID_DIGITS: usize = 16;
const NAME_BYTES: usize = 128;
const AUTHOR_BYTES: usize = 256;

/// A token as every interface writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenJson<'a> {
    /// See [`Token::id`].
    pub id: &'a str,
    /// See [`Token::name`].
    pub name: &'a str,
    /// See [`Token::scopes`].
    pub scopes: &'a [Scope],
    /// `valid`, `expired` or `revoked`, at the time of asking.
    pub state: &'static str,
    /// RFC 3339 in UTC, with microseconds.
    pub created_at: String,
    /// See [`Token::created_by`].
    pub created_by: &'a str,
    /// RFC 3339 in UTC, with microseconds.
    pub expires_at: Option<String>,
    /// RFC 3339 in UTC, with microseconds.
    pub revoked_at: Option<String>,
    /// See [`Token::revoked_by`].
    pub revoked_by: Option<&'a str>,
}

impl<'a> TokenJson<'a> {
    /// The token as it is at a time.
    pub fn at(token: &'a Token, now: EventTime) -> Self {
        TokenJson {
            id: &token.id,
            name: &token.name,
            scopes: &token.scopes,
            state: token.state(now).name(),
            created_at: token.created_at.rfc3339(),
            created_by: &token.created_by,
            expires_at: token.expires_at.map(EventTime::rfc3339),
            revoked_at: token.revoked_at.map(EventTime::rfc3339),
            revoked_by: token.revoked_by.as_deref(),
        }
    }
}

/// Whether a text can be a token's id: 16 lower-case hexadecimal digits.
pub fn is_id(text: &str) -> bool {
    text.len() == ID_DIGITS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Checks a token that is to be made against every rule.
///
/// ```
/// use slipstream_schemas::EventTime;
/// use slipstream_schemas::records::{Scope, Token};
/// use slipstream_schemas::token::validate;
///
/// let token = Token {
///     id: "9f86d081884c7d65".to_owned(),
///     name: "ci".to_owned(),
///     hash: String::new(),
///     scopes: vec![Scope::Ingest],
///     created_at: EventTime(1_769_851_800_000_000), // microseconds
///     created_by: "ada".to_owned(),
///     expires_at: None,
///     revoked_at: None,
///     revoked_by: None,
/// };
/// assert_eq!(validate(&token), Ok(()));
/// let error = validate(&Token { scopes: vec![], ..token }).unwrap_err();
/// assert_eq!(error.to_string(), "scopes: must be one or more of ingest, read, operate");
/// ```
///
/// # Errors
/// The first rule that it breaks.
pub fn validate(token: &Token) -> Result<(), EventError> {
    if !is_id(&token.id) {
        return Err(EventError::rule("id", &token.id, "must be 16 hexadecimal digits"));
    }
    decode::text("name", &token.name, 1, NAME_BYTES)?;
    decode::text("created_by", &token.created_by, 0, AUTHOR_BYTES)?;
    if token.scopes.is_empty() {
        let known = Scope::ALL.map(Scope::name).join(", ");
        return Err(EventError::rule("scopes", "", format!("must be one or more of {known}")));
    }
    let Some(expires) = token.expires_at else { return Ok(()) };
    decode::time("expires_at", expires.0)?;
    if expires <= token.created_at {
        return Err(EventError::rule("expires_at", expires.rfc3339(), "must be in the future"));
    }
    Ok(())
}
