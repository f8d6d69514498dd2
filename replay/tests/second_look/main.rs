//! What is told of alerts from single requests: when they began, whom they hit, which requests made the difference.
#![allow(clippy::unwrap_used, reason = "a test")]

mod looks;
mod world;
