//! Files of incidents.

use std::path::Path;

use anyhow::{Result, bail};
use slipstream_definitions::diagnostic::render;
use slipstream_replay::backtest::incidents::{self, Format, Incident};
use slipstream_replay::backtest::labels::Labels;

use crate::args::Backtest;
use crate::wrong_use::WrongUse;
use crate::{definitions, output};

/// What the arguments say about incidents; `None` without them.
///
/// # Errors
/// When a file cannot be read, or has errors.
pub fn labels(args: &Backtest) -> Result<Option<Labels>> {
    let Some(file) = &args.incidents else { return Ok(None) };
    let set_aside = args.set_aside.as_deref().map_or_else(|| Ok(Vec::new()), read)?;
    let grace = i64::try_from(args.grace.as_secs()).unwrap_or(i64::MAX);
    Ok(Some(Labels { incidents: read(file)?, set_aside, grace, any_service: args.any_service }))
}

fn read(file: &Path) -> Result<Vec<Incident>> {
    let Some(format) = Format::of(&file.display().to_string()) else {
        let message =
            format!("{}: incidents are in a file whose name ends in .csv, .yaml, .yml or .json", file.display());
        return Err(WrongUse(message).into());
    };
    let read = incidents::read(&definitions::read_file(file)?, format);
    if !read.diagnostics.is_empty() {
        output::say_as_is(render(&read.diagnostics, output::colour_on_stderr()).trim_end());
    }
    if !read.is_valid() {
        bail!("the incidents have errors");
    }
    Ok(read.incidents)
}
