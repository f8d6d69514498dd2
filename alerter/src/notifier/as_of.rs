//! Of when figures are. What is told late (it was held back, the receiver did not answer, it is a reminder) has the figures of
//! its tick, and says so where people read: in the summary, of which headlines are made, and at the end of the description.

use jiff::Timestamp;

use super::payload::Labels;

/// Figures that are older say of when they are, milliseconds.
const FRESH_MS: i64 = 60_000;

/// Marks the texts of an alert whose figures are of a tick, as told at `now`, milliseconds since the epoch.
pub(super) fn mark(annotations: &mut Labels, tick: i64, now: i64) {
    if now.saturating_sub(tick.saturating_mul(1_000)) <= FRESH_MS {
        return;
    }
    let Some(time) = time(tick, now) else { return };
    if let Some(summary) = annotations.get_mut("summary") {
        summary.push_str(&format!(" (as of {time})"));
    }
    if let Some(description) = annotations.get_mut("description") {
        description.push_str(&format!(" Figures as of {time}."));
    }
}

/// `10:00:03 UTC`; with the date where that is another one.
fn time(tick: i64, now: i64) -> Option<String> {
    let (then, now) = (Timestamp::from_second(tick).ok()?, Timestamp::from_millisecond(now).ok()?);
    let day = |t: Timestamp| t.strftime("%Y-%m-%d").to_string();
    let format = if day(then) == day(now) { "%H:%M:%S UTC" } else { "%Y-%m-%d %H:%M:%S UTC" };
    Some(then.strftime(format).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_that_are_old_say_of_when_they_are() {
        let tick = 1_769_940_003;
        let cases = [
            (60_000, "7% fail", "It fires."),
            (60_001, "7% fail (as of 10:00:03 UTC)", "It fires. Figures as of 10:00:03 UTC."),
            (86_400_000, "7% fail (as of 2026-02-01 10:00:03 UTC)", "It fires. Figures as of 2026-02-01 10:00:03 UTC."),
        ];
        for (later, summary, description) in cases {
            let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            let mut annotations = Labels::from([text("summary", "7% fail"), text("description", "It fires.")]);
            mark(&mut annotations, tick, tick * 1_000 + later);
            assert_eq!(annotations, Labels::from([text("summary", summary), text("description", description)]));
        }
    }
}
