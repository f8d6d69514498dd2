//! The decision as a table.

use axum::http::header::HOST;
use slipstream_schemas::records::Token;

use super::super::NewToken;
use super::*;

const NOW: EventTime = EventTime(1_769_851_800_000_000);
const HERE: &str = "127.0.0.1";
const ELSEWHERE: &str = "192.0.2.1";

/// A token's text, and its record.
fn token(scopes: &[Scope]) -> (String, Token) {
    let new = NewToken::generate().unwrap();
    let token = Token {
        id: new.id().to_owned(),
        name: "ci".to_owned(),
        hash: new.hash(),
        scopes: scopes.into(),
        created_at: NOW,
        created_by: String::new(),
        expires_at: None,
        revoked_at: None,
        revoked_by: None,
    };
    (new.text().reveal().to_owned(), token)
}

fn table(tokens: &[&Token]) -> Table {
    tokens.iter().fold(Table::default(), |table, token| table.with(token.id.clone(), Some((*token).clone())))
}

/// What becomes of a request from `peer` with these headers.
fn decided(table: &Table, peer: &str, authorization: &[&str], host: &str, scope: Scope) -> Result<Principal, Refused> {
    let mut headers = HeaderMap::new();
    for value in authorization {
        headers.append(AUTHORIZATION, value.parse().unwrap());
    }
    headers.insert(HOST, host.parse().unwrap());
    decide(table, &Asked::of(peer.parse().ok(), &Uri::from_static("/"), &headers), scope, NOW)
}

#[test]
fn without_tokens_loopback_may_everything_and_nobody_else_anything() {
    let none = Table::default();
    for scope in Scope::ALL {
        let expected = Principal::Loopback(HERE.parse().unwrap());
        assert_eq!(decided(&none, HERE, &[], "localhost", scope), Ok(expected.clone()));
        // A proxy of this machine may have its own idea of who somebody is.
        assert_eq!(decided(&none, HERE, &["Basic YTpi"], "localhost", scope), Ok(expected));
        let denied = |peer, host| decided(&none, peer, &[], host, scope).unwrap_err();
        assert_eq!(denied(ELSEWHERE, "localhost").why, Denied::Stranger(Stranger::Peer));
        assert_eq!(denied(HERE, "evil.example").why, Denied::Stranger(Stranger::Host));
    }
}

#[test]
fn with_tokens_only_a_good_one_counts_wherever_it_comes_from() {
    let (good_text, good) = token(&[Scope::Ingest, Scope::Read]);
    let (expired_text, expired) = token(&Scope::ALL);
    let expired = Token { expires_at: Some(NOW), ..expired };
    let (revoked_text, revoked) = token(&Scope::ALL);
    let revoked = Token { revoked_at: Some(NOW), ..revoked };
    let (late_text, late) = token(&[Scope::Operate]);
    let late = Token { expires_at: Some(EventTime(NOW.0 + 1)), ..late };
    let (unknown_text, _) = token(&Scope::ALL);
    let (no_hash_text, no_hash) = token(&Scope::ALL);
    let no_hash = Token { hash: "not one".to_owned(), ..no_hash };
    let table = table(&[&good, &expired, &revoked, &late, &no_hash]);
    // The id of one, the secret of another.
    let mixed = format!("{}{}", &good_text[..21], &revoked_text[21..]);
    let bearer = |text: &str| format!("Bearer {text}");
    type Row<'a> = (Vec<String>, Scope, Option<Denied>, Option<&'a Token>);
    let rows: [Row<'_>; 16] = [
        (vec![bearer(&good_text)], Scope::Ingest, None, Some(&good)),
        (vec![format!("bearer  {good_text} ")], Scope::Read, None, Some(&good)),
        (vec![bearer(&late_text)], Scope::Operate, None, Some(&late)),
        (vec![bearer(&good_text)], Scope::Operate, Some(Denied::Scope(Scope::Operate)), Some(&good)),
        (vec![bearer(&expired_text)], Scope::Read, Some(Denied::Expired), Some(&expired)),
        (vec![bearer(&revoked_text)], Scope::Read, Some(Denied::Revoked), Some(&revoked)),
        (vec![], Scope::Read, Some(Denied::Missing), None),
        (vec![bearer(&unknown_text)], Scope::Read, Some(Denied::Unknown), None),
        (vec![bearer(&mixed)], Scope::Read, Some(Denied::Unknown), None),
        (vec![bearer(&no_hash_text)], Scope::Read, Some(Denied::Unknown), None),
        (vec![good_text.clone()], Scope::Read, Some(Denied::Malformed), None),
        (vec![format!("Basic {good_text}")], Scope::Read, Some(Denied::Malformed), None),
        (vec![bearer("x")], Scope::Read, Some(Denied::Malformed), None),
        (vec!["Bearer".to_owned()], Scope::Read, Some(Denied::Malformed), None),
        (vec![String::new()], Scope::Read, Some(Denied::Malformed), None),
        (vec![bearer(&good_text), bearer(&good_text)], Scope::Read, Some(Denied::Malformed), None),
    ];
    for (i, (authorization, scope, expected, whose)) in rows.iter().enumerate() {
        let authorization: Vec<&str> = authorization.iter().map(String::as_str).collect();
        for (peer, host) in [(HERE, "localhost"), (ELSEWHERE, "gateway.example:8480")] {
            let found = decided(&table, peer, &authorization, host, *scope);
            let (who, why) = match found {
                Ok(who) => (Some(who), None),
                Err(Refused { who, why }) => (who, Some(why)),
            };
            assert_eq!(
                (why, who.as_ref().and_then(Principal::token)),
                (*expected, whose.map(|t| t.id.as_str())),
                "row {i}"
            );
        }
    }
}

#[test]
fn who_has_had_a_token_needs_one_for_ever() {
    let (_, revoked) = token(&Scope::ALL);
    let revoked = Token { revoked_at: Some(NOW), ..revoked };
    let withdrawn = Table::default().with(revoked.id.clone(), None);
    for table in [table(&[&revoked]), withdrawn] {
        assert_eq!(decided(&table, HERE, &[], "localhost", Scope::Read).unwrap_err().why, Denied::Missing);
    }
}

#[test]
fn what_was_revoked_stays_revoked_whatever_comes_later() {
    let (text, token) = token(&Scope::ALL);
    let revoked = Token { revoked_at: Some(NOW), ..token.clone() };
    let table = table(&[&token, &revoked, &token]);
    let found = decided(&table, HERE, &[&format!("Bearer {text}")], "localhost", Scope::Read);
    assert_eq!(found.unwrap_err().why, Denied::Revoked);
}
