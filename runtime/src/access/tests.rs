//! The handle: what it learns, and for whom it still holds.

use slipstream_schemas::records::Token;

use super::*;

fn token(scopes: &[Scope]) -> Token {
    let new = NewToken::generate().unwrap();
    Token {
        id: new.id().to_owned(),
        name: "ci".to_owned(),
        hash: new.hash(),
        scopes: scopes.into(),
        created_at: EventTime(1),
        created_by: String::new(),
        expires_at: None,
        revoked_at: None,
        revoked_by: None,
    }
}

fn record(token: &Token) -> (String, Option<Token>) {
    (token.id.clone(), Some(token.clone()))
}

#[test]
fn what_is_learned_is_there_oldest_first_and_clones_see_it() {
    let access = Access::new(RateLimits::default());
    let seen = access.clone();
    assert!(!seen.needs_token() && seen.tokens().is_empty());
    let first = token(&[Scope::Read]);
    let second = Token { created_at: EventTime(2), ..token(&[Scope::Read]) };
    access.learn([record(&second), record(&first)]);
    assert_eq!(seen.tokens(), [first.clone(), second.clone()]);
    assert_eq!(seen.token(&second.id), Some(second));
    assert!(seen.needs_token());
    access.learn([(first.id.clone(), None)]);
    assert_eq!((seen.token(&first.id), seen.tokens().len()), (None, 1));
    assert!(!format!("{access:?}").contains(&seen.tokens()[0].hash));
}

#[test]
fn who_was_admitted_still_is_until_that_changes() {
    let access = Access::new(RateLimits::default());
    let here = Principal::Loopback([127, 0, 0, 1].into());
    assert!(access.still(&here, Scope::Operate));
    let token = token(&[Scope::Read]);
    access.learn([record(&token)]);
    assert!(!access.still(&here, Scope::Read), "it has had a token");
    let who = Principal::Token { id: token.id.as_str().into(), name: "ci".into() };
    assert!(access.still(&who, Scope::Read) && !access.still(&who, Scope::Ingest));
    access.learn([record(&Token { expires_at: Some(EventTime(2)), ..token.clone() })]);
    assert!(!access.still(&who, Scope::Read), "expired");
    access.learn([record(&Token { revoked_at: Some(EventTime(2)), ..token.clone() })]);
    access.learn([record(&token)]);
    assert!(!access.still(&who, Scope::Read), "revoked, for ever");
}
