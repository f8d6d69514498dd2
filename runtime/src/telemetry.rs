//! Log lines: for people on a terminal, JSON otherwise, always on standard error.

use std::io::IsTerminal;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::config::{LogFormat, Logging};

/// Why log lines could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is malformed.
    #[error("reading the log filter `{filter}`: {cause}; give a level (`info`) or a filter (`info,axum=warn`)")]
    Filter {
        /// The filter.
        filter: String,
        /// Why.
        cause: String,
    },
    /// Somebody has set it up already.
    #[error("setting up log lines: {0}")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Libraries that talk much: heard from a warning on, unless a filter names them.
const TALKATIVE: [&str; 5] = ["hyper", "hyper_util", "reqwest", "rustls", "h2"];

/// Sets log lines up for the process; `NO_COLOR`, when not empty, keeps colours away from a terminal.
///
/// # Errors
/// When the filter is malformed, or it is called a second time.
pub fn init(logging: &Logging, no_color: Option<&str>) -> Result<(), TelemetryError> {
    let filter = filter(logging.level.as_deref().unwrap_or("info"))?;
    let terminal = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
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

/// Reads a level or a filter.
pub(crate) fn filter(text: &str) -> Result<EnvFilter, TelemetryError> {
    let error = |cause: String| TelemetryError::Filter { filter: text.to_owned(), cause };
    // `EnvFilter` takes a word that is no level for the name of a module: a mistyped level would silence everything.
    let no_level = |word: &&str| word.is_empty() || word.parse::<LevelFilter>().is_err();
    if let Some(word) = text.split(',').filter(|part| !part.contains(['=', '['])).find(no_level) {
        return Err(error(format!("`{word}` is no level (error, warn, info, debug, trace, off)")));
    }
    let named = |library: &&str| text.split(',').any(|part| part.split('=').next() == Some(library));
    let quiet: String = TALKATIVE.iter().filter(|l| !named(l)).map(|l| format!(",{l}=warn")).collect();
    EnvFilter::try_new(format!("{text}{quiet}")).map_err(|e| error(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_or_a_filter_is_read_and_a_mistyped_level_is_refused() {
        for good in ["info", "debug", "off", "WARN", "info,slipstream_sink=debug", "warn,hyper=debug"] {
            assert!(filter(good).is_ok(), "{good}");
        }
        for bad in ["inof", "", "info,verbose", "slipstream_sink=loud"] {
            let error = filter(bad).expect_err(bad).to_string();
            assert!(error.contains("give a level"), "{error}");
        }
        assert!(filter("debug").unwrap().to_string().contains("hyper=warn"));
        assert!(!filter("debug,hyper=trace").unwrap().to_string().contains("hyper=warn"));
    }

    #[test]
    fn lines_are_json_unless_somebody_watches() {
        assert_eq!(form(LogFormat::Auto, true), LogFormat::Human);
        assert_eq!(form(LogFormat::Auto, false), LogFormat::Json);
        assert_eq!(form(LogFormat::Json, true), LogFormat::Json);
        assert_eq!(form(LogFormat::Human, false), LogFormat::Human);
    }
}
