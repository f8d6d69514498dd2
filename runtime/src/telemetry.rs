//! Log lines: for people on a terminal, JSON otherwise, always on standard error.

use std::io::IsTerminal;

use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, Logging};
use crate::filter::{self, FilterError};

/// Why log lines could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is malformed.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// Someone has set it up already.
    #[error("setting up log lines: {0}")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Sets log lines up for the process; `NO_COLOR`, when not empty, keeps colours away from a terminal.
///
/// # Errors
/// When the filter is malformed, or it is called a second time.
pub fn init(logging: &Logging, no_color: Option<&str>) -> Result<(), TelemetryError> {
    let filter = filter::read(logging.level.as_deref().unwrap_or("info"))?;
    let terminal = std::io::stderr().is_terminal();
    // Where standard error is closed, a line is lost. Reporting that on standard error would panic, and end the role.
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).log_internal_errors(false);
    let lines = match form(logging.format, terminal) {
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed(),
        LogFormat::Human | LogFormat::Auto => {
            let colour = terminal && no_color.is_none_or(str::is_empty);
            lines.with_ansi(colour).with_target(false).compact().boxed()
        }
    };
    tracing_subscriber::registry().with(lines.with_filter(filter)).try_init()?;
    Ok(())
}

fn form(format: LogFormat, terminal: bool) -> LogFormat {
    match format {
        LogFormat::Auto if terminal => LogFormat::Human,
        LogFormat::Auto => LogFormat::Json,
        LogFormat::Human | LogFormat::Json => format,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_json_unless_somebody_watches() {
        assert_eq!(form(LogFormat::Auto, true), LogFormat::Human);
        assert_eq!(form(LogFormat::Auto, false), LogFormat::Json);
        assert_eq!(form(LogFormat::Json, true), LogFormat::Json);
        assert_eq!(form(LogFormat::Human, false), LogFormat::Human);
    }
}
