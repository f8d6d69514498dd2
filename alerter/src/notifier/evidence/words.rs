//! Evidence in lines for people.

use jiff::Timestamp;
use slipstream_query::history::{BadRequest, Sample};
use slipstream_schemas::EventTime;
use slipstream_schemas::records::{AlertTransition, Marker};
use slipstream_schemas::visible::visible;
use slipstream_slo::rule::words::{figure, length, percent};

use super::hint::Suspect;
use super::standouts::{Contributor, share};

/// A value from outside is cut behind so many bytes.
const LONGEST: usize = 120;

/// A value from outside, on one line and not too long.
pub fn shown(text: &str) -> String {
    cut(&visible(text), LONGEST)
}

/// The text, of `most` bytes at most; what is cut is marked.
pub fn cut(text: &str, most: usize) -> String {
    const MARK: &str = "…";
    if text.len() <= most {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(most.saturating_sub(MARK.len()));
    format!("{}{MARK}", &text[..end])
}

/// `a, b and c`
pub fn list(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| shown(name)).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.join(""),
    }
}

/// What the rule looked at, and since when it holds.
pub fn windows(t: &AlertTransition) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for value in t.values.iter().filter(|value| value.rule == t.rule) {
        let (Some(good), Some(total)) = (value.good, value.total) else { continue };
        let (bad, of_all) = (total - good, percent(share(total - good, total), &[]));
        lines.push(format!("Last {}: {bad} bad of {total} ({of_all}).", length(value.window_seconds)));
    }
    lines.push(since(t));
    lines
}

/// Since when the condition of the present severity holds, and since when the alert fires: by a lesser one perhaps, long before.
fn since(t: &AlertTransition) -> String {
    let since = t.holds_since.unwrap_or(t.episode);
    let fired = match t.fired_at {
        Some(fired) if fired > since => format!(", firing since {}", clock(fired)),
        Some(fired) if fired < since => format!("; the alert fires since {}", moment(fired)),
        _ => String::new(),
    };
    format!("The condition holds since {}{fired}.", moment(since))
}

/// What bad requests have in common: of all first, then of the sample.
pub fn contributors(told: &[Contributor], sample: Option<&Sample>) -> Vec<String> {
    let line = |c: &Contributor| {
        let (of_bad, of_all) = (percent(c.share_of_bad, &[]), percent(c.share_of_all, &[]));
        let value = if c.value.is_empty() { "(none)".to_owned() } else { shown(&c.value) };
        format!("{} {value}: {of_bad} of the bad requests, {of_all} of all", shown(&called(&c.dimension)))
    };
    let mut lines: Vec<String> = told.iter().filter(|c| !c.sample).map(line).collect();
    let sampled: Vec<String> = told.iter().filter(|c| c.sample).map(line).collect();
    if let (Some(sample), false) = (sample, sampled.is_empty()) {
        lines.push(format!("In a sample, the newest {} requests:", sample.rows));
        lines.extend(sampled.into_iter().map(|line| format!("  {line}")));
    }
    lines
}

fn called(dimension: &str) -> String {
    match dimension {
        "status_class" => "status class".to_owned(),
        "status_code" => "status".to_owned(),
        other => other.to_owned(),
    }
}

/// `10:00:12 POST /pay 503 in 812 ms, event e-1, trace abab`
pub fn request(request: &BadRequest) -> String {
    let mut line = clock(request.time.0.div_euclid(1_000_000));
    if let Some(told) = &request.told {
        let what = [told.method.as_str(), told.endpoint.as_str()].map(shown).join(" ");
        line.push_str(&format!(" {} {}", what.trim(), told.status_code));
        if let Some(ms) = told.latency_ms {
            line.push_str(&format!(" in {} ms", figure(ms, &[])));
        }
        line.push(',');
    }
    line.push_str(&format!(" event {}", shown(&request.event_id)));
    if let Some(trace) = &request.trace_id {
        line.push_str(&format!(", trace {}", shown(trace)));
    }
    line
}

/// `deploy of payment 2.14.0 at 09:58:00 UTC, by ci: rounding`
pub fn marker(marker: &Marker) -> String {
    let whose = if marker.service.is_empty() { "all services" } else { &marker.service };
    let version = marker.version.as_ref().map_or(String::new(), |version| format!(" {}", shown(version)));
    let by = if marker.author.is_empty() { String::new() } else { format!(", by {}", shown(&marker.author)) };
    let text = if marker.text.is_empty() { String::new() } else { format!(": {}", shown(&marker.text)) };
    let (kind, at) = (marker.kind.name(), clock(seconds(marker.time)));
    format!("{kind} of {}{version} at {at} UTC{by}{text}", shown(whose))
}

/// `deploy of payment 2.14.0 at 09:58:00 UTC, 2 min before it began`
pub fn suspect(found: &Suspect<'_>) -> String {
    let bare = Marker { author: String::new(), text: String::new(), ..found.marker.clone() };
    format!("{}, {} before it began", marker(&bare), roughly(found.seconds_before))
}

/// Minutes where there are some.
fn roughly(seconds: i64) -> String {
    length(if seconds < 60 { seconds } else { (seconds + 30) / 60 * 60 })
}

fn seconds(time: EventTime) -> i64 {
    time.0.div_euclid(1_000_000)
}

fn clock(tick: i64) -> String {
    Timestamp::from_second(tick).map_or_else(|_| tick.to_string(), |t| t.strftime("%H:%M:%S").to_string())
}

fn moment(tick: i64) -> String {
    Timestamp::from_second(tick).map_or_else(|_| tick.to_string(), |t| t.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_is_shown_on_one_line_and_cut() {
        for (text, want) in [("/pay", "/pay"), ("/a\nb\u{1b}[2J", "/a\\nb\\u{1b}[2J")] {
            assert_eq!(shown(text), want);
        }
        let long = shown(&"ü".repeat(500));
        assert!(long.len() <= LONGEST && long.ends_with('…'), "{long}");
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b", "c"]), "a, b and c");
    }

    #[test]
    fn the_condition_is_that_of_the_present_severity() {
        let t = |holds_since, fired_at| AlertTransition {
            episode: 1_769_939_000,
            holds_since,
            fired_at: Some(fired_at),
            ..crate::notifier::words::tests::transition()
        };
        for (holds_since, fired_at, want) in [
            (Some(1_769_940_000), 1_769_940_000, "The condition holds since 2026-02-01 10:00:00 UTC."),
            (
                Some(1_769_940_000),
                1_769_940_060,
                "The condition holds since 2026-02-01 10:00:00 UTC, firing since 10:01:00.",
            ),
            // It became worse.
            (
                Some(1_769_940_000),
                1_769_939_100,
                "The condition holds since 2026-02-01 10:00:00 UTC; the alert fires since 2026-02-01 09:45:00 UTC.",
            ),
            // Of a former version.
            (None, 1_769_939_000, "The condition holds since 2026-02-01 09:43:20 UTC."),
        ] {
            assert_eq!(since(&t(holds_since, fired_at)), want);
        }
    }

    #[test]
    fn times_before_are_told_in_minutes() {
        for (seconds, want) in [(0, "0 s"), (59, "59 s"), (118, "2 min"), (123, "2 min"), (1_800, "30 min")] {
            assert_eq!(roughly(seconds), want);
        }
    }
}
