//! The gateway over real sockets: what senders send, what they are told, and what the log then holds.

#![allow(clippy::unwrap_used)]

mod bodies;
mod client;
mod hostile;
mod house;
mod markers;
mod pressure;
mod silences;
mod tls;
mod tokens;
