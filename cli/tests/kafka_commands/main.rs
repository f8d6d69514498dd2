//! Commands against a real Kafka and a real PostgreSQL: topics, doctor, roles that are split over processes, processes that
//! are restarted, and partitions that come.
#![allow(clippy::unwrap_used, reason = "a test")]

mod acls;
mod as_of;
mod doctor;
mod elastic;
mod follower;
mod markers;
mod membership;
mod place;
mod recreated;
mod roles;
mod speaker;
mod stream;
mod tokens;
mod topics;
