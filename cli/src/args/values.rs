//! Values as people write them, and what is said of others.

use std::time::Duration;

/// More than one process can make, so more than anybody means.
const MOST_PER_SECOND: f64 = 1_000_000.0;

/// Ten years: no event is older than that.
const LONGEST: Duration = Duration::from_secs(3_660 * 86_400);

/// Requests per second.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| *rate > 0.0 && *rate <= MOST_PER_SECOND);
    rate.ok_or_else(|| "give a number above 0 and up to 1000000".to_owned())
}

/// A count that is not 0.
pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "give a whole number of at least 1".to_owned())
}

/// A duration as people write it: `90s`, `5m`, `2h`, `1h30m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration = text.parse().map_err(|e| format!("{e}; write it as 90s, 5m or 2h"))?;
    let sensible = |d: &Duration| !d.is_zero() && *d <= LONGEST;
    Duration::try_from(span).ok().filter(sensible).ok_or_else(|| "give more than 0 and at most ten years".to_owned())
}
