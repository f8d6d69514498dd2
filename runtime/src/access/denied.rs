//! Why a request is refused, what its sender is told, and what a response says of it in its headers.

use axum::http::header::{CONNECTION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};

use super::{Principal, Scope};

/// A refusal, and whose request it is where a token told that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Who asked; `None` if nobody is known to have.
    pub who: Option<Principal>,
    /// Why it is refused.
    pub why: Denied,
}

/// Why a request is refused. Its text is for whoever sent it, and says what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No token.
    #[error(
        "this installation asks for a token: send the header `Authorization: Bearer slp_...`; `slipstream token create` makes one"
    )]
    Missing,
    /// Something else than a token.
    #[error("the header Authorization holds no token; expected `Bearer slp_<id>_<secret>`, once")]
    Malformed,
    /// A token of which nothing is known, or with another secret.
    #[error("the token is not known: it is wrong, or one of another installation (`slipstream token list`)")]
    Unknown,
    /// A token whose time is over.
    #[error("the token has expired; `slipstream token create` makes another one")]
    Expired,
    /// A token that somebody has withdrawn.
    #[error("the token was revoked; `slipstream token create` makes another one")]
    Revoked,
    /// A token for something else.
    #[error("the token does not have the scope {0}")]
    Scope(Scope),
    /// Without tokens: a request that is not, or not surely, from a program of this machine.
    #[error(
        "{0}, and this installation has no tokens: it serves only programs of its own machine; `slipstream token create` makes a \
         token"
    )]
    Stranger(Stranger),
    /// More than there may be.
    #[error("too many requests of this token or address (rate_limits); retry after {retry_after} s")]
    TooMany {
        /// Whole seconds after which to retry.
        retry_after: u32,
    },
}

/// What gives a request away that does not come from a program of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stranger {
    /// It comes from another machine.
    Peer,
    /// A proxy passes it on, of whom that is not known.
    Proxy,
    /// It was sent to a name that is not one of the loopback: that of an attacker's site, which leads here (DNS rebinding), or
    /// of a proxy.
    Host,
    /// A browser sends it for a page of another site.
    Origin,
}

impl std::fmt::Display for Stranger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Stranger::Peer => "the request comes from another machine",
            Stranger::Proxy => {
                "the request comes through a proxy (header Forwarded, X-Forwarded-..., X-Real-IP or Via)"
            }
            Stranger::Host => "the request is to a host (header Host) that is not this machine's loopback",
            Stranger::Origin => "the request comes from a page of another site (header Origin or Sec-Fetch-Site)",
        })
    }
}

impl Denied {
    /// The status of the response.
    pub fn status(&self) -> StatusCode {
        match self {
            Denied::Missing | Denied::Malformed | Denied::Unknown | Denied::Expired | Denied::Revoked => {
                StatusCode::UNAUTHORIZED
            }
            Denied::Scope(_) | Denied::Stranger(_) => StatusCode::FORBIDDEN,
            Denied::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// A code for machines; also the outcome in metrics and in the audit.
    pub fn code(&self) -> &'static str {
        match self {
            Denied::Missing => "token-missing",
            Denied::Malformed => "token-malformed",
            Denied::Unknown => "token-unknown",
            Denied::Expired => "token-expired",
            Denied::Revoked => "token-revoked",
            Denied::Scope(_) => "scope-missing",
            Denied::Stranger(_) => "not-loopback",
            Denied::TooMany { .. } => "too-many-requests",
        }
    }

    /// RFC 6750 for a token that is not good enough; the connection is closed, because the rest of the request is not read.
    pub(super) fn mark(&self, headers: &mut HeaderMap) {
        let challenge = match self {
            Denied::Missing => Some("Bearer"),
            Denied::Malformed => Some("Bearer error=\"invalid_request\""),
            Denied::Unknown | Denied::Expired | Denied::Revoked => Some("Bearer error=\"invalid_token\""),
            Denied::Scope(Scope::Ingest) => Some("Bearer error=\"insufficient_scope\", scope=\"ingest\""),
            Denied::Scope(Scope::Read) => Some("Bearer error=\"insufficient_scope\", scope=\"read\""),
            Denied::Scope(Scope::Operate) => Some("Bearer error=\"insufficient_scope\", scope=\"operate\""),
            Denied::Stranger(_) | Denied::TooMany { .. } => None,
        };
        if let Some(challenge) = challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Denied::TooMany { retry_after } = self {
            headers.insert(RETRY_AFTER, HeaderValue::from(*retry_after));
        }
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
}
