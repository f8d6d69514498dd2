//! `timeWindow`: the time that a budget is for, rolling or by a calendar.

use jiff::civil::DateTime;
use jiff::tz::TimeZoneDatabase;

use super::alerts::check_window;
use crate::calendar::{Calendar, Unit};
use crate::definition::Window;
use crate::document::fields::{Fields, Text};
use crate::document::report::{Place, Report};
use crate::duration;

/// The period if a document names none, seconds.
const DEFAULT_PERIOD: i64 = 30 * 86_400;
/// How a calendar's start is written.
const START: &str = "%Y-%m-%d %H:%M:%S";

/// Reads the window of an SLO. `None`: an error was reported.
pub(super) fn read(report: &mut Report<'_>, spec: &Fields<'_>) -> Option<Window> {
    let path = spec.path_of("timeWindow");
    let items = match spec.get("timeWindow") {
        Some(_) => spec.list(report, "timeWindow")?,
        None => &[],
    };
    let Some(item) = items.first() else {
        let place = spec.place_of("timeWindow").unwrap_or(spec.place);
        let help = Some("write `timeWindow: [{duration: 30d, isRolling: true}]`".to_owned());
        report.warning(place, "assumed-window", format!("{path} is missing: taken as 30d, rolling"), help);
        return Some(Window::Rolling(DEFAULT_PERIOD));
    };
    if let Some(second) = items.get(1) {
        let message = format!("{path}: expected one window, found {}", items.len());
        report.error(second.place, "invalid-value", message, None);
    }
    let fields = Fields::of(report, item, &format!("{path}[0]"))?;
    window(report, &fields)
}

fn window(report: &mut Report<'_>, window: &Fields<'_>) -> Option<Window> {
    window.check_known(report, &["duration", "isRolling", "calendar"]);
    window.required(report, "duration");
    let rolling = window.truth(report, "isRolling");
    if rolling != Some(true)
        && let Some(calendar) = window.map(report, "calendar")
    {
        return by_calendar(report, window, &calendar).map(Window::Calendar);
    }
    if let Some(place) = window.place_of("calendar") {
        let message = format!("{} has no meaning in a rolling window: it is ignored", window.path_of("calendar"));
        report.warning(place, "no-meaning", message, Some("a calendar window has `isRolling: false`".to_owned()));
    }
    let duration = window.duration(report, "duration");
    if rolling == Some(false) {
        let help = Some("a rolling window has `isRolling: true`".to_owned());
        report.error(window.place, "missing-field", format!("{} is required", window.path_of("calendar")), help);
        return None;
    }
    if window.get("isRolling").is_none() {
        let message = format!("{} is missing: taken as true", window.path_of("isRolling"));
        report.warning(window.place, "assumed-window", message, None);
    }
    let (seconds, place) = duration?;
    warn_of_minutes(report, seconds, place, &window.path_of("duration"));
    let fits = check_window(report, seconds, place, &window.path_of("duration"));
    fits.then_some(Window::Rolling(seconds))
}

fn by_calendar(report: &mut Report<'_>, window: &Fields<'_>, calendar: &Fields<'_>) -> Option<Calendar> {
    calendar.check_known(report, &["startTime", "timeZone"]);
    let units = window.text(report, "duration").and_then(|text| units(report, text, &window.path_of("duration")));
    let start = calendar.required_text(report, "startTime");
    let start = start.and_then(|text| start_time(report, text, &calendar.path_of("startTime")));
    let zone = calendar.required_text(report, "timeZone");
    let zone = zone.and_then(|text| time_zone(report, text, &calendar.path_of("timeZone")));
    let ((count, unit), start, zone) = (units?, start?, zone?);
    if let Some(place) = window.place_of("duration") {
        warn_of_minutes(report, count * unit.nominal_seconds(), place, &window.path_of("duration"));
    }
    Calendar::new(count, unit, start, zone)
}

/// `1m` is mostly meant to be a month. Nothing at all is an error of its own.
fn warn_of_minutes(report: &mut Report<'_>, seconds: i64, place: Place, path: &str) {
    if seconds == 0 || seconds >= 3_600 {
        return;
    }
    let minutes = seconds / 60;
    let message = format!("{path}: the budget covers only {minutes} minute{}", if minutes == 1 { "" } else { "s" });
    let help = Some(format!("m is minutes, M is months: did you mean `{minutes}M`?"));
    report.warning(place, "short-budget", message, help);
}

fn units(report: &mut Report<'_>, text: Text<'_>, path: &str) -> Option<(i64, Unit)> {
    match duration::units(text.value) {
        Err(error) => {
            let help = duration::meant(text.value).map(|meant| format!("write `{meant}`"));
            report.error(text.place, "invalid-duration", format!("{path}: `{}`: {error}", text.value), help);
            None
        }
        Ok((0, _)) => {
            report.error(text.place, "invalid-duration", format!("{path}: expected a duration above 0"), None);
            None
        }
        Ok((count, _)) if count > Calendar::MAX_COUNT => {
            let message = format!("{path}: periods of more than {} units are not supported", Calendar::MAX_COUNT);
            report.error(text.place, "unsupported-window-length", message, None);
            None
        }
        Ok(units) => Some(units),
    }
}

fn start_time(report: &mut Report<'_>, text: Text<'_>, path: &str) -> Option<DateTime> {
    // The length is part of the form: strptime reads `2026-1-1` too.
    let start = DateTime::strptime(START, text.value).ok().filter(|_| text.value.len() == "2026-01-31 12:30:00".len());
    if start.is_none() {
        let message =
            format!("{path}: expected a local date and time such as `2026-01-31 12:30:00`, found `{}`", text.value);
        let help = text.value.contains(['T', 'Z', '+']).then(|| "the time zone is set by timeZone".to_owned());
        report.error(text.place, "invalid-start-time", message, help);
    }
    start
}

fn time_zone<'n>(report: &mut Report<'_>, text: Text<'n>, path: &str) -> Option<&'n str> {
    let zones = TimeZoneDatabase::bundled();
    if zones.get(text.value).is_ok() {
        return Some(text.value);
    }
    let known: Vec<String> = zones.available().map(|name| name.as_str().to_owned()).collect();
    let names: Vec<&str> = known.iter().map(String::as_str).collect();
    // `Paris` is most probably the zone of that city.
    let city = names.iter().find(|name| name.rsplit('/').next().is_some_and(|city| city == text.value)).copied();
    let near = city
        .or_else(|| report.nearest(text.value, names.iter().copied()))
        .map(|near| format!("did you mean `{near}`?"));
    let message =
        format!("{path}: expected the IANA name of a time zone such as `Europe/Paris`, found `{}`", text.value);
    report.error(text.place, "invalid-time-zone", message, near.or_else(|| Some("`UTC` is one too".to_owned())));
    None
}
