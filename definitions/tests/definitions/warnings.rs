//! What is warned of: definitions that are valid and mean something else than was probably meant.

use crate::documents::{BY_REFERENCE, CHECKOUT, MONTH, PARTS, load_texts, summary, with};

const CALENDAR: &str = "{duration: 1M, isRolling: false, calendar: {startTime: 2026-01-01 00:00:00, timeZone: UTC}}";

#[test]
fn what_can_never_matter_is_warned_of() {
    let sliced = "[{target: 0.99, timeSliceTarget: 0.9, timeSliceWindow: ";
    let guarded = |text: String| format!("{text}  alertPolicies: [page-somebody]\n");
    for (text, code, marked) in [
        // A tier that a full outage does not reach.
        (with("Occurrences", MONTH, "[{target: 0.9}]"), "never-fires", "0.9"),
        (with("Timeslices", MONTH, "[{target: 0.9, timeSliceTarget: 1, timeSliceWindow: 1m}]"), "never-fires", "0.9"),
        (with("Occurrences", MONTH, "[{target: 0.9, compositeWeight: 1}]"), "never-fires", "0.9"),
        (guarded(with("Occurrences", MONTH, "[{target: 0.9}]")), "never-fires", "0.9"),
        // Windows that contradict each other.
        (with("Occurrences", "{duration: 12h, isRolling: true}", "[{target: 0.99}]"), "window-beyond-period", "0.99"),
        (with("Occurrences", "{duration: 2m, isRolling: true}", "[{target: 0.99}]"), "no-alerts", "0.99"),
        (
            guarded(with("Occurrences", "{duration: 2m, isRolling: true}", "[{target: 0.99}]")),
            "window-beyond-period",
            "page-somebody",
        ),
        (guarded(with("Timeslices", MONTH, &format!("{sliced}10m}}]"))), "slice-beyond-lookback", "10m"),
        (guarded(with("Timeslices", MONTH, &format!("{sliced}1m}}]"))), "slice-beyond-lookback", "1m"),
        (with("Timeslices", MONTH, &format!("{sliced}2h}}]")), "slice-beyond-lookback", "2h"),
        (
            with("Occurrences", "{duration: 28d, isRolling: true, calendar: {}}", "[{target: 0.99}]"),
            "no-meaning",
            "calendar",
        ),
        // The first bad slice of a day is more than its budget.
        (with("Timeslices", "{duration: 1d, isRolling: true}", &format!("{sliced}1h}}]")), "budget-below-slice", "1h"),
        (with("Occurrences", MONTH, "[{target: 0.99}, {target: 0.99}]"), "duplicate-objective", "0.99"),
        (with("Occurrences", CALENDAR, "[{target: 0.99, indicatorRef: fast}]"), "no-meaning", "indicator"),
        (with("RatioTimeslices", MONTH, &format!("{sliced}1m}}]")), "no-meaning", "0.9"),
    ] {
        let loaded = load_texts(&[&text, &PARTS.replace("min-requests: 100", "min-requests: 0")]);
        assert!(loaded.is_valid(), "{text}: {:?}", loaded.diagnostics);
        let found = summary(&loaded.diagnostics);
        assert!(found.iter().any(|f| f.0 == code && f.3.starts_with(marked)), "{text}: {code}, found {found:?}");
    }
}

#[test]
fn a_short_window_that_is_not_shorter_is_warned_of() {
    let parts = PARTS.replace("short-window: 30s", "short-window: 5m");
    let found = summary(&load_texts(&[BY_REFERENCE, &parts]).diagnostics);
    assert_eq!(found, [("short-window-not-shorter", 20, 34, "5m".to_owned())]);
}

#[test]
fn what_nobody_refers_to_is_warned_of() {
    let codes =
        |texts: &[&str]| -> Vec<_> { load_texts(texts).diagnostics.into_iter().map(|d| (d.code, d.message)).collect() };
    let message = |user: &str, kind: &str, name: &str| ("unused", format!("no {user} refers to the {kind} `{name}`"));
    // The condition is named by the policy, even if nobody uses that.
    let expected = [message("SLO", "SLI", "fast"), message("SLO", "AlertPolicy", "page-somebody")];
    assert_eq!(codes(&[CHECKOUT, PARTS]), expected);
    assert_eq!(codes(&[BY_REFERENCE, PARTS]), []);
    let lonely = format!("{PARTS}---\n{}", PARTS.split("---\n").nth(2).unwrap().replace("burns-fast", "burns-slow"));
    let expected = [message("AlertPolicy", "AlertCondition", "burns-slow")];
    assert_eq!(codes(&[BY_REFERENCE, &lonely]), expected);
    // Where a name leads nowhere, one of those that seem unused was probably meant.
    let typo = BY_REFERENCE.replace("indicatorRef: fast", "indicatorRef: fats");
    assert!(codes(&[&typo, PARTS]).iter().all(|(code, _)| *code != "unused"));
    // A library is not used where it stands, and of what was not read nothing is known.
    assert_eq!(codes(&[PARTS]), []);
    assert!(codes(&[CHECKOUT, PARTS, "a: b: c"]).iter().all(|(code, _)| *code != "unused"));
}
