//! Unit tests of definitions: what test files can say, how they run, and what they say when they are wrong.
#![allow(clippy::unwrap_used, reason = "a test")]

mod files;
mod hostile;
mod mistakes;
mod picking;
mod stories;
mod whole;
