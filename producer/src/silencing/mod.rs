//! What people say about alerts, silences and acknowledgements, on its way to the log: as JSON, as records, and through a gateway.

mod listing;
mod remote;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use slipstream_definitions::labels::legal;
use slipstream_definitions::matchers::{MatcherError, Matchers};
use slipstream_log::Outgoing;
use slipstream_schemas::records::{Acknowledgement, LabelMatcher, MatchOp, Recurrence, Said, Silence as Written};
use slipstream_schemas::{Topic, codec};
use slipstream_slo::alerts::{Silence, SilenceError};

pub use listing::{ListedJson, ListingJson, StateJson, UnusableJson};
pub use remote::{RemoteError, Sayings};

/// Bytes of an id, and of an author's or owner's name.
const NAME_BYTES: usize = 128;
/// Bytes of a reason.
const REASON_BYTES: usize = 4_096;
/// Matchers of a silence.
const MATCHERS: usize = 64;

/// Why something cannot be said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SayingError {
    /// A text is empty, too long, or holds what cannot be seen.
    #[error("`{field}`: expected {expected}")]
    Text {
        /// Which one.
        field: &'static str,
        /// What it has to be.
        expected: String,
    },
    /// A time that is none.
    #[error("`{field}`: `{found}` is no time in RFC 3339, such as 2026-01-31T09:30:00Z")]
    Time {
        /// Which one.
        field: &'static str,
        /// What was found.
        found: String,
    },
    /// A label that no alert can have.
    #[error("`matchers`: no alert has a label `{label}`: write `{known}`, as it is called in notifications")]
    Label {
        /// Which one.
        label: String,
        /// As alerts have it.
        known: String,
    },
    /// It was over before anybody could hear of it.
    #[error("`to`: that is past, the silence would be over already")]
    Over,
    /// None of its times is within its bounds.
    #[error("none of the silence's times comes between `from` and `to`")]
    Never,
    /// Too many matchers.
    #[error("`matchers`: at most {MATCHERS}")]
    Matchers,
    /// What makes no silence.
    #[error(transparent)]
    Silence(#[from] SilenceError),
}

impl From<MatcherError> for SayingError {
    fn from(error: MatcherError) -> Self {
        SayingError::Silence(error.into())
    }
}

/// A matcher as people write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MatcherJson {
    /// `service="payment"`; several with commas between.
    Text(String),
    /// As `GET /api/v1/silences` shows it.
    Parts {
        /// The label.
        label: String,
        /// `=`, `!=`, `=~` or `!~`.
        op: String,
        /// With what it is compared.
        value: String,
    },
}

impl MatcherJson {
    fn read(&self) -> Result<Matchers, MatcherError> {
        let (label, sign, value) = match self {
            MatcherJson::Text(text) => return Matchers::parse(text),
            MatcherJson::Parts { label, op, value } => (label, op, value),
        };
        let op = MatchOp::of_sign(sign).filter(|_| !label.is_empty());
        let op = op.ok_or_else(|| MatcherError::Malformed { text: format!("{label}{sign}{value}") })?;
        Matchers::new(&[LabelMatcher { label: label.clone(), op, value: value.clone() }])
    }
}

impl std::fmt::Display for MatcherJson {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            MatcherJson::Text(text) => f.write_str(text),
            MatcherJson::Parts { label, op, value } => write!(f, "{label}{op}{value:?}"),
        }
    }
}

/// A silence as people write it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SilenceJson {
    /// Its id; of two with one id the later counts. Absent: a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What alerts it is about: `service="payment"`, or as the API shows it; all have to match.
    pub matchers: Vec<MatcherJson>,
    /// From when on, RFC 3339; absent: from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Until when; absent: until it is expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Times that come again within `from` and `to`; absent: all of the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recurrence: Option<Recurrence>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

impl SilenceJson {
    /// The silence that is meant, at `now` in milliseconds since the epoch; `author` made it unless it says who.
    ///
    /// # Errors
    /// See [`SayingError`].
    pub fn read(&self, now: i64, author: &str) -> Result<Silence, SayingError> {
        if self.matchers.len() > MATCHERS {
            return Err(SayingError::Matchers);
        }
        let mut matchers = Matchers::default();
        for matcher in &self.matchers {
            matchers = matchers.and(matcher.read()?);
        }
        if let Some(odd) = matchers.iter().map(|m| &m.written().label).find(|label| legal(label) != **label) {
            return Err(SayingError::Label { label: odd.clone(), known: legal(odd) });
        }
        let author = if self.author.is_empty() { author } else { &self.author };
        let written = Written {
            id: id(self.id.as_deref())?,
            matchers: matchers.written(),
            from: time("from", self.from.as_deref())?.unwrap_or(now),
            to: time("to", self.to.as_deref())?,
            recurrence: self.recurrence.clone(),
            author: text("author", author, NAME_BYTES)?,
            reason: text("reason", &self.reason, REASON_BYTES)?,
            created_at: now,
        };
        if written.to.is_some_and(|to| to <= now) {
            return Err(SayingError::Over);
        }
        let silence = Silence::new(written)?;
        if silence.next(now).is_none() { Err(SayingError::Never) } else { Ok(silence) }
    }

    /// A silence as people write it.
    pub fn of(silence: &Silence) -> SilenceJson {
        let written = silence.written();
        SilenceJson {
            id: Some(written.id.clone()),
            matchers: silence.matchers().iter().map(|matcher| MatcherJson::Text(matcher.to_string())).collect(),
            from: Some(shown(written.from)),
            to: written.to.map(shown),
            recurrence: written.recurrence.clone(),
            author: written.author.clone(),
            reason: written.reason.clone(),
        }
    }
}

/// An acknowledgement as people write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgementJson {
    /// The alert.
    pub alert_id: String,
    /// Its episode.
    pub episode: i64,
    /// Who looks after it; absent: who sends this.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// What there is to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

impl AcknowledgementJson {
    /// An acknowledgement as people write it.
    pub fn of(of: &Acknowledgement) -> AcknowledgementJson {
        AcknowledgementJson {
            alert_id: of.alert_id.clone(),
            episode: of.episode,
            owner: of.owner.clone(),
            reason: of.reason.clone(),
        }
    }

    /// The acknowledgement that is meant, at `now` in milliseconds since the epoch, by `owner` unless it says who.
    ///
    /// # Errors
    /// See [`SayingError`].
    pub fn read(&self, now: i64, owner: &str) -> Result<Acknowledgement, SayingError> {
        let owner = if self.owner.is_empty() { owner } else { &self.owner };
        let hex = self.alert_id.len() == 16 && self.alert_id.bytes().all(|b| b.is_ascii_hexdigit());
        if !hex {
            let expected = "the id of an alert, 16 hexadecimal digits".to_owned();
            return Err(SayingError::Text { field: "alert_id", expected });
        }
        if owner.trim().is_empty() {
            return Err(SayingError::Text { field: "owner", expected: "who looks after it".to_owned() });
        }
        Ok(Acknowledgement {
            alert_id: self.alert_id.to_ascii_lowercase(),
            episode: self.episode,
            owner: text("owner", owner, NAME_BYTES)?,
            reason: text("reason", &self.reason, REASON_BYTES)?,
            at: now,
        })
    }
}

fn id(given: Option<&str>) -> Result<String, SayingError> {
    let Some(given) = given else { return Ok(uuid::Uuid::now_v7().to_string()) };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if given.is_empty() || given.len() > NAME_BYTES || !given.chars().all(plain) {
        let expected = format!("up to {NAME_BYTES} letters, digits, `-`, `_` and `.`");
        return Err(SayingError::Text { field: "id", expected });
    }
    Ok(given.to_owned())
}

fn text(field: &'static str, text: &str, most: usize) -> Result<String, SayingError> {
    let unseen = text.chars().any(|c| c.is_control() && c != '\n' && c != '\t');
    if text.len() > most || unseen {
        let expected = format!("at most {most} bytes without control characters");
        return Err(SayingError::Text { field, expected });
    }
    Ok(text.to_owned())
}

fn time(field: &'static str, text: Option<&str>) -> Result<Option<i64>, SayingError> {
    let read = |text: &str| {
        let time = text.parse::<Timestamp>();
        time.map(|time| time.as_millisecond()).map_err(|_| SayingError::Time { field, found: text.to_owned() })
    };
    text.map(read).transpose()
}

fn shown(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |time| time.to_string())
}

/// The record of a silence: who writes one of the same id replaces it.
pub fn outgoing(silence: &Silence) -> Outgoing {
    let said = Said::Silence(silence.written().clone());
    record(&said.key(), Some(codec::encode(silence.written())))
}

/// The record of an acknowledgement, in place of an earlier one of the episode.
pub fn outgoing_acknowledgement(acknowledgement: &Acknowledgement) -> Outgoing {
    let said = Said::Acknowledgement(acknowledgement.clone());
    record(&said.key(), Some(codec::encode(acknowledgement)))
}

/// The record that withdraws an acknowledgement.
pub fn withdrawal(acknowledgement: &Acknowledgement) -> Outgoing {
    record(&Said::Acknowledgement(acknowledgement.clone()).key(), None)
}

/// A silence that ends now, at `now` in milliseconds since the epoch; one that has not begun never applies.
pub fn expired(silence: &Written, now: i64) -> Written {
    let to = silence.to.map_or(now, |to| to.min(now));
    Written { from: silence.from.min(to), to: Some(to), ..silence.clone() }
}

fn record(key: &str, value: Option<Vec<u8>>) -> Outgoing {
    Outgoing {
        topic: Topic::Silences,
        partition: None,
        key: Some(Bytes::copy_from_slice(key.as_bytes())),
        value: value.map(Bytes::from),
        headers: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_769_940_000_000;

    fn json(text: &str) -> SilenceJson {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_silence_is_read_as_it_is_written() {
        let silence = json(
            r#"{"matchers": ["service=payment", "severity=~\"page|ticket\""], "to": "2026-02-28T11:00:00Z",
            "recurrence": {"cron": "0 2 * * SUN", "zone": "Europe/Berlin", "seconds": 7200}, "reason": "maintenance"}"#,
        );
        let read = silence.read(NOW, "ada").unwrap();
        let written = read.written();
        assert_eq!(
            (written.from, written.to, written.author.as_str()),
            (NOW, Some(NOW + 27 * 86_400_000 + 3_600_000), "ada")
        );
        let again = SilenceJson::of(&read);
        let shown: Vec<String> = again.matchers.iter().map(MatcherJson::to_string).collect();
        assert_eq!(shown, [r#"service="payment""#, r#"severity=~"page|ticket""#]);
        let parts = json(
            r#"{"matchers": [{"label": "service", "op": "=", "value": "payment"}, {"label": "severity", "op": "=~", "value": "page|ticket"}]}"#,
        );
        assert_eq!(parts.read(NOW, "ada").unwrap().matchers(), read.matchers());
        assert_eq!(again.read(NOW, "").unwrap().written(), written);
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        let cases = [
            (r#"{"matchers": []}"#, "also match an alert without labels"),
            (r#"{"matchers": ["a"]}"#, "not a matcher"),
            (r#"{"matchers": [{"label": "a", "op": "~", "value": "b"}]}"#, "not a matcher"),
            (r#"{"matchers": ["a=b"], "to": "tomorrow"}"#, "`to`: `tomorrow` is no time"),
            (r#"{"matchers": ["a=b"], "to": "2026-02-01T09:00:00Z"}"#, "over already"),
            (
                r#"{"matchers": ["a=b"], "from": "2026-02-03T00:00:00Z", "to": "2026-02-02T00:00:00Z"}"#,
                "ends before it begins",
            ),
            (
                r#"{"matchers": ["a=b"], "to": "2026-02-01T11:00:00Z", "recurrence": {"cron": "0 2 * * *", "zone": "UTC", "seconds": 60}}"#,
                "none of the silence's times comes",
            ),
            (r#"{"matchers": ["a=b"], "from": "2026-01-01T00:00:00Z", "to": "2026-02-01T10:00:00Z"}"#, "over already"),
            (r#"{"matchers": ["http.route=x"]}"#, "no alert has a label `http.route`: write `http_route`"),
            (r#"{"matchers": ["a=b"], "id": "ack/a"}"#, "`id`: expected"),
            (r#"{"matchers": ["a=b"], "author": "\u0007"}"#, "`author`: expected"),
        ];
        for (text, said) in cases {
            let error = json(text).read(NOW, "ada").unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
        assert!(serde_json::from_str::<SilenceJson>(r#"{"matchers": [], "comment": ""}"#).is_err());
    }

    #[test]
    fn what_is_expired_is_over_and_one_to_come_never_comes() {
        let silence = json(r#"{"matchers": ["a=b"], "from": "2026-02-02T00:00:00Z"}"#).read(NOW, "ada").unwrap();
        let over = Silence::new(expired(silence.written(), NOW)).unwrap();
        assert!(over.is_over(NOW) && over.applies(NOW).is_none() && over.next(0).is_none());
        let ended = Written { from: NOW - 100, to: Some(NOW - 50), ..silence.written().clone() };
        assert_eq!(expired(&ended, NOW), ended, "again is as good as once");
    }

    #[test]
    fn an_acknowledgement_names_an_alert_and_an_owner() {
        let of = |alert_id: &str, owner: &str| AcknowledgementJson {
            alert_id: alert_id.to_owned(),
            episode: 7,
            owner: owner.to_owned(),
            reason: String::new(),
        };
        let ack = of("00C0FFEE00C0FFEE", "").read(NOW, "ada").unwrap();
        assert_eq!((ack.alert_id.as_str(), ack.owner.as_str()), ("00c0ffee00c0ffee", "ada"));
        assert!(of("checkout", "ada").read(NOW, "").unwrap_err().to_string().contains("16 hexadecimal digits"));
        assert!(of("00c0ffee00c0ffee", " ").read(NOW, "").unwrap_err().to_string().contains("who looks after it"));
    }
}
