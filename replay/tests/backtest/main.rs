//! How a set of rules would have done: incidents as they are written, stories with exact values, and a suggestion that is
//! copied.

mod incidents;
mod score;
mod suggest;
mod world;
