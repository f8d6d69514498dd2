//! The decision about a request: a function of the tokens, what the request shows, the scope that it needs, and the time.

use std::net::IpAddr;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Uri};
use slipstream_schemas::EventTime;
use slipstream_schemas::records::TokenState;
use subtle::ConstantTimeEq;

use super::table::{Known, Table};
use super::text::{Hash, Presented};
use super::{Denied, Principal, Refused, Scope, Stranger, site};

/// What a request shows of whose it is.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    credentials: Credentials<'a>,
    /// What makes it one of somebody who needs a token, whatever the installation has; and else the peer.
    local: Result<IpAddr, Stranger>,
}

/// The header Authorization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Credentials<'a> {
    None,
    Malformed,
    Token(Presented<'a>),
}

impl<'a> Asked<'a> {
    /// What a request from `peer` shows; `None`: it is not known who sent it, and nobody of this machine.
    pub fn of(peer: Option<IpAddr>, uri: &Uri, headers: &'a HeaderMap) -> Self {
        let local = match (peer, site::stranger(peer, uri, headers)) {
            (Some(peer), None) => Ok(peer),
            (_, stranger) => Err(stranger.unwrap_or(Stranger::Peer)),
        };
        Asked { credentials: credentials(headers), local }
    }

    /// What somebody of another machine shows who has nothing but this token.
    pub(super) fn with(token: Presented<'a>) -> Self {
        Asked { credentials: Credentials::Token(token), local: Err(Stranger::Peer) }
    }
}

fn credentials(headers: &HeaderMap) -> Credentials<'_> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Credentials::None,
        (Some(value), None) => value.to_str().unwrap_or_default(),
        (Some(_), Some(_)) => return Credentials::Malformed,
    };
    let bearer = value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let token = bearer.and_then(|(_, token)| Presented::parse(token.trim_matches(' ')));
    token.map_or(Credentials::Malformed, Credentials::Token)
}

/// Who asks, if they may.
pub(super) fn decide(table: &Table, asked: &Asked<'_>, scope: Scope, now: EventTime) -> Result<Principal, Refused> {
    let nobody = |why| Refused { who: None, why };
    if !table.ever_had_one() {
        return asked.local.map(Principal::Loopback).map_err(|stranger| nobody(Denied::Stranger(stranger)));
    }
    let presented = match asked.credentials {
        Credentials::None => return Err(nobody(Denied::Missing)),
        Credentials::Malformed => return Err(nobody(Denied::Malformed)),
        Credentials::Token(presented) => presented,
    };
    let known = identified(table, presented).ok_or(nobody(Denied::Unknown))?;
    let denied = |why| Err(Refused { who: Some(known.principal.clone()), why });
    match known.token.state(now) {
        TokenState::Expired => denied(Denied::Expired),
        TokenState::Revoked => denied(Denied::Revoked),
        TokenState::Valid if !known.token.scopes.contains(&scope) => denied(Denied::Scope(scope)),
        TokenState::Valid => Ok(known.principal.clone()),
    }
}

/// The token with this id and this secret. How long it takes does not tell which of the two is wrong, nor how wrong.
fn identified<'t>(table: &'t Table, presented: Presented<'_>) -> Option<&'t Known> {
    const NOBODYS: Hash = [0; 32];
    let known = table.get(presented.id);
    let expected = known.and_then(|known| known.hash);
    let fits = bool::from(presented.hash().ct_eq(&expected.unwrap_or(NOBODYS)));
    known.filter(|_| fits && expected.is_some())
}

#[cfg(test)]
mod tests;
