//! Logging of commands other than `run`: only what a person must see, unless more is requested.

use anyhow::{Context, Result};
use slipstream_runtime::config::Logging;
use slipstream_runtime::telemetry;

use crate::wrong_use::WrongUse;

/// The variable for who gives no `--log-level`.
const LEVEL: &str = "SLIPSTREAM_LOG_LEVEL";

/// Sets logging up, quiet unless `level` or the variable says otherwise.
///
/// # Errors
/// When the level is none.
pub fn init(level: Option<String>) -> Result<()> {
    let (given, level) = match (level, std::env::var_os(LEVEL)) {
        (Some(level), _) => ("--log-level", level),
        (None, Some(level)) => {
            let level = level.into_string();
            (LEVEL, level.map_err(|_| WrongUse(format!("{LEVEL}: its value is not UTF-8 text")))?)
        }
        (None, None) => ("the default", "warn".to_owned()),
    };
    let logging = Logging { level: Some(level), ..Logging::default() };
    telemetry::init(&logging, std::env::var("NO_COLOR").ok().as_deref()).context(given)
}
