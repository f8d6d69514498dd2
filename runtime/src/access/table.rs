//! The tokens that a process knows. A value: whoever asks sees one state of it.

use std::collections::HashMap;
use std::sync::Arc;

use slipstream_schemas::records::Token;

use super::Principal;
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
        }
        self.known.insert(id, Arc::new(Known::of(token)));
        self
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
