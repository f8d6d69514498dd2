//! Imports: what files become, and that each of their lines counts once whatever happens.
#![allow(clippy::unwrap_used, reason = "a test")]

mod alike;
mod fields;
mod files;
mod growth;
mod once;
mod pipes;
mod real_logs;
mod through;
