//! Values as people write them, and the errors for others.

use std::time::Duration;

use slipstream_schemas::decode::SERVICE_BYTES;

/// More than one process can generate, so certainly a mistake.
const MOST_PER_SECOND: f64 = 1_000_000.0;

/// Ten years: no event is older than that.
const LONGEST: Duration = Duration::from_secs(3_660 * 86_400);

/// Requests per second.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| *rate > 0.0 && *rate <= MOST_PER_SECOND);
    rate.ok_or_else(|| "expected a number above 0 and at most 1000000".to_owned())
}

/// The name of a service, as events may have it.
pub(super) fn service_name(text: &str) -> Result<String, String> {
    match text {
        "" => Err("expected a name".to_owned()),
        long if long.len() > SERVICE_BYTES => {
            Err(format!("expected at most {SERVICE_BYTES} bytes, found {}", long.len()))
        }
        odd if odd.chars().any(char::is_control) => Err("expected a name without control characters".to_owned()),
        name => Ok(name.to_owned()),
    }
}

/// A count that is not 0.
pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "expected a whole number of at least 1".to_owned())
}

/// A duration as people write it: `90s`, `5m`, `2h`, `1h30m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration = text.parse().map_err(|e| format!("{e}; write it as 90s, 5m or 2h"))?;
    let sensible = |d: &Duration| !d.is_zero() && *d <= LONGEST;
    Duration::try_from(span)
        .ok()
        .filter(sensible)
        .ok_or_else(|| "expected more than 0 and at most ten years".to_owned())
}
