//! `slipstream api`

use clap::Subcommand;

/// `slipstream api ...`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
#[command(
    after_help = "Examples:\n  slipstream api openapi > openapi.json\n  slipstream api postman > slipstream.postman.json\n\n\
    The API is a role of `slipstream run`: http://127.0.0.1:8470/api/v1/ (docs/api.md)."
)]
pub enum Api {
    /// Print the OpenAPI 3.1 document
    #[command(after_help = "Example:\n  slipstream api openapi > openapi.json")]
    Openapi,
    /// Print a Postman collection, to be imported
    #[command(after_help = "Example:\n  slipstream api postman > slipstream.postman.json")]
    Postman,
}
