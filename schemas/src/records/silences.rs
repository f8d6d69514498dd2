//! Silences and acknowledgements: what people say about alerts.

use serde::{Deserialize, Serialize};

use crate::codec::{self, CodecError};

/// How a label is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchOp {
    /// `=`.
    Eq,
    /// `!=`.
    Ne,
    /// `=~`: the regular expression matches all of the label.
    Re,
    /// `!~`.
    Nre,
}

impl MatchOp {
    /// Every way.
    pub const ALL: [MatchOp; 4] = [MatchOp::Eq, MatchOp::Ne, MatchOp::Re, MatchOp::Nre];

    /// As people write it: `=`, `!=`, `=~` or `!~`.
    pub fn sign(self) -> &'static str {
        match self {
            MatchOp::Eq => "=",
            MatchOp::Ne => "!=",
            MatchOp::Re => "=~",
            MatchOp::Nre => "!~",
        }
    }

    /// The way of a sign.
    pub fn of_sign(sign: &str) -> Option<MatchOp> {
        MatchOp::ALL.into_iter().find(|op| op.sign() == sign)
    }
}

/// What a label of an alert must be. A label that an alert lacks is empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LabelMatcher {
    /// Name of the label.
    pub label: String,
    /// How it is compared.
    pub op: MatchOp,
    /// With what.
    pub value: String,
}

/// Times that come again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recurrence {
    /// When each begins: minute, hour, day of the month, month, day of the week.
    pub cron: String,
    /// In the local time of this zone.
    pub zone: String,
    /// How long each lasts, in seconds that pass.
    pub seconds: i64,
}

/// Alerts of which nobody is told for a time: those that all matchers match. Of several records with one id the last counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Unique; a UUIDv7 unless its sender gave one.
    pub id: String,
    /// At least one.
    pub matchers: Vec<LabelMatcher>,
    /// From when on, milliseconds since the epoch.
    pub from: i64,
    /// Until when; `None`: until it is expired.
    #[serde(default)]
    pub to: Option<i64>,
    /// `None`: all of the time.
    #[serde(default)]
    pub recurrence: Option<Recurrence>,
    /// Who made it; empty: not known.
    #[serde(default)]
    pub author: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// When it was made, milliseconds since the epoch.
    pub created_at: i64,
}

/// Somebody looks after an alert: receivers are not reminded of this episode any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// The alert.
    pub alert_id: String,
    /// Its episode.
    pub episode: i64,
    /// Who looks after it.
    pub owner: String,
    /// What there is to say.
    #[serde(default)]
    pub reason: String,
    /// Since when, milliseconds since the epoch.
    pub at: i64,
}

/// A record of the topic silences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// About alerts that matchers match.
    Silence(Silence),
    /// About one episode of one alert.
    Acknowledgement(Acknowledgement),
}

impl Said {
    /// With what the key of an acknowledgement begins, and no id of a silence does.
    pub const ACKNOWLEDGED: &'static str = "ack/";

    /// Its key in the topic.
    pub fn key(&self) -> String {
        match self {
            Said::Silence(silence) => silence.id.clone(),
            Said::Acknowledgement(Acknowledgement { alert_id, episode, .. }) => {
                format!("{}{alert_id}/{episode}", Self::ACKNOWLEDGED)
            }
        }
    }

    /// Decodes whichever of the two a value is, by the fingerprint of its schema.
    ///
    /// # Errors
    /// When it is neither, or malformed. What a newer version wrote is not passed over: it may hold alerts back.
    pub fn decode(bytes: &[u8]) -> Result<Said, CodecError> {
        match codec::decode(bytes) {
            Err(CodecError::UnknownFingerprint { .. }) => {}
            silence => return silence.map(Said::Silence),
        }
        codec::decode(bytes).map(Said::Acknowledgement).map_err(|error| match error {
            CodecError::UnknownFingerprint { fingerprint, .. } => {
                CodecError::UnknownFingerprint { record: "Silence or Acknowledgement", fingerprint }
            }
            malformed => malformed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silence() -> Silence {
        let matchers = vec![LabelMatcher { label: "slo".into(), op: MatchOp::Eq, value: "checkout".into() }];
        let (author, reason) = ("ada".to_owned(), "deployment".to_owned());
        Silence { id: "s-1".into(), matchers, from: 1, to: Some(2), recurrence: None, author, reason, created_at: 1 }
    }

    fn acknowledgement() -> Acknowledgement {
        let (alert_id, owner) = ("00000000000000aa".to_owned(), "ada".to_owned());
        Acknowledgement { alert_id, episode: 7, owner, reason: String::new(), at: 9 }
    }

    #[test]
    fn each_is_what_its_fingerprint_says() {
        let (silence, acknowledgement) = (silence(), acknowledgement());
        assert_eq!(Said::decode(&codec::encode(&silence)), Ok(Said::Silence(silence)));
        assert_eq!(Said::decode(&codec::encode(&acknowledgement)), Ok(Said::Acknowledgement(acknowledgement)));
    }

    #[test]
    fn keys_of_both_differ() {
        assert_eq!(Said::Silence(silence()).key(), "s-1");
        assert_eq!(Said::Acknowledgement(acknowledgement()).key(), "ack/00000000000000aa/7");
    }

    #[test]
    fn what_is_neither_is_an_error() {
        let mut newer = codec::encode(&silence());
        newer[3] ^= 1;
        let unknown = Said::decode(&newer).unwrap_err().to_string();
        assert!(unknown.starts_with("Silence or Acknowledgement with unknown schema fingerprint"), "{unknown}");
        let cut = &codec::encode(&acknowledgement())[..12];
        assert!(matches!(Said::decode(cut), Err(CodecError::Malformed { record: "Acknowledgement", .. })));
        assert!(matches!(Said::decode(b"{}"), Err(CodecError::NotSingleObject { .. })));
    }
}
