//! Silences: alerts of which nobody is told for a time.

use serde::Serialize;
use slipstream_schemas::{EventTime, records};
use slipstream_slo::alerts;
use slipstream_store::text;
use utoipa::ToSchema;

use super::{Example, at};

/// What a silence does now. One that recurs is active while one of its times lasts, and pending before and between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SilenceState {
    /// It holds nothing back, and will.
    Pending,
    /// It holds alerts back.
    Active,
    /// It never will again.
    Expired,
}

impl From<alerts::SilenceState> for SilenceState {
    fn from(state: alerts::SilenceState) -> Self {
        match state {
            alerts::SilenceState::Pending => SilenceState::Pending,
            alerts::SilenceState::Active => SilenceState::Active,
            alerts::SilenceState::Expired => SilenceState::Expired,
        }
    }
}

/// How a label is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub enum MatchOp {
    /// It is the value.
    #[serde(rename = "=")]
    Eq,
    /// It is not.
    #[serde(rename = "!=")]
    Ne,
    /// The value, a regular expression, matches all of it.
    #[serde(rename = "=~")]
    Re,
    /// It does not.
    #[serde(rename = "!~")]
    Nre,
}

impl From<records::MatchOp> for MatchOp {
    fn from(op: records::MatchOp) -> Self {
        match op {
            records::MatchOp::Eq => MatchOp::Eq,
            records::MatchOp::Ne => MatchOp::Ne,
            records::MatchOp::Re => MatchOp::Re,
            records::MatchOp::Nre => MatchOp::Nre,
        }
    }
}

/// What a label of an alert must be. A label that an alert lacks is empty.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Matcher {
    /// Name of the label.
    pub label: String,
    /// How it is compared.
    pub op: MatchOp,
    /// With what.
    pub value: String,
}

/// Times that come again.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Recurrence {
    /// When each begins: minute, hour, day of the month, month, day of the week, as in crontab(5).
    pub cron: String,
    /// In the local time of this zone.
    pub zone: String,
    /// How long each lasts.
    pub seconds: i64,
}

/// Alerts of which nobody is told for a time: those that all matchers match.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Silence {
    /// Its id.
    pub id: String,
    /// What it does now.
    pub state: SilenceState,
    /// When it applies next; null while it does, and if it never will again.
    pub next: Option<String>,
    /// Until when it applies now; null if it does not, or until somebody ends it.
    pub until: Option<String>,
    /// All of them match what it is about.
    pub matchers: Vec<Matcher>,
    /// From when on.
    pub from: String,
    /// Until when; null: until somebody ends it.
    pub to: Option<String>,
    /// Null: all of the time between.
    pub recurrence: Option<Recurrence>,
    /// Who made it; empty: not known.
    pub author: String,
    /// Why.
    pub reason: String,
    /// When it was made.
    pub created_at: String,
}

impl Silence {
    /// A silence, as it stands at a time (milliseconds since the epoch).
    pub fn new(silence: records::Silence, now: i64) -> Silence {
        let time = |millis: i64| text::micros(EventTime(millis.saturating_mul(1_000)));
        let matcher = |m: records::LabelMatcher| Matcher { label: m.label, op: m.op.into(), value: m.value };
        let recurs = |r: records::Recurrence| Recurrence { cron: r.cron, zone: r.zone, seconds: r.seconds };
        let standing = alerts::Standing::of(&silence, now);
        Silence {
            state: standing.state.into(),
            next: standing.next.map(time),
            until: standing.until.map(time),
            id: silence.id,
            matchers: silence.matchers.into_iter().map(matcher).collect(),
            from: time(silence.from),
            to: silence.to.map(time),
            recurrence: silence.recurrence.map(recurs),
            author: silence.author,
            reason: silence.reason,
            created_at: time(silence.created_at),
        }
    }
}

/// Silences, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Silences {
    /// The silences; of more than were asked for, the newest.
    pub silences: Vec<Silence>,
    /// How many there are in all.
    pub silences_total: usize,
}

impl Example for Silences {
    fn example() -> Self {
        let silence = Silence {
            id: "0193b6a0-62b1-7e0d-8f3a-5d1c9be0a114".to_owned(),
            state: SilenceState::Active,
            next: None,
            until: Some(at("10:30:00.000000")),
            matchers: vec![Matcher { label: "service".to_owned(), op: MatchOp::Eq, value: "payment".to_owned() }],
            from: at("09:30:00.000000"),
            to: Some(at("10:30:00.000000")),
            recurrence: None,
            author: "ana".to_owned(),
            reason: "Card provider moves its data centre".to_owned(),
            created_at: at("09:12:40.118000"),
        };
        Silences { silences: vec![silence], silences_total: 1 }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_silence_is_told_as_people_write_it() {
        let matcher = |label: &str, op| records::LabelMatcher { label: label.to_owned(), op, value: "v".to_owned() };
        let silence = records::Silence {
            id: "s-1".to_owned(),
            matchers: vec![
                matcher("a", records::MatchOp::Eq),
                matcher("b", records::MatchOp::Ne),
                matcher("c", records::MatchOp::Re),
                matcher("d", records::MatchOp::Nre),
            ],
            from: 1_000,
            to: None,
            recurrence: Some(records::Recurrence {
                cron: "0 2 * * 0".to_owned(),
                zone: "Europe/Berlin".to_owned(),
                seconds: 3_600,
            }),
            author: "ana".to_owned(),
            reason: "backups".to_owned(),
            created_at: 500,
        };
        let told = serde_json::to_value(Silence::new(silence, 999)).unwrap();
        let expected = json!({
            "id": "s-1", "state": "pending", "next": "1970-01-04T01:00:00.000000Z", "until": null, "from": "1970-01-01T00:00:01.000000Z", "to": null,
            "matchers": [
                {"label": "a", "op": "=", "value": "v"}, {"label": "b", "op": "!=", "value": "v"},
                {"label": "c", "op": "=~", "value": "v"}, {"label": "d", "op": "!~", "value": "v"},
            ],
            "recurrence": {"cron": "0 2 * * 0", "zone": "Europe/Berlin", "seconds": 3600},
            "author": "ana", "reason": "backups", "created_at": "1970-01-01T00:00:00.500000Z",
        });
        assert_eq!(told, expected);
    }
}
