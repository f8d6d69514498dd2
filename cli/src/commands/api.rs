//! `slipstream api`: what describes the API, without a server.

use std::process::ExitCode;

use anyhow::Result;

use crate::args::Api;
use crate::output;

/// Prints a description of the API.
///
/// # Errors
/// When standard output is closed.
pub fn run(api: Api) -> Result<ExitCode> {
    let text = match api {
        Api::Openapi => slipstream_api::openapi_text(),
        Api::Postman => slipstream_api::postman_text(),
    };
    output::print_as_is(&format!("{text}\n"))?;
    Ok(ExitCode::SUCCESS)
}
