//! What a token may be, field by field, and tokens as JSON.
#![allow(clippy::unwrap_used, reason = "a test")]

use serde_json::json;
use slipstream_schemas::EventTime;
use slipstream_schemas::records::{Scope, Token, TokenState};
use slipstream_schemas::token::{TokenJson, is_id, validate};

const NOW: EventTime = EventTime(1_769_851_800_000_000);
const LATER: EventTime = EventTime(NOW.0 + 1);

fn token() -> Token {
    Token {
        id: "9f86d081884c7d65".to_owned(),
        name: "ci".to_owned(),
        hash: "0".repeat(64),
        scopes: vec![Scope::Ingest, Scope::Read],
        created_at: NOW,
        created_by: "ada".to_owned(),
        expires_at: None,
        revoked_at: None,
        revoked_by: None,
    }
}

/// What is done to a good token, and the field and the rule that it then breaks, if it does.
type Row = (fn(&mut Token), Option<(&'static str, &'static str)>);

#[test]
fn every_field_has_its_rule() {
    let table: &[Row] = &[
        (|_| {}, None),
        (|t| t.created_by.clear(), None),
        (|t| t.expires_at = Some(LATER), None),
        (|t| t.id = "9F86D081884C7D65".into(), Some(("id", "16 hexadecimal digits"))),
        (|t| t.name.clear(), Some(("name", "1 to 128 bytes, is 0"))),
        (|t| t.name = "x".repeat(129), Some(("name", "is 129"))),
        (|t| t.name = "a\u{1b}[2J".into(), Some(("name", "control characters"))),
        (|t| t.created_by = "x".repeat(257), Some(("created_by", "is 257"))),
        (|t| t.scopes.clear(), Some(("scopes", "one or more of ingest, read, operate"))),
        (|t| t.expires_at = Some(t.created_at), Some(("expires_at", "must be in the future"))),
        (|t| t.expires_at = Some(EventTime(i64::MAX)), Some(("expires_at", "1970 and 2100"))),
    ];
    for (i, (change, expected)) in table.iter().copied().enumerate() {
        let mut token = token();
        change(&mut token);
        match (validate(&token).err(), expected) {
            (None, None) => {}
            (Some(error), Some((field, rule))) => {
                assert_eq!(error.field.as_deref(), Some(field), "row {i}: {error}");
                assert!(error.rule.contains(rule), "row {i}: {error}");
            }
            (found, _) => panic!("row {i}: {found:?}, expected {expected:?}"),
        }
    }
}

#[test]
fn a_token_is_valid_until_it_expires_and_revoked_for_ever() {
    let at = |expires_at, revoked_at| Token { expires_at, revoked_at, ..token() }.state(NOW);
    assert_eq!(at(None, None), TokenState::Valid);
    assert_eq!(at(Some(LATER), None), TokenState::Valid);
    assert_eq!(at(Some(NOW), None), TokenState::Expired);
    assert_eq!(at(Some(NOW), Some(NOW)), TokenState::Revoked);
    assert_eq!(at(Some(LATER), Some(LATER)), TokenState::Revoked, "by whose clock does not matter");
}

#[test]
fn json_says_all_but_the_hash() {
    let token = Token { expires_at: Some(LATER), ..token() };
    let expected = json!({"id": "9f86d081884c7d65", "name": "ci", "scopes": ["ingest", "read"], "state": "valid",
        "created_at": "2026-01-31T09:30:00.000000Z", "created_by": "ada",
        "expires_at": "2026-01-31T09:30:00.000001Z", "revoked_at": null, "revoked_by": null});
    assert_eq!(serde_json::to_value(TokenJson::at(&token, NOW)).unwrap(), expected);
}

#[test]
fn scopes_and_ids_are_read_as_they_are_written() {
    for scope in Scope::ALL {
        assert_eq!(Scope::from_name(scope.name()), Some(scope));
        assert_eq!(serde_json::to_value(scope).unwrap(), scope.name());
    }
    assert_eq!(Scope::from_name("admin"), None);
    for (id, expected) in
        [("0123456789abcdef", true), ("0123456789abcde", false), ("0123456789abcdeg", false), ("", false)]
    {
        assert_eq!(is_id(id), expected, "{id}");
    }
}
