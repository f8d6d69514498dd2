//! Tokens: who may ask an installation for what.

use serde::{Deserialize, Serialize};

use crate::time::EventTime;

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Publish events and markers.
    Ingest,
    /// Ask questions.
    Read,
    /// Change the installation, tokens among it.
    Operate,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Scope; 3] = [Scope::Ingest, Scope::Read, Scope::Operate];

    /// Its name in JSON, in metrics and on the command line: `ingest`, `read` or `operate`.
    pub const fn name(self) -> &'static str {
        match self {
            Scope::Ingest => "ingest",
            Scope::Read => "read",
            Scope::Operate => "operate",
        }
    }

    /// The scope of a name.
    pub fn from_name(name: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A right to use an installation. Its rules are in [`crate::token`]. Of several records with one id the last counts, but
/// what was revoked stays revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Unique: 16 hexadecimal digits. Not secret.
    pub id: String,
    /// What people call it; not necessarily unique.
    pub name: String,
    /// SHA-256 of the secret as it is written in the token, in lower-case hex. The secret itself is stored nowhere.
    pub hash: String,
    /// What it allows; at least one.
    pub scopes: Vec<Scope>,
    /// When it was made, by the clock of who made it.
    pub created_at: EventTime,
    /// Who made it; empty: not known.
    pub created_by: String,
    /// From when on it is refused; `None`: never.
    #[serde(default)]
    pub expires_at: Option<EventTime>,
    /// When it was revoked; `None`: it was not.
    #[serde(default)]
    pub revoked_at: Option<EventTime>,
    /// Who revoked it; `None`: it was not, or that is not known.
    #[serde(default)]
    pub revoked_by: Option<String>,
}

/// Whether a token may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenState {
    /// It may.
    Valid,
    /// Its time is over.
    Expired,
    /// Somebody has withdrawn it.
    Revoked,
}

impl TokenState {
    /// Its name in JSON and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            TokenState::Valid => "valid",
            TokenState::Expired => "expired",
            TokenState::Revoked => "revoked",
        }
    }
}

impl Token {
    /// Whether it may be used at a time. A token that was revoked is that, also when it has expired since.
    pub fn state(&self, now: EventTime) -> TokenState {
        match (self.revoked_at, self.expires_at) {
            (Some(_), _) => TokenState::Revoked,
            (None, Some(expires)) if expires <= now => TokenState::Expired,
            (None, _) => TokenState::Valid,
        }
    }
}
