//! Commands against a real Kafka and a real PostgreSQL: topics, doctor, roles that are split over processes.
#![allow(clippy::unwrap_used, reason = "a test")]

mod doctor;
mod place;
mod roles;
mod topics;
