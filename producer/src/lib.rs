//! Sources of events: the gateway over HTTP and its client for Rust, imported files, and simulated traffic. And markers ([`marking`]).

pub mod answer;
pub mod client;
pub mod gateway;
pub mod import;
pub mod marking;
pub mod simulate;
mod unpack;
