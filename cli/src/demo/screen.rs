//! What the demo shows: plain lines, the SLOs worst budget first, alerts as they arrive.

use std::io::Write;

use jiff::Timestamp;
use slipstream_query::slos::SloStatus;
use slipstream_schemas::visible::visible;

use super::receiver::Received;
use crate::{figures, output};

/// Where lines go: standard output, or standard error when that is kept for JSON.
pub struct Screen {
    to_stderr: bool,
    colour: bool,
}

impl Screen {
    /// A screen; `json` keeps standard output free.
    pub fn new(json: bool) -> Self {
        let colour = if json { output::colour_on_stderr() } else { output::colour_on_stdout() };
        Screen { to_stderr: json, colour }
    }

    /// A line with the time before it.
    pub fn line(&self, text: impl std::fmt::Display) {
        let time = Timestamp::now().strftime("%H:%M:%S");
        self.write(&format!("{time}  {text}\n"));
    }

    /// A line as it is.
    pub fn plain(&self, text: impl std::fmt::Display) {
        self.write(&format!("{text}\n"));
    }

    /// Events a second, and the SLOs, worst budget first.
    pub fn status(&self, per_second: f64, stored: u64, slos: &[SloStatus]) {
        self.line(format_args!("{per_second:>6.0} events/s  {} stored", figures::count(stored as i64)));
        for slo in slos {
            let group: Vec<&str> = slo.group.iter().flat_map(|g| g.values().map(String::as_str)).collect();
            let name = if group.is_empty() { slo.name.clone() } else { format!("{}[{}]", slo.name, group.join(",")) };
            let sli = slo.sli.map_or("no traffic".to_owned(), |sli| figures::percent(sli, slo.target.as_slice()));
            let burn = slo.burn_rates.get("1m").map_or(String::new(), |b| format!("  burning {b:.1}x over 1m"));
            let left = figures::rough_percent(slo.budget_remaining, &[]);
            let name = visible(&name);
            self.plain(format_args!("          {name:<34} {sli:>10}  budget left {left:>9}{burn}"));
        }
    }

    /// What the receiver got.
    pub fn alert(&self, alert: &Received) {
        let label = |name: &str| alert.labels.get(name).map_or("", String::as_str);
        let head = format!("{} {} ({}): ", alert.status.to_uppercase(), label("slo"), label("severity"));
        let head = visible(&head);
        let head = match (self.colour, alert.status.as_str()) {
            (true, "firing") => format!("\x1b[1;31m{head}\x1b[0m"),
            (true, _) => format!("\x1b[1;32m{head}\x1b[0m"),
            (false, _) => head.into_owned(),
        };
        let summary = alert.annotations.get("summary").map_or("", String::as_str);
        self.line(format_args!("ALERT  webhook received: {head}{}", visible(summary)));
    }

    fn write(&self, text: &str) {
        // A closed terminal is no reason to fail.
        let _ = match self.to_stderr {
            true => std::io::stderr().lock().write_all(text.as_bytes()),
            false => std::io::stdout().lock().write_all(text.as_bytes()),
        };
    }
}
