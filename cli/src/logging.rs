//! Logging of commands other than `run`: only what a person must see, unless more is requested.

use anyhow::Result;
use slipstream_runtime::config::Logging;
use slipstream_runtime::telemetry;

/// Sets logging up, quiet unless `level` says otherwise.
///
/// # Errors
/// When the level is none.
pub fn init(level: Option<String>) -> Result<()> {
    let logging = Logging { level: Some(level.unwrap_or_else(|| "warn".to_owned())), ..Logging::default() };
    telemetry::init(&logging, std::env::var("NO_COLOR").ok().as_deref())?;
    Ok(())
}
