//! Where history is read: R3, what is missing, and the order by event time.
#![allow(clippy::unwrap_used, reason = "a test")]

mod event_clock;
mod joined;
mod lost;
mod onlooker;
mod reader;
mod stopped;
mod turned;
mod world;
