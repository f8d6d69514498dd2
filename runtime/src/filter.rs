//! Which log lines are heard: a level, or a filter by module.

use slipstream_schemas::Cause;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Libraries that talk much: heard from a warning on, unless a filter names them.
const TALKATIVE: [&str; 5] = ["hyper", "hyper_util", "reqwest", "rustls", "h2"];

/// Why a filter cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("reading the log filter `{filter}`: {cause}; expected a level (`info`) or a filter (`info,axum=warn`)")]
pub struct FilterError {
    /// The filter.
    pub filter: String,
    /// Why.
    #[source]
    pub cause: Cause,
}

/// Reads a level or a filter.
pub(crate) fn read(text: &str) -> Result<EnvFilter, FilterError> {
    let error = |cause: Cause| FilterError { filter: text.to_owned(), cause };
    // `EnvFilter` takes a word that is not a level for a module name: a mistyped level would silence everything.
    let no_level = |word: &&str| word.is_empty() || word.parse::<LevelFilter>().is_err();
    if let Some(word) = text.split(',').filter(|part| !part.contains(['=', '['])).find(no_level) {
        return Err(error(format!("`{word}` is not a level (error, warn, info, debug, trace, off)").into()));
    }
    let named = |library: &&str| text.split(',').any(|part| part.split('=').next() == Some(library));
    let quiet: String = TALKATIVE.iter().filter(|l| !named(l)).map(|l| format!(",{l}=warn")).collect();
    EnvFilter::try_new(format!("{text}{quiet}")).map_err(|e| error(Cause::of(e)))
}

#[cfg(test)]
mod tests {
    use slipstream_schemas::cause;
    use tracing_subscriber::filter::ParseError;

    use super::*;

    #[test]
    fn a_level_or_a_filter_is_read_and_a_mistyped_level_is_refused() {
        for good in ["info", "debug", "off", "WARN", "info,slipstream_sink=debug", "warn,hyper=debug"] {
            assert!(read(good).is_ok(), "{good}");
        }
        let none = |word: &str| format!("`{word}` is not a level (error, warn, info, debug, trace, off)");
        for (bad, why) in [
            ("inof", Some(none("inof"))),
            ("", Some(none(""))),
            ("info,verbose", Some(none("verbose"))),
            ("slipstream_sink=loud", None),
        ] {
            let error = read(bad).expect_err(bad);
            let behind = cause::find::<ParseError>(&error).map(ToString::to_string);
            assert_eq!(behind.is_some(), why.is_none(), "{bad}");
            let why = why.or(behind).unwrap_or_default();
            let advice = "expected a level (`info`) or a filter (`info,axum=warn`)";
            assert_eq!(error.to_string(), format!("reading the log filter `{bad}`: {why}; {advice}"));
        }
        assert!(read("debug").unwrap().to_string().contains("hyper=warn"));
        assert!(!read("debug,hyper=trace").unwrap().to_string().contains("hyper=warn"));
    }
}
