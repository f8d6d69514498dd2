//! The OpenAPI document for people: one page of our own, which needs nothing from elsewhere.

/// The page.
pub const PAGE: &str = include_str!("index.html");
/// Its script.
pub const SCRIPT: &str = include_str!("viewer.js");
/// Its style.
pub const STYLE: &str = include_str!("viewer.css");

/// What the page may do: load its own script and style, and ask where it came from.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
