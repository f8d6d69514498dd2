//! Sources of events: the gateway over HTTP and its client for Rust, imported files, and simulated traffic. And what goes the
//! same way: markers ([`marking`]) and tokens ([`tokens`]).

pub mod answer;
pub mod client;
pub mod gateway;
pub mod import;
pub mod marking;
pub mod remote;
pub mod server;
pub mod silencing;
pub mod simulate;
pub mod tokens;
mod unpack;
