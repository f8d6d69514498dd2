//! What the demo shows: plain lines, the SLOs worst budget first, alerts as they arrive.

use std::io::{self, Write};

use jiff::Timestamp;
use slipstream_query::slos::SloStatus;
use slipstream_schemas::visible::{visible, visible_lines};
use slipstream_slo::rule::words::figure;

use super::receiver::Received;
use crate::{figures, output};

/// Where lines go: standard output, or standard error if standard output is reserved for JSON.
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
    ///
    /// # Errors
    /// When nobody reads any more.
    pub fn line(&self, text: impl std::fmt::Display) -> io::Result<()> {
        let time = Timestamp::now().strftime("%H:%M:%S");
        self.write(&format!("{time}  {text}\n"))
    }

    /// A line as it is.
    ///
    /// # Errors
    /// As for [`Screen::line`].
    pub fn plain(&self, text: impl std::fmt::Display) -> io::Result<()> {
        self.write(&format!("{text}\n"))
    }

    /// Events a second, and the SLOs, worst budget first.
    ///
    /// # Errors
    /// As for [`Screen::line`].
    pub fn status(&self, per_second: f64, stored: u64, slos: &[SloStatus]) -> io::Result<()> {
        self.line(format_args!("{per_second:>6.0} events/s  {} stored", figures::count(stored as i64)))?;
        for slo in slos {
            let group: Vec<&str> = slo.group.iter().flat_map(|g| g.values().map(String::as_str)).collect();
            let name = if group.is_empty() { slo.name.clone() } else { format!("{}[{}]", slo.name, group.join(",")) };
            let sli = slo.sli.map_or("no traffic".to_owned(), |sli| figures::percent(sli, slo.target.as_slice()));
            let burn =
                slo.burn_rates.get("1m").map_or(String::new(), |b| format!("  burning {}x over 1m", figure(*b, &[])));
            let left = figures::rough_percent(slo.budget_remaining, &[]);
            let name = visible(&name);
            self.plain(format_args!("          {name:<34} {sli:>10}  budget left {left:>9}{burn}"))?;
        }
        Ok(())
    }

    /// What the receiver got.
    ///
    /// # Errors
    /// As for [`Screen::line`].
    pub fn alert(&self, alert: &Received) -> io::Result<()> {
        let label = |name: &str| alert.labels.get(name).map_or("", String::as_str);
        let head = format!("{} {} ({}): ", alert.status.to_uppercase(), label("slo"), label("severity"));
        let head = visible(&head);
        let head = match (self.colour, alert.status.as_str()) {
            (true, "firing") => format!("\x1b[1;31m{head}\x1b[0m"),
            (true, _) => format!("\x1b[1;32m{head}\x1b[0m"),
            (false, _) => head.into_owned(),
        };
        let summary = alert.annotations.get("summary").map_or("", String::as_str);
        self.line(format_args!("ALERT  webhook received: {head}{}", visible(summary)))?;
        let evidence = alert.annotations.get("evidence").filter(|_| alert.status == "firing");
        evidence.map_or(Ok(()), |evidence| self.evidence(evidence))
    }

    /// What is known of the requests behind it.
    fn evidence(&self, text: &str) -> io::Result<()> {
        visible_lines(text).lines().try_for_each(|line| self.plain(format_args!("          | {line}")))
    }

    fn write(&self, text: &str) -> io::Result<()> {
        if self.to_stderr {
            // The JSON is what counts: standard error that is closed harms nothing.
            let _ = io::stderr().lock().write_all(text.as_bytes());
            return Ok(());
        }
        io::stdout().lock().write_all(text.as_bytes())
    }
}
