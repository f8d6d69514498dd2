//! The program that has TimescaleDB in WASM behind PostgreSQL's protocol (`testkit/timescale-wasm`) serves several clients
//! as a server does, though it has one session: what other suites find is TimescaleDB's and ours, not its own.
#![allow(clippy::unwrap_used, reason = "a test")]

mod copy;
mod databases;
mod process;
mod raw;
mod statements;
mod support;
mod turns;
