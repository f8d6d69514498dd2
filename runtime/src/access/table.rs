//! The tokens that a process knows. A value: whoever asks sees one state of it.

use std::collections::HashMap;
use std::sync::Arc;

use slipstream_schemas::records::Token;

use super::Principal;
use super::events::{Became, TokenChanged};
use super::text::{self, Hash};

/// All tokens, by id.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    known: HashMap<String, Arc<Known>>,
    /// Also when none is known any more.
    ever_had_one: bool,
}

/// A token, ready to be compared.
#[derive(Debug)]
pub(super) struct Known {
    pub token: Token,
    /// `None` where the record holds none: no secret fits.
    pub hash: Option<Hash>,
    pub principal: Principal,
}

impl Known {
    fn of(token: Token) -> Self {
        let principal = Principal::Token { id: token.id.as_str().into(), name: token.name.as_str().into() };
        Known { hash: text::hash_of(&token.hash), principal, token }
    }
}

impl Table {
    /// The table after one more record. What was revoked stays revoked, whatever the record says: this process may have
    /// learned of it before the log tells.
    pub(super) fn with(mut self, id: String, token: Option<Token>) -> Self {
        self.ever_had_one = true;
        let Some(mut token) = token else {
            self.known.remove(&id);
            return self;
        };
        if let Some(known) = self.known.get(&id) {
            token.revoked_at = token.revoked_at.or(known.token.revoked_at);
            token.revoked_by = token.revoked_by.or_else(|| known.token.revoked_by.clone());
        }
        self.known.insert(id, Arc::new(Known::of(token)));
        self
    }

    /// What a further record changes, for people; `None` where that is nothing.
    pub(super) fn change(&self, id: &str, token: Option<&Token>) -> Option<TokenChanged> {
        let known = self.token(id);
        let revoked = |token: &Token| token.revoked_at.is_some();
        let became = match (known, token) {
            (None, None) => return None,
            (Some(_), None) => Became::Withdrawn,
            (None, Some(token)) if revoked(token) => Became::Revoked,
            (None, Some(_)) => Became::Made,
            (Some(known), Some(token)) if revoked(token) && !revoked(known) => Became::Revoked,
            (Some(known), Some(token)) if is_same(known, token) => return None,
            (Some(_), Some(_)) => Became::Changed,
        };
        token.or(known).map(|token| TokenChanged { became, token: token.clone() })
    }

    pub(super) fn ever_had_one(&self) -> bool {
        self.ever_had_one
    }

    pub(super) fn get(&self, id: &str) -> Option<&Known> {
        self.known.get(id).map(Arc::as_ref)
    }

    pub(super) fn token(&self, id: &str) -> Option<&Token> {
        self.get(id).map(|known| &known.token)
    }

    /// Oldest first.
    pub(super) fn all(&self) -> Vec<Token> {
        let mut all: Vec<Token> = self.known.values().map(|known| known.token.clone()).collect();
        all.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        all
    }
}

/// Whether two records are of a token that may do the same. Whether it was revoked is another matter: that stays.
fn is_same(a: &Token, b: &Token) -> bool {
    let of = |token: &Token| (token.name.clone(), token.hash.clone(), token.scopes.clone(), token.expires_at);
    of(a) == of(b)
}

#[cfg(test)]
mod tests {
    use slipstream_schemas::EventTime;
    use slipstream_schemas::records::Scope;

    use super::*;

    fn token() -> Token {
        Token {
            id: "9f86d081884c7d65".to_owned(),
            name: "ci".to_owned(),
            hash: String::new(),
            scopes: vec![Scope::Ingest],
            created_at: EventTime(1),
            created_by: "ada".to_owned(),
            expires_at: None,
            revoked_at: None,
            revoked_by: None,
        }
    }

    #[test]
    fn each_change_of_a_token_is_one_and_what_is_known_is_none() {
        let new = token();
        let revoked = Token { revoked_at: Some(EventTime(2)), revoked_by: Some("bob".to_owned()), ..token() };
        let wider = Token { scopes: Scope::ALL.into(), ..token() };
        let with = |tokens: &[&Token]| {
            tokens.iter().fold(Table::default(), |table, token| table.with(token.id.clone(), Some((*token).clone())))
        };
        for (known, record, expected) in [
            (with(&[]), Some(&new), Some(Became::Made)),
            (with(&[]), Some(&revoked), Some(Became::Revoked)),
            (with(&[]), None, None),
            (with(&[&new]), Some(&new), None),
            (with(&[&new]), Some(&revoked), Some(Became::Revoked)),
            (with(&[&new]), Some(&wider), Some(Became::Changed)),
            (with(&[&new]), None, Some(Became::Withdrawn)),
            (with(&[&revoked]), Some(&revoked), None),
            (with(&[&revoked]), Some(&new), None),
        ] {
            let found = known.change(&new.id, record);
            assert_eq!(found.map(|changed| changed.became), expected, "{known:?} {record:?}");
        }
    }
}
