//! The API of a real process: what others' tools make of it, and what it answers while its database dies.
#![allow(clippy::unwrap_used, reason = "a test")]

mod away;
mod fuzz;
mod guide;
mod newman;
mod remote;
mod shop;
